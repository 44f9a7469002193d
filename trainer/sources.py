"""Problems and judged attempts from JSON lines, as they are found in the wild; a bad line is named, never skipped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from runtime.errors import SoliloquyError
from runtime.grading import equal
from runtime.text import final_answer, is_closing, split_attempt
from runtime.types import Problem, Step, Trajectory, content_hash

T = TypeVar("T")


class SourceError(SoliloquyError):
    """A file of problems or attempts cannot be used; the text names the line."""


@dataclass(frozen=True)
class JudgedAttempt:
    """An attempt whose first error is known: its index from 0, or None if every step is right."""

    problem: Problem
    steps: tuple[str, ...]
    first_error: int | None
    answer: str | None = None
    """What a closing line, which is no step, states."""
    explanation: str = ""
    """What a teacher says of the first error."""
    error_type: str | None = None

    @property
    def trajectory(self) -> Trajectory:
        """As the critic reads it. Without a closing line the attempt is a person's: its last line states the answer."""
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
class GradedAttempt:
    """An attempt of a model: whether its answer is right is known, but not where it goes wrong."""

    problem: Problem
    steps: tuple[str, ...]
    answer: str | None
    correct: bool


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
        """Why it cannot be labelled, if it cannot."""
        if not self.steps:
            return "it has no steps"
        if not all(step.strip() for step in self.steps):
            return "it has an empty step"
        answer = self.problem.answer or ""
        return None if equal(answer, answer) else "its reference answer is missing or cannot be read"

    @property
    def beginnings(self) -> list[tuple[str, ...]]:
        """What completions go on from: the steps up to each, but for a last one that states the answer."""
        # Before a line without a number only an explicit statement counts: "The answer is 5", "#### 5", a box.
        stated = is_closing(self.steps[-1]) or final_answer(f"{self.steps[-1]}\n.") is not None
        return [self.steps[:end] for end in range(1, len(self.steps) + (not stated))]


def read_problems(path: Path, limit: int | None = None) -> list[Problem]:
    """Rows with `question` (or `problem`) and `answer`; GSM8K's "... #### 12" is read. Raises SourceError."""
    return _read(path, limit, lambda row: [_problem(row)])


def read_judged(path: Path, limit: int | None = None) -> list[JudgedAttempt]:
    """Attempts of `limit` rows: ProcessBench's (`problem`, `steps`, `label`: first error from 0, -1 for none), or with
    `question`, `steps`, `first_error`, where a `reference_solution` is a right attempt too; each attempt once. Raises
    SourceError."""
    return list({attempt.key: attempt for attempt in _read(path, limit, _judged)}.values())


def read_graded(path: Path) -> list[GradedAttempt]:
    """What `trainer attempts` wrote, without empty attempts; the source of its problems says that these are attempts.
    Raises SourceError."""
    return [attempt for attempt in _read(path, None, lambda row: [_graded(row)]) if attempt.steps]


def read_attempts(path: Path, limit: int | None = None) -> list[Attempt]:
    """Rows with `question` (or `problem`), `steps` and the reference `answer`, one attempt each. Raises SourceError."""
    return _read(path, limit, lambda row: [_attempt(row)])


def _problem(row: dict[str, Any]) -> Problem:
    answer = row.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, str | int | float) or not str(answer).strip():
        raise ValueError("`answer` (text or number) is missing")
    text = str(answer)
    if text.rstrip().endswith("####"):
        raise ValueError("`answer` ends with #### and nothing after it")
    return Problem(
        text=_text(row, "question", "problem"),
        answer=final_answer(text) if "####" in text else text.strip(),
        source=str(row.get("source") or ""),
        licence=row.get("licence") or row.get("license"),
    )


def _judged(row: dict[str, Any]) -> list[JudgedAttempt]:
    problem = Problem(text=_text(row, "question", "problem"), source=str(row.get("source") or ""))
    steps = _steps(row)
    if not steps:
        raise ValueError("`steps` is empty")
    place = row.get("label", row.get("first_error"))
    if isinstance(place, bool) or not isinstance(place, int) or not -1 <= place < len(steps):
        raise ValueError(f"`label` or `first_error` must be a step's index from 0, or -1; it is {place!r}")
    explained, kind = (str(row.get(name) or "") for name in ("explanation", "error_type"))
    answer = row.get("attempt_answer")
    place = None if place < 0 else place
    attempts = [JudgedAttempt(problem, steps, place, answer and str(answer), explained, kind or None)]
    reference = row.get("reference_solution")
    if isinstance(reference, str) and reference.strip():
        attempts.append(JudgedAttempt(problem, tuple(split_attempt(reference)), None))
    return attempts


def _graded(row: dict[str, Any]) -> GradedAttempt:
    correct, answer = row.get("correct"), row.get("attempt_answer")
    if not isinstance(correct, bool):
        raise ValueError("`correct` (true or false) is missing")
    problem = Problem(text=_text(row, "question"), source=f"{row.get('source') or 'own'} attempts")
    return GradedAttempt(problem, _steps(row), answer and str(answer), correct)


def _attempt(row: dict[str, Any]) -> Attempt:
    answer = row.get("answer")
    stated = "" if answer is None else str(answer).strip()
    reference = final_answer(stated) if "####" in stated else stated
    problem = Problem(text=_text(row, "question", "problem"), answer=reference, source=str(row.get("source") or ""))
    return Attempt(problem, _steps(row))


def _steps(row: dict[str, Any]) -> tuple[str, ...]:
    steps = row.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise ValueError("`steps` (a list of texts) is missing")
    return tuple(steps)


def _text(row: dict[str, Any], *names: str) -> str:
    for name in names:
        if isinstance(row.get(name), str) and row[name].strip():
            return row[name].strip()
    raise ValueError(f"`{names[0]}` (text) is missing")


def _read(path: Path, limit: int | None, convert: Callable[[dict[str, Any]], list[T]]) -> list[T]:
    read: list[T] = []
    try:
        for count, (number, line) in enumerate(_lines(path)):
            if limit is not None and count >= limit:
                break
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("it is not a JSON object")
                read += convert(row)
            except ValueError as error:
                raise SourceError(f"{path}, line {number}: {error}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read ({error}).") from error
    if not read:
        raise SourceError(f"{path} holds no rows.")
    return read


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line
