"""Self-consistency: whether enough solutions agree on the attempt's answer.

It withdraws an error that nothing proves, so the fitted rule has no feature of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from runtime.critic.evidence.solutions import AGREE
from runtime.critic.evidence.source import Collector, Source, StepEvidence
from runtime.search import self_consistency
from runtime.search.self_consistency import VOTERS, MajorityVote
from runtime.text import language_of
from runtime.types import Evidence, Problem, Trajectory

NAME = "vote"


def _collect(collector: Collector, problem: Problem, _: Trajectory, cancel: Event) -> MajorityVote:
    key = (NAME, problem.id)
    if key not in collector.memory:
        collector.memory[key] = self_consistency.ask(collector.engine, problem, cancel, seed=collector.seed)
    return collector.memory[key]


def _examine(steps: Sequence[StepEvidence], vote: MajorityVote, problem: Problem, attempt: Trajectory) -> None:
    """Only agreement is evidence on steps: an outvoted answer does not show where the error is."""
    if attempt.answer and vote.is_certain and vote.shares(attempt):
        note = AGREE[language_of(problem.text)].format(*vote.count)
        for one in steps:
            one.evidence.append(Evidence(by=NAME, verdict="correct", note=note))


SOURCE = Source(
    NAME,
    _examine,
    _collect,
    kind=MajorityVote,
    badges={"correct": "solutions_agree"},
    asks=VOTERS,
    compares_answers=True,
)
