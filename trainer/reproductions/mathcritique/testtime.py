"""Actor and critic at test time: one attempt and its refinement, many in parallel, or one refined repeatedly.

Every figure (single, oracle, MV@K, pass@k, sequential) comes from the same stored turns, so that they can be compared
problem by problem, at equal turns and at equal tokens. In the paper an attempt is refined whatever the critic says
("always"); in the app only if the critic objects ("objects"). Both are arms of the same turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from runtime.search.selection import majority
from runtime.types import Critique, Problem, Value
from trainer.data.critiques.tasks import seed_of
from trainer.reproductions.mathcritique.play import TEMPERATURE, Attempt, Opened, Reading, Spent, sampled
from trainer.runs import kept
from trainer.statistics import Paired, paired

V = TypeVar("V")
Bools = list[bool]
When = Literal["always", "objects", "wrong"]
"""When an attempt is refined: always, if the critic objects, or if it is wrong, which only an oracle knows."""


class Turn(Value):
    """An attempt, its critique, and the actor's refinement."""

    attempt: Attempt
    reading: Reading
    refined: Attempt
    """The attempt itself if it cannot be refined."""

    def taken(self, when: When = "always") -> Attempt:
        """The attempt that counts: the refinement, or the attempt itself."""
        return self.refined if self._is_refined(when) else self.attempt

    def cost(self, when: When = "always") -> Spent:
        """Of attempt and critique, and of the refinement where there is one."""
        spent = self.attempt.cost + self.reading.cost
        return spent + self.refined.cost if self._is_refined(when) and self.refined != self.attempt else spent

    def _is_refined(self, when: When) -> bool:
        return {"objects": self.reading.objects, "always": True, "wrong": not self.attempt.correct}[when]


def turns(opened: Opened, attempts: Sequence[Attempt], temperature: float, seed: int) -> list[Turn]:
    """Every attempt criticised and refined once; one that cannot be refined is not read. Raises EngineError."""
    able = [one for one in attempts if one.can_be_refined]
    with opened() as players:
        readings = players.critiques(able)
    with opened() as players:
        pairs = list(zip(able, readings, strict=True))
        made = zip(readings, players.refinements(pairs, 1, temperature, seed), strict=True)
    return [
        Turn(attempt=one, reading=reading, refined=refined)
        for one in attempts
        for reading, refined in [next(made) if one.can_be_refined else (UNREAD, one)]
    ]


UNREAD = Reading(critique=Critique(trajectory_id="", verdicts=()))


class Played(Value):
    """All samples for one set of problems; each field has one entry per problem, in their order."""

    greedy: list[Turn]
    plain: list[list[Attempt]]
    """Independent attempts, three for each turn in `parallel`."""
    parallel: list[list[Turn]]
    """Turns that start from the first of the plain attempts."""
    chains: list[list[Turn]]
    """Turns that each start from the refinement of the one before, whatever the critic says of it: a chain that stopped
    when the critic is content would vote with copies of itself."""

    @property
    def K(self) -> int:
        """Turns in parallel, and turns per chain."""
        return len(self.parallel[0])

    def taken(self, when: When = "always") -> list[list[Attempt]]:
        """The attempts that count of the parallel turns."""
        return [[turn.taken(when) for turn in some] for some in self.parallel]

    def alone(self) -> Bools:
        """Whether each problem is solved greedily by the actor alone."""
        return [turn.attempt.correct for turn in self.greedy]

    def refined(self, when: When = "always") -> Bools:
        """Whether each problem is solved greedily with one refinement."""
        return [turn.taken(when).correct for turn in self.greedy]

    def bins(self, count: int = 5) -> list[list[int]]:
        """Problems by the pass rate of the plain attempts, in bins of equal size, easiest first. Attempts that parallel
        turns start from are left out: a gain over attempts selected for being wrong would be an artefact."""
        rates = [sum(attempt.correct for attempt in some[self.K :]) for some in self.plain]
        order = sorted(range(len(rates)), key=lambda i: -rates[i])
        return [list(map(int, part)) for part in np.array_split(order, count)]

    def by_bin(self, count: int = 5) -> list[Paired]:
        """What a refinement gains over the attempts that the parallel turns start from, by bin; with a problem as one
        cluster."""
        return [self._gain([turn for place in places for turn in self.parallel[place]]) for places in self.bins(count)]

    @staticmethod
    def _gain(some: Sequence[Turn]) -> Paired:
        return paired(
            [turn.taken().correct for turn in some],
            [turn.attempt.correct for turn in some],
            [turn.attempt.problem.id for turn in some],
        )

    def points(self, when: When = "always") -> list[Point]:
        """Votes for K = 1, 2, ..."""
        return [self._point(k, when) for k in range(1, self.K + 1)]

    def _point(self, k: int, when: When) -> Point:
        n = len(self.plain)
        costs = [turn.cost(when) for some in self.parallel for turn in some[:k]]
        return Point(
            k,
            [voted(some[:k]) for some in self.taken(when)],
            [voted(some[: 3 * k]) for some in self.plain],
            sum(cost.turns for cost in costs) / n,
            sum(cost.written for cost in costs) / n,
            sum(cost.read for cost in costs) / n,
            sum(one.cost.written for some in self.plain for one in some[: 3 * k]) / n,
            sum(one.cost.read for some in self.plain for one in some[: 3 * k]) / n,
        )


@dataclass(frozen=True)
class Point:
    """Votes with K turns and with 3K plain attempts, problem by problem, and their cost per problem."""

    k: int
    critic: Bools
    plain: Bools
    critic_turns: float
    critic_tokens: float
    """Tokens written."""
    critic_read: float
    """Tokens read: whole prompts, though most of them are cached."""
    plain_tokens: float
    plain_read: float


def play(
    opened: Opened, problems: Sequence[Problem], K: int, seed: int, folder: Path, temperature: float = TEMPERATURE
) -> Played:
    """Sample everything that the figures need: 3K plain attempts per problem, K parallel turns, a chain of K turns.
    Each finished part is stored in `folder` and not sampled again."""

    def attempts(name: str, count: int, temperature: float) -> list[Attempt]:
        asked = (problems, count, temperature, seed_of(seed, name))
        return sampled(folder / f"{name}.jsonl", Attempt, opened, lambda players: players.attempts(*asked))

    def judged(name: str, attempts: Sequence[Attempt], temperature: float) -> list[Turn]:
        return kept(folder / f"{name}.jsonl", Turn, lambda: turns(opened, attempts, temperature, seed_of(seed, name)))

    plain = _in_parts(attempts("plain", 3 * K, temperature), 3 * K)
    parallel = judged("parallel", [attempt for some in plain for attempt in some[:K]], temperature)
    links: list[list[Turn]] = []
    last = [some[0] for some in plain]
    for number in range(K):
        links.append(judged(f"chain-{number + 1}", last, temperature))
        last = [turn.taken() for turn in links[-1]]
    return Played(
        greedy=judged("greedy", attempts("alone", 1, 0.0), 0.0),
        plain=plain,
        parallel=_in_parts(parallel, K),
        chains=[list(one) for one in zip(*links, strict=True)],
    )


def _in_parts(values: list[V], size: int) -> list[list[V]]:
    return [values[i : i + size] for i in range(0, len(values), size)]


def voted(attempts: Sequence[Attempt]) -> bool:
    """Whether the most frequent answer is right; attempts without an answer have no vote, ties go to the first."""
    chosen = majority([attempt.trajectory for attempt in attempts]).attempt
    return next((one.correct for one in attempts if one.trajectory is chosen), False)
