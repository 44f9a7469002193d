"""Solutions written as programs and run: they do their sums right."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from runtime.critic.evidence.collector import Collector
from runtime.critic.evidence.others import compare
from runtime.critic.evidence.source import Findings, Source, StepEvidence
from runtime.search.program import ProgramSolution, program_solutions
from runtime.text import Language
from runtime.types import Problem, Trajectory

NAME = "programs"
PROGRAMS = 2
FEATURES = ("program_agreement", "program_deviation", "program_approach")
"""As those of the solutions."""


def _collect(
    collector: Collector, problem: Problem, _: Trajectory, cancel: Event, __: Findings
) -> tuple[ProgramSolution, ...]:
    key = (NAME, problem.id)
    if key not in collector.memory and not cancel.is_set():
        collector.memory[key] = program_solutions(
            collector.engine, problem, range(PROGRAMS), collector.max_tokens, collector.seed + 101, cancel
        )
    return tuple(collector.memory.get(key, ()))


def _examine(
    steps: Sequence[StepEvidence], found: Sequence[ProgramSolution], problem: Problem, attempt: Trajectory
) -> None:
    compare(steps, found, problem, attempt, NAME, FEATURES, _AGREE, _DIFFER)


_AGREE: dict[Language, str] = {
    "en": "{} of {} programs reach the same answer.",
    "zh-CN": "{1} 个程序中有 {0} 个得到同样的答案。",
}
_DIFFER: dict[Language, str] = {
    "en": "{} programs calculate something else here.",
    "zh-CN": "{} 个程序在这里算得不同。",
}
SOURCE = Source(
    NAME,
    _examine,
    _collect,
    kind=tuple[ProgramSolution, ...],
    features=FEATURES,
    badges={"correct": "programs_agree", "incorrect": "programs_differ"},
    depths=("deep",),
    asks=PROGRAMS,
    compares_answers=True,
)
