"""Practising: a fresh word problem of a wanted kind, a student's lines judged exactly, and how hard the next one is.

The whole solution of these problems is known (`runtime.problems.worked`), so no model is needed. A line is held
against two things: its own equations, and the numbers that the problem leads to. Somebody may get there by another
way; lines with numbers of their own are let stand once the answer is reached without a slip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Literal

from runtime.checks.arithmetic import check
from runtime.checks.arithmetic.numerals import tokenize
from runtime.problems import wordproblems
from runtime.problems.worked import Worked

GROUPS: dict[str, tuple[str, ...]] = {
    "shopping": ("stationery", "market", "clothes", "sports shop", "prices", "school trip"),
    "money": ("wages", "savings"),
    "nature": ("farm", "orchard", "garden", "pets"),
    "making": ("collections", "crafts", "bakery", "workshop", "packing"),
    "reading": ("library", "reading", "school"),
    "moving": ("travel", "cycling", "times"),
    "measuring": ("geometry", "units", "water tank"),
    "comparing": ("comparisons", "averages", "ages", "ratios"),
}
"""The themes of the stories, as a student would choose among them."""

FEWEST, MOST = 1, 6
"""Steps of a problem; longer ones are too rare to be had on demand."""
ATTEMPTS = 2000
"""Stories to look through for one of the wanted kind: a third of a second."""
IN_A_ROW = 2

Finding = Literal["step", "answer", "slip", "astray", "remark"]
"""step: a number of the solution. answer: the one that was asked for. slip: an equation does not hold. astray: a number
that the problem does not lead to. remark: nothing to judge, such as a line that repeats what is given."""


@dataclass(frozen=True)
class Judged:
    """One line of a student. `equation` is the left side of the first equation that does not hold; its right value is
    not told, as that may be the answer."""

    finding: Finding
    equation: str = ""
    sums: bool = False
    """Whether there are equations in it and all of them hold."""


@dataclass(frozen=True)
class Judgement:
    """A student's lines, each judged."""

    lines: tuple[Judged, ...]

    @property
    def first_error(self) -> int | None:
        """Index of the first line to look at again; None if all may stand."""
        slips = [i for i, line in enumerate(self.lines) if line.finding == "slip"]
        astray = [i for i, line in enumerate(self.lines) if line.finding == "astray"]
        return min(slips if self.arrives else slips + astray, default=None)

    @property
    def solved(self) -> bool:
        return self.arrives and self.first_error is None

    @property
    def arrives(self) -> bool:
        """Whether the last number of all is the one that was asked for."""
        return next((line.finding for line in reversed(self.lines) if line.finding != "remark"), None) == "answer"


@dataclass(frozen=True)
class Ladder:
    """How many steps the next problem has, and how the last ones went."""

    steps: int = 2
    row: int = 0
    """Problems solved in a row at the first check, or, below zero, not solved."""

    def after(self, result: Literal["right", "mended", "missed"]) -> Ladder:
        """One step more after two problems that were right at once, one less after two that were not solved. A problem
        that was mended begins a new row."""
        row = {"right": max(self.row, 0) + 1, "mended": 0, "missed": min(self.row, 0) - 1}[result]
        if abs(row) < IN_A_ROW:
            return Ladder(self.steps, row)
        return Ladder(min(max(self.steps + (1 if row > 0 else -1), FEWEST), MOST))


def fresh(seed: int, start: int, steps: int, group: str | None = None) -> tuple[int, Worked]:
    """The first problem of a seed, from number `start` on, with so many steps and of this group; its number comes with
    it. Where no story of the group has so many steps, it is the nearest one."""
    themes = GROUPS.get(group or "", ())
    numbered = islice(enumerate(wordproblems.stream(seed, start=start), start), ATTEMPTS)
    best: tuple[int, Worked] | None = None
    for number, worked in numbered:
        if (themes and worked.theme not in themes) or not _has_its_own_answer(worked):
            continue
        if best is None or _distance(worked, steps) < _distance(best[1], steps):
            best = number, worked
        if _distance(worked, steps) == 0:
            break
    if best is None:
        raise LookupError(f"no story of the group {group!r} among {ATTEMPTS}")
    return best


def judge(worked: Worked, lines: Sequence[str]) -> Judgement:
    """Hold a student's lines against the problem's own solution."""
    return Judgement(tuple(_judged(worked, line) for line in lines))


def _judged(worked: Worked, line: str) -> Judged:
    equations = check(line)
    wrong = next((equation for equation in equations if equation.verdict == "incorrect"), None)
    if wrong:
        return Judged("slip", equation=wrong.text.rpartition(" = ")[0])
    if equations:
        sums = all(equation.verdict == "correct" for equation in equations)
        return Judged(_finding(worked, [equations[-1].right], worked_out=True), sums=sums)
    return Judged(_finding(worked, _numbers(line), worked_out=False))


def _finding(worked: Worked, values: Sequence[Fraction | None], worked_out: bool) -> Finding:
    """What a line with these values is. In one without an equation, such as "12 apples in 3 bags", the number that it
    is about need not be the last."""
    made = {quantity.value for quantity in worked.quantities if quantity.formula}
    given = {quantity.value for quantity in worked.quantities if not quantity.formula}
    if worked.quantities[worked.answer].value in values:
        return "answer"
    if values and values[-1] is not None and values[-1] not in made | given:
        return "astray"
    return "step" if made.intersection(values) or (worked_out and given.intersection(values)) else "remark"


def _numbers(line: str) -> list[Fraction]:
    """The numbers of a line, without those in words such as "2nd"."""
    return [
        token.value
        for token in tokenize(line)
        if token.kind == "num" and token.value is not None and not line[token.end : token.end + 1].isalpha()
    ]


def _distance(worked: Worked, steps: int) -> int:
    return abs(len(worked.steps) - steps)


def _has_its_own_answer(worked: Worked) -> bool:
    """Whether the answer is the value of nothing else in the story, so that reaching it is not a coincidence."""
    answer = worked.quantities[worked.answer].value
    return sum(quantity.value == answer for quantity in worked.quantities) == 1
