"""Which problems are kept apart from training, and how many corrections an actor needs to learn from and be tested on.

Whether a problem is kept apart depends on its text only, so every run keeps the same ones, and a larger share also
those of a smaller one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runtime.types import Problem

KEPT_APART = 0.06
"""Share of the problems of each source kept apart for fitting rules and thresholds."""
TESTED = 0.4
"""Share of the corrected problems kept apart to test what an actor learned from the others: corrections are few, and
with fewer tests no gain could be told from chance."""
LEARN, TEST = 8, 5
"""Fewest corrections to learn from, and fewest problems to test on: with five, five gains without a loss are the least
that an exact test accepts."""


def kept_apart(problem: Problem, share: float = KEPT_APART) -> bool:
    return int(problem.id, 16) % 1000 < 1000 * share


@dataclass(frozen=True)
class Shortage:
    """How many corrections are missing."""

    learn: int
    test: int
    """At further problems that are kept apart."""

    @property
    def total(self) -> int:
        return self.learn + self.test


def shortage(problems: Iterable[Problem]) -> Shortage:
    """What is missing beside the corrections at these problems, each named once for every correction at it."""
    found = list(problems)
    tested = {problem.id for problem in found if kept_apart(problem, TESTED)}
    learned = sum(problem.id not in tested for problem in found)
    return Shortage(max(0, LEARN - learned), max(0, TEST - len(tested)))
