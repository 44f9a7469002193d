"""One solution of N by votes, by verifiers, and by both: every way and every N on the same solutions of fresh problems.

Intervals and tests are paired problem by problem; several seeds have different problems, which are pooled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

from runtime.engines.base import Metered
from runtime.files import sha256_of
from runtime.problems.worked import Worked
from runtime.search.verifier import ADAPTER
from trainer.data.critiques.tasks import seed_of
from trainer.evaluation.choosing import BEST, MAJORITY, METHODS, WEIGHTED, sizes
from trainer.evaluation.samples import Sampled, Scores, Solutions
from trainer.reproductions.claims import Effect, by_seed
from trainer.reproductions.ground.fitness import FULL, Criterion
from trainer.reproductions.ground.problems import level_of
from trainer.reproductions.ground.setting import Setting, Trained
from trainer.reproductions.verifiers.learning import ORM, PRM, Arm
from trainer.reproductions.verifiers.ledger import Ledger
from trainer.reproductions.verifiers.material import as_asked, finished
from trainer.statistics import Paired, paired, pass_at

EASY, HARD = (0, 1), (3, 4)
"""Levels of the problems; the middle one belongs to neither half."""
DRAWN = 16
"""Subsets of one size that are drawn of the solutions of a problem, for the curves. Verdicts use all solutions."""
ROOM = 0.05
"""How much better than votes a perfect verifier must be, or none could be seen to be better."""
TAUGHT = 0.05
"""How much better than any one solution the choice of a verifier must be, or it has learned nothing to compare."""


class Way(NamedTuple):
    """A way to choose."""

    method: str
    verifier: str = ""
    """Name of its arm."""
    aggregate: str = ""

    @property
    def name(self) -> str:
        return {MAJORITY: "SC", BEST: self.verifier, WEIGHTED: f"SC + {self.verifier}"}[self.method]


SC = Way(MAJORITY)


def by(arm: Arm) -> Way:
    """Best-of-N."""
    return Way(BEST, arm.name, arm.aggregate)


def with_votes(arm: Arm) -> Way:
    return Way(WEIGHTED, arm.name, arm.aggregate)


@dataclass(frozen=True)
class Scored:
    """The solutions of one problem, and the same ones with the scores of each verifier."""

    seed: int
    level: int
    plain: Sampled
    by_verifier: Mapping[str, Sampled]

    def share(self, way: Way, size: int) -> float:
        """In which share of the subsets of this size the choice is right."""
        solutions = self.by_verifier[way.verifier] if way.verifier else self.plain
        return solutions.share(METHODS[way.method], way.aggregate, size, DRAWN)


def scored(
    setting: Setting, problems: Sequence[Worked], n: int, seed: int, verifiers: Mapping[Arm, Trained], ledger: Ledger
) -> list[Scored]:
    """`n` solutions of each problem from the full distribution, scored by every verifier; all is stored. Raises
    EngineError."""
    settings = as_asked(setting).with_(seed=seed_of(seed, "solutions"))
    asked = [worked.problem for worked in problems]
    with ledger.part("solutions") as usage, closing(setting.engine()) as engine:
        solutions = Solutions(asked, Metered(engine, usage), settings, n, sampling=FULL)
        finished(solutions.run())
    found: dict[str, list[Sampled]] = {}
    for arm, made in verifiers.items():
        with ledger.part("scores") as usage, closing(setting.engine({ADAPTER: made.gguf})) as engine:
            scores = Scores(solutions, Metered(engine, usage), settings, {ADAPTER: sha256_of(made.gguf)})
            finished(scores.run())
            found[arm.name] = scores.sampled()
    return [
        Scored(seed, level_of(worked), plain, {name: each[place] for name, each in found.items()})
        for place, (worked, plain) in enumerate(zip(problems, solutions.sampled(), strict=True))
    ]


class Board:
    """How often every way is right at every N."""

    def __init__(self, problems: Sequence[Scored]) -> None:
        self.problems = problems
        self._known: dict[tuple[Way, int], tuple[float, ...]] = {}

    @property
    def n(self) -> int:
        """Solutions of each problem."""
        return len(self.problems[0].plain.samples)

    @property
    def sizes(self) -> list[int]:
        return sizes(self.n)

    def shares(self, way: Way, size: int | None = None) -> tuple[float, ...]:
        """By problem; with all solutions unless a size is given."""
        key = way, size or self.n
        if key not in self._known:
            self._known[key] = tuple(problem.share(*key) for problem in self.problems)
        return self._known[key]

    def accuracy(self, way: Way, size: int | None = None) -> float:
        return fmean(self.shares(way, size))

    def gain(self, way: Way, over: Way, levels: Sequence[int] | None = None) -> Paired:
        """The difference of two ways with all solutions, on the problems of these levels or on all."""
        chosen = [place for place, one in enumerate(self.problems) if levels is None or one.level in levels]
        a, b = self.shares(way), self.shares(over)
        return paired([a[place] for place in chosen], [b[place] for place in chosen])

    def effect(
        self, way: Way, over: Way, paper: float | None = None, levels: Sequence[int] | None = None, what: str = ""
    ) -> Effect:
        gain = self.gain(way, over, levels)
        number = sum(levels is None or one.level in levels for one in self.problems)
        return Effect(what or f"{way.name} - {over.name}", gain, number, paper)

    def by_seed(self, way: Way, over: Way) -> str:
        """The same difference with the problems of each seed, whose verifiers were trained apart."""
        gains = by_seed(self.shares(way), self.shares(over), [one.seed for one in self.problems])
        return f"{way.name} - {over.name}, seed by seed: {gains}"

    @cached_property
    def ceiling(self) -> dict[int, float]:
        """The share of problems of which any of N solutions is right, by N."""
        right = [[sample.right for sample in one.plain.samples] for one in self.problems]
        return {size: fmean(pass_at(size, some) for some in right) for size in self.sizes}

    @property
    def room(self) -> Criterion:
        """Whether a verifier could be seen to be better than votes: a condition of the ground."""
        perfect = [float(any(sample.right for sample in one.plain.samples)) for one in self.problems]
        gain = paired(perfect, self.shares(SC))
        return Criterion(
            name="room", what=f"gain of a perfect verifier over votes of {self.n}", value=gain.difference,
            n=len(self.problems), interval=gain.interval, low=ROOM,
        )  # fmt: skip

    @property
    def taught(self) -> Criterion:
        """Whether the better one of ORM and PRM has learned to choose: a condition of comparing verifiers. A weak one
        does worse than no choice, as among many solutions the best of its scores is a mistake of its own."""
        better = max((ORM, PRM), key=lambda arm: self.accuracy(by(arm)))
        gain = paired(self.shares(by(better)), self.shares(SC, 1))
        return Criterion(
            name="verifiers", what=f"gain of the best of {self.n} by the better of ORM and PRM over one solution",
            value=gain.difference, n=len(self.problems), interval=gain.interval, low=TAUGHT,
        )  # fmt: skip
