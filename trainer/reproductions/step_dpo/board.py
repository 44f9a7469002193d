"""What the trained actors solve: every actor the same problems, from which none of them learned.

Differences are of hard problems: the start errs with probability, and on others its greedy solution is nearly always
right, so that no training could be seen to help. They stand for MATH, and the easy ones for GSM8K. Intervals and tests
are paired problem by problem; several seeds have different problems, which are pooled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, TypeVar

from runtime.engines.base import Metered
from runtime.files import sha256_of
from runtime.problems.worked import Worked
from runtime.prompts.actor_turn import ADAPTER as ACTOR
from runtime.search.selection import majority
from trainer.data.critiques.tasks import seed_of
from trainer.evaluation.samples import Sampled, Solutions
from trainer.reproductions.claims import Effect, by_seed
from trainer.reproductions.ground.fitness import FULL, Criterion
from trainer.reproductions.ground.problems import level_of
from trainer.reproductions.ground.setting import Setting, Trained
from trainer.reproductions.step_dpo.arms import START, TAUGHT, Arm
from trainer.reproductions.verifiers.choosing import EASY, HARD
from trainer.reproductions.verifiers.ledger import Ledger
from trainer.reproductions.verifiers.material import as_asked, finished, fresh
from trainer.statistics import Paired, clustered_share, paired

T = TypeVar("T")
Measure = Literal["greedy", "one sample", "votes", "any right"]
MEASURES: Mapping[Measure, Callable[[Sampled], float]] = {
    "greedy": lambda one: float(one.greedy.right),
    "one sample": lambda one: fmean(sample.right for sample in one.samples),
    "votes": lambda one: one.share(majority, "", len(one.samples)),
    "any right": lambda one: float(any(sample.right for sample in one.samples)),
}
"""How often a problem is solved, from 0 to 1: greedily, by one sample, by votes of all samples (self-consistency), by
any of them (best-of-N with an exact grader)."""
HEADROOM = 0.08
"""How many more problems an oracle must solve greedily; else "does not hold" would say nothing."""
LARGER = 3
"""So many times as many problems are drawn as are hard, of which there are two in five."""
FEWER = 3
"""One easy problem is solved for so many hard ones."""


@dataclass(frozen=True)
class Tested:
    """What every actor, by name, wrote at one problem."""

    seed: int
    level: int
    by_actor: Mapping[str, Sampled]


def asked(setting: Setting, hard: int, seed: int) -> list[Worked]:
    """Fresh hard problems of the split "test", so many, and fewer easy ones."""
    drawn = fresh(setting, LARGER * hard, seed, "tested", "test")
    some = ([one for one in drawn if level_of(one) in levels] for levels in (HARD, EASY))
    return [one for part, count in zip(some, (hard, hard // FEWER), strict=True) for one in part[:count]]


def solutions(
    setting: Setting, problems: Sequence[Worked], n: int, seed: int, actor: Trained | None, ledger: Ledger
) -> list[Sampled]:
    """A greedy solution and `n` from the full distribution of each problem by an actor, the start without an adapter.
    Stored. Raises EngineError."""
    files = {ACTOR: actor.gguf} if actor else {}
    settings = as_asked(setting).with_(seed=seed_of(seed, "solutions"))
    with ledger.part("tests") as usage, closing(setting.engine(files)) as engine:
        hashes = {role: sha256_of(file) for role, file in files.items()}
        found = Solutions([worked.problem for worked in problems], Metered(engine, usage), settings, n, hashes, FULL)
        finished(found.run())
        return found.sampled()


class Board:
    """How often every actor solves every problem."""

    def __init__(self, problems: Sequence[Tested]) -> None:
        self.problems = problems

    @property
    def actors(self) -> list[str]:
        """That solved the problems of every seed."""
        return [name for name in self.problems[0].by_actor if all(name in one.by_actor for one in self.problems)]

    @property
    def n(self) -> int:
        """Solutions of each problem beside the greedy one."""
        return len(self.problems[0].by_actor[START].samples)

    def shares(self, actor: str, measure: Measure = "greedy") -> tuple[float, ...]:
        """By problem."""
        return tuple(MEASURES[measure](problem.by_actor[actor]) for problem in self.problems)

    def accuracy(self, actor: str, measure: Measure = "greedy", levels: Sequence[int] = HARD) -> float:
        return fmean(self._at(self.shares(actor, measure), levels) or [0.0])

    def interval(self, actor: str, measure: Measure = "greedy", levels: Sequence[int] = HARD) -> tuple[float, float]:
        shares = self._at(self.shares(actor, measure), levels)
        return clustered_share(shares, range(len(shares)))[1]

    def gain(self, actor: str, over: str = START, measure: Measure = "greedy", levels: Sequence[int] = HARD) -> Paired:
        return paired(*(self._at(self.shares(name, measure), levels) for name in (actor, over)))

    def effect(self, arm: Arm, over: Arm | None = None, paper: float | None = None) -> Effect:
        """In greedy solutions of hard problems; over the start unless another arm is given."""
        name = over.name if over else START
        return Effect(f"{arm.name} - {name}", self.gain(arm.name, name), self.hard, paper)

    @property
    def hard(self) -> int:
        """Number of hard problems."""
        return sum(one.level in HARD for one in self.problems)

    def details(self, arm: Arm, over: Arm | None = None) -> list[str]:
        """The same difference with the problems of each seed, whose actors were trained apart; and by one sample."""
        name = over.name if over else START
        a, b = (self._at(self.shares(one), HARD) for one in (arm.name, name))
        gains = by_seed(a, b, self._at([one.seed for one in self.problems], HARD))
        return [
            f"{arm.name} - {name}, seed by seed: {gains}",
            f"{arm.name} - {name}, by one sample: {self.gain(arm.name, name, 'one sample')}",
        ]

    def length(self, actor: str) -> tuple[float, float]:
        """Tokens and steps of a greedy solution."""
        written = [one.by_actor[actor] for one in self.problems]
        return fmean(one.greedy_written for one in written), fmean(len(one.greedy.attempt.steps) for one in written)

    @property
    def headroom(self) -> Criterion:
        """Whether training could be seen to help: a condition of the ground."""
        gain = self.gain(TAUGHT.name)
        return Criterion(
            name="headroom", what="gain of an actor that learns exact solutions, on hard problems",
            value=gain.difference, n=self.hard, interval=gain.interval, low=HEADROOM,
        )  # fmt: skip

    def _at(self, values: Sequence[T], levels: Sequence[int]) -> list[T]:
        """Those of the problems of these levels."""
        return [value for value, one in zip(values, self.problems, strict=True) if one.level in levels]
