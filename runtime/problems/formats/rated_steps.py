"""Single ratings: `question`, `prefix` (steps that were accepted), `step` and its `rating` (1, 0 or -1) by a person."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.problems.formats.attempts import problem_of
from runtime.problems.formats.format import Format, compact, marks, only
from runtime.problems.json_rows import Row, scalar, text, texts
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel, labelled

NAME = "rated steps"


def read(row: Row) -> list[LabelledTrajectory]:
    """The accepted steps and the rated one; how the accepted ones were rated is not known, but none was wrong."""
    lines, rating = [*texts(row, "prefix"), text(row, "step")], row.get("rating")
    if isinstance(rating, bool) or rating not in (1, 0, -1):
        raise ValueError(f"`rating` must be 1, 0 or -1; it is {rating!r}")
    last = len(lines) - 1
    return [
        labelled(
            problem_of(row), lines, last if rating < 0 else None,
            labels=(StepLabel(step=last, by="human", value=rating),),
            provenance=LabelProvenance(format=NAME, row=scalar(row, "id")),
        )
    ]  # fmt: skip


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    attempt = only(attempts)
    last = len(attempt.steps) - 1
    if [(label.step, label.value is None) for label in attempt.labels] != [(last, False)]:
        raise ValueError("only the last step may have a rating, and it must have one")
    if not attempt.is_judged or attempt.first_error not in (None, last):
        raise ValueError("the steps before the rated one must be right")
    problem = attempt.problem
    return {
        "question": problem.text,
        "prefix": list(attempt.steps[:last]),
        "step": attempt.steps[last],
        "rating": attempt.labels[0].value,
        "source": problem.source,
        **compact({"id": attempt.provenance.row, "answer": problem.answer, "licence": problem.licence}),
    }


FORMAT = Format(
    NAME,
    marks("question prefix step rating"),
    "Its rows have `question`, `prefix` (steps), `step` and `rating` (1, 0 or -1)",
    read,
    write,
)
