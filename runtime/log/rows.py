"""Conversion between values (talks, labels, hints, reviews) and rows of the session log."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlite_utils import Database

from runtime.log.run import home_of, step_id
from runtime.types import Critique, Feedback, Help, Review, SelfTalk, Trajectory, with_current_ids


class StoredRun(BaseModel):
    """The columns of a run, without its talk."""

    model_config = ConfigDict(frozen=True, strict=True, protected_namespaces=())

    id: str
    session_id: str
    kind: Literal["solve", "check"]
    mode: str
    model: str
    status: str
    answer: str | None
    seconds: float
    reliability: float | None
    help: Help | None
    created_at: str


class Listed(BaseModel):
    """The further columns of a listed run."""

    model_config = ConfigDict(frozen=True, strict=True)

    problem: str
    labels: int
    compared: int


def talk_of(row: dict[str, Any]) -> SelfTalk:
    """The talk of a run's row. Like every reader here, raises ValueError, TypeError or AttributeError for a damaged
    row."""
    return with_current_ids(SelfTalk.model_validate_json(row["talk"]))


def listed_of(row: dict[str, Any]) -> dict[str, Any]:
    """A row for the list of runs, without the talk, which must be readable all the same."""
    talk_of(row)
    run, more = StoredRun.model_validate(row), Listed.model_validate(row)
    return {**run.model_dump(exclude={"session_id"}), **more.model_dump(), "session": run.session_id}


def upsert(db: Database, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows, or update those whose id exists. sqlite-utils' own upsert first tests by a write whether SQLite
    supports it, and on a full disk loses the rows without an error."""
    for row in rows:
        columns = ", ".join(row)
        given = ", ".join(f":{column}" for column in row)
        changed = ", ".join(f"{column} = excluded.{column}" for column in row)
        db.execute(f"insert into {table} ({columns}) values ({given}) on conflict (id) do update set {changed}", row)


def step_rows(run_id: str, talk: SelfTalk) -> list[dict[str, Any]]:
    """A row for every step of a talk; a kept step has only the row of the attempt that first wrote it."""
    return [
        {"id": step_id(run_id, turn, i), "run_id": run_id, "turn": turn, "position": i, "text": step.text}
        for turn, trajectory in enumerate(talk.turns)
        if isinstance(trajectory, Trajectory)
        for i, step in enumerate(trajectory.steps)
        if home_of(talk, turn, i) == (turn, i)
    ]


def critique_rows(run_id: str, talk: SelfTalk) -> list[dict[str, Any]]:
    """A row for every verdict of a talk."""
    turns = {t.id: turn for turn, t in enumerate(talk.turns) if isinstance(t, Trajectory)}
    return [
        {
            "id": f"{run_id}:{turn}:{i}",
            "step_id": step_id(run_id, *home_of(talk, turns[critique.trajectory_id], i)),
            "verdict": step.verdict,
            "probability": step.probability,
            "comment": step.comment,
            "evidence": json.dumps([e.model_dump(mode="json") for e in step.evidence], ensure_ascii=False),
        }
        for turn, critique in enumerate(talk.turns)
        if isinstance(critique, Critique)
        for i, step in enumerate(critique.verdicts)
    ]


def answer_rows(run_id: str, talk: SelfTalk) -> list[dict[str, Any]]:
    """A row for every answer of the vote on a talk."""
    outcome = talk.outcome
    if outcome is None:
        return []
    weights = outcome.weights or (None,) * len(outcome.answers)
    return [
        {"run_id": run_id, "position": position, "answer": answer, "votes": votes, "weight": weight}
        for position, ((answer, votes), weight) in enumerate(zip(outcome.answers, weights, strict=True))
    ]


def feedback_of(row: dict[str, Any]) -> Feedback:
    """The feedback of a label's row."""
    turn, position = map(int, row["step_id"].split(":")[1:]) if row["step_id"] is not None else (None, None)
    return Feedback(
        turn=turn,
        step=position,
        rating=row["rating"],
        reason=row["reason"],
        correction=row["correction"],
        consent=row["consent"] == 1,  # any other value of a damaged row means no consent
    )


def hint_of(row: dict[str, Any]) -> tuple[str | None, int]:
    """The step id (None for a solution without steps) and the level of a hint's row."""
    step, level = row["step_id"], row["level"]
    if not (isinstance(step, str | None) and isinstance(level, int)):
        raise ValueError("neither a step nor a level")
    return step, level


def review_of(row: dict[str, Any]) -> Review:
    """The review of a review's row."""
    return Review(**{name: row[name] for name in Review.model_fields} | {"consent": row["consent"] == 1})
