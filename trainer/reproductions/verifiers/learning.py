"""Verifiers trained on the same attempts: outcome and process reward models, from the bare base or from an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runtime.problems.labelled import LabelledTrajectory
from runtime.search.verifier import ADAPTER
from trainer.data.critiques.tasks import seed_of
from trainer.data.examples.verifier import Estimate, scored_row
from trainer.reproductions.ground.setting import Setting, Trained

Objective = Literal["orm", "prm"]


@dataclass(frozen=True)
class Arm:
    """How one verifier is trained."""

    name: str
    objective: Objective
    estimate: Estimate = "hard"
    share: float = 1.0
    """Of the problems, whose attempts it learns from."""
    looks: int = 1
    """How often it predicts outcomes along its training."""

    @property
    def aggregate(self) -> str:
        """From its scores of the steps to that of a solution, as in the papers."""
        return "last" if self.objective == "orm" else "min"


LOOKS = 5
ORM, PRM = Arm("ORM", "orm", looks=LOOKS), Arm("PRM", "prm", looks=LOOKS)
"""From the bare base, on all attempts and hard labels: what everything else is compared with."""


@dataclass(frozen=True)
class Learner:
    """Trains verifiers on the attempts at problems, in their order; `apart` are attempts with exact labels, whose
    outcomes are predicted along the training."""

    setting: Setting
    attempts: Sequence[Sequence[LabelledTrajectory]]
    """By problem."""
    apart: Sequence[LabelledTrajectory]
    epochs: int
    seed: int

    def trained(self, arm: Arm, start: Path | None = None) -> Trained:
        """The verifier of an arm, from the adapter in the folder `start` or from the bare base. The seed of each arm is
        its own. Trained once; resumable. Raises what training raises."""
        used = self.attempts[: round(arm.share * len(self.attempts))]
        rows = [scored_row(attempt, arm.estimate, "labelled") for some in used for attempt in some]
        return self.setting.trained(
            ADAPTER, rows, [scored_row(attempt) for attempt in self.apart], arm.looks,
            objective=arm.objective, init=start, epochs=self.epochs, seed=seed_of(self.seed, "training", arm.name),
        )  # fmt: skip
