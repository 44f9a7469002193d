"""GSM8K's solutions ("sold 48/2 = <<48/2=24>>24 clips") as worked problems.

Every calculation becomes a quantity with its formula, so that it can be recomputed with other numbers. A solution with
a number of ambiguous origin is not converted, because an error would not propagate through it correctly.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from runtime.checks.arithmetic.words import CONVERSIONS, numbers_in_words
from runtime.checks.grading import matches
from runtime.problems.json_rows import Row, RowError, question, read_rows
from runtime.problems.worked import Quantity, Worked, WorkedStep, worked_out
from runtime.text import split_steps
from runtime.types import Problem
from trainer.data.sources import problem_of

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?![\d,]*\d)"
_UNIT = r"(?!(?:of|times|plus|minus|x|is|are|and|for|or|to)\b)[A-Za-z]{2,}"
_OPERAND = rf"\(*(?:\$\s?)?{_NUMBER}\s?%?(?:[ -]{_UNIT}){{0,3}}(?:\s?/\s?{_UNIT})?\)*"
_SIGN = r"\s*(?:[-+*/×÷–−xX]|times\b|plus\b|minus\b|of\b|\)?\()\s*"
_EXPRESSION = rf"{_OPERAND}(?:{_SIGN}{_OPERAND})*"
_CALCULATION = re.compile(
    rf"""
      (?P<said> (?: (?<![\w.]) {_EXPRESSION} \s* = \s* )+ )?
      (?P<money> \$\s?)?
      <<(?P<annotation>[^<>]+)>> \s? (?P<money_inside>\$\s?)?
      (?P<result> {_NUMBER})
    """,
    re.VERBOSE,
)
_BARE = re.compile(
    rf"(?P<said>(?<![\w.]){_EXPRESSION}(?:\s*=\s*{_EXPRESSION})*)\s*=\s*(?P<money>\$\s?)?(?P<result>{_NUMBER})"
    rf"(?!\s*[-+*/×÷=])"
)
_LONE = re.compile(rf"(?<![\w.,{{/]){_NUMBER}(?![\w/}}])")
_FRACTION = re.compile(r"(?<![\w.{])(\d+)/(\d+)(?![\w}])")
_LETTER = re.compile(r"(?<![\w'’])[b-zB-HJ-Z](?![\w'’.])")
"""A variable: such equations are solved, not calculated."""
_LABEL = re.compile(r"(?:[A-Za-z]{3,}\)?|\d%)\s*=\s*$")
_EVERYDAY = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 30, 31, 36, 50, 52, 60, 100, 365, 1000, 3600}
"""Numbers of common knowledge: days, minutes, cents, halves."""


class _InDoubt(Exception):
    """The origin of a number is ambiguous."""


def worked_from_gsm8k(problem: Problem, solution: str) -> Worked | None:
    """A solution as a worked problem. Lines are kept except for annotations and the notation of calculations ("$4 x 2 =
    $8" becomes "4 × 2 = 8 dollars"). None if any number is ambiguous."""
    reader = _Reader(problem.text)
    try:
        steps = tuple(reader.read(line) for line in split_steps(solution))
        answer = reader.answer(problem)
    except (_InDoubt, ZeroDivisionError):
        return None
    return Worked(
        problem=problem, quantities=tuple(reader.quantities), steps=steps, answer=answer, theme="", template="marks"
    )


def gsm8k_problems(path: Path, seed: int) -> Iterator[Worked]:
    """The annotated solutions of a file (`question`, `answer`, and `solution` unless it is in `answer`, as in GSM8K) as
    worked problems, in random order. Raises RowError, also if none can be used."""
    rows = [row for _, row in read_rows(path, _annotated, _NEEDS) if row]
    if not rows:
        raise RowError(f"{path} holds no solution with calculations such as <<48/2=24>>. {_NEEDS}")
    random.Random(seed).shuffle(rows)
    found = False
    for problem, solution in rows:
        if worked := worked_from_gsm8k(problem, solution):
            found = True
            yield worked
    if not found:
        raise RowError(f"{path}: each of {len(rows)} solutions has a number of ambiguous origin. {_NEEDS}")


_NEEDS = "Each row needs `question`, `answer`, and a `solution` with GSM8K's `<<48/2=24>>`, or GSM8K's own `answer`."


def _annotated(row: Row) -> tuple[Problem, str] | None:
    """A problem with its annotated solution; None for a solution without annotations. Raises ValueError."""
    question(row)
    solution = row.get("solution") or row.get("answer")
    text = "\n".join(map(str, solution)) if isinstance(solution, list) else str(solution)
    return (problem_of(row), text) if "<<" in text else None


def _number(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _quantity(text: str, formula: str = "") -> Quantity:
    """A number with its decimal places."""
    decimals = len(text.partition(".")[2])
    return Quantity(value=_number(text), formula=formula, places=min(decimals, 6))


@dataclass
class _Reader:
    """Reads lines in order and records the quantities."""

    problem: str
    quantities: list[Quantity] = field(default_factory=list)
    in_problem: set[Fraction] = field(default_factory=set)
    """Numbers of the problem, in digits or words."""
    used: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        for match in re.finditer(_NUMBER, self.problem):
            value = _number(match[0])
            if value not in self.in_problem:
                self.in_problem.add(value)
                self.quantities.append(_quantity(match[0]))
        self.in_problem |= numbers_in_words(self.problem)

    def read(self, line: str) -> WorkedStep:
        """One line of the solution. Raises _InDoubt."""
        if "{" in line or "}" in line or _LETTER.search(re.sub(r"(?<=[\d)])\s*[xX]\s*(?=[$\d(.])", "*", line)):
            raise _InDoubt
        pieces: list[str] = []
        makes, at = None, 0
        for match in _calculations(line):
            before = line[at : match.start()]
            if re.search(r"[+*/×÷−]\s*$", before) or ("=" in before and not _LABEL.search(before)):
                raise _InDoubt
            made = self._calculated(match)
            makes = made if made is not None else makes
            pieces += [before, self._shown(match, made, line[match.end() :])]
            at = match.end()
        if "=" in line[at:] or "<<" in line[at:]:
            raise _InDoubt
        text = "".join([*pieces, line[at:]])
        if any(self._made(_number(number)) is not None for pair in _FRACTION.findall(text) for number in pair):
            raise _InDoubt
        return WorkedStep(text=_LONE.sub(self._mention, text), makes=makes)

    def _calculated(self, match: re.Match[str]) -> int | None:
        """The quantity that a calculation computes; None for an annotation that only repeats a number."""
        expression, annotation = match["said"], match.groupdict().get("annotation")
        calculation, _, _ = (annotation or _last_side(expression)).partition("=")
        calculation = _plain(calculation)
        if re.fullmatch(r"[\d.]+", calculation):
            if self._made(_number(match["result"])) is None:
                raise _InDoubt
            if expression:
                raise _InDoubt
            return None
        sides = (_last_side(expression), expression) if expression else ()
        same = any(_numbers(side) == _numbers(calculation) for side in sides)
        if expression and annotation and not same:
            raise _InDoubt
        formula = self._formula(calculation)
        if re.match(r"(?:st|nd|rd|th)\b", match.string[match.end() :]):
            raise _InDoubt  # "2nd" would become "3nd"
        made = worked_out(_quantity(match["result"], formula), self.quantities)
        if made.value != _number(match["result"]) or made.value <= 0:
            raise _InDoubt
        self.quantities.append(made)
        return len(self.quantities) - 1

    def _formula(self, calculation: str) -> str:
        """A calculation with slots for its numbers. Raises _InDoubt for anything but + - * / between numbers."""
        number = r"(?:\d+(?:\.\d+)?|\.\d+)"
        if not re.fullmatch(rf"\(*{number}(?:[)]*[-+*/][(]*{number})+\)*", calculation):
            raise _InDoubt
        if calculation.count("(") != calculation.count(")"):
            raise _InDoubt
        formula = re.sub(number, lambda match: self._origin(match[0]), calculation)
        formula = re.sub(r"([-+*/])", r" \1 ", formula).replace("*", "×")
        formula = re.sub(r"\((\{\d+\}|\d+)\)", r"\1", formula)
        return re.sub(r"\((\d) / (\d+)\)", r"(\1/\2)", formula)

    def _origin(self, text: str) -> str:
        """The slot of a number in a formula, or the number itself if it is common knowledge."""
        value = _number(text)
        made = self._made(value)
        if made is not None:
            if made in self.used and (value in self.in_problem or value in _EVERYDAY):
                raise _InDoubt
            self.used.add(made)
            return f"{{{made}}}"
        if (given := self._given(value)) is not None:
            return f"{{{given}}}"
        known = value in self.in_problem or value in _EVERYDAY or self._is_share(value)
        if not known:
            raise _InDoubt
        if value.denominator == 1:
            return str(value)
        self.quantities.append(_quantity(text))
        return f"{{{len(self.quantities) - 1}}}"

    def _is_share(self, value: Fraction) -> bool:
        """Whether a number restates a percentage or a word of the problem: 0.2, 80 or 1.2 for 20%."""
        percent = {value * 100, value * 100 - 100, 100 - value * 100, 100 - value, value - 100, 100 + value}
        parts = {1 / value, 1 - value, value - 1} if value else set()
        words = {Fraction(1, 2), Fraction(1, 4), Fraction(3, 4), Fraction(3, 2)}
        return bool(percent & self.in_problem or parts & self.in_problem or value in words)

    def _made(self, value: Fraction) -> int | None:
        """The earlier result that a number repeats: an unused one, otherwise the latest."""
        made = [i for i, quantity in enumerate(self.quantities) if quantity.formula and quantity.value == value]
        unused = [i for i in made if i not in self.used]
        if len(unused) > 1:
            raise _InDoubt
        return (unused or made or [None])[-1]

    def _given(self, value: Fraction) -> int | None:
        found = [i for i, quantity in enumerate(self.quantities) if not quantity.formula and quantity.value == value]
        return found[0] if found else None

    def _shown(self, match: re.Match[str], made: int | None, behind: str) -> str:
        """A calculation in a template: the whole equation, or only the result if no equation was written."""
        money = match["money"] or match.groupdict().get("money_inside") or ""
        if made is None:
            return f"{money}{match['result']}"
        if not match["said"]:
            before = match.string[: match.start()]
            if re.search(r"\d", before if before.rstrip().endswith("=") else before[-25:]):
                raise _InDoubt  # "12 and 3 make <<12+3=15>>15"
            return f"{money}{{{made}}}"
        dollars = money and not re.match(r"\s*(?:dollars|cents|%)", behind)
        glue = "" if not behind or behind[0] in " .,;:!?)/-" or not dollars else " "
        return f"{{={made}}}" + (" dollars" if dollars else "") + glue

    def _mention(self, match: re.Match[str]) -> str:
        """A number in a line's text: a slot if it can only be an earlier result."""
        value = _number(match[0])
        made = [i for i, quantity in enumerate(self.quantities) if quantity.formula and quantity.value == value]
        if not made and not (value in self.in_problem or value in _EVERYDAY or self._is_share(value)):
            raise _InDoubt
        if not made:
            return match[0]
        if value in self.in_problem or value in CONVERSIONS:
            raise _InDoubt  # ambiguous: the problem's number, or an equal result
        return f"{{{made[-1]}}}"

    def answer(self, problem: Problem) -> int:
        """The last result. Raises _InDoubt if it differs from the reference answer, or another result is unused."""
        made = [i for i, quantity in enumerate(self.quantities) if quantity.formula]
        if not made or not matches(self.quantities[made[-1]].shown, problem.answer or ""):
            raise _InDoubt
        if set(made[:-1]) - self.used:
            raise _InDoubt
        return made[-1]


def _calculations(line: str) -> Iterator[re.Match[str]]:
    """Annotated calculations, and equations between them without an annotation."""
    at = 0
    for match in _CALCULATION.finditer(line):
        yield from _BARE.finditer(line, at, match.start())
        yield match
        at = match.end()
    yield from _BARE.finditer(line, at)


def _last_side(expression: str) -> str:
    """Of "7 * 2 + 6 = 14 + 6 =": 14 + 6."""
    return [side for side in expression.split("=") if side.strip()][-1]


def _plain(calculation: str) -> str:
    """A calculation in Python's operators, without units: "20% of $50" is (20/100)*50."""
    text = re.sub(r"\b(?:of|times)\b|[×xX]|\)\s*(?=\()|(?<=[\d])\s*(?=\()", "*", calculation.replace(",", ""))
    text = re.sub(r"\bplus\b", "+", re.sub(r"\bminus\b", "-", text))
    text = re.sub(r"[-–−]", "-", text).replace("÷", "/").replace("$", "")
    text = re.sub(r"(?<=\d)[- ]?[A-Za-z][A-Za-z ]*(?:/\s?[A-Za-z]+)?", "", re.sub(r"\s*/\s*(?=[A-Za-z])", " ", text))
    text = re.sub(r"([\d.]+)\s?%", r"(\1/100)", re.sub(r"\s", "", text))
    return re.sub(r"(?<![\d.])(\d+)\*0?\.01(?!\d)", r"\1/100", text)


def _numbers(text: str) -> list[Fraction]:
    found = [_number(match[0]) for match in re.finditer(_NUMBER, text)]
    return sorted(value if value >= 1 else value * 100 for value in found if value not in (0, 1, 100, Fraction(1, 100)))
