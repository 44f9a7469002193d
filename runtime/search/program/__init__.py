"""A second solution written as a short program and run: it needs no training and does its sums right.

It is run by an interpreter of our own (`interpreter.py`), never by Python. The critic decides what it tells of an
attempt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from threading import Event
from typing import Any

from runtime.checks.stated import tidy_answer
from runtime.engines.base import Completion, Engine, Message, Sampling
from runtime.prompts.actor_turn import conversation
from runtime.search.program.interpreter import interpret
from runtime.search.program.values import written
from runtime.search.solutions import TEMPERATURE
from runtime.types import Problem

FENCE = "```"
BEGUN = f"{FENCE}python\nimport math\n\ndef solution():\n"
"""How every reply begins, so that even a small model writes the function that was asked for."""
STOP = (FENCE, "\n#", "\nprint(", "\nif ")
"""The end of the program, or of what matters of it: small models go on with examples and tests of their own."""
MAX_LISTED = 20
"""Numbers of an answer that is a list."""
_NUMBER = re.compile(r"-?\d*\.?\d+(?:/\d+)?%?")


@dataclass(frozen=True)
class ProgramSolution:
    """A program and what came of it. With its `text` it can stand wherever a written solution can."""

    code: str
    answer: str | None = None
    numbers: frozenset[Fraction] = frozenset()
    """All that the run met: numbers written in the code, values of its variables, what was worked out on the way."""
    fault: str | None = None
    """Why there is no answer."""

    @property
    def text(self) -> str:
        """The numbers as the steps of a solution would write them."""
        return " ".join(form for number in sorted(self.numbers) for form in _forms(abs(number)))


def program_solutions(
    engine: Engine, problem: Problem, numbers: range, max_tokens: int, seed: int, cancel: Event
) -> list[ProgramSolution]:
    """The programs with these numbers, decoded together and run; each has a seed of its own. Raises EngineError."""
    messages = [*conversation(problem, prompt="program"), Message(role="assistant", content=BEGUN)]
    sampling = Sampling(temperature=TEMPERATURE, max_tokens=max_tokens, seed=seed + numbers.start)
    [replies] = engine.sample([messages], sampling, n=len(numbers), stop=STOP, cancel=cancel)
    return [read_program(reply) for reply in replies]


def read_program(reply: Completion) -> ProgramSolution:
    """What a reply that goes on from the given beginning comes to; one that was not finished is not run."""
    code = BEGUN.removeprefix(f"{FENCE}python\n") + reply.text
    return run(code) if reply.finish == "stop" else ProgramSolution(code, fault="it was not written to its end")


def run(code: str) -> ProgramSolution:
    """A program and what its solution() returns. Any code is safe to be given here, and none takes long."""
    ended = interpret(code)
    answer = None if ended.fault else _answer(ended.value)
    fault = ended.fault or (None if answer else "solution() returns no number")
    return ProgramSolution(code, answer, ended.numbers, fault)


def _answer(value: Any) -> str | None:
    """What was returned, as a solution states it; None if that is no number, text of one or short list of them."""
    if isinstance(value, Fraction):
        return written(value)
    if isinstance(value, str):
        answer = tidy_answer(value)
        return answer if answer and _NUMBER.fullmatch(answer) else None
    listed = isinstance(value, list | tuple) and 0 < len(value) <= MAX_LISTED
    if listed and all(isinstance(item, Fraction) for item in value):
        return ", ".join(map(written, value))
    return None


def _forms(number: Fraction) -> Iterator[str]:
    """How a step may write a number: as it is, as a percentage, or rounded where it has many places."""
    if number > 10**15:
        return
    for value in (number, number * 100) if number < 1 else (number,):
        yield written(value)
        if 100 % value.denominator:
            yield from (written(round(value, places)) for places in range(4))
