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
from typing import Generic, Protocol, TypeVar

from runtime.actor import conversation
from runtime.arithmetic.numerals import read_number
from runtime.claims import stated_answer
from runtime.engines.base import Completion, Engine, Sampling
from runtime.grading import equal
from runtime.types import Problem

TEMPERATURE = 0.7
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")


class Answered(Protocol):
    """Whatever may state an answer: a solution, a trajectory."""

    @property
    def answer(self) -> str | None: ...


Voter = TypeVar("Voter", bound=Answered)


@dataclass(frozen=True)
class Solution:
    text: str
    answer: str | None


@dataclass(frozen=True)
class Vote(Generic[Voter]):
    """Solutions that reach the same answer."""

    answer: str
    solutions: tuple[Voter, ...]


def sample_solutions(
    engine: Engine, problem: Problem, numbers: range, max_tokens: int, seed: int, cancel: Event
) -> list[Solution]:
    """The solutions with these numbers, decoded together; each number is a seed of its own."""
    sampling = Sampling(temperature=TEMPERATURE, max_tokens=max_tokens, seed=seed + numbers.start)
    [completions] = engine.sample([conversation(problem)], sampling, n=len(numbers), cancel=cancel)
    return [read_solution(completion) for completion in completions]


def read_solution(reply: Completion) -> Solution:
    """A reply as a solution; one that was not finished has stated no answer, whatever numbers its last line holds."""
    return Solution(reply.text, stated_answer(reply.text) if reply.finish == "stop" else None)


def agreeing(answer: str | None, solutions: Sequence[Answered]) -> int:
    """How many solutions reach an answer."""
    return sum(bool(answer and s.answer and equal(s.answer, answer)) for s in solutions)


def votes(solutions: Sequence[Voter]) -> list[Vote[Voter]]:
    """Solutions grouped by answer, most first; one without an answer has no vote."""
    groups: list[list[Voter]] = []
    for solution in solutions:
        if solution.answer is None:
            continue
        home = next((group for group in groups if equal(group[0].answer, solution.answer)), None)
        home.append(solution) if home else groups.append([solution])
    groups.sort(key=len, reverse=True)
    return [Vote(group[0].answer, tuple(group)) for group in groups]


def decided(solutions: Sequence[Answered], missing: int) -> bool:
    """Whether the first answer of the vote stays the first, whatever the missing solutions say. (Answers that equal
    both of two different ones, as 50% equals 50 and 0.5, may count for either.)"""
    first, second, *_ = [*(len(group.solutions) for group in votes(solutions)), 0, 0]
    return first > second + missing


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
