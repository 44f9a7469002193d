"""Attempts from elsewhere into the log, so that people can review them.

JSON lines: an object with `problem` (or `question`) and `steps` (a list of texts), and where it is known `answer` (the
reference), `attempt_answer` (what the attempt states), `source` and `licence`. What is there already is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import SoliloquyError
from runtime.events import Transcript
from runtime.store import Run, SessionLog, new_id, now
from runtime.text import UnreadableError, clean
from runtime.types import Outcome, Problem, SelfTalk, Step, Trajectory

IMPORTED = "imported"
"""The mode of a run that was made elsewhere."""


class ImportFailed(SoliloquyError):
    """A file of attempts cannot be used; the text names the line."""


@dataclass(frozen=True)
class Imported:
    new: int
    known: int


def import_attempts(path: Path, log: SessionLog) -> Imported:
    """Put the attempts of a file into the log: all of them, or none if a line is wrong. Raises ImportFailed,
    StoreError."""
    talks = _once_each(path.name, read_attempts(path))
    with log.transaction():  # nobody else may store the same attempts between the look and the writing
        known = {talk.turns[0].id for talk in log.talks(IMPORTED)}
        fresh = [talk for key, talk in talks.items() if key not in known]
        session = log.start_session() if fresh else ""
        for talk in fresh:
            log.record(Run(new_id(), session, "check", IMPORTED, path.stem, Transcript(talk), created_at=now()))
    return Imported(len(fresh), len(talks) - len(fresh))


def _once_each(name: str, talks: list[SelfTalk]) -> dict[str, SelfTalk]:
    """Attempts by their id. Raises ImportFailed where two rows say different things of the same one."""
    found: dict[str, SelfTalk] = {}
    for talk in talks:
        if found.setdefault(talk.turns[0].id, talk) != talk:
            raise ImportFailed(
                f"{name}: two rows have the same problem ({talk.problem.text[:60]!r}) and steps, and differ in their "
                "answer, source or licence. Keep the right one."
            )
    return found


def read_attempts(path: Path) -> list[SelfTalk]:
    """Raises ImportFailed."""
    try:
        lines = path.read_text("utf-8-sig").split("\n")  # not at U+2028, which may stand in JSON
    except (OSError, UnicodeDecodeError) as error:
        raise ImportFailed(f"{path.name} cannot be read as text in UTF-8 ({error}). Save it as JSON lines.") from error
    talks = list(_talks(path.name, lines))
    if not talks:
        raise ImportFailed(f"{path.name} holds no attempts. It needs one JSON object a line.")
    return talks


def _talks(name: str, lines: list[str]) -> Iterator[SelfTalk]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _talk(json.loads(line))
            except (ValueError, RecursionError, UnreadableError) as error:
                told = "it is not JSON" if isinstance(error, json.JSONDecodeError | RecursionError) else str(error)
                raise ImportFailed(
                    f"{name}, line {number}: {told.rstrip('.')}. Each line is an object with `problem` and `steps`."
                ) from error


def _talk(row: Any) -> SelfTalk:
    if not isinstance(row, dict):
        raise ValueError("it is not an object")
    text, steps = row.get("problem") or row.get("question"), row.get("steps")
    if not isinstance(text, str) or not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise ValueError("`problem` (a text) or `steps` (a list of texts) is missing")
    kept = tuple(Step(text=clean(step, "step")) for step in steps if step.strip())
    if not kept:
        raise ValueError("`steps` is empty")
    problem = Problem(
        text=clean(text), answer=_text(row, "answer"), source=_text(row, "source") or IMPORTED,
        licence=_text(row, "licence") or _text(row, "license"),
    )  # fmt: skip
    stated = _text(row, "attempt_answer")
    attempt = Trajectory(problem_id=problem.id, steps=kept, answer=stated, origin="sample" if stated else "student")
    outcome = Outcome(status="stopped", answer=stated, trajectory_id=attempt.id)
    return SelfTalk(problem=problem, turns=(attempt,), outcome=outcome)


def _text(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name)
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    return clean(text, name) if text.strip() else None
