"""What a program can call: some of Python's built-in functions and some of `math`, in our own implementation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from runtime.search.program.values import BuiltIn, Meter, shown


def _numbers(meter: Meter, values: Sequence[Any]) -> list[Fraction]:
    """The numbers of one list, or the arguments themselves."""
    listed = meter.items(values[0]) if len(values) == 1 else values
    return [meter.number(value) for value in listed]


def _root(meter: Meter, value: Any) -> Fraction:
    """The square root; exact for squares."""
    value = meter.number(value)
    root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
    return meter.number(root if root * root == value else math.sqrt(value))


def _sum(meter: Meter, values: Any, start: Any = 0) -> Fraction:
    total = meter.number(start)
    for value in meter.items(values):
        total = meter.number(total + meter.number(value))
    return total


def _prod(meter: Meter, values: Any) -> Fraction:
    total = Fraction(1)
    for value in meter.items(values):
        total = meter.number(total * meter.number(value))
    return total


def _rounded(meter: Meter, number: Any, ndigits: Any = 0) -> Fraction:
    return meter.number(round(meter.number(number), meter.whole(ndigits, 30)))


def _sorted(meter: Meter, values: Any, reverse: Any = False) -> list[Fraction]:
    return sorted(_numbers(meter, [values]), reverse=bool(reverse))


def _length(meter: Meter, value: Any) -> Fraction:
    return meter.number(len(value if isinstance(value, str) else meter.items(value)))


def _range(meter: Meter, *ends: Any) -> range:
    return range(*map(meter.whole, ends))


def _pairs(meter: Meter, values: Any, start: Any = 0) -> list[tuple[Fraction, Any]]:
    first = meter.whole(start)
    return [(meter.number(i), value) for i, value in enumerate(meter.items(values), first)]


def _zipped(meter: Meter, *values: Any) -> list[tuple[Any, ...]]:
    return list(zip(*map(meter.items, values), strict=False))


def _one(work: Callable[[Fraction], Any]) -> BuiltIn:
    """A function of one number."""
    return BuiltIn(lambda meter, value: meter.number(work(meter.number(value))))


def _wholes(work: Callable[..., int], limit: int | None = None) -> BuiltIn:
    """A function of whole numbers up to `limit`."""
    return BuiltIn(lambda meter, *values: meter.number(work(*(meter.whole(value, limit) for value in values))))


def _power(meter: Meter, base: Any, exponent: Any) -> Fraction:
    return meter.power(meter.number(base), meter.number(exponent))


def _lcm(meter: Meter, *values: Any) -> Fraction:
    """One factor after the other, as each result has to be within the bounds."""
    least = Fraction(1)
    for value in values:
        least = meter.number(math.lcm(int(least), meter.whole(value)))
    return least


MATH = object()
"""The `math` module of programs; MATHS are its members."""
MATHS: dict[str, Any] = {
    **{name: _one(getattr(math, name)) for name in ("ceil", "floor", "trunc")},
    **{name: _wholes(getattr(math, name)) for name in ("gcd", "isqrt")},
    **{name: _wholes(getattr(math, name), 500) for name in ("comb", "factorial", "perm")},
    "fabs": _one(abs),
    "lcm": BuiltIn(_lcm),
    "pi": Fraction(repr(math.pi)),
    "pow": BuiltIn(_power),
    "prod": BuiltIn(_prod),
    "sqrt": BuiltIn(_root),
}
BUILT_INS: dict[str, Any] = {
    "abs": _one(abs),
    "all": BuiltIn(lambda meter, values: all(meter.items(values))),
    "any": BuiltIn(lambda meter, values: any(meter.items(values))),
    "enumerate": BuiltIn(_pairs),
    "float": BuiltIn(Meter.number),
    "int": _one(math.trunc),
    "len": BuiltIn(_length),
    "list": BuiltIn(lambda meter, values=(): meter.items(values)),
    "math": MATH,
    "max": BuiltIn(lambda meter, *values: max(_numbers(meter, values))),
    "min": BuiltIn(lambda meter, *values: min(_numbers(meter, values))),
    "pow": BuiltIn(_power),
    "print": BuiltIn(lambda meter, *values, **named: None),
    "range": BuiltIn(_range),
    "round": BuiltIn(_rounded),
    "sorted": BuiltIn(_sorted),
    "str": BuiltIn(lambda meter, value: shown(value)),
    "sum": BuiltIn(_sum),
    "zip": BuiltIn(_zipped),
}
