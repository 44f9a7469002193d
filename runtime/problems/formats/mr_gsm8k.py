"""MR-GSM8K (arXiv 2312.17080): people's word on solutions of GSM8K's test questions. Steps are counted from 1 here."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.problems.formats.attempts import reference_solution
from runtime.problems.formats.format import Format, compact, judged, marks, reference_answer
from runtime.problems.json_rows import Row, correctness, scalar, text, texts
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, labelled
from runtime.types import Problem

NAME = "MR-GSM8K"
PART = "model_output_"


def read(row: Row) -> list[LabelledTrajectory]:
    """The attempt, and the reference solution."""
    lines = row[f"{PART}steps"]
    lines = tuple(lines.strip().splitlines()) if isinstance(lines, str) else texts(row, f"{PART}steps")
    problem = Problem(text=text(row, "question"), answer=scalar(row, "ground_truth_answer"), source="")
    sound, place = correctness(row, f"{PART}solution_correctness"), _first_error(row, len(lines))
    if sound is None or sound is (place is not None):
        raise ValueError(f"`{PART}solution_correctness` must agree with `{PART}solution_first_error_step`")
    reason = scalar(row, f"{PART}solution_first_error_reason") or ""
    attempt = labelled(
        problem, lines, place, None, "" if reason == "N/A" else reason,
        correct=correctness(row, f"{PART}answer_correctness"),
        provenance=LabelProvenance(format=NAME, row=scalar(row, "uuid"), annotator="human"),
    )  # fmt: skip
    return [attempt, *reference_solution(problem, row, "ground_truth_solution", NAME)]


def _first_error(row: Row, count: int) -> int | None:
    """From 0; None for "N/A"."""
    stated = scalar(row, f"{PART}solution_first_error_step") or "N/A"
    if stated in ("N/A", "0", "-1"):
        return None
    if not stated.isdecimal() or int(stated) > count:
        raise ValueError(f"`{PART}solution_first_error_step` must be a step's number from 1; it is {stated!r}")
    return int(stated) - 1


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    attempt, *others = attempts
    place, words = judged(attempt), {True: "correct", False: "wrong", None: None}
    if any(other.provenance.role != "reference" for other in others) or len(others) > 1:
        raise ValueError("beside an attempt a row holds only one reference solution")
    return {
        "uuid": attempt.provenance.row,
        "question": attempt.problem.text,
        "ground_truth_answer": reference_answer(attempt),
        f"{PART}steps": list(attempt.steps),
        f"{PART}solution_correctness": words[place is None],
        f"{PART}solution_first_error_step": "N/A" if place is None else place + 1,
        f"{PART}solution_first_error_reason": attempt.explanation or "N/A",
        **compact(
            {
                f"{PART}answer_correctness": words[attempt.correct],
                "ground_truth_solution": "\n".join(others[0].steps) if others else None,
            }
        ),
    }


FORMAT = Format(
    NAME,
    marks(f"{PART}steps {PART}solution_correctness", f"{PART}steps {PART}solution_first_error_step"),
    f"Its rows have `question`, `{PART}steps`, `{PART}solution_correctness` and"
    f" `{PART}solution_first_error_step` (from 1, or N/A)",
    read,
    write,
)
