"""Self-consistency (arXiv 2203.11171), on the page the second opinion: several solutions vote on the answer.

The deep check of a base with a trained critic, as agreement among solutions predicts a right answer better than a small
critic does (trainer/LOG.md). Where the catalogue says so some of the solutions are programs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Event

from runtime.checks.grading import equal, groups
from runtime.engines.base import Completion, Engine, Sampling, provenance
from runtime.models.adapter_cards import Choosing
from runtime.models.catalogue import program_voters
from runtime.prompts import templates
from runtime.prompts.actor_turn import ADAPTER
from runtime.search.program import sample_programs
from runtime.search.reliability import likelihood
from runtime.search.selection import SAMPLING, Choice, by_answer, majority, sample_attempts, weighted_majority
from runtime.search.solutions import Answered, agreeing, decided, read_solution, votes
from runtime.search.verifier import Verifier
from runtime.text import Language, language_of
from runtime.types import Problem, Trajectory

VOTERS = 5
CERTAIN = 3
"""How many have to agree. More than the programs, so that a solution in words is among them."""


@dataclass(frozen=True)
class MajorityVote:
    """The outcome of a vote."""

    voters: tuple[Trajectory, ...]
    scores: tuple[float, ...] = ()
    """A verifier's score of each voter, where there is one."""
    choosing: Choosing | None = None
    """How its card uses them."""

    @property
    def is_weighted(self) -> bool:
        """Whether a vote counts as much as its score."""
        return self.choosing is not None and self.choosing.votes == "weighted"

    @cached_property
    def choice(self) -> Choice:
        choose = weighted_majority if self.is_weighted else majority
        return choose(self.voters, self.scores)

    @property
    def winner(self) -> Trajectory | None:
        """The first solution with the most frequent answer, or the best one with the answer of the largest weight; None
        if no solution states one."""
        return self.choice.attempt

    @property
    def reliability(self) -> float | None:
        """The probability that the winner's answer is right; None without a mapping in a verifier's card."""
        if self.winner is None or self.choosing is None or self.choosing.voted is None:
            return None
        return likelihood(self.choosing.voted, self.choice, len(self.voters))

    @property
    def count(self) -> tuple[int, int]:
        """How many solutions reach the most frequent answer, and how many there are."""
        return agreeing(self.winner.answer, self.voters) if self.winner else 0, len(self.voters)

    @property
    def is_certain(self) -> bool:
        return self.count[0] >= CERTAIN

    @property
    def answers(self) -> tuple[tuple[str, int], ...]:
        """Every answer with how many solutions reach it, the most frequent first."""
        return tuple((vote.answer, len(vote.solutions)) for vote in votes(self.voters))

    @property
    def weights(self) -> tuple[float, ...]:
        """The sum of the scores of the solutions that reach each of the answers; empty without a verifier."""
        groups = by_answer(self.voters, self.scores) if self.scores else []
        return tuple(sum(choice.weight for choice in group) for group in groups)

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
        """Whether enough solutions agree on another answer than the attempt's, or the attempt has none."""
        return self.is_certain and self.shares(attempt) is False

    def replaces(self, attempt: Trajectory) -> bool:
        """Whether the winner takes the place of an attempt: it outvotes it, or has the larger weight where weights have
        proven better than votes. A program, which has no steps, is shown only if it outvotes."""
        preferred = self.is_weighted and self.winner and self.winner.steps and self.shares(attempt) is False
        return self.outvotes(attempt) or bool(preferred)


def ask(
    engine: Engine,
    problem: Problem,
    cancel: Event,
    own: Sequence[Trajectory] = (),
    report: Callable[[int], None] = lambda done: None,
    seed: int = 0,
    verifier: Verifier | None = None,
) -> MajorityVote:
    """The vote of `VOTERS` solutions, those at hand among them. No more are written once `is_enough`. `report` is
    called with how many there are. A verifier scores all of them. Raises EngineError."""
    sampling = replace(SAMPLING, seed=seed)
    programs = _programs(engine, problem, sampling, cancel)
    missing = VOTERS - len(own) - len(programs)

    def enough(replies: Sequence[Completion]) -> bool:
        voters = [*own, *map(read_solution, replies), *programs]
        report(len(voters))
        return is_enough(voters)

    written: list[Trajectory] = []
    if not (programs and enough(())):
        adapter = ADAPTER if ADAPTER in engine.adapters else None
        written = sample_attempts(engine, problem, missing, sampling, adapter, cancel, enough)
    voters = (*own, *written, *programs)
    if verifier is None or cancel.is_set():
        return MajorityVote(voters)
    return MajorityVote(voters, verifier.scores(problem, voters, cancel), verifier.choosing)


def is_enough(voters: Sequence[Answered]) -> bool:
    """Whether the missing ones of `VOTERS` solutions can change neither the most frequent answer nor whether it is
    certain."""
    left, most = VOTERS - len(voters), max((len(vote.solutions) for vote in votes(voters)), default=0)
    return decided(voters, left) and not most < CERTAIN <= most + left


def _programs(engine: Engine, problem: Problem, sampling: Sampling, cancel: Event) -> list[Trajectory]:
    """The voters that are programs: attempts without steps. A program that returns no answer is no voter."""
    if not (n := program_voters(engine.model)):
        return []
    answers = [program.answer for program in sample_programs(engine, problem, n, sampling, cancel)]
    made_by = provenance(engine, templates.version("program", language_of(problem.text)), sampling)
    return [Trajectory(problem_id=problem.id, steps=(), answer=a, made_by=made_by) for a in answers if a is not None]


def on_solution(vote: MajorityVote, before: Trajectory, language: Language) -> str:
    """A note on a solution after the vote; `before` is the one that stood until then. Empty if its answer cannot be
    compared."""
    agree, n = vote.count
    if not vote.is_certain:
        kind = "preferred" if before.answer and vote.replaces(before) else "uncertain"
        return _SOLVED[language][kind].format(n=n, old=before.answer)
    if vote.shares(before) is None:
        return ""
    kind = "outvoted" if before.answer and vote.outvotes(before) else "agree"
    return _SOLVED[language][kind].format(agree=agree, n=n, old=before.answer)


def on_own_work(vote: MajorityVote, problem: Problem, attempt: Trajectory) -> str:
    """A note on a person's own attempt, which never states the answer. Empty if theirs cannot be compared."""
    if attempt.answer is None or vote.shares(attempt) is None:
        return ""
    kind = "uncertain" if not vote.is_certain else "other" if vote.outvotes(attempt) else "same"
    agree, n = vote.count
    return _CHECKED[language_of(problem.text)][kind].format(agree=agree, n=n)


_SOLVED: dict[Language, dict[str, str]] = {
    "en": {
        "agree": "{agree} of {n} solutions reach this answer.",
        "outvoted": "The first solution gave {old}, but {agree} of {n} reach the answer shown here.",
        "uncertain": "My {n} solutions do not agree with each other: do not rely on this answer.",
        "preferred": "The first solution gave {old}. My {n} solutions do not agree with each other; the one shown here "
        "was rated best, but do not rely on it.",
    },
    "zh-CN": {
        "agree": "解了 {n} 次，有 {agree} 次得到这个答案。",
        "outvoted": "第一次解出的是 {old}，但 {n} 次中有 {agree} 次得到现在这个答案。",
        "uncertain": "我解了 {n} 次，结果不一致：请不要依赖这个答案。",
        "preferred": "第一次解出的是 {old}。我解了 {n} 次，结果不一致；这里是评分最高的一种，但请不要依赖它。",
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
