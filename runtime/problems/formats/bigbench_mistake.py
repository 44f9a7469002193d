"""BIG-Bench-Mistake (arXiv 2311.08516): `input`, `steps`, `answer` (the attempt's), `target` (the right one) and
`mistake_index` (from 0; null: no mistake), by people."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.problems.formats.format import Format, judged, marks, only, reference_answer
from runtime.problems.json_rows import Row, scalar, text, texts
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, labelled
from runtime.types import Problem

NAME = "BIG-Bench-Mistake"


def read(row: Row) -> list[LabelledTrajectory]:
    lines, place = texts(row, "steps"), row.get("mistake_index")
    if "mistake_index" not in row:
        raise ValueError("`mistake_index` is missing")
    if place is not None and (isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(lines)):
        raise ValueError(f"`mistake_index` must be a step's index from 0, or null; it is {place!r}")
    answer, target = scalar(row, "answer"), scalar(row, "target")
    return [
        labelled(
            Problem(text=text(row, "input"), answer=target, source=""), lines, place, answer,
            correct=None if answer is None or target is None else answer == target,
            provenance=LabelProvenance(format=NAME, annotator="human"),
        )
    ]  # fmt: skip


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    attempt = only(attempts)
    target = reference_answer(attempt)
    if attempt.correct is not (None if attempt.answer is None else attempt.answer == target):
        raise ValueError("the answer must be graded, and right only if it is the reference answer word for word")
    return {
        "input": attempt.problem.text,
        "steps": list(attempt.steps),
        "answer": attempt.answer,
        "target": target,
        "mistake_index": judged(attempt),
    }


FORMAT = Format(
    NAME,
    marks("input steps mistake_index", "input steps target"),
    "Its rows have `input`, `steps`, `answer`, `target` and `mistake_index` (from 0, or null)",
    read,
    write,
)
