"""A trace: steps, the model's check of each, and the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.checks import arithmetic
from runtime.checks.grading import grade
from runtime.text import CHECK, Line, LineReader, closing_line, final_answer, language_of, read_check
from runtime.types import Problem

DECISION = 4.0
"""Weight of the first word of a check in the loss: it decides between doubt and acceptance, and is one token in two
hundred."""


@dataclass(frozen=True)
class Told:
    """A step and the model's check of it."""

    step: str
    right: bool
    words: str = ""


@dataclass(frozen=True)
class Trace:
    problem: Problem
    told: tuple[Told, ...]
    answer: str

    @property
    def text(self) -> str:
        """The trace as the model writes it."""
        return "".join(piece for piece, _ in self.pieces)

    @property
    def pieces(self) -> list[tuple[str, float]]:
        """The text in pieces with their weights in the loss; wrong steps have weight 0."""
        language = language_of(self.problem.text)
        lines = [piece for one in self.told for piece in _pieces(one, CHECK[language])]
        return [*lines, (closing_line(self.answer, language), 1.0)]

    @property
    def fault(self) -> str | None:
        """The reason not to train on it, or None. The text is parsed as in the app."""
        reader = LineReader()
        lines = [*reader.push(self.text), *reader.finish()]
        if [line.kind for line in lines] != ["step", "check"] * len(self.told) + ["closing"]:
            return "its lines cannot be parsed"
        if _checks(lines) != [one.right for one in self.told]:
            return "its checks contradict the labels"
        accepted = [arithmetic.verdict(arithmetic.check(one.step)) for one in self.told if one.right]
        if "incorrect" in accepted:
            return "it accepts a false equation"
        if not self.told or not self.told[-1].right:
            return "it ends with a doubt"
        return None if grade(final_answer(self.text), self.problem) else "its answer is wrong"


def _pieces(told: Told, check: str) -> list[tuple[str, float]]:
    decision = _FIRST_WORD.match(told.words)[0]
    rest = told.words[len(decision) :]
    return [(f"{told.step}\n", float(told.right)), (check, 1.0), (f" {decision}", DECISION), (f"{rest}\n", 1.0)]


_FIRST_WORD = re.compile(r"\w*")


def _checks(lines: Sequence[Line]) -> list[bool]:
    return [read_check(line.text)[0] for line in lines if line.kind == "check"]
