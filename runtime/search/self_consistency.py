"""A second opinion: the problem solved anew, several times, and the answers vote (self-consistency, arXiv 2203.11171).

What a deep look adds where a critic's adapter was fitted with nothing deeper beside it. That most solutions agree tells
more about an answer than a small critic can say (trainer/LOG.md); where they do not, a person is told so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Event

from runtime.checks.grading import equal, groups
from runtime.engines.base import Completion, Engine
from runtime.prompts.actor_turn import ADAPTER
from runtime.search.selection import majority, sample_attempts
from runtime.search.solutions import agreeing, decided, read_solution, votes
from runtime.text import Language, language_of
from runtime.types import Problem, Trajectory

VOTERS = 5
CERTAIN = 3
"""So many have to agree."""


@dataclass(frozen=True)
class Opinion:
    """What the solutions that voted say."""

    voters: tuple[Trajectory, ...]

    @cached_property
    def winner(self) -> Trajectory | None:
        """The first solution with the most frequent answer; None if nobody states one."""
        return majority(self.voters).attempt

    @property
    def count(self) -> tuple[int, int]:
        """How many come to the most frequent answer, and of how many."""
        return agreeing(self.winner.answer, self.voters) if self.winner else 0, len(self.voters)

    @property
    def is_certain(self) -> bool:
        return self.count[0] >= CERTAIN

    @property
    def answers(self) -> tuple[tuple[str, int], ...]:
        """Every answer with how many come to it, the most frequent first."""
        return tuple((vote.answer, len(vote.solutions)) for vote in votes(self.voters))

    def shares(self, attempt: Trajectory) -> bool | None:
        """Whether the most frequent answer is the attempt's, in this vote; None if that cannot be judged."""
        won = self.winner.answer if self.winner else None
        if not attempt.answer or not won:
            return False
        answers = [voter.answer for voter in self.voters if voter.answer]
        [own] = (places for places in groups([attempt.answer, *answers]) if 0 in places)
        if answers.index(won) + 1 in own:
            return True
        return False if equal(attempt.answer, won) is False else None

    def outvotes(self, attempt: Trajectory) -> bool:
        """Whether the solutions are certain of another answer than the attempt's, or it has none."""
        return self.is_certain and self.shares(attempt) is False


def ask(
    engine: Engine,
    problem: Problem,
    cancel: Event,
    own: Sequence[Trajectory] = (),
    tell: Callable[[int], None] = lambda done: None,
) -> Opinion:
    """The vote of `VOTERS` solutions, those at hand among them; fewer are written where those decide the answer, and
    whether it is certain. `tell` is called with how many there are. Raises EngineError."""
    missing = VOTERS - len(own)

    def enough(replies: Sequence[Completion]) -> bool:
        tell(len(own) + len(replies))
        heard, left = [*own, *map(read_solution, replies)], missing - len(replies)
        most = max((len(vote.solutions) for vote in votes(heard)), default=0)
        return decided(heard, left) and not most < CERTAIN <= most + left

    adapter = ADAPTER if ADAPTER in engine.adapters else None
    return Opinion((*own, *sample_attempts(engine, problem, missing, adapter=adapter, cancel=cancel, enough=enough)))


def on_solution(opinion: Opinion, before: Trajectory, language: Language) -> str:
    """What a person is told of a solution once others have voted; `before` is the one that stood until then. Empty if
    its answer cannot be compared."""
    agree, n = opinion.count
    if not opinion.is_certain:
        return _SOLVED[language]["uncertain"].format(n=n)
    if opinion.shares(before) is None:
        return ""
    kind = "outvoted" if before.answer and opinion.outvotes(before) else "agree"
    return _SOLVED[language][kind].format(agree=agree, n=n, old=before.answer)


def on_own_work(opinion: Opinion, problem: Problem, attempt: Trajectory) -> str:
    """What a person is told of their own attempt; never the answer. Empty if it states none that can be compared."""
    if attempt.answer is None or opinion.shares(attempt) is None:
        return ""
    kind = "uncertain" if not opinion.is_certain else "other" if opinion.outvotes(attempt) else "same"
    agree, n = opinion.count
    return _CHECKED[language_of(problem.text)][kind].format(agree=agree, n=n)


_SOLVED: dict[Language, dict[str, str]] = {
    "en": {
        "agree": "{agree} of {n} solutions reach this answer.",
        "outvoted": "The first solution gave {old}, but {agree} of {n} reach the answer shown here.",
        "uncertain": "My {n} solutions do not agree with each other: do not rely on this answer.",
    },
    "zh-CN": {
        "agree": "解了 {n} 次，有 {agree} 次得到这个答案。",
        "outvoted": "第一次解出的是 {old}，但 {n} 次中有 {agree} 次得到现在这个答案。",
        "uncertain": "我解了 {n} 次，结果不一致：请不要依赖这个答案。",
    },
}
_CHECKED: dict[Language, dict[str, str]] = {
    "en": {
        "same": "{agree} of my {n} solutions reach your answer too.",
        "other": "{agree} of my {n} solutions reach a different answer from yours.",
        "uncertain": "My {n} solutions do not agree with each other, so I cannot tell whether your answer is right.",
    },
    "zh-CN": {
        "same": "我解了 {n} 次，有 {agree} 次也得到你的答案。",
        "other": "我解了 {n} 次，有 {agree} 次得到的答案和你的不同。",
        "uncertain": "我解了 {n} 次，结果不一致，所以判断不了你的答案对不对。",
    },
}
