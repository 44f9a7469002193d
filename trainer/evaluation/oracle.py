"""The oracle, a critic that knows whether the answer is right: the upper limit for any critic.

It accepts right attempts; in wrong ones the critic still has to locate the error. MathCritique (arXiv 2411.16579)
compares its critics with this bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event

from runtime.checks.grading import grade
from runtime.critic.critic import Critic, Reading, open_critic
from runtime.engines.base import Engine, Sampling
from runtime.events import CritiqueDone, StepJudged, value_of
from runtime.events import Event as TalkEvent
from runtime.search.self_consistency import MajorityVote
from runtime.settings import Settings
from runtime.solving.actor import Actor
from runtime.solving.loop import criticised, guarded
from runtime.types import Critique, Problem, Step, StepVerdict, Trajectory, step_score


class Oracle:
    """A critic that knows the reference answer of the problem, and nothing else."""

    def __init__(self, critic: Critic, reference: Problem) -> None:
        self.critic, self.reference = critic, reference
        self.read_arithmetic = critic.read_arithmetic

    def follow(self, problem: Problem, steps: Sequence[Step], cancel: Event) -> list[StepVerdict]:
        """No verdicts: the oracle decides when the answer is known."""
        return []

    def read(self, problem: Problem, attempt: Trajectory, cancel: Event) -> Reading:
        """Like the critic's `read`. The generator returns the critique."""
        critique = self._corrected(attempt, value_of(self.critic.read(problem, attempt, cancel)))
        yield from (StepJudged(number, verdict) for number, verdict in enumerate(critique.verdicts))
        yield CritiqueDone(critique)
        return critique

    def wants_vote(self, critique: Critique) -> bool:
        """Only on a wrong answer, because a vote must not replace a right one."""
        return critique.first_error is not None and self.critic.wants_vote(critique)

    def reconsider(self, problem: Problem, attempt: Trajectory, majority: MajorityVote, cancel: Event) -> None:
        """A vote does not change the oracle's verdict."""

    def _corrected(self, attempt: Trajectory, critique: Critique) -> Critique:
        verdicts = list(critique.verdicts)
        if grade(attempt.answer, self.reference) is True:
            verdicts = [StepVerdict(verdict="correct")] * len(attempt.steps)
        elif critique.first_error is None and verdicts:
            place = min(range(len(verdicts)), key=lambda i: step_score(verdicts[i]))
            verdicts[place:] = [verdicts[place].model_copy(update={"verdict": "incorrect"})]
        return critique.model_copy(update={"verdicts": tuple(verdicts)})


def converse_knowing(
    problem: Problem, asked: Problem, engine: Engine, settings: Settings, judge: Engine | None = None
) -> Iterator[TalkEvent]:
    """Solve `asked`, which holds no answer, with an oracle for `problem`; `judge` is the critic's engine if it
    differs."""
    sampling = Sampling(temperature=settings.temperature, max_tokens=settings.max_tokens, seed=settings.seed)
    oracle = Oracle(open_critic(judge or engine, settings), problem)
    return guarded(criticised(Actor(asked, engine, sampling, Event()), oracle, settings.rounds))
