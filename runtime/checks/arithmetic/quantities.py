"""Compares the two sides of an equation as quantities with units: 60 km/h × 30 min is 30 km.

Only complete units are judged: if one is not written ("5 hours × $10", meaning per hour), nothing is concluded.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Literal, NamedTuple

from runtime.checks.arithmetic.expressions import Leaf, Node, Unreadable, evaluate
from runtime.checks.arithmetic.units import is_rough, measure, size_of

Dimensions = tuple[tuple[str, int], ...]
PURE: Dimensions = ()


class Contradiction(Exception):
    """The units do not fit together: hours divided by km/h, or hours added to km."""


class Quantity(NamedTuple):
    value: Fraction
    """The value in the smallest units."""
    dimensions: Dimensions


def compare(left: Node | Leaf, right: Node | Leaf) -> Literal["same", "different", "contradiction"] | None:
    """Compare two sides with their units; None if the units are incomplete. Raises ZeroDivisionError."""
    if not _has_unit(left):
        return None
    try:
        one, other = quantity(left), quantity(right)
    except Contradiction:
        return "contradiction"
    except Unreadable:
        return None
    if not one.dimensions and not other.dimensions:
        return "same" if one.value == other.value != evaluate(left) else None  # 1 m ÷ 25 cm = 4
    if one.dimensions == other.dimensions:
        return "same" if one.value == other.value else "different"
    if not other.dimensions or not one.dimensions:
        # The unit of a result is often not written, nor a unit that did not occur before.
        return "contradiction" if _is_odd(one.dimensions) else None
    return "contradiction" if _has_rate(left) else None


def all_have_units(node: Node | Leaf) -> bool:
    """Whether every number of an expression has a unit. Otherwise one may be a conversion, such as the 60 in "3 hours ×
    60 = 180 minutes"."""
    if node.unit or isinstance(node, Leaf) or node.op == "compound":
        return bool(node.unit)
    return all(map(all_have_units, node.parts))


def in_units_of(value: Fraction, right: Node | Leaf) -> Fraction:
    """A value in the smallest units, converted to the right side's unit."""
    unit = measure(right.unit)
    return value / unit.size if unit else value


def quantity(node: Node | Leaf) -> Quantity:
    """The quantity of an expression. Raises Unreadable if a unit is unknown or may be missing, and Contradiction."""
    if isinstance(node, Leaf):
        return _with_unit(node.value, node.unit)
    if node.op == "compound":
        return Quantity(evaluate(node) * size_of(node.parts[1].unit), quantity(node.parts[1]).dimensions)
    if node.op in ("group", "floor", "neg") and not node.unit:
        inner = quantity(node.parts[0])
        return Quantity(-inner.value, inner.dimensions) if node.op == "neg" else inner
    parts = [quantity(part) for part in node.parts]
    if node.op not in ("+", "-", "*", "/", "÷"):
        if any(part.dimensions for part in parts):
            raise Unreadable("a unit under another sign")
        return _with_unit(evaluate(node), node.unit)
    return _joined(node.op, *parts)


def _with_unit(value: Fraction, text: str) -> Quantity:
    unit = measure(text) if text else None
    if text and (unit is None or is_rough(text)):
        raise Unreadable("an unknown unit, or one without a size that all agree on")
    return Quantity(value * unit.size, unit.dimensions) if unit else Quantity(value, PURE)


def _joined(op: str, one: Quantity, other: Quantity) -> Quantity:
    if op in ("+", "-"):
        if one.dimensions != other.dimensions:
            if not one.dimensions or not other.dimensions:
                raise Unreadable("the unit of one part is not written")
            raise Contradiction
        return Quantity(one.value + other.value if op == "+" else one.value - other.value, one.dimensions)
    exponents = Counter(dict(one.dimensions))
    if op == "*":
        exponents.update(dict(other.dimensions))
        value = one.value * other.value
    else:
        exponents.subtract(dict(other.dimensions))
        value = one.value / other.value
    dimensions = tuple(sorted((name, exponent) for name, exponent in exponents.items() if exponent))
    rated = [part for part in (one, other) if _is_rate(part.dimensions)]
    if rated and _is_odd(dimensions) and all(part.dimensions for part in (one, other)):
        raise Contradiction
    if not rated and op == "*" and one.dimensions and other.dimensions and one.dimensions != other.dimensions:
        raise Unreadable("5 hours × $10: a rate is not written")
    return Quantity(value, dimensions)


def _has_unit(node: Node | Leaf) -> bool:
    return bool(node.unit) or (isinstance(node, Node) and any(map(_has_unit, node.parts)))


def _is_rate(dimensions: Dimensions) -> bool:
    return any(exponent < 0 for _, exponent in dimensions)


def _is_odd(dimensions: Dimensions) -> bool:
    """Whether no school problem has such dimensions: hours per km per hour."""
    return any(abs(exponent) > (3 if name == "length" else 1) for name, exponent in dimensions) or len(dimensions) > 2


def _has_rate(node: Node | Leaf) -> bool:
    unit = measure(node.unit) if node.unit else None
    if unit and _is_rate(unit.dimensions):
        return True
    return isinstance(node, Node) and any(map(_has_rate, node.parts))
