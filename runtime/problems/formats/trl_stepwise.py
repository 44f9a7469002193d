"""TRL's stepwise supervision: `prompt`, `completions` (the steps) and `labels` (true: the step is right)."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.problems.formats.format import Format, marks, only
from runtime.problems.json_rows import Row, text, texts
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel, by_labels, known_steps, labelled
from runtime.types import Problem

NAME = "TRL stepwise"


def read(row: Row) -> list[LabelledTrajectory]:
    lines, given = texts(row, "completions"), row.get("labels")
    if not isinstance(given, list) or len(given) != len(lines) or not all(one in (True, False) for one in given):
        raise ValueError("`labels` must hold true or false for each of `completions`")
    labels = tuple(StepLabel(step=place, value=1 if right else -1) for place, right in enumerate(given))
    problem, place = Problem(text=text(row, "prompt"), source=""), by_labels(labels, len(lines))
    return [labelled(problem, lines, place, labels=labels, provenance=LabelProvenance(format=NAME))]


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    """The steps up to the last before one of which it is not known whether it is right. A neutral one counts as right,
    as in PRM800K's paper."""
    attempt = only(attempts)
    labels = known_steps(attempt)
    if not labels:
        raise ValueError("no step is labelled, which this format needs")
    return {"prompt": attempt.problem.text, "completions": list(attempt.steps[: len(labels)]), "labels": labels}


FORMAT = Format(
    NAME,
    marks("prompt completions labels", "prompt completions"),
    "Its rows have `prompt`, `completions` (the steps) and `labels` (true or false for each)",
    read,
    write,
)
