"""Problems and labelled attempts from JSON lines, in any format of `runtime.problems.formats`; a bad line is named,
never skipped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from runtime.problems import formats
from runtime.problems.formats.attempts import problem_of as own_problem
from runtime.problems.json_rows import Row, RowError, read_rows
from runtime.problems.labelled import LabelledTrajectory
from runtime.types import Problem

logger = logging.getLogger(__name__)

PROBLEMS = "Each row needs `question` and `answer`."
JUDGED = (
    "Each row needs `question`, `steps` and `first_error_index` (from 0; -1: there is none), or the fields of a public"
    " format whose labels decide it."
)
GRADED = "Each row needs `question`, `steps`, `attempt_answer` and `correct`, as `trainer rollouts` writes them."
ATTEMPTS = "Each row needs `question`, `steps` and the reference `answer`, or the fields of a public format."


def read_problems(path: Path, limit: int | None = None) -> list[Problem]:
    """Rows with `question` (or `problem`) and `answer`, or of a public format that has reference answers. GSM8K's
    "... #### 12" is parsed; for a multiple-choice row the answer is the text of the right choice. Raises RowError."""
    return [problem for _, problem in read_rows(path, problem_of, PROBLEMS, limit)]


def problem_of(row: Row) -> Problem:
    """The problem of a row, or of the attempts in it. Raises ValueError where it has no reference answer."""
    found = formats.format_of(row)
    is_own = found is formats.attempts.FORMAT
    problem = own_problem(row) if is_own else formats.read(row)[0].problem
    if problem.answer is None:
        name = "`answer` (text or number)" if is_own else f"the reference answer of a row of {found.name}"
        raise ValueError(f"{name} is missing")
    return problem


def read_judged(path: Path, limit: int | None = None) -> list[LabelledTrajectory]:
    """The attempts of `limit` rows whose first error is known, each attempt once. Contradicting rows are left out with
    a warning. Raises RowError, also for a row without such an attempt."""
    found: dict[str, tuple[str, LabelledTrajectory]] = {}
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


def read_graded(path: Path) -> list[LabelledTrajectory]:
    """The rows of `trainer rollouts`, without empty attempts. Raises RowError."""
    found = (attempt for _, attempts in read_rows(path, _graded, GRADED) for attempt in attempts if attempt.steps)
    return [attempt.model_copy(update={"problem": _as_attempts(attempt.problem)}) for attempt in found]


def _as_attempts(problem: Problem) -> Problem:
    return Problem(text=problem.text, source=f"{problem.source or 'own'} attempts")


def read_attempts(path: Path, limit: int | None = None) -> list[LabelledTrajectory]:
    """The attempts of `limit` rows, whatever is known of them, without reference solutions. Raises RowError."""
    return [a for _, attempts in read_rows(path, _noting_scores(path, _attempts), ATTEMPTS, limit) for a in attempts]


def _attempts(row: Row) -> list[LabelledTrajectory]:
    return [attempt for attempt in formats.read(row) if attempt.provenance.role != "reference"]


def _judged(row: Row) -> list[LabelledTrajectory]:
    attempts = formats.read(row)
    if not attempts[0].steps:
        raise ValueError("`steps` is empty")
    known = [attempt for attempt in attempts if attempt.is_judged]
    if not any(attempt.provenance.role != "reference" for attempt in known):
        raise ValueError("`first_error_index` is missing, and no labels decide it")
    return known


def _graded(row: Row) -> list[LabelledTrajectory]:
    attempts = [attempt for attempt in _attempts(row) if attempt.correct is not None]
    if not attempts:
        raise ValueError("`correct` (true or false) is missing")
    return attempts


def _said(attempt: LabelledTrajectory) -> str:
    return "no error" if attempt.first_error is None else f"first error {attempt.first_error}"


def _noting_scores(
    path: Path, convert: Callable[[Row], list[LabelledTrajectory]]
) -> Callable[[Row], list[LabelledTrajectory]]:
    """Warn once if rows have soft step labels (as in SCAN-PRM), which are not used."""
    noted = False

    def noting(row: Row) -> list[LabelledTrajectory]:
        nonlocal noted
        made = convert(row)
        if row.get("scores") is not None and not noted:
            noted = True
            logger.warning("%s has `scores` of its steps. They are not used.", path)
        return made

    return noting
