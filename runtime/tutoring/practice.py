"""Practice: a fresh word problem of a chosen kind, exact judgement of a student's lines, and the next difficulty.

The whole solution of these problems is known (`runtime.problems.worked`), so no model is needed. A line is compared
with its own equations and with the numbers of the solution. As there may be another way, lines with other numbers are
accepted once the answer is reached without a slip.
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
"""The themes of the stories, in the groups that a student chooses from."""

FEWEST, MOST = 1, 6
"""Steps of a problem; longer ones are too rare."""
ATTEMPTS = 2000
"""How many stories are searched for one of the chosen kind: a third of a second."""
IN_A_ROW = 2

Finding = Literal["step", "answer", "slip", "astray", "remark"]
"""step: a number of the solution. answer: the number asked for. slip: a false equation. astray: a number that is not in
the solution. remark: nothing to judge, such as a line that repeats what is given."""


@dataclass(frozen=True)
class Judged:
    """One line of a student. `equation` is the left side of the first false equation; the right value is left out, as
    it may be the answer."""

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
        """Index of the first line to correct; None if there is none."""
        slips = [i for i, line in enumerate(self.lines) if line.finding == "slip"]
        astray = [i for i, line in enumerate(self.lines) if line.finding == "astray"]
        return min(slips if self.arrives else slips + astray, default=None)

    @property
    def solved(self) -> bool:
        return self.arrives and self.first_error is None

    @property
    def arrives(self) -> bool:
        """Whether the last line that is not a remark states the answer."""
        return next((line.finding for line in reversed(self.lines) if line.finding != "remark"), None) == "answer"


@dataclass(frozen=True)
class Ladder:
    """The number of steps of the next problem, and how the last ones went."""

    steps: int = 2
    row: int = 0
    """How many problems in a row were solved at the first check or, if negative, not solved."""

    def after(self, result: Literal["right", "mended", "missed"]) -> Ladder:
        """One step more after two problems in a row that were right at the first check, one less after two that were
        not solved. A problem that was corrected begins a new row."""
        row = {"right": max(self.row, 0) + 1, "mended": 0, "missed": min(self.row, 0) - 1}[result]
        if abs(row) < IN_A_ROW:
            return Ladder(self.steps, row)
        return Ladder(min(max(self.steps + (1 if row > 0 else -1), FEWEST), MOST))


def fresh(seed: int, start: int, steps: int, group: str | None = None) -> tuple[int, Worked]:
    """The number and the problem: the first one of a seed, from number `start` on, of this group and with that many
    steps, or else with the nearest number of steps. Raises LookupError if the group has no story."""
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
    """Compare a student's lines with the problem's solution."""
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
    """The finding on a line with these values. In a line without an equation, such as "12 apples in 3 bags", the
    result need not be the last number."""
    made = {quantity.value for quantity in worked.quantities if quantity.formula}
    given = {quantity.value for quantity in worked.quantities if not quantity.formula}
    if worked.quantities[worked.answer].value in values:
        return "answer"
    if values and values[-1] is not None and values[-1] not in made | given:
        return "astray"
    return "step" if made.intersection(values) or (worked_out and given.intersection(values)) else "remark"


def _numbers(line: str) -> list[Fraction]:
    """The numbers of a line, except those in words such as "2nd"."""
    return [
        token.value
        for token in tokenize(line)
        if token.kind == "num" and token.value is not None and not line[token.end : token.end + 1].isalpha()
    ]


def _distance(worked: Worked, steps: int) -> int:
    return abs(len(worked.steps) - steps)


def _has_its_own_answer(worked: Worked) -> bool:
    """Whether no other quantity of the story has the answer's value, so that reaching it is no coincidence."""
    answer = worked.quantities[worked.answer].value
    return sum(quantity.value == answer for quantity in worked.quantities) == 1
