"""ProcessBench (arXiv 2412.06559): `problem`, `steps`, `label` (the first error from 0, or -1), `final_answer_correct`,
`generator`. Other data sets are published in this form too."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.problems.formats import attempts as own
from runtime.problems.formats.format import Format, compact, judged, marks, only
from runtime.problems.json_rows import Row
from runtime.problems.labelled import LabelledTrajectory

NAME = "ProcessBench"


def read(row: Row) -> list[LabelledTrajectory]:
    if not {*own.FIRST_ERROR} & row.keys():
        raise ValueError("`label` is missing")
    return own.read(row, NAME)


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    attempt = only(attempts)
    place, known = judged(attempt), attempt.provenance
    if attempt.correct is None:
        raise ValueError("whether the final answer is right is not known, which this format needs")
    problem = attempt.problem
    named = compact(
        {"id": known.row, "source": problem.source or None, "licence": problem.licence, "generator": known.generator}
    )
    steps = [*attempt.steps] if attempt.answer is None else [*attempt.steps, f"The answer is {attempt.answer}."]
    return {
        **named,
        "problem": problem.text,
        "steps": steps,
        "label": -1 if place is None else place,
        "final_answer_correct": attempt.correct,
    }


FORMAT = Format(
    NAME,
    marks("steps final_answer_correct"),
    "Its rows have `problem`, `steps`, `label` (the first error from 0, or -1) and `final_answer_correct`",
    read,
    write,
)
