"""Inserts an error of a chosen type at a chosen step of a right solution, and propagates it.

The types are those of MATH-Minos. Here they mean:

- calculation: the right formula with a wrong result; the only type that exact arithmetic finds
- logical: a wrong operation, order or number, or a missing one; the equation itself is true
- accumulation: an earlier result carried over wrongly, miscopied or replaced by an older one
- unrelated: a true equation of two numbers that nothing in the solution puts together
- other: a number of the problem misread, a percentage taken as a whole number, a wrong unit, an earlier step left out

Later steps are computed from the wrong one, as a person would; if that changes them they have the type "accumulation".
So labels are exact and need no model.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Literal

from pydantic import Field

from runtime.checks import arithmetic
from runtime.checks.grading import matches
from runtime.errors import SoliloquyError
from runtime.problems.worked import Worked
from runtime.types import Problem, Value
from trainer.data.errors import faults, misreadings
from trainer.data.errors.comments import chosen
from trainer.data.errors.scene import Fault, Scene, scene_of

ErrorType = Literal["calculation", "logical", "accumulation", "unrelated", "other"]
WEIGHTS: dict[ErrorType, float] = {"logical": 0.4, "other": 0.3, "calculation": 0.2, "unrelated": 0.1}
"""Weights with which `inject_random` tries types first. Calculation is rarer, as exact arithmetic finds it anyway."""
Faults = Callable[[Scene], Iterator[Fault]]
"""The faults of one kind that fit a step, in the order to try them."""
FAULTS: dict[ErrorType, Faults] = {
    "calculation": faults.calculation,
    "logical": faults.logical,
    "accumulation": faults.accumulation,
    "unrelated": faults.unrelated,
    "other": misreadings.other,
}
LARGEST = 120
"""Largest ratio between a wrong number and the right one."""


class InjectionError(SoliloquyError):
    """No plausible error fits a solution."""


class Injected(Value):
    """An attempt with one inserted error, and its labels."""

    problem: Problem
    lines: tuple[str, ...]
    """The steps, without the line that states the answer."""
    first_error: int = Field(ge=0)
    """Index of the wrong step among the lines."""
    kind: ErrorType
    error_types: tuple[ErrorType | None, ...]
    """Per line: the type at the first error, accumulation if it follows from the error, None if right."""
    explanation: str
    """A tutor's comment on the wrong step; never the answer of the problem."""
    answer: str
    """The wrong answer of the attempt."""

    @property
    def labels(self) -> tuple[bool, ...]:
        """Exact labels: whether each line is right."""
        return tuple(kind is None for kind in self.error_types)


def inject(worked: Worked, step: int, kind: ErrorType, seed: int) -> Injected | None:
    """The solution with an error at this step; None if no plausible attempt with a wrong answer results. If an earlier
    step is left out, the wrong step moves forward by one: see `first_error`."""
    return inject_one_of(FAULTS[kind], worked, step, kind, seed)


def inject_one_of(faults: Faults, worked: Worked, step: int, kind: ErrorType, seed: int) -> Injected | None:
    """The same with one source of faults of this type."""
    rng = random.Random(f"{worked.problem.id} {step} {kind} {seed}")
    scene = scene_of(worked, step, rng)
    if scene is None:
        return None
    attempts = (_carried_out(scene, fault, kind) for fault in faults(scene))
    return next((attempt for attempt in attempts if attempt), None)


def inject_random(worked: Worked, seed: int) -> Injected:
    """The solution with an error of a random type (by `WEIGHTS`) at a random step (uniform). Raises InjectionError if
    none fits."""
    rng = random.Random(f"{worked.problem.id} {seed}")
    kinds: list[ErrorType] = sorted(WEIGHTS, key=lambda kind: rng.random() ** (1 / WEIGHTS[kind]), reverse=True)
    for kind in kinds:
        for step in rng.sample(range(len(worked.steps)), len(worked.steps)):
            if attempt := inject(worked, step, kind, seed):
                return attempt
    raise InjectionError(
        f"No wrong step fits the problem “{worked.problem.text[:60]}”: use one whose steps calculate something."
    )


def _carried_out(scene: Scene, fault: Fault, kind: ErrorType) -> Injected | None:
    """The attempt with this fault; None if it is not plausible, or still right."""
    worked, at = scene.worked, scene.step
    steps = [*worked.steps[:at], worked.steps[at].model_copy(update={"text": fault.text}), *worked.steps[at + 1 :]]
    try:
        changed = worked.model_copy(update={"steps": tuple(steps)}).changed({scene.number: fault.quantity})
    except ZeroDivisionError:
        return None
    if (
        not _is_plausible(worked, changed)
        or matches(changed.result, worked.problem.answer or worked.result) is not False
    ):
        return None
    pairs = [pair for i, pair in enumerate(zip(worked.lines, changed.lines, strict=True)) if i != fault.skipped]
    lines = tuple(new for _, new in pairs)
    first = at - (fault.skipped is not None)
    if not _arithmetic_agrees(lines, first, kind) or pairs[first][0] == pairs[first][1]:
        return None
    later: list[ErrorType | None] = [None if old == new else "accumulation" for old, new in pairs[first + 1 :]]
    comment = chosen(fault.comments, worked, lines[: first + 1], scene.rng)
    if not comment:
        return None
    return Injected(
        problem=worked.problem,
        lines=lines,
        first_error=first,
        kind=kind,
        error_types=(*[None] * first, kind, *later),
        explanation=comment,
        answer=changed.result,
    )


def _is_plausible(right: Worked, wrong: Worked) -> bool:
    """Whether a student would accept all numbers."""
    return all(
        old.value == new.value or _fits(old.value, new.value)
        for old, new in zip(right.quantities, wrong.quantities, strict=True)
    )


def _fits(old: Fraction, new: Fraction) -> bool:
    if new <= 0 or not old / LARGEST <= new <= old * LARGEST:
        return False
    return new.denominator == 1 or (old.denominator > 1 and (new * 100).denominator == 1)


def _arithmetic_agrees(lines: tuple[str, ...], first: int, kind: ErrorType) -> bool:
    """Whether exact arithmetic rejects a calculation error, and nothing else."""
    verdicts = [arithmetic.verdict(arithmetic.check(line)) for line in lines[first:]]
    return (verdicts[0] == "incorrect") == (kind == "calculation") and "incorrect" not in verdicts[1:]
