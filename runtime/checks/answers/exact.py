"""The exact value of a numeral or calculation in plain or LaTeX notation; bounded, so that 9^9^9 is not computed."""

from __future__ import annotations

import re
from fractions import Fraction

from runtime.checks.answers.forms import Unreadable

MAX_DEPTH = 24
MAX_BITS = 8192
"""Most bits of a value."""


class Arithmetic:
    """Parses the expression at the start of a text: numerals, fractions, powers and sums, in plain or LaTeX
    notation."""

    NUMERAL = re.compile(
        r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d.,]*\d)|\d+(?:\.\d+)?|\.\d+"
    )
    EXPONENT = re.compile(r"[eE]([+-]?\d{1,4})(?![\w.])")
    TIMES, OVER = re.compile(r"\s?(?:\*(?!\*)|×|·|⋅|\\times|\\cdot|x(?=\s?\d))\s?"), re.compile(r"\s?(?:/|÷|\\div)\s?")
    POWER = re.compile(r"\^|\*\*")

    def __init__(self, text: str) -> None:
        self.text, self.at, self.decimals, self.is_literal = text, 0, 0, True

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def calculated(self) -> None:
        self.is_literal, self.decimals = False, 0

    def goes_on(self, pattern: re.Pattern[str]) -> bool:
        """Consume a sign if a number follows; not the slash of 18 km/h."""
        start = self.at
        if self.take(pattern) and re.match(r"-?\s?(?:[\d.(\[{]|\\frac)", self.text[self.at :]):
            return True
        self.at = start
        return False

    def sum(self, depth: int) -> Fraction:
        if depth > MAX_DEPTH:
            raise Unreadable
        value = self.product(depth)
        while self.goes_on(re.compile(r"\s?[+\-]\s?")):
            sign = -1 if "-" in self.text[self.at - 2 : self.at] else 1
            value = value + sign * self.product(depth)
            self.calculated()
        return bounded(value)

    def product(self, depth: int) -> Fraction:
        sign = -1 if self.take(re.compile(r"[-−]\s?")) else 1
        self.take(re.compile(r"\+\s?"))
        value = self.power(depth)
        while True:
            if self.goes_on(self.OVER):
                divisor = self.power(depth)
                if not divisor:
                    raise Unreadable
                value = value / divisor
            elif self.goes_on(self.TIMES) or re.match(r"\((?=[\d.\-]+\))", self.text[self.at :]):
                value = value * self.power(depth)
            else:
                return sign * bounded(value)
            self.calculated()

    def power(self, depth: int) -> Fraction:
        value = self.operand(depth)
        if self.take(re.compile("!(?!=)")):
            if value.denominator > 1 or not 0 <= value <= 500:
                raise Unreadable
            product = Fraction(1)
            for factor in range(2, int(value) + 1):
                product *= factor
            value = product
            self.calculated()
        if self.take(self.POWER):
            sign = -1 if self.take(re.compile("-")) else 1
            exponent = sign * (
                self.bracket(depth) if self.text[self.at : self.at + 1] in ("{", "(") else self.power(depth)
            )
            if exponent.denominator > 1 or (not value and exponent < 0):
                raise Unreadable
            bits = max(value.numerator.bit_length(), value.denominator.bit_length())
            if bits * abs(exponent) > MAX_BITS:
                raise Unreadable
            value = Fraction(value ** int(exponent))
            self.calculated()
        return value

    def operand(self, depth: int) -> Fraction:
        if self.take(re.compile(r"\\frac\s?(?=\{)")):
            self.calculated()
            top, bottom = self.bracket(depth), self.bracket(depth)
            if not bottom:
                raise Unreadable
            return top / bottom
        if self.text[self.at : self.at + 1] in ("(", "[", "{") and self.at < len(self.text):
            self.calculated()
            return self.bracket(depth)
        found = self.take(self.NUMERAL)
        if not found:
            raise Unreadable
        value = decimal(re.sub(r"[,\s]", "", found[0]))
        if exponent := self.take(self.EXPONENT):
            if abs(int(exponent[1])) > MAX_BITS // 4:
                raise Unreadable
            value *= Fraction(10) ** int(exponent[1])
            self.calculated()
        elif value.denominator == 1 and "." not in found[0]:
            value = self.mixed(value)
        elif self.is_literal:
            self.decimals = len(found[0].partition(".")[2])
        if self.take(re.compile(r"(?:\.{2,}|…|\\l?dots)")):
            raise Unreadable  # 0.333...
        return bounded(value)

    def mixed(self, whole: Fraction) -> Fraction:
        """A mixed number such as 1 1/2 or 1\\frac{1}{2}; not 4 10/3."""
        found = self.take(re.compile(r"\s?\\frac\{(\d+)\}\{(\d+)\}")) or self.take(
            re.compile(r"[ -](\d+)\s?/\s?(\d+)(?!\d)(?!\.\d)")
        )
        if not found:
            return whole
        top, bottom = decimal(found[1]), decimal(found[2])
        if not 0 < top < bottom:
            raise Unreadable
        self.calculated()
        return whole + top / bottom

    def bracket(self, depth: int) -> Fraction:
        self.at += 1
        if self.at > len(self.text) or self.text[self.at - 1] not in "([{":
            raise Unreadable
        value = self.sum(depth + 1)
        if self.text[self.at : self.at + 1] not in (")", "]", "}"):
            raise Unreadable
        self.at += 1
        return value


def decimal(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise Unreadable from error


def bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise Unreadable
    return value
