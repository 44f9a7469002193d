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

from runtime.checks.arithmetic.numerals import read_number
from runtime.checks.grading import alike, groups, related
from runtime.checks.stated import stated_answer
from runtime.engines.base import Completion, Engine, Sampling
from runtime.prompts.actor_turn import conversation
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
    """How many solutions reach an answer, in a vote of theirs and it."""
    if not answer:
        return 0
    return len(groups([answer, *(solution.answer for solution in solutions if solution.answer)])[0]) - 1


def votes(solutions: Sequence[Voter]) -> list[Vote[Voter]]:
    """Solutions grouped by answer, most first; one without an answer has no vote."""
    voters = [solution for solution in solutions if solution.answer is not None]
    found = sorted(groups([voter.answer for voter in voters]), key=len, reverse=True)
    return [Vote(voters[places[0]].answer, tuple(voters[place] for place in places)) for places in found]


def decided(solutions: Sequence[Answered], missing: int) -> bool:
    """Whether the first answer of the vote stays the first, whatever the missing solutions say. They may part answers
    that are together now (5 and 5 kg, once somebody says 5 m) and bring others together, but never part those that are
    the same in all they tell."""
    answers = [solution.answer for solution in solutions if solution.answer is not None]
    if not answers:
        return False
    first = set(max(groups(answers), key=len))
    firm = max((first.intersection(same) for same in alike(answers)), key=len)
    rival = max(len(set(places) - firm) for places in related(answers))
    return len(firm) > rival + missing


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
