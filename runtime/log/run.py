"""One run, at any moment of its life, and the names of its steps: what the page, the exports and the log share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from runtime.events import Finished, Transcript, fold
from runtime.types import Feedback, Help, Outcome, SelfTalk, Trajectory

PRACTISED = "practise"
"""Mode of a check of own work at a problem from the Practise tab."""


@dataclass(frozen=True)
class Run:
    """One solving or checking of one problem, at any moment of its life."""

    id: str
    session_id: str
    kind: Literal["solve", "check"]
    mode: str
    model: str
    transcript: Transcript
    seconds: float = 0.0
    created_at: str = ""
    labels: dict[str, Feedback] = field(default_factory=dict)
    """The latest label by step id; by run id for a label on the whole."""
    help: Help = "full"
    hints: dict[str, int] = field(default_factory=dict)
    """How far the help with a step has gone, by step id (`runtime.tutoring.disclosure`)."""

    @property
    def status(self) -> str:
        outcome = self.transcript.talk.outcome
        return outcome.status if outcome else "running"

    def halted(self) -> Run:
        """The run as it stands, for good: one that was still going on was stopped."""
        if self.status != "running":  # a vote that was stopped takes nothing away
            return replace(self, transcript=replace(self.transcript, voting=None))
        return replace(self, transcript=fold(self.transcript, Finished(Outcome(status="stopped"))))


def step_id(run_id: str, turn: int, position: int) -> str:
    """The key of a step: it says where the step stands in the talk, so nobody has to look it up."""
    return f"{run_id}:{turn}:{position}"


def home_of(talk: SelfTalk, turn: int, position: int) -> tuple[int, int]:
    """Where a step was first written: a refinement's kept steps belong to the attempt they were kept from."""
    trajectory = talk.turns[turn]
    while trajectory.parent and position < trajectory.parent.kept:
        known = (i for i, t in enumerate(talk.turns[:turn]) if isinstance(t, Trajectory))
        earlier = next((i for i in known if talk.turns[i].id == trajectory.parent.trajectory_id), None)
        if earlier is None:  # only in a damaged row
            break
        turn, trajectory = earlier, talk.turns[earlier]
    return turn, position
