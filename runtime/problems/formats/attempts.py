"""Our own rows: `question`, `steps` and what is known of them, as exports, `trainer rollouts` and `trainer labels`
write them, and as people write them by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.problems.formats.format import Format, compact
from runtime.problems.json_rows import Row, flag, question, reference, scalar, steps
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel, Unknown, by_labels, labelled
from runtime.text import split_attempt
from runtime.types import Problem

FIRST_ERROR = ("first_error_index", "first_error", "label")
EXPLANATION = ("explanation", "error_description")
ERROR_TYPE = ("error_type", "error_category")


def read(row: Row, name: str | None = None) -> list[LabelledTrajectory]:
    """The attempt, and the reference solution beside it where there is one."""
    problem, lines = problem_of(row), steps(row)
    labels = tuple(StepLabel(**label) for label in row.get("labels") or ())
    place = first_error(row, len(lines))
    attempt = labelled(
        problem, lines, by_labels(labels, len(lines)) if place == "unknown" and labels else place,
        scalar(row, "attempt_answer"), either(row, *EXPLANATION), either(row, *ERROR_TYPE) or None,
        correct=flag(row, "correct") if "correct" in row else flag(row, "final_answer_correct"), labels=labels,
        provenance=LabelProvenance(
            format=name, row=scalar(row, "id"), generator=scalar(row, "generator"), annotator=scalar(row, "annotator"),
            confidence=row.get("confidence"),
        ),
    )  # fmt: skip
    return [attempt, *(reference_solution(problem, row, "reference_solution", name))]


def reference_solution(problem: Problem, row: Row, field: str, name: str | None) -> list[LabelledTrajectory]:
    """A right attempt, where the row has the solution as a text."""
    text = row.get(field)
    if not isinstance(text, str) or not text.strip():
        return []
    provenance = LabelProvenance(format=name, row=scalar(row, "id"), role="reference")
    return [labelled(problem, split_attempt(text), None, correct=True, provenance=provenance)]


def problem_of(row: Row) -> Problem:
    """The problem with its reference answer, source and licence, if there are any. Raises ValueError."""
    if isinstance(row.get("problem"), dict):
        return Problem.model_validate(row["problem"])
    return Problem(
        text=question(row),
        answer=reference(row),
        source=scalar(row, "source") or "",
        licence=scalar(row, "licence") or scalar(row, "license"),
    )


def first_error(row: Row, count: int) -> int | Unknown | None:
    """The index of the first error, from 0; None if every step is right. A bare `label` is no index: elsewhere 1 and 0
    say whether the whole is right."""
    names = [name for name in FIRST_ERROR if name in row]
    if not names:
        return "unknown"
    if names == ["label"] and "final_answer_correct" not in row:
        raise ValueError(
            f"`label` ({row['label']!r}) is read as the index of the first error only beside ProcessBench's"
            " `final_answer_correct`; call it `first_error_index` if it is one"
        )
    name, place = names[0], row[names[0]]
    if isinstance(place, bool) or not isinstance(place, int) or not -1 <= place < count:
        raise ValueError(f"`{name}` must be a step's index from 0, or -1; it is {place!r}")
    if any(row[other] != place for other in names):
        raise ValueError(f"{' and '.join(f'`{other}`' for other in names)} differ; leave out all but one")
    return None if place < 0 else place


def either(row: Row, *names: str) -> str:
    """The first of these fields that is there, as text."""
    return next((text for name in names if (text := scalar(row, name))), "")


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    """The fields of the export `judged`, and those of which anything is known besides. A reference solution is the
    second attempt."""
    attempt, *others = attempts
    if others and (others[0].provenance.role != "reference" or len(others) > 1):
        raise ValueError("beside an attempt a row holds only one reference solution")
    place, labels = attempt.first_error_index, [label.model_dump(exclude_none=True) for label in attempt.labels]
    further: dict[str, Any] = {
        "answer": attempt.problem.answer,
        "licence": attempt.problem.licence,
        "correct": attempt.correct,
        "labels": labels or None,
        "reference_solution": "\n".join(others[0].steps) if others else None,
        "id": attempt.provenance.row,
        "generator": attempt.provenance.generator,
        "annotator": attempt.provenance.annotator,
        "confidence": attempt.provenance.confidence,
    }
    return {
        "question": attempt.problem.text,
        "steps": list(attempt.steps),
        **({} if place == "unknown" else {"first_error_index": -1 if place is None else place}),
        "attempt_answer": attempt.answer,
        "explanation": attempt.explanation,
        "error_type": attempt.error_type,
        "source": attempt.problem.source,
        **compact(further),
    }


FORMAT = Format(
    "our own rows",
    (frozenset(),),
    "Each row needs `question` and `steps`; known are `first_error_index` (from 0; -1: there is none), `answer`,"
    " `attempt_answer`, `correct`, `labels`, `explanation`, `error_type`, `source`, `licence`, `generator`",
    read,
    write,
)
