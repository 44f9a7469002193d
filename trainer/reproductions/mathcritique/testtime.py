"""Actor and critic at test time: one attempt and its refinement, many in parallel, or one refined repeatedly.

Every figure (single, oracle, MV@K, pass@k, sequential) comes from the same stored turns, so that they can be compared
problem by problem, at equal turns and at equal tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from runtime.search.selection import majority
from runtime.types import Critique, Problem, Value
from trainer.reproductions.mathcritique.play import TEMPERATURE, Attempt, Opened, Reading, Spent, sampled
from trainer.runs import kept

V = TypeVar("V")
Bools = list[bool]


class Turn(Value):
    """An attempt, its critique, and the actor's refinement."""

    attempt: Attempt
    reading: Reading
    refined: Attempt
    """The attempt itself if it cannot be refined."""

    def taken(self, when: Literal["objects", "always", "wrong"] = "objects") -> Attempt:
        """The attempt that counts: the refinement if the critic objects, always, or if the attempt is wrong (known only
        to an oracle)."""
        refine = {"objects": self.reading.objects, "always": True, "wrong": not self.attempt.correct}[when]
        return self.refined if refine else self.attempt

    @property
    def cost(self) -> Spent:
        """Cost of the turn as the app runs it: without refinement if the critic does not object."""
        spent = self.attempt.cost + self.reading.cost
        return spent + self.refined.cost if self.reading.objects else spent


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
    """Turns that each start from the result of the one before."""

    @property
    def K(self) -> int:
        """Turns in parallel, and turns per chain."""
        return len(self.parallel[0])

    @property
    def taken(self) -> list[list[Attempt]]:
        """The attempts that count of the parallel turns."""
        return [[turn.taken() for turn in some] for some in self.parallel]

    def single(self) -> tuple[Bools, Bools, Bools]:
        """Whether each problem is solved greedily: alone, refined if the critic objects, refined if the attempt is
        wrong."""
        return (
            [turn.attempt.correct for turn in self.greedy],
            [turn.taken().correct for turn in self.greedy],
            [turn.taken("wrong").correct for turn in self.greedy],
        )

    def bins(self, count: int = 5) -> list[list[int]]:
        """Problems by the pass rate of the plain attempts, in bins of equal size, easiest first. Attempts that parallel
        turns start from are left out: a gain over attempts selected for being wrong would be an artefact."""
        rates = [sum(attempt.correct for attempt in some[self.K :]) for some in self.plain]
        order = sorted(range(len(rates)), key=lambda i: -rates[i])
        return [list(map(int, part)) for part in np.array_split(order, count)]

    def by_bin(self, count: int = 5) -> list[tuple[Bools, Bools]]:
        """Whether each parallel turn is right with the critic and alone, by bin."""
        parts = [[turn for place in places for turn in self.parallel[place]] for places in self.bins(count)]
        return [([turn.taken().correct for turn in some], [turn.attempt.correct for turn in some]) for some in parts]

    def points(self) -> list[Point]:
        """Votes for K = 1, 2, ..."""
        return [self._point(k) for k in range(1, self.K + 1)]

    def _point(self, k: int) -> Point:
        n = len(self.plain)
        costs = [turn.cost for some in self.parallel for turn in some[:k]]
        return Point(
            k,
            [voted(some[:k]) for some in self.taken],
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
        asked = (problems, count, temperature, seed)
        return sampled(folder / f"{name}.jsonl", Attempt, opened, lambda players: players.attempts(*asked))

    def judged(name: str, attempts: Sequence[Attempt], temperature: float, seed: int) -> list[Turn]:
        return kept(folder / f"{name}.jsonl", Turn, lambda: turns(opened, attempts, temperature, seed))

    plain = _in_parts(attempts("plain", 3 * K, temperature), 3 * K)
    parallel = judged("parallel", [attempt for some in plain for attempt in some[:K]], temperature, seed + 1)
    links: list[list[Turn]] = []
    last = [some[0] for some in plain]
    for number in range(K):
        links.append(judged(f"chain-{number + 1}", last, temperature, seed + 2 + number))
        last = [turn.taken() for turn in links[-1]]
    return Played(
        greedy=judged("greedy", attempts("alone", 1, 0.0), 0.0, seed),
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
