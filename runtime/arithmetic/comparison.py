"""Judges whether the two sides of an equation are equal: exactly, or rounded to the digits shown.

A right step must never be called incorrect: where some charitable reading makes a disagreement right (units that
change, rounding on the way, brackets left out), it is "unsure".
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from runtime.arithmetic.chains import Pair
from runtime.arithmetic.expressions import (
    Leaf,
    Node,
    Unreadable,
    careless_values,
    evaluate,
    exchange,
    has_percent,
    in_percent,
    leaves,
    partial_values,
)
from runtime.arithmetic.parser import Reading
from runtime.arithmetic.units import UNITS, unit_of
from runtime.types import Verdict

Claims = list[tuple[Fraction, Fraction]]
SUMS = {"+", "-"}
COINS = (5, 10, 25)
# Months of four weeks and of thirty days, years of 52 weeks: not exact, but everybody's.
CALENDAR = {Fraction(4), Fraction(30), Fraction(52)}


def judge(pair: Pair, rounded: bool) -> Verdict | None:
    """What exact calculation says of a pair; `rounded`: its step speaks of rounding. None: better left alone."""
    left, right = pair.left, pair.right
    try:
        claims = claimed(left, right)
        if any(a == b for a, b in claims):
            return "unsure" if set(left.ops) <= SUMS and _units_mixed(left) else "correct"
        close = _closeness(pair, claims, rounded)
        if close or max(left.doubt, right.doubt) == 2:
            return close
        doubtful = left.doubt or right.doubt or _may_be_right(pair, claims)
    except ZeroDivisionError:
        return "unsure"
    except Unreadable:
        return None
    return "unsure" if doubtful else "incorrect"


def claimed(left: Reading, right: Reading) -> Claims:
    """The pairs of numbers that the equation may claim to be equal: 15/60 = 25% and 15/60 × 100 = 25% are both said."""
    exact, shown = evaluate(left.node), evaluate(right.node)
    if has_percent(right.node):
        plain = in_percent(right.node)
        return [(exact, shown), (exact * 100, plain), (exact, plain), (in_percent(left.node), plain)]
    if has_percent(left.node) and set(left.ops) <= SUMS:
        return [(exact, shown), (in_percent(left.node), shown)]
    return [(exact, shown)]


def _closeness(pair: Pair, claims: Claims, rounded: bool) -> Literal["correct", "unsure"] | None:
    """Correct: rounded to the digits shown. Unsure: cut off, rounded up, or rounded on the way (33.33 × 3 = 100)."""
    left, right = pair.left, pair.right
    lone = right.node if not right.ops else left.node if not left.ops else None
    if lone is None:
        return None
    rounded |= pair.about
    shown = claims[0][1]
    decimals = max(leaf.decimals for leaf in leaves(lone))
    unit = Fraction(1, 10**decimals)
    while rounded and not decimals and shown and (shown / (unit * 10)).denominator == 1:
        unit *= 10  # "about 3300"
    if has_percent(right.node):
        claims = claims[1:]  # the others count in percent, as the digits shown do
    elif has_percent(left.node):
        claims = [*claims, (in_percent(left.node), shown + unit / 2)]
    off = min(abs(exact - shown) for exact, shown in claims)
    if off <= unit / 2 and (decimals or rounded):
        return "correct" if pair.about or unit <= 1 else "unsure"  # "around the field" rounds nothing
    return "unsure" if off < unit and (decimals or rounded or has_percent(lone)) else None


def _may_be_right(pair: Pair, claims: Claims) -> bool:
    """Whether some charitable reading makes a disagreement right."""
    left, right = pair.left, pair.right
    exact, shown = claims[0]
    off = abs(exact - shown)
    percent = in_percent(left.node) if has_percent(left.node) else None
    return bool(
        (left.ops == ("/",) and 0 < exact < 1 and shown.denominator == 1)  # "3/4 = 75" of something
        or (SUMS.intersection(left.ops) and percent not in (None, exact * 100))  # 50 + 10%
        or percent == shown
        or (isinstance(left.node, Node) and left.node.op == "neg" and shown == -exact)  # -3²
        or (right.ops and any(exact in partial_values(right.node) for exact, _ in claims))  # 3*4 = 12 + 2
        or (pair.about and off <= abs(exact) / 10)
        or off <= min(_slack(left) + _slack(right), abs(exact) / 60)
        or shown in careless_values(left.node)
        or _units_mixed(left)
        or _converts(left, right, exact, shown)
    )


def _slack(reading: Reading) -> Fraction:
    """How far the value may be off because its decimals were rounded before."""
    exact, total = evaluate(reading.node), Fraction(0)
    for leaf in leaves(reading.node)[:20]:
        if leaf.decimals >= 2:
            moved = Leaf(leaf.value + Fraction(1, 2 * 10**leaf.decimals), leaf.text)
            total += abs(evaluate(exchange(reading.node, leaf, moved)) - exact)
    return total


def _known_units(*readings: Reading) -> set[tuple[str, Fraction]]:
    return {unit for reading in readings for unit in map(unit_of, reading.units) if unit}


def _units_mixed(reading: Reading) -> bool:
    """Whether a sum holds two sizes of one dimension: $3.50 + 75 cents."""
    known = _known_units(reading)
    return bool(SUMS.intersection(reading.ops)) and len(known) > len({dimension for dimension, _ in known})


def _converts(left: Reading, right: Reading, exact: Fraction, shown: Fraction) -> bool:
    """Whether another unit explains the disagreement: 2 × 1 hour = 120 minutes, 20 × 5 = $1."""
    if not exact or not shown or set(left.units) == set(right.units):
        return False
    for dimension, size in _known_units(left, right):
        others = {s for d, s in UNITS.values() if d == dimension and s not in COINS} | {Fraction(1)}
        factors = {size / other for other in others} | (CALENDAR if dimension == "time" and size > 3600 else set())
        if any(factor != 1 and shown in (exact * factor, exact / factor) for factor in factors):
            return True
    return False
