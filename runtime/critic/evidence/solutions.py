"""Independent solutions of the problem: do they reach the attempt's answer, and do they meet its numbers?"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from runtime.critic.evidence.collector import Collector
from runtime.critic.evidence.others import compare
from runtime.critic.evidence.source import Findings, Source, StepEvidence
from runtime.search.solutions import Solution, agreeing, sample_solutions
from runtime.text import Language
from runtime.types import Problem, Trajectory

NAME = "solutions"
SOLUTIONS = 4
"""At most."""
FEATURES = (
    "agreement",  # share of the independent solutions that reach the attempt's answer
    "deviation",  # 1: none of them reaches it, and here is the first number that they never meet
    "approach",  # 1: none of them reaches it, and this step comes before such a number
)


def _collect(
    collector: Collector, problem: Problem, attempt: Trajectory, cancel: Event, _: Findings
) -> tuple[Solution, ...]:
    """In pairs: once a pair agrees with the attempt's answer, no more are asked for."""
    known = collector.memory.setdefault((NAME, problem.id), [])
    while len(known) < SOLUTIONS and not cancel.is_set():
        if known and agreeing(attempt.answer, known) == len(known):
            break
        numbers = range(len(known), len(known) + 2)
        known += sample_solutions(collector.engine, problem, numbers, collector.max_tokens, collector.seed + 1, cancel)
    return tuple(known)


def _examine(steps: Sequence[StepEvidence], found: Sequence[Solution], problem: Problem, attempt: Trajectory) -> None:
    compare(steps, found, problem, attempt, NAME, FEATURES, AGREE, _DIFFER)


AGREE: dict[Language, str] = {
    "en": "{} of {} independent solutions reach the same answer.",
    "zh-CN": "{1} 个独立解答中有 {0} 个得到同样的答案。",
}
_DIFFER: dict[Language, str] = {
    "en": "{} independent solutions differ from here on.",
    "zh-CN": "{} 个独立解答从这里开始不一样。",
}
SOURCE = Source(
    NAME,
    _examine,
    _collect,
    kind=tuple[Solution, ...],
    features=FEATURES,
    badges={"correct": "solutions_agree", "incorrect": "solutions_differ"},
    depths=("deep",),
    asks=SOLUTIONS,
    feeds_others=True,
    compares_answers=True,
)
