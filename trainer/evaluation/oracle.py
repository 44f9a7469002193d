"""The critic told whether the answer is right: how much could be won if it always knew when to object.

Right attempts pass; of wrong ones the critic still has to say where. MathCritique (arXiv 2411.16579) measures its
critics beside this bound.
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
    """A critic that knows the reference answer, and nothing else, of the problem."""

    def __init__(self, critic: Critic, reference: Problem) -> None:
        self.critic, self.reference = critic, reference
        self.read_arithmetic = critic.read_arithmetic

    def follow(self, problem: Problem, steps: Sequence[Step], cancel: Event) -> list[StepVerdict]:
        """Nothing yet: whether the answer is right shows at the end."""
        return []

    def read(self, problem: Problem, attempt: Trajectory, cancel: Event) -> Reading:
        """As the critic's. The generator's value is the critique."""
        critique = self._corrected(attempt, value_of(self.critic.read(problem, attempt, cancel)))
        yield from (StepJudged(number, verdict) for number, verdict in enumerate(critique.verdicts))
        yield CritiqueDone(critique)
        return critique

    def wants_vote(self, critique: Critique) -> bool:
        """Only where an answer is wrong: no vote may take a right one away."""
        return critique.first_error is not None and self.critic.wants_vote(critique)

    def reconsider(self, problem: Problem, attempt: Trajectory, majority: MajorityVote, cancel: Event) -> None:
        """No vote changes what it knows."""

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
    """Solve `asked`, which holds no answer, with a critic that knows the one of `problem`; `judge` is the critic's
    engine, if it is another one."""
    sampling = Sampling(temperature=settings.temperature, max_tokens=settings.max_tokens, seed=settings.seed)
    oracle = Oracle(open_critic(judge or engine, settings), problem)
    return guarded(criticised(Actor(asked, engine, sampling, Event()), oracle, settings.rounds))
