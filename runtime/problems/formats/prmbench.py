"""PRMBench (arXiv 2501.03124): right solutions, and the same with errors put in. Steps are counted from 1 here."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.problems.formats.format import Format, compact, marks
from runtime.problems.json_rows import Row, scalar, text, texts
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel, by_labels, labelled
from runtime.types import Problem

NAME = "PRMBench"


def read(row: Row) -> list[LabelledTrajectory]:
    """The solution with errors, whose every step is labelled, and the right one as its reference."""
    lines, wrong, known = texts(row, "modified_process"), row.get("error_steps"), scalar(row, "idx")
    if not isinstance(wrong, list) or not all(type(one) is int and 1 <= one <= len(lines) for one in wrong):
        raise ValueError("`error_steps` must be a list of steps' numbers from 1")
    name = next((name for name in ("modified_question", "question", "original_question") if row.get(name)), "question")
    labels = tuple(
        StepLabel(step=place, by="injection", value=-1 if place + 1 in wrong else 1) for place in range(len(lines))
    )
    attempts = [
        labelled(
            Problem(text=text(row, name), source=""), lines, by_labels(labels, len(lines)), None,
            scalar(row, "reason") or "", scalar(row, "classification"), labels=labels,
            provenance=LabelProvenance(format=NAME, row=known),
        )
    ]  # fmt: skip
    if row.get("original_process") is None:
        return attempts
    asked = Problem(text=text(row, "original_question" if row.get("original_question") else name), source="")
    provenance = LabelProvenance(format=NAME, row=known, role="reference")
    return [*attempts, labelled(asked, texts(row, "original_process"), None, provenance=provenance)]


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    attempt, *others = attempts
    if len(others) > 1 or any(other.provenance.role != "reference" for other in others):
        raise ValueError("beside an attempt a row holds only one right solution")
    values = {label.step: label.value for label in attempt.labels}
    if len(values) < len(attempt.steps):
        raise ValueError(f"only {len(values)} of {len(attempt.steps)} steps are labelled, and this format needs all")
    return compact(
        {
            "idx": attempt.provenance.row,
            "original_question": others[0].problem.text if others else None,
            "modified_question": attempt.problem.text,
            "original_process": list(others[0].steps) if others else None,
            "modified_process": list(attempt.steps),
            "error_steps": [place + 1 for place in sorted(values) if values[place] == -1],
            "reason": attempt.explanation or None,
            "classification": attempt.error_type,
        }
    )


FORMAT = Format(
    NAME,
    marks("modified_process error_steps", "original_process modified_process"),
    "Its rows have `modified_question`, `modified_process` and `error_steps` (from 1)",
    read,
    write,
)
