"""Imports attempts into the log, so that people can review them.

The file holds JSON lines or one array, in any format of `runtime.problems.formats`. What the file says of the attempts
is left out, as it would sway the reviewer; so are reference solutions. Attempts that are in the log already are
skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runtime.events import Transcript
from runtime.files import shown
from runtime.log.run import Run
from runtime.log.store import SessionLog, new_id, now
from runtime.problems import formats
from runtime.problems.json_rows import Row, RowError, read_rows
from runtime.problems.labelled import LabelledTrajectory
from runtime.text import clean
from runtime.types import Outcome, Problem, SelfTalk, Step, Trajectory

IMPORTED = "imported"
"""The mode of an imported run."""


LONGEST_TEXT = 100_000
"""Most characters of a problem or a step; more than for typed text."""
JUDGEMENTS = (
    "label", "labels", "first_error_index", "first_error", "scores", "ratings", "explanation", "error_description",
    "error_type", "error_category", "reference_solution", "mistake_index", "error_steps", "rating", "critic",
    "correctness-origin", "model_output_solution_first_error_step",
)  # fmt: skip
"""Fields that are not imported, as they would sway the reviewer."""
NEEDS = "Each row needs `problem` and `steps`, or the fields of a public format."


@dataclass(frozen=True)
class Imported:
    new: int
    known: int
    left_out: dict[str, int]
    """The number of rows for each field that was not imported."""


def import_attempts(path: Path, log: SessionLog) -> Imported:
    """Import the attempts of a file: all of them, or none if a row is wrong. Raises RowError, StoreError."""
    left_out: Counter[str] = Counter()

    def convert(row: Row) -> list[SelfTalk]:
        left_out.update(name for name in JUDGEMENTS if row.get(name) is not None)
        return [_talk(attempt) for attempt in formats.read(row) if attempt.provenance.role != "reference"]

    talks = _once_each(path, read_rows(path, convert, NEEDS))
    with log.transaction():  # another process must not import the same attempts between reading and writing
        known = {talk.trajectories[0].id for talk in log.talks(IMPORTED)}
        fresh = [talk for key, talk in talks.items() if key not in known]
        session = log.start_session() if fresh else ""
        for talk in fresh:
            log.record(Run(new_id(), session, "check", IMPORTED, shown(path.stem), Transcript(talk), created_at=now()))
    return Imported(len(fresh), len(talks) - len(fresh), dict(left_out))


def _once_each(path: Path, rows: Iterable[tuple[str, list[SelfTalk]]]) -> dict[str, SelfTalk]:
    """Attempts by id. Raises RowError if two rows contradict each other."""
    found: dict[str, tuple[str, SelfTalk]] = {}
    for place, talk in ((place, talk) for place, talks in rows for talk in talks):
        first, known = found.setdefault(talk.trajectories[0].id, (place, talk))
        if known != talk:
            raise RowError(
                f"{path}, {first} and {place}: these rows have the same problem ({talk.problem.text[:60]!r}) and steps,"
                " but differ in answer, source or licence. Delete the wrong one."
            )
    return {key: talk for key, (_, talk) in found.items()}


def _talk(given: LabelledTrajectory) -> SelfTalk:
    kept = tuple(Step(text=clean(step, "step", LONGEST_TEXT)) for step in given.steps if step.strip())
    if not kept:
        raise ValueError("`steps` is empty")
    problem = Problem(
        text=clean(given.problem.text, limit=LONGEST_TEXT), answer=_clean(given.problem.answer, "answer"),
        source=_clean(given.problem.source, "source") or IMPORTED, licence=_clean(given.problem.licence, "licence"),
    )  # fmt: skip
    stated = _clean(given.answer, "attempt_answer")
    attempt = Trajectory(problem_id=problem.id, steps=kept, answer=stated, origin="sample" if stated else "student")
    outcome = Outcome(status="stopped", answer=stated, trajectory_id=attempt.id)
    return SelfTalk(problem=problem, turns=(attempt,), outcome=outcome)


def _clean(text: str | None, what: str) -> str | None:
    return text and clean(text, what, LONGEST_TEXT)
