"""The arms: what each actor learns, from the same attempts and from the same start.

The start is the bare base. It is the paper's SFT model: it was trained, supervised, on attempts at problems of this
world, in the actor's conversation. Right solutions of other problems would teach what is to be compared, to not make
the errors of its mixture.

Arms learn as many tokens as Step-DPO: the words of a turn, or those of both ways of a pair. Where a claim compares the
same pairs, an arm reads them as often as Step-DPO instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from runtime.prompts.actor_turn import ADAPTER as ACTOR
from trainer.data.critiques.tasks import seed_of
from trainer.data.examples.preference import Kind, pairs_of
from trainer.reproductions.ground.setting import Trained
from trainer.reproductions.step_dpo.material import PAIRS, PAIRS_APART, Material
from trainer.training.recipe import Recipe

Source = Literal["solutions", "attempts", "pairs", "shared pairs", "foreign pairs"]


@dataclass(frozen=True)
class Arm:
    """How one actor is trained."""

    name: str
    source: Source
    """Exact solutions of all problems, the actor's own right attempts, or pairs: all with its own winners, or those
    whose loser has winners of both models, with its own or with the other model's."""
    kind: Kind | None = None
    """What of a pair is compared."""
    as_often: bool = False
    """Read the rows in as many epochs as Step-DPO, whatever the number of tokens."""


START = "SFT"
"""The name of the start."""
TAUGHT = Arm("taught", "solutions")
"""The oracle."""
RFT = Arm("RFT", "attempts")
DPO = Arm("DPO", "pairs", "full")
SAME_PAIRS = Arm("DPO, as often", "pairs", "full", as_often=True)
INDEPENDENT = Arm("DPO, independent", "pairs", "independent")
STEP = Arm("Step-DPO", "pairs", "step", as_often=True)
SHARED = Arm("Step-DPO, shared losers", "shared pairs", "step", as_often=True)
FOREIGN = Arm("Step-DPO, foreign winners", "foreign pairs", "step", as_often=True)
ARMS = (TAUGHT, RFT, DPO, SAME_PAIRS, INDEPENDENT, STEP, SHARED, FOREIGN)
LEAST = 16
"""An arm with fewer rows, less than a batch, is not trained."""


@dataclass(frozen=True)
class Judging:
    """The margins of rewards of the pairs apart, along a training."""

    problems: Sequence[str]
    """Of each pair."""
    margins: Mapping[int, Sequence[float]]
    """Of each pair, by training step."""

    @property
    def last(self) -> int:
        return max(self.margins)

    def right(self, step: int) -> list[bool]:
        """Whether the chosen way of each pair gained more than the rejected one."""
        return [margin > 0 for margin in self.margins[step]]

    @property
    def grew(self) -> list[bool]:
        """Whether the margin of each pair grew in the second half of the training."""
        half = min(self.margins, key=lambda step: abs(2 * step - self.last))
        return [late > early for early, late in zip(self.margins[half], self.margins[self.last], strict=True)]


@dataclass(frozen=True)
class Learned:
    """A trained arm."""

    made: Trained
    epochs: int
    judging: Judging | None = None
    """None for an arm that learns no pairs, or where no pair is apart."""

    @property
    def tokens(self) -> int:
        """Learned or compared, in all epochs."""
        return self.epochs * self.made.summary["learned"]


@dataclass
class School:
    """Trains the arms of one seed. Raises what training and engines raise."""

    material: Material
    learned: dict[Arm, Learned] = field(default_factory=dict)

    @property
    def actors(self) -> dict[str, Trained | None]:
        """All of them by name; the start has no adapter."""
        return {START: None, **{arm.name: found.made for arm, found in self.learned.items()}}

    def train(self, arm: Arm) -> str:
        """Train an arm, once, unless it has too few rows; returns a message."""
        recipe, rows = self._recipe(arm)
        if rows < LEAST:
            return f"{arm.name} is left out: it has {rows} rows"
        recipe = recipe.model_copy(update={"epochs": self._epochs(arm, recipe)})
        with self.material.ledger.part("training"):
            made = self.material.setting.run(recipe, self.material.size.looks)
        judging = Judging(self._problems_apart(arm), made.scores) if made.scores else None
        self.learned[arm] = Learned(made, recipe.epochs, judging)
        return (
            f"trained {arm.name} on {rows} rows, {recipe.epochs} times, in {made.summary['seconds'] / 60:.1f} minutes"
        )

    def _recipe(self, arm: Arm) -> tuple[Recipe, int]:
        """Without the number of epochs; and the number of rows. The seed of each arm is its own."""
        setting, seed = self.material.setting, seed_of(self.material.seed, "training", arm.name)
        if arm.kind is None:
            rows = self.material.solutions if arm.source == "solutions" else self.material.right
            return setting.lessons(ACTOR, rows, seed=seed, keep_prefixes=True), len(rows)
        file, apart = self._file(arm), self.material.own / PAIRS_APART
        dev = apart if self._problems_apart(arm) else None
        recipe = setting.preferences(ACTOR, file, dev, kind=arm.kind, seed=seed, keep_prefixes=True)
        return recipe, sum(1 for _ in pairs_of(file, arm.kind))

    def _file(self, arm: Arm) -> Path:
        if arm.source == "pairs":
            return self.material.own / PAIRS
        return self.material.shared[arm.source == "foreign pairs"]

    def _epochs(self, arm: Arm, recipe: Recipe) -> int:
        if arm.as_often:
            return self.material.size.epochs
        return max(1, round(self._aim / self.material.setting.learned(recipe)))

    @cached_property
    def _aim(self) -> int:
        """The number of tokens that Step-DPO compares."""
        return self.material.size.epochs * self.material.setting.learned(self._recipe(STEP)[0])

    def _problems_apart(self, arm: Arm) -> list[str]:
        """Of each pair apart."""
        assert arm.kind, "it learns pairs"
        return [row.messages[-1]["content"] for row in pairs_of(self.material.own / PAIRS_APART, arm.kind)]
