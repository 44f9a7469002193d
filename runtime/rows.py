"""Talks and what people say of them as rows of the session log, and back; the names of steps."""

from __future__ import annotations

import json
from typing import Any

from runtime.types import Critique, Feedback, Review, SelfTalk, Trajectory


def step_id(run_id: str, turn: int, position: int) -> str:
    """The key of a step: it says where the step stands in the talk, so nobody has to look it up."""
    return f"{run_id}:{turn}:{position}"


def home_of(talk: SelfTalk, turn: int, position: int) -> tuple[int, int]:
    """Where a step was first written: a refinement's kept steps belong to the attempt they were kept from."""
    trajectory = talk.turns[turn]
    while trajectory.parent and position < trajectory.parent.kept:
        turn = next(
            i for i, t in enumerate(talk.turns) if t.kind == "trajectory" and t.id == trajectory.parent.trajectory_id
        )
        trajectory = talk.turns[turn]
    return turn, position


def step_rows(run_id: str, talk: SelfTalk) -> list[dict[str, Any]]:
    """A row for every step of a talk, where it was first written."""
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


def feedback_of(row: dict[str, Any]) -> Feedback:
    """A person's word on a step, from its row."""
    _, *place = (row["step_id"] or "").split(":")
    turn, position = map(int, place) if place else (None, None)
    return Feedback(
        turn=turn,
        step=position,
        rating=row["rating"],
        reason=row["reason"],
        correction=row["correction"],
        consent=bool(row["consent"]),
    )


def review_of(row: dict[str, Any]) -> Review:
    """How a review was ended, from its row."""
    return Review(**{name: row[name] for name in Review.model_fields} | {"consent": bool(row["consent"])})
