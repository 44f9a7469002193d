"""Solutions written as short programs and run; their answers vote (`runtime.search.self_consistency`).

A program costs less than half the tokens of a worded solution and makes no slips of arithmetic. It is run by an
interpreter of our own (`interpreter.py`), never by Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from threading import Event
from typing import Any

from runtime.checks.stated import tidy_answer
from runtime.engines.base import Completion, Engine, Sampling
from runtime.prompts.actor_turn import conversation
from runtime.search.program.interpreter import interpret
from runtime.search.program.values import Fault, written
from runtime.types import Message, Problem

FENCE = "```"
PROGRAM_START = f"{FENCE}python\nimport math\n\ndef solution():\n"
"""How every reply begins, so that small models write the function that was asked for."""
STOP = (FENCE, "\n#", "\nprint(", "\nif ")
"""What ends the program: small models go on with examples and tests."""
MAX_LISTED = 20
"""The longest list of numbers that counts as an answer."""
_NUMBER = re.compile(r"-?\d*\.?\d+(?:/\d+)?%?")


@dataclass(frozen=True)
class ProgramSolution:
    """A program and its answer."""

    code: str
    answer: str | None = None
    fault: str | None = None
    """Why there is no answer."""


def sample_programs(
    engine: Engine, problem: Problem, n: int, sampling: Sampling, cancel: Event
) -> list[ProgramSolution]:
    """`n` programs, decoded together and run. Raises EngineError."""
    messages = [*conversation(problem, prompt="program"), Message(role="assistant", content=PROGRAM_START)]
    [replies] = engine.sample([messages], sampling, n=n, stop=STOP, cancel=cancel)
    return [read_program(reply) for reply in replies]


def read_program(reply: Completion) -> ProgramSolution:
    """A reply that goes on from `PROGRAM_START`, run unless it is unfinished."""
    code = PROGRAM_START.removeprefix(f"{FENCE}python\n") + reply.text
    return run(code) if reply.finish == "stop" else ProgramSolution(code, fault="it was not written to its end")


def run(code: str) -> ProgramSolution:
    """A program and what its solution() returns. Safe and quick for any code."""
    try:
        answer = _answer(interpret(code))
    except Fault as fault:
        return ProgramSolution(code, fault=str(fault))
    return ProgramSolution(code, answer, None if answer else "solution() returns no number")


def _answer(value: Any) -> str | None:
    """The returned value as a solution states it; None unless it is a number, the text of one, or a short list."""
    if isinstance(value, Fraction):
        return written(value)
    if isinstance(value, str):
        answer = tidy_answer(value)
        return answer if answer and _NUMBER.fullmatch(answer) else None
    listed = isinstance(value, list | tuple) and 0 < len(value) <= MAX_LISTED
    if listed and all(isinstance(item, Fraction) for item in value):
        return ", ".join(map(written, value))
    return None
