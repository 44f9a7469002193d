"""MathCritique's players on a ground."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.critic.aggregation import read_weights
from runtime.critic.evidence.verdict import ADAPTER as CRITIC
from runtime.prompts.actor_turn import ADAPTER as ACTOR
from trainer.reproductions.ground.setting import Setting
from trainer.reproductions.mathcritique.play import Players


@dataclass(frozen=True)
class Judge:
    """A critic's adapter, and the file of the rules fitted with it."""

    adapter: Path
    weights: Path


class Ground(Setting):
    """A base and its problems, with actor and critic on one engine."""

    @contextmanager
    def players(self, actor: Path | None, judge: Judge | None = None) -> Generator[Players]:
        """Actor and critic, or the actor alone; without `actor` the bare base is the actor."""
        adapters = ({CRITIC: judge.adapter} if judge else {}) | ({ACTOR: actor} if actor else {})
        with closing(self.engine(adapters)) as engine:
            yield Players(engine, read_weights(judge.weights) if judge else {})
