"""Finds every chain a op b = c in a step and checks it exactly.

A right step must never be called incorrect: a possible misreading gives "unsure", and algebra is ignored. Tokens,
expressions, chains and their comparison are in `numerals.py`, `parser.py`, `chains.py` and `comparison.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from runtime.checks.arithmetic import quantities
from runtime.checks.arithmetic.chains import Pair, pairs
from runtime.checks.arithmetic.comparison import claimed, judge, may_be_meant_otherwise
from runtime.checks.arithmetic.expressions import Leaf, Node, Unreadable, evaluate, write
from runtime.checks.arithmetic.numerals import MAX_CHARACTERS, tokenize
from runtime.checks.arithmetic.sentences import Sentence, around
from runtime.types import Verdict

MARK = re.compile(r"<<([^<>\n]{1,200})>>")
"""GSM8K's calculator notation: 48/2 = <<48/2=24>>24."""
SCALES = (12, 100, 1000, 10**4, 10**6, 10**9)


@dataclass(frozen=True)
class Equation:
    """Two adjacent sides of a chain, in plain signs, and the result of exact calculation."""

    text: str
    span: tuple[int, int]
    """Start and end in the step."""
    left: Fraction | None
    """Value of the left side; None for a division by zero."""
    right: Fraction | None
    verdict: Verdict
    expected: str
    """The value of the left side as text, such as "12", "3.75", "1/3 ≈ 0.33"; empty if there is none."""
    blank: int | None = None
    """Where the right side's number starts in the step; None if another number cannot be put in its place."""
    left_alone: bool = False
    """Whether it may not be an equation between numbers."""


def check(step: str) -> list[Equation]:
    """Every equation between numbers in a step, in order. Those that may be none (`left_alone`) are included only if
    there are others, as the step is then not confirmed by the others alone."""
    step = step[:MAX_CHARACTERS]
    found = list(_equations(MARK.sub(lambda mark: " " * len(mark[0]), step), 0))
    for mark in MARK.finditer(step):
        found += _equations(mark[1], mark.start(1))
    if all(equation.left_alone for equation in found):
        return []
    return sorted(found, key=lambda equation: equation.span)


def verdict(equations: Iterable[Equation]) -> Literal["correct", "incorrect"] | None:
    """The verdict on a step's equations; None if there are none, or if none is wrong but one is unsure."""
    verdicts = {equation.verdict for equation in equations}
    if "incorrect" in verdicts:
        return "incorrect"
    return "correct" if verdicts == {"correct"} else None


def corrected(step: str) -> str:
    """The step up to its first incorrect equation, with the right side corrected: "6 × 7 = 41 pens in all" gives
    "6 × 7 = 42". Empty if no equation is incorrect, if the value is not a finite decimal or there is no sign before it,
    or if another number may be the wrong one."""
    wrong = next((equation for equation in check(step) if equation.verdict == "incorrect"), None)
    if wrong is None or wrong.blank is None or wrong.left is None:
        return ""
    decimal = Decimal(wrong.left.numerator) / Decimal(wrong.left.denominator)
    if Fraction(decimal) != wrong.left:
        return ""
    return f"{step[: wrong.blank]}{decimal:f}{'%' if wrong.expected.endswith('%') else ''}"


def sentence(equation: Equation, language: Literal["en", "zh-CN"]) -> str:
    """A sentence for a student on an equation that is not right."""
    left, _, right = equation.text.rpartition(" = ")
    chinese = language == "zh-CN"
    if not equation.expected:
        return f"{left} 没有值。" if chinese else f"{left} has no value."
    _, about, value = equation.expected.rpartition("≈ ")
    if chinese:
        return f"{left} {'约' if about else ''}等于 {value}，而不是 {right}。"
    return f"{left} is {'about ' if about else ''}{value}, not {right}."


def _equations(text: str, offset: int) -> Iterator[Equation]:
    """The equations of a text that starts at `offset` in the step."""
    for pair in pairs(tokenize(text)):
        start, end = pair.span
        sentence = around(text, start, end)
        pair = pair._replace(about=pair.about or sentence.rounded, rounded=sentence.mentions_rounding)
        equation = _with_remainder(pair, sentence.remainder) or _judged(pair, sentence)
        if equation is None:
            continue
        blank = None if equation.blank is None else offset + equation.blank
        yield replace(equation, span=(offset + start, offset + end), blank=blank)


def _judged(pair: Pair, sentence: Sentence) -> Equation | None:
    judged = judge(pair)
    if judged is None:
        equation = _equation(pair, "unsure")
        disagrees = pair.right.doubt == 2 and equation.left != equation.right
        return replace(equation, left_alone=True) if disagrees else None
    equation = _equation(pair, judged)
    if judged == "incorrect" and _is_explained(equation, sentence):
        judged = "unsure"
    return equation if equation.verdict == judged else replace(equation, verdict=judged)


def _equation(pair: Pair, judged: Verdict) -> Equation:
    """The Equation of a judged pair."""
    right = pair.right.node
    text = f"{write(pair.left.node)} = {write(right)}"
    try:
        claims = claimed(pair.left, pair.right)
        blank = pair.blank if judged == "incorrect" and not may_be_meant_otherwise(pair) else None
    except (ZeroDivisionError, Unreadable):
        return Equation(text, pair.span, None, None, "unsure", "")
    if judged == "incorrect" and _exact_in_units(pair) not in (None, claims[0][0]):
        return _with_units(pair)
    percent = isinstance(right, Node) and right.op == "pct"
    exact, shown = min(claims, key=lambda claim: abs(claim[0] - claim[1])) if percent else claims[0]
    sign = "%" if percent and shown != claims[0][1] else ""
    return Equation(text, pair.span, exact, shown, judged, _pretty(exact) + sign, blank)


def _exact_in_units(pair: Pair) -> Fraction | None:
    """The left side in the right side's unit, if both have units and differ."""
    left, right = pair.left.node, pair.right.node
    if quantities.compare(left, right) != "different" or not quantities.all_have_units(left) or not right.unit:
        return None
    return quantities.in_units_of(quantities.quantity(left).value, right)


def _with_units(pair: Pair) -> Equation:
    """An equation that is false because of its units: 60 km/h × 30 min = 1800 km."""
    left, right = pair.left.node, pair.right.node
    exact = _exact_in_units(pair) or Fraction(0)
    text = f"{write(left, with_units=True)} = {write(right, with_units=True)}"
    expected = f"{_pretty(exact)} {right.unit}"
    return Equation(text, pair.span, exact, evaluate(right), "incorrect", expected, pair.blank)


def _with_remainder(pair: Pair, stated: int | None) -> Equation | None:
    """The equation 17 / 5 = 3 remainder 2 with the stated remainder; None if none is stated."""
    left, right = pair.left.node, pair.right.node
    if stated is None or not (isinstance(left, Node) and left.op in ("/", "÷") and isinstance(right, Leaf)):
        return None
    try:
        dividend, divisor = map(evaluate, left.parts)
        quotient, rest = divmod(dividend, divisor)
    except (ZeroDivisionError, Unreadable):
        return None
    right_rest = (right.value, stated) == (quotient, rest)
    judged = "correct" if right_rest else "unsure" if pair.left.doubt else "incorrect"
    text = f"{write(left)} = {right.text} R {stated}"
    return Equation(text, pair.span, dividend / divisor, right.value, judged, f"{quotient} R {rest}")


def _is_explained(equation: Equation, sentence: Sentence) -> bool:
    """Whether the sentence explains that the sides differ: by a remainder, thousands, a question or a refutation."""
    left, right = equation.left, equation.right
    if left is None or right is None:
        return True
    floor = 0 < left - right < 1 and right.denominator == 1 and sentence.left_over
    scaled = left and right / left in SCALES and sentence.scaled
    return floor or scaled or sentence.asked or sentence.refuted or sentence.function


def _pretty(value: Fraction) -> str:
    """A value as text: 12, 3.75, or 1/3 ≈ 0.33 if it needs more than four decimals."""
    decimal = Decimal(value.numerator) / Decimal(value.denominator)
    if value.denominator == 1:
        return str(value.numerator)
    if (value * 10000).denominator == 1:
        return f"{decimal:.4f}".rstrip("0")
    return f"{value.numerator}/{value.denominator} ≈ {decimal:.2f}"
