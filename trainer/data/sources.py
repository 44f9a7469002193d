"""Readers of problems and labelled attempts in public JSON formats. A bad line is reported, never skipped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from runtime.checks.grading import equal
from runtime.checks.stated import final_answer
from runtime.problems.json_rows import Row, RowError, question, read_rows, reference, scalar, steps
from runtime.text import is_closing, split_attempt
from runtime.types import Problem, Step, Trajectory, content_hash

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class JudgedAttempt:
    """An attempt with its labels."""

    problem: Problem
    steps: tuple[str, ...]
    first_error: int | None = None
    """Index of the first error from 0; None if every step is right, or if only the answer was graded (`correct`)."""
    answer: str | None = None
    """The answer stated by a closing line, which is no step."""
    explanation: str = ""
    """A person's description of the first error."""
    error_type: str | None = None
    correct: bool | None = None
    """Whether the answer is right; None if it was not graded."""

    @property
    def trajectory(self) -> Trajectory:
        """The attempt as the critic reads it. Without a closing line it is a person's, and its last line states the
        answer."""
        return Trajectory(
            problem_id=self.problem.id,
            steps=tuple(Step(text=step) for step in self.steps),
            answer=self.answer or final_answer(self.steps[-1]),
            origin="sample" if self.answer else "student",
        )

    @property
    def key(self) -> str:
        return content_hash(self.problem.text, self.answer or "", *self.steps)


@dataclass(frozen=True)
class Attempt:
    """Steps to be labelled, and the problem with its reference answer."""

    problem: Problem
    steps: tuple[str, ...]

    @property
    def key(self) -> str:
        return content_hash(self.problem.text, self.problem.answer or "", *self.steps)

    @property
    def fault(self) -> str | None:
        """The reason why it cannot be labelled, or None."""
        if not self.steps:
            return "it has no steps"
        if not all(step.strip() for step in self.steps):
            return "it has an empty step"
        answer = self.problem.answer or ""
        return None if equal(answer, answer) else "its reference answer is missing or cannot be read"

    @property
    def beginnings(self) -> list[tuple[str, ...]]:
        """The prefixes to complete: the steps up to each one, except a last step that states the answer."""
        # In a line before one without a number only an explicit statement counts: "The answer is 5", "#### 5", a box.
        stated = is_closing(self.steps[-1]) or final_answer(f"{self.steps[-1]}\n.") is not None
        return [self.steps[:end] for end in range(1, len(self.steps) + (not stated))]


PROBLEMS = "Each row needs `question` and `answer`."
JUDGED = (
    "Each row needs `question`, `steps` and `first_error_index` (from 0; -1: there is none), or ProcessBench's fields."
)
GRADED = "Each row needs `question`, `steps`, `attempt_answer` and `correct`, as `trainer rollouts` writes them."
ATTEMPTS = "Each row needs `question`, `steps` and the reference `answer`."


def read_problems(path: Path, limit: int | None = None) -> list[Problem]:
    """Rows with `question` (or `problem`) and `answer`. GSM8K's "... #### 12" is parsed; for a multiple-choice row the
    answer is the text of the right choice. Raises RowError."""
    return [problem for _, problem in read_rows(path, problem_of, PROBLEMS, limit)]


def read_judged(path: Path, limit: int | None = None) -> list[JudgedAttempt]:
    """Labelled attempts of `limit` rows, each attempt once: ProcessBench's (`problem`, `steps`, `label`,
    `final_answer_correct`), or rows with `question`, `steps`, `first_error_index`; a `reference_solution` counts as a
    right attempt. Contradicting rows are left out with a warning. Raises RowError."""
    found: dict[str, tuple[str, JudgedAttempt]] = {}
    disputed: dict[str, str] = {}
    for place, attempts in read_rows(path, _noting_scores(path, _judged), JUDGED, limit):
        for attempt in attempts:
            before, known = found.setdefault(attempt.key, (place, attempt))
            if known.first_error != attempt.first_error:
                disputed[attempt.key] = f"{before} ({_said(known)}) and {place} ({_said(attempt)})"
            elif attempt.explanation and not known.explanation:
                found[attempt.key] = place, attempt
    undisputed = [attempt for key, (_, attempt) in found.items() if key not in disputed]
    _name_disputed(path, list(disputed.values()), bool(undisputed))
    return undisputed


def _name_disputed(path: Path, places: list[str], others: bool) -> None:
    """Warn about rows that contradict each other. Raises RowError if no others are left."""
    told = f"{path} contradicts itself on {len(places)} attempts, such as {'; '.join(places[:3])}"
    if not others:
        raise RowError(f"{told}. Remove one of each.")
    if places:
        logger.warning("%s. They are left out.", told)


def read_graded(path: Path) -> list[JudgedAttempt]:
    """The rows of `trainer rollouts`, without empty attempts. Raises RowError."""
    return [attempt for _, attempt in read_rows(path, _graded, GRADED) if attempt.steps]


def read_attempts(path: Path, limit: int | None = None) -> list[Attempt]:
    """Rows with `question` (or `problem`), `steps` and the reference `answer`, one attempt each. Raises RowError."""
    return [attempt for _, attempt in read_rows(path, _noting_scores(path, _attempt), ATTEMPTS, limit)]


def problem_of(row: Row) -> Problem:
    """Raises ValueError."""
    text, answer = question(row), reference(row)
    if answer is None:
        raise ValueError("`answer` (text or number) is missing")
    return Problem(
        text=text,
        answer=answer,
        source=str(row.get("source") or ""),
        licence=row.get("licence") or row.get("license"),
    )


def _judged(row: Row) -> list[JudgedAttempt]:
    problem = Problem(text=question(row), source=str(row.get("source") or ""))
    lines = steps(row)
    if not lines:
        raise ValueError("`steps` is empty")
    explained, kind = (_either(row, *names) for names in (EXPLANATION, ERROR_TYPE))
    answer, place = scalar(row, "attempt_answer"), _first_error(row, len(lines))
    attempts = [JudgedAttempt(problem, lines, place, answer, explained, kind or None)]
    solution = row.get("reference_solution")
    if isinstance(solution, str) and solution.strip():
        attempts.append(JudgedAttempt(problem, tuple(split_attempt(solution)), None))
    return attempts


FIRST_ERROR = ("first_error_index", "first_error", "label")
EXPLANATION = ("explanation", "error_description")
ERROR_TYPE = ("error_type", "error_category")


def _first_error(row: Row, count: int) -> int | None:
    """The index of the first error from 0; None if every step is right. A `label` alone is refused: in other formats 1
    and 0 mean right and wrong."""
    names = [name for name in FIRST_ERROR if name in row]
    if not names:
        raise ValueError("`first_error_index` is missing")
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


def _said(attempt: JudgedAttempt) -> str:
    return "no error" if attempt.first_error is None else f"first error {attempt.first_error}"


def _graded(row: Row) -> JudgedAttempt:
    if not isinstance(row.get("correct"), bool):
        raise ValueError("`correct` (true or false) is missing")
    problem = Problem(text=question(row), source=f"{row.get('source') or 'own'} attempts")
    return JudgedAttempt(problem, steps(row), answer=scalar(row, "attempt_answer"), correct=row["correct"])


def _attempt(row: Row) -> Attempt:
    problem = Problem(text=question(row), answer=reference(row) or "", source=str(row.get("source") or ""))
    return Attempt(problem, steps(row))


def _either(row: Row, *names: str) -> str:
    """The first of these fields that exists, as text."""
    return next((text for name in names if (text := scalar(row, name))), "")


def _noting_scores(path: Path, convert: Callable[[Row], T]) -> Callable[[Row], T]:
    """Warn once if rows have soft step labels (as in SCAN-PRM), which are not used."""
    noted = False

    def noting(row: Row) -> T:
        nonlocal noted
        made = convert(row)
        if row.get("scores") is not None and not noted:
            noted = True
            logger.warning("%s has `scores` of its steps. They are not used.", path)
        return made

    return noting
