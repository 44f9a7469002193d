"""Independent solutions of a problem, their votes, and the numbers in them.

Small models solve school problems better than they judge steps. So an attempt is compared with solutions that were
sampled independently of it: do they reach its answer, and do they contain the numbers that its steps make?
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
from runtime.checks.stated import final_answer, stated_answer
from runtime.engines.base import Completion, Engine, Sampling
from runtime.prompts.actor_turn import conversation
from runtime.text import is_closing
from runtime.types import Problem

TEMPERATURE = 0.7
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")


class Answered(Protocol):
    """Anything that may state an answer: a solution, a trajectory."""

    @property
    def answer(self) -> str | None: ...


class Worded(Protocol):
    """Whatever is written out: a solution, a program's numbers."""

    @property
    def text(self) -> str: ...


Voter = TypeVar("Voter", bound=Answered)


@dataclass(frozen=True)
class Solution:
    text: str
    answer: str | None


@dataclass(frozen=True)
class AnswerGroup(Generic[Voter]):
    """Solutions that reach the same answer."""

    answer: str
    solutions: tuple[Voter, ...]


def sample_solutions(
    engine: Engine, problem: Problem, numbers: range, max_tokens: int, seed: int, cancel: Event
) -> list[Solution]:
    """The solutions with these numbers, decoded together; each number has a seed of its own. Raises EngineError."""
    sampling = Sampling(temperature=TEMPERATURE, max_tokens=max_tokens, seed=seed + numbers.start)
    [completions] = engine.sample([conversation(problem)], sampling, n=len(numbers), cancel=cancel)
    return [read_solution(completion) for completion in completions]


def read_solution(reply: Completion) -> Solution:
    """A reply as a solution. An unfinished reply has stated no answer, whatever numbers its last line holds."""
    return Solution(reply.text, stated_answer(reply.text) if reply.finish == "stop" else None)


def read_continuation(reply: Completion, step: str = "") -> Solution:
    """A reply that went on after `step` as a solution. If it states no answer in closing, the step's answer counts; an
    unfinished reply has none."""
    own = final_answer(reply.text)
    if own is None and not any(map(is_closing, reply.text.splitlines())):
        own = final_answer(step)
    return Solution(reply.text, own if reply.finish == "stop" else None)


def agreeing(answer: str | None, solutions: Sequence[Answered]) -> int:
    """How many solutions reach an answer, grouped together with it."""
    if not answer:
        return 0
    return len(groups([answer, *(solution.answer for solution in solutions if solution.answer)])[0]) - 1


def votes(solutions: Sequence[Voter]) -> list[AnswerGroup[Voter]]:
    """Solutions grouped by answer, the largest group first; those without an answer are left out."""
    voters = [(solution.answer, solution) for solution in solutions if solution.answer is not None]
    found = sorted(groups([answer for answer, _ in voters]), key=len, reverse=True)
    return [AnswerGroup(voters[places[0]][0], tuple(voters[place][1] for place in places)) for places in found]


def decided(solutions: Sequence[Answered], missing: int) -> bool:
    """Whether the most frequent answer stays so whatever the missing solutions are. They may split a group (5 and 5 kg,
    once there is 5 m) and join others, but never split answers that state exactly the same."""
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


def first_unmet(problem: Problem, steps: Sequence[str], solutions: Sequence[Worded]) -> int | None:
    """Index of the first step that makes a number which none of the solutions contains; None if there is none."""
    known = numbers_in(problem.text)
    met = set().union(*(numbers_in(solution.text) for solution in solutions))
    for position, step in enumerate(steps):
        made = numbers_in(step) - known
        if made - met:
            return position
        known |= made
    return None
