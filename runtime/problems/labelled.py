"""Makes labelled trajectories from plain texts, and derives a first error from labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runtime.checks.stated import final_answer
from runtime.types import LabelledTrajectory, Problem, Step, StepLabel, Trajectory, Unknown


def labelled(
    problem: Problem,
    steps: Iterable[str],
    first_error_index: int | Unknown | None = "unknown",
    answer: str | None = None,
    explanation: str = "",
    error_type: str | None = None,
    correct: bool | None = None,
    **known: Any,
) -> LabelledTrajectory:
    """An attempt at a problem. `answer` is stated beside the steps; without one the last step states it. `known` are
    further fields. Raises ValueError where a label is not on one of the steps."""
    lines = tuple(steps)
    trajectory = Trajectory(
        problem_id=problem.id,
        steps=tuple(Step(text=line) for line in lines),
        answer=answer or (final_answer(lines[-1]) if lines else None),
        origin="sample" if answer else "student",
    )
    return LabelledTrajectory(
        problem=problem, trajectory=trajectory, first_error_index=first_error_index, explanation=explanation,
        error_type=error_type, correct=correct, **known,
    )  # fmt: skip


def by_labels(labels: Sequence[StepLabel], count: int) -> int | Unknown | None:
    """The first error of `count` steps, where their labels decide it: the first wrong step, if all before it are
    labelled; None if all steps are labelled and none is wrong. A critic's labels decide nothing."""
    known = {label.step: label.hard for label in labels if label.by != "critic" and label.hard is not None}
    for place in range(count):
        if place not in known:
            return "unknown"
        if not known[place]:
            return place
    return None


def known_steps(attempt: LabelledTrajectory) -> list[bool]:
    """Whether each step is right, from the first one to the last before a step of which it is not known."""
    known = {label.step: label.hard for label in attempt.labels if label.by != "critic" and label.hard is not None}
    if not known and attempt.is_judged:
        wrong = attempt.first_error
        return [True] * len(attempt.steps) if wrong is None else [True] * wrong + [False]
    found: list[bool] = []
    while (right := known.get(len(found))) is not None:
        found.append(right)
    return found
