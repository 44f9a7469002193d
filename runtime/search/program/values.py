"""The values of programs, and the meter that counts the cost of every step.

A value is a Fraction, bool, str, None, list, tuple, range or a function of the interpreter. A program never reaches any
other object of Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

MAX_WORK = 25_000
"""Nodes evaluated, plus one for every 512 bits of a number, 64 characters and item of a list: about 0.1 s."""
MAX_BITS = 8192
"""Of a number's numerator and denominator together: a mortgage over 360 months fits."""
MAX_ITEMS = 1000
MAX_TEXT = 3000


class Fault(Exception):
    """The program does something that is forbidden or has no meaning."""


@dataclass(frozen=True)
class BuiltIn:
    """A built-in function: it takes the meter and the arguments."""

    work: Callable[..., Any]


class Meter:
    """Counts what a program costs."""

    def __init__(self) -> None:
        self.work = 0

    def spend(self, work: int) -> None:
        self.work += work
        if self.work > MAX_WORK:
            raise Fault("it takes too long")

    def number(self, value: Any) -> Fraction:
        """A number of the program, paid for by its size."""
        if isinstance(value, float):
            if not math.isfinite(value):
                raise Fault("a number is too large")
            value = repr(value)
        elif not isinstance(value, int | Fraction):
            raise Fault(f"{kind(value)} is used as a number")
        value = Fraction(value)
        self.spend(bits(value) // 512)
        if bits(value) > MAX_BITS:
            raise Fault("a number is too large")
        return value

    def whole(self, value: Any, limit: int | None = None) -> int:
        """A whole number. Raises Fault if it is not whole, or beyond the limit."""
        value = self.number(value)
        if value.denominator != 1:
            raise Fault(f"{written(value)} is not whole")
        if limit is not None and abs(value) > limit:
            raise Fault("a number is too large")
        return int(value)

    def items(self, value: Any) -> list[Any]:
        if not isinstance(value, list | tuple | range):
            raise Fault(f"{kind(value)} is used as a list")
        if len(value) > MAX_ITEMS:
            raise Fault("a list is too long")
        self.spend(len(value))
        return [self.number(item) for item in value] if isinstance(value, range) else list(value)

    def text(self, value: str) -> str:
        self.spend(len(value) // 64)
        return value[:MAX_TEXT]

    def power(self, base: Fraction, exponent: Fraction) -> Fraction:
        """A power. Its size is estimated first, as 9**9**9 would never end. Raises Fault."""
        if bits(base) * abs(exponent) > MAX_BITS:
            raise Fault("a number is too large")
        if (base < 0 and exponent.denominator != 1) or (not base and exponent < 0):
            raise Fault("such a power has no value")
        return self.number(base ** (int(exponent) if exponent.denominator == 1 else exponent))

    def same(self, left: Any, right: Any) -> bool:
        """Equality. Lists are not compared, as nested ones can take for ever."""
        if isinstance(left, str | None) or isinstance(right, str | None):
            return type(left) is type(right) and left == right
        return self.number(left) == self.number(right)


def written(value: Fraction) -> str:
    """A number as people write it: 12, 3.75, 1/3; one with a long denominator is rounded to ten places."""
    if value.denominator == 1:
        return str(value.numerator)
    if 10**12 % value.denominator == 0 or value.denominator >= 10**4:
        places = 12 if 10**12 % value.denominator == 0 else 10
        whole, digits = divmod(round(abs(value) * 10**places), 10**places)
        return f"{'-' if value < 0 else ''}{whole}.{digits:0{places}}".rstrip("0").rstrip(".")
    return f"{value.numerator}/{value.denominator}"


def shown(value: Any) -> str:
    if isinstance(value, bool | str | None):
        return str(value)
    if not isinstance(value, Fraction):
        raise Fault(f"{kind(value)} is shown")
    return written(value)


def kind(value: Any) -> str:
    return {str: "a text", list: "a list", tuple: "a list", range: "a range", type(None): "nothing"}.get(
        type(value), "a function"
    )


def bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()
