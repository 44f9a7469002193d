"""A run and the ids of its steps, shared by the page, the exports and the log."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from runtime.events import Finished, Transcript, fold
from runtime.types import Feedback, Help, Outcome, SelfTalk, Trajectory

Kind = Literal["solve", "check"]
PRACTISED = "practise"
"""Mode of a run of the Practise tab."""


@dataclass(frozen=True)
class Run:
    """The solving or checking of one problem, finished or not."""

    id: str
    session_id: str
    kind: Kind
    mode: str
    model: str
    transcript: Transcript
    seconds: float = 0.0
    created_at: str = ""
    labels: dict[str, Feedback] = field(default_factory=dict)
    """The latest label of each step id; a label on the whole run has the run's id."""
    help: Help = "full"
    hints: dict[str, int] = field(default_factory=dict)
    """The level of help given with each step id (`runtime.tutoring.disclosure`)."""

    @property
    def status(self) -> str:
        outcome = self.transcript.talk.outcome
        return outcome.status if outcome else "running"

    @property
    def outcome(self) -> Outcome:
        """The outcome of a run that has ended. Raises ValueError while it is running."""
        if self.transcript.talk.outcome is None:
            raise ValueError("a run that is still running has no outcome")
        return self.transcript.talk.outcome

    def halted(self) -> Run:
        """The run ended now: with the status "stopped" if it was running."""
        if self.status != "running":  # a stopped vote keeps the outcome before it
            return replace(self, transcript=replace(self.transcript, voting=None))
        return replace(self, transcript=fold(self.transcript, Finished(Outcome(status="stopped"))))


def step_id(run_id: str, turn: int, position: int) -> str:
    """The id of a step, made of its run, turn and position."""
    return f"{run_id}:{turn}:{position}"


def home_of(talk: SelfTalk, turn: int, position: int) -> tuple[int, int]:
    """Turn and position where a step was first written: a kept step belongs to the attempt it was kept from."""
    attempts = {i: t for i, t in enumerate(talk.turns) if isinstance(t, Trajectory)}
    while (parent := attempts[turn].parent) and position < parent.kept:
        earlier = next((i for i, t in attempts.items() if i < turn and t.id == parent.trajectory_id), None)
        if earlier is None:  # only in a damaged row
            break
        turn = earlier
    return turn, position
