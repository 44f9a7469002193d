"""Judges whether the two sides of an equation are equal: exactly, or rounded to the digits shown.

A right step must never be called incorrect: if the sides differ but another reading makes them equal (missing brackets,
other units, intermediate rounding), the verdict is "unsure". A wrong step must not be called correct: what was not read
completely, or adds hours to kilometres, is unsure too.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from runtime.checks.arithmetic import quantities
from runtime.checks.arithmetic.chains import Pair
from runtime.checks.arithmetic.expressions import (
    Leaf,
    Node,
    Unreadable,
    evaluate,
    exchange,
    has_percent,
    in_percent,
    leaves,
    left_to_right,
    partial_values,
    readings,
    tails,
    without_scales,
)
from runtime.checks.arithmetic.parser import Reading
from runtime.checks.arithmetic.units import UNITS, unit_of
from runtime.types import Verdict

Claims = list[tuple[Fraction, Fraction]]
SUMS = {"+", "-"}
COINS = (5, 10, 25)
# Conversions that are common but not exact: months of four weeks or thirty days, years of 52 weeks; km/h and m/s.
CALENDAR = {Fraction(4), Fraction(30), Fraction(52)}
SPEEDS = {Fraction(18, 5)}
UNSTATED_ROUNDING = Fraction(1, 50)
"""Largest relative difference at which a whole number may be a rounding that is not mentioned: 346.15 as 346."""


def judge(pair: Pair) -> Verdict | None:
    """The verdict on a pair; None if it should be ignored."""
    left, right = pair.left, pair.right
    try:
        claims, units = claimed(left, right), quantities.compare(left.node, right.node)
        if any(a == b for a, b in claims) or units == "same":
            return _confirmed(pair, units)
        close = _closeness(pair, claims)
        if close or max(left.doubt, right.doubt) == 2:
            return close if max(left.doubt, right.doubt) < 2 else None
        doubtful = left.doubt or right.doubt or _may_be_right(pair, claims, units)
    except ZeroDivisionError:
        return "unsure"
    except Unreadable:
        return None
    return "unsure" if doubtful else "incorrect"


def _confirmed(pair: Pair, units: str | None) -> Verdict | None:
    """The verdict on sides that agree as numbers or with their units."""
    left, right = pair.left, pair.right
    if max(left.doubt, right.doubt) == 2:
        return None
    if units == "different" and _all_have_units(pair):
        return "unsure" if left.doubt or right.doubt else "incorrect"
    ambiguous = left.ambiguous or right.ambiguous
    return "unsure" if units == "contradiction" or ambiguous or (units is None and _units_mixed(left)) else "correct"


def claimed(left: Reading, right: Reading) -> Claims:
    """The pairs of numbers that the equation may claim to be equal: people write both 15/60 = 25% and 15/60 × 100 =
    25%, and "= 4!" may be a factorial or the end of a sentence."""
    exact, shown = evaluate(left.node), evaluate(right.node)
    if has_percent(right.node):
        plain = in_percent(right.node)
        return [(exact, shown), (exact * 100, plain), (exact, plain), (in_percent(left.node), plain)]
    if has_percent(left.node) and set(left.ops) <= SUMS:
        return [(exact, shown), (in_percent(left.node), shown)]
    if isinstance(right.node, Node) and right.node.op == "!":
        return [(exact, shown), (exact, evaluate(right.node.parts[0]))]
    return [(exact, shown)]


def may_be_meant_otherwise(pair: Pair) -> bool:
    """Whether a false equation may have been meant as another one that is right, so that it is unclear which number is
    wrong: (10 - 2) × 3 = 24 without the brackets, or 8 - 5 = 3 with its sides exchanged."""
    exact, shown = claimed(pair.left, pair.right)[0]
    calculated = bool(pair.right.ops) and not _is_fraction(pair.right.node)
    return calculated or shown in (-exact, left_to_right(pair.left.node))


def _is_fraction(node: Node | Leaf) -> bool:
    return isinstance(node, Node) and node.op == "/" and all(isinstance(part, Leaf) for part in node.parts)


def _closeness(pair: Pair, claims: Claims) -> Literal["correct", "unsure"] | None:
    """Correct: rounded to the digits shown. Unsure: truncated, rounded up, or rounded before (33.33 × 3 = 100)."""
    left, right = pair.left, pair.right
    lone = right.node if not right.ops else left.node if not left.ops else None
    if lone is None:
        return None
    rounded = pair.about or pair.rounded
    shown = claims[0][1]
    decimals = max(leaf.decimals for leaf in leaves(lone))
    unit = Fraction(1, 10**decimals)
    while rounded and not decimals and shown and (shown / (unit * 10)).denominator == 1:
        unit *= 10  # "about 3300"
    if has_percent(right.node):
        claims = claims[1:]  # the others are in percent, like the digits shown
    elif has_percent(left.node):
        claims = [*claims, (in_percent(left.node), shown + unit / 2)]
    off, exact = min((abs(exact - shown), abs(exact)) for exact, shown in claims)
    if off <= unit / 2 and (decimals or rounded):
        stated = pair.about or (decimals and not pair.rounded)
        return "correct" if stated and (decimals or off * 7 <= exact) else "unsure"  # 2.5 is hardly "about 3"
    if off < unit and (decimals or rounded or has_percent(lone)):
        return "unsure"
    whole = not decimals and off < 1
    return "unsure" if whole and (pair.counts or off <= _unstated_rounding(left, exact, off)) else None


def _unstated_rounding(left: Reading, exact: Fraction, off: Fraction) -> Fraction:
    """How far a whole number may be off if rounding is not mentioned: rounded further than truncated. A sum of decimals
    needs no rounding."""
    if left.ops and set(left.ops) <= SUMS:
        return Fraction(0)
    return exact * UNSTATED_ROUNDING if off <= Fraction(1, 2) else exact * UNSTATED_ROUNDING / 4


def _may_be_right(pair: Pair, claims: Claims, units: str | None) -> bool:
    """Whether some charitable reading makes the sides equal."""
    left, right = pair.left, pair.right
    exact, shown = claims[0]
    measured = units == "different" and _all_have_units(pair)  # then no conversion can explain the difference
    return bool(
        _reads_otherwise(pair, claims)
        or _is_share(left.node, exact, shown)
        or (right.ops and any(exact in partial_values(right.node) for exact, _ in claims))  # 3*4 = 12 + 2
        or (pair.about and abs(exact - shown) <= abs(exact) / 10)
        or abs(exact - shown) <= min(_slack(left) + _slack(right), abs(exact) / 60)
        or (_is_fraction(right.node) and abs(exact - shown) <= abs(exact) / 500)  # 1.69 as 120/71
        or (exact.denominator == 1 and exact >= 100 and exact % 10 == shown)  # 85 × 13 = 5, its last digit
        or (not measured and (_units_mixed(left) or _converts(left, right, exact, shown)))
        or _unknown_conversion(left, right)  # 2 × 2 quarts = 1 gallon
    )


def _reads_otherwise(pair: Pair, claims: Claims) -> bool:
    """Whether the signs can be read in another way so that the sides agree, up to rounding."""
    left, right = ({*readings(node), *readings(without_scales(node))} for node in (pair.left.node, pair.right.node))
    left |= {exact for exact, _ in claims} | tails(pair.left.node)
    right |= {shown for _, shown in claims}
    decimals = max(leaf.decimals for leaf in leaves(pair.right.node))
    rounds = not pair.right.ops and (decimals or pair.about or pair.rounded)
    slack = Fraction(1, 2 * 10**decimals) if rounds else Fraction(0)
    return any(abs(one - other) <= slack for one in left for other in right)


def _slack(reading: Reading) -> Fraction:
    """How far the value may be off because its decimals were rounded."""
    exact, total = evaluate(reading.node), Fraction(0)
    for leaf in leaves(reading.node)[:20]:
        if leaf.decimals >= 2:
            moved = Leaf(leaf.value + Fraction(1, 2 * 10**leaf.decimals), leaf.text)
            total += abs(evaluate(exchange(reading.node, leaf, moved)) - exact)
    return total


def _all_have_units(pair: Pair) -> bool:
    return quantities.all_have_units(pair.left.node) and quantities.all_have_units(pair.right.node)


def _known_units(*sides: Reading) -> set[tuple[str, Fraction]]:
    return {unit for reading in sides for unit in map(unit_of, reading.units) if unit}


def _units_mixed(reading: Reading) -> bool:
    """Whether a sum has different units of one dimension: $3.50 + 75 cents."""
    known = _known_units(reading)
    return bool(SUMS.intersection(reading.ops)) and len(known) > len({dimension for dimension, _ in known})


def _is_share(node: Node | Leaf, exact: Fraction, shown: Fraction) -> bool:
    """Whether it may be a share: 2/5 = 3.2 hectares (of something named before), or 21/33 = 64 (in percent)."""
    if not (isinstance(node, Node) and node.op == "/" and 0 < abs(exact) < 1 and abs(shown) >= 1):
        return False
    in_percent = shown.denominator == 1 and abs(exact * 100 - shown) <= Fraction(1, 2)
    return in_percent or all(isinstance(part, Leaf) and part.value.denominator == 1 for part in node.parts)


def _unknown_conversion(left: Reading, right: Reading) -> bool:
    """Whether one side has a unit of unknown size, and the other another unit."""
    both = (left.other_units or left.units) and (right.other_units or right.units)
    return bool(both and left.other_units != right.other_units)


def _converts(left: Reading, right: Reading, exact: Fraction, shown: Fraction) -> bool:
    """Whether another unit explains the difference: 2 × 1 hour = 120 minutes, 20 × 5 = $1."""
    if not exact or not shown or set(left.units) == set(right.units):
        return False
    for dimension, size in _known_units(left, right):
        others = {s for d, s in UNITS.values() if d == dimension and s not in COINS} | {Fraction(1)}
        factors = {size / other for other in others} | (CALENDAR if dimension == "time" and size > 3600 else set())
        factors |= SPEEDS if dimension in ("time", "length") else set()
        if any(factor != 1 and shown in (exact * factor, exact / factor) for factor in factors):
            return True
    return False
