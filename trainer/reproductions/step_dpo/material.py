"""What the actors learn from: attempts at fresh problems, graded, and pairs of a wrong and a right step made from them.

All arms learn from the same attempts at the same problems. A share of the problems is kept apart, whose pairs no arm
learns. Pairs are made as by `trainer pairs`: with winners that the actor writes itself, and with winners that another
model writes for the same losers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from runtime.engines.base import Metered, Sampling
from runtime.files import write_whole
from runtime.problems.formats import attempts as own
from runtime.problems.labelled import LabelledTrajectory
from runtime.problems.worked import Worked
from runtime.types import content_hash
from trainer.data.critiques.tasks import seed_of
from trainer.data.examples.attempts import kept_apart
from trainer.data.examples.rft import write_right
from trainer.data.rollouts import Rollouts
from trainer.data.rows import Row, read_rows
from trainer.pipelines.pairs import Making, Order
from trainer.reproductions.ground.fitness import FULL
from trainer.reproductions.ground.setting import Setting
from trainer.reproductions.ground.texts import solution
from trainer.reproductions.verifiers.ledger import Ledger
from trainer.reproductions.verifiers.material import as_asked, finished, fresh

APART = 0.2
"""Share of the problems kept apart."""
MOST = 4
"""Most different right attempts at a problem that RFT learns."""
PAIRS, PAIRS_APART, YIELD = "pairs.jsonl", "pairs-dev.jsonl", "yield.json"


@dataclass(frozen=True)
class Size:
    """The amount of work for each seed."""

    problems: int = 250
    """Problems that are attempted, those kept apart included."""
    tries: int = 4
    """Attempts at each."""
    rollouts: int = 8
    """From each step that is tried or verified."""
    continuations: int = 8
    """Of the right steps before each first error."""
    epochs: int = 4
    """In which Step-DPO learns its pairs."""
    looks: int = 5
    """How often the pairs apart are judged along a training."""
    tested: int = 240
    """Hard problems that the trained actors solve, and a third as many easy ones."""
    samples: int = 4
    """Solutions of each beside the greedy one."""


@dataclass
class Material:
    """What one seed learns from; made when asked for, and stored. Raises EngineError."""

    setting: Setting
    writer: Setting
    """The other model that writes winners."""
    size: Size
    seed: int
    ledger: Ledger

    @cached_property
    def problems(self) -> list[Worked]:
        return fresh(self.setting, self.size.problems, self.seed, "pairs")

    @property
    def learned(self) -> list[Worked]:
        """The problems that are not kept apart."""
        return [worked for worked in self.problems if not kept_apart(worked.problem, APART)]

    @cached_property
    def attempts(self) -> list[LabelledTrajectory]:
        """Finished attempts of the start at all problems."""
        asked = [worked.problem for worked in self.problems]
        with self.ledger.part("attempts") as usage, closing(self.setting.engine()) as engine:
            settings, metered = as_asked(self.setting), Metered(engine, usage)
            rollouts = Rollouts(asked, metered, settings, self._sampling, self.size.tries)
            finished(rollouts.run())
            return [own.read(row)[0] for row in rollouts.rows()]

    @property
    def solutions(self) -> list[Row]:
        """The right solution of every problem: what an oracle teaches."""
        return [solution(worked) for worked in self.learned]

    @cached_property
    def right(self) -> list[Row]:
        """Right attempts, each different one once (RFT)."""
        write_right(self.folder, [one for one in self.attempts if not kept_apart(one.problem, APART)], MOST)
        return [row for row in read_rows(self.folder / "actor.jsonl") if isinstance(row, Row)]

    @cached_property
    def own(self) -> Path:
        """The folder of the pairs with winners of the actor itself."""
        assert self.attempts, "sampled before, so that their cost is told apart"
        with self.ledger.part("pairs") as usage, closing(self.setting.engine()) as engine:
            return self._made("own", Metered(engine, usage))

    @cached_property
    def foreign(self) -> Path:
        """The same with winners of another model."""
        assert self.own.exists(), "made before, so that losers are located at its cost"
        with (
            self.ledger.part("foreign winners") as usage,
            closing(self.setting.engine()) as engine,
            closing(self.writer.engine()) as writer,
        ):
            return self._made("foreign", Metered(engine, usage), Metered(writer, usage))

    @cached_property
    def shared(self) -> tuple[Path, Path]:
        """Two files of pairs of the same losers, in the same order: the winner of one is the actor's, that of the other
        the other model's."""
        own, foreign = (_by_loser(folder / PAIRS) for folder in (self.own, self.foreign))
        keys = [key for key in own if key in foreign]
        paths = self.folder / "own-shared.jsonl", self.folder / "foreign-shared.jsonl"
        for path, rows in zip(paths, (own, foreign), strict=True):
            write_whole(path, (rows[key] for key in keys))
        return paths

    def summary(self) -> str:
        """The yield of every stage in words."""
        own, foreign = (json.loads((folder / YIELD).read_text("utf-8")) for folder in (self.own, self.foreign))
        wrong, located = own["located"].values()
        return (
            f"{len(self.attempts)} attempts at {len(self.problems)} problems ({len(self.learned)} to learn from), "
            f"{own['sampling']['right']} right ({len(self.right)} different ones learned), {wrong} different wrong "
            f"ones, first error located in {located}; {own['pairs']} pairs ({own['kept_apart']} apart); "
            f"{foreign['pairs']} with winners of {self.writer.base}, {len(_by_loser(self.shared[0]))} losers to learn "
            "with winners of both"
        )

    @property
    def folder(self) -> Path:
        name = content_hash(self.setting.base, self.writer.base, repr(self.size), str(self.seed))
        return self.setting.settings.home / "step_dpo" / name

    @property
    def _sampling(self) -> Sampling:
        return replace(FULL, seed=seed_of(self.seed, "attempts"))

    def _made(self, name: str, engine: Metered, writer: Metered | None = None) -> Path:
        folder, size = self.folder / name, self.size
        order = Order(size.tries, "exact", size.rollouts, size.continuations, winners=1, apart=APART)
        making = Making(order, engine, as_asked(self.setting), self._sampling, _follow, writer)
        found = making.make([worked.problem for worked in self.problems], (), (), folder)
        write_whole(folder / YIELD, json.dumps(found))
        return folder


def _follow(title: str, work: Iterator[object], total: int, tokens: object = None) -> None:
    finished(work)


def _by_loser(path: Path) -> dict[tuple[str, ...], str]:
    """The lines of a file of pairs by problem, right steps and loser."""
    rows = ((json.loads(line), f"{line}\n") for line in path.read_text("utf-8").split("\n")[:-1])
    return {(row["prompt"], row["initial_reason_steps"], row["rejected"]): line for row, line in rows}
