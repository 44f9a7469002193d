"""Arithmetic: every equation of a step, checked exactly. It proves errors, so the fitted rule has no feature of it."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.checks import arithmetic
from runtime.critic.evidence.source import Source, StepEvidence
from runtime.text import Language, language_of, only_states_answer
from runtime.types import Evidence, Problem, Trajectory

NAME = "arithmetic"


def of_arithmetic(step: str, language: Language) -> list[Evidence]:
    """The evidence of exact calculation on a step; empty where there is nothing to check, as in the bare answer."""
    equations = [] if only_states_answer(step) else arithmetic.check(step)
    verdict = arithmetic.verdict(equations)
    if verdict is None:
        return []
    wrong = next((equation for equation in equations if equation.verdict == "incorrect"), None)
    note = arithmetic.sentence(wrong, language) if wrong else None
    return [Evidence(by=NAME, verdict=verdict, note=note)]


def _examine(steps: Sequence[StepEvidence], _: None, problem: Problem, attempt: Trajectory) -> None:
    language = language_of(problem.text)
    for one, step in zip(steps, attempt.steps, strict=True):
        one.evidence += of_arithmetic(step.text, language)


SOURCE = Source(
    NAME,
    _examine,
    badges={"correct": "arithmetic_right", "incorrect": "arithmetic_wrong"},
    depths=("quick", "deep"),
    reads_only=True,
    every_line=True,
)
