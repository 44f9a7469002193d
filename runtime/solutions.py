"""Independent solutions of a problem: a second opinion that needs no training (self-consistency, arXiv 2203.11171).

Small models judge steps badly and solve school problems well. So an attempt is compared with solutions that were
sampled without sight of it: do they reach its answer, and do they meet the numbers that its steps make?
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from threading import Event

from runtime.actor import conversation
from runtime.arithmetic.numerals import read_number
from runtime.engines.base import Engine, Sampling
from runtime.grading import equal
from runtime.text import final_answer
from runtime.types import Problem

TEMPERATURE = 0.7
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")


@dataclass(frozen=True)
class Solution:
    text: str
    answer: str | None


@dataclass(frozen=True)
class Vote:
    """Solutions that reach the same answer."""

    answer: str
    solutions: tuple[Solution, ...]


def sample_solutions(
    engine: Engine, problem: Problem, numbers: range, max_tokens: int, seed: int, cancel: Event
) -> list[Solution]:
    """The solutions with these numbers, decoded together; each number is a seed of its own."""
    sampling = Sampling(temperature=TEMPERATURE, max_tokens=max_tokens, seed=seed + numbers.start)
    [completions] = engine.sample([conversation(problem)], sampling, n=len(numbers), cancel=cancel)
    return [Solution(c.text, final_answer(c.text) if c.finish == "stop" else None) for c in completions]


def agreeing(answer: str | None, solutions: Sequence[Solution]) -> int:
    """How many solutions reach an answer."""
    return sum(bool(answer and s.answer and equal(s.answer, answer)) for s in solutions)


def votes(solutions: Sequence[Solution]) -> list[Vote]:
    """Solutions grouped by answer, most first; one without an answer has no vote."""
    groups: list[list[Solution]] = []
    for solution in solutions:
        if solution.answer is None:
            continue
        home = next((group for group in groups if equal(group[0].answer, solution.answer)), None)
        home.append(solution) if home else groups.append([solution])
    groups.sort(key=len, reverse=True)
    return [Vote(group[0].answer, tuple(group)) for group in groups]


def numbers_in(text: str) -> set[Fraction]:
    """Every number that a text mentions, by value."""
    read = (read_number(found.strip(",")) for found in _NUMBER.findall(text))
    return {value for value in read if value is not None}


def first_unmet(problem: Problem, steps: Sequence[str], solutions: Sequence[Solution]) -> int | None:
    """Index of the first step that makes a number which none of the solutions meets; None if all are met."""
    known = numbers_in(problem.text)
    met = set().union(*(numbers_in(solution.text) for solution in solutions))
    for position, step in enumerate(steps):
        made = numbers_in(step) - known
        if made - met:
            return position
        known |= made
    return None
