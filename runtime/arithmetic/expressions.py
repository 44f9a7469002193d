"""Expressions as small trees: their exact value, and other values that a careless writer may have meant.

The trees are made by `parser.py`. Values are fractions; nothing is ever executed.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from runtime.arithmetic.numerals import MAX_DIGITS, SUPERSCRIPTS, THOUSANDS

MAX_EXPONENT = 12


class Unreadable(ValueError):
    """The text at this place is no expression that we can read with certainty."""


class Leaf(NamedTuple):
    value: Fraction
    text: str

    @property
    def decimals(self) -> int:
        return len(self.text.partition(".")[2])


class Node(NamedTuple):
    """`op` is one of + - * / ÷ ^ or neg, pct, group (a bracket), mixed (1 1/2)."""

    op: str
    parts: tuple[Node | Leaf, ...]


def evaluate(node: Node | Leaf, percent: Fraction = Fraction(1, 100)) -> Fraction:
    """The exact value. Raises ZeroDivisionError, and Unreadable for what would grow too large."""
    if isinstance(node, Leaf):
        return node.value
    value = _apply(node.op, [evaluate(part, percent) for part in node.parts], percent)
    if max(abs(value.numerator), value.denominator) > 10**MAX_DIGITS:
        raise Unreadable("the number has too many digits")
    return value


def _apply(op: str, values: list[Fraction], percent: Fraction) -> Fraction:
    match op:
        case "+" | "mixed":
            return values[0] + values[1]
        case "-":
            return values[0] - values[1]
        case "*":
            return values[0] * values[1]
        case "/" | "÷":
            return values[0] / values[1]
        case "^":
            if values[1].denominator > 1 or abs(values[1]) > MAX_EXPONENT:
                raise Unreadable("the exponent is not a small whole number")
            return Fraction(values[0] ** int(values[1]))
        case "neg":
            return -values[0]
        case "pct":
            return values[0] * percent
        case _:
            return values[0]


def in_percent(node: Node | Leaf) -> Fraction:
    """The value of an expression in which 20% counts as 20."""
    return evaluate(node, Fraction(1))


def has_percent(node: Node | Leaf) -> bool:
    return isinstance(node, Node) and (node.op == "pct" or any(map(has_percent, node.parts)))


def leaves(node: Node | Leaf) -> list[Leaf]:
    return [node] if isinstance(node, Leaf) else [leaf for part in node.parts for leaf in leaves(part)]


def exchange(node: Node | Leaf, old: Leaf, new: Leaf) -> Node | Leaf:
    """The same expression with another number in one place."""
    if isinstance(node, Leaf):
        return new if node is old else node
    return Node(node.op, tuple(exchange(part, old, new) for part in node.parts))


def write(node: Node | Leaf) -> str:
    """The expression in plain signs, without units and words."""
    if isinstance(node, Leaf):
        return THOUSANDS.sub(",", node.text.translate(SUPERSCRIPTS))
    parts = [write(part) for part in node.parts]
    match node.op:
        case "group":
            return f"({parts[0]})"
        case "neg":
            return f"-{parts[0]}"
        case "pct":
            return f"{parts[0]}%"
        case "mixed":
            return " ".join(parts)
        case "/" | "^":
            return node.op.join(parts)
        case op:
            return f" {'×' if op == '*' else op} ".join(parts)


def partial_values(node: Node | Leaf) -> list[Fraction]:
    """What one has after each operation when calculating in the order of writing: 3 + 4 × 2 gives 3, 7, 14."""
    operators, operands = _flatten(node)
    values = [evaluate(operands[0])]
    for op, operand in zip(operators, operands[1:], strict=True):
        values.append(evaluate(Node(op, (Leaf(values[-1], ""), operand))))
    return values


def careless_values(node: Node | Leaf) -> list[Fraction]:
    """What people mean who leave brackets out: (3 + 4) × 2 as 3 + 4 × 2, and 28 / (1/5) as 28 / 1/5."""
    operators, operands = _flatten(node)
    values = partial_values(node)[-1:]
    if operators and not {"+", "-"}.intersection(operators):
        value = evaluate(operands[-1])
        for op, operand in zip(reversed(operators), reversed(operands[:-1]), strict=True):
            value = evaluate(Node(op, (operand, Leaf(value, ""))))
        values.append(value)
    return values


def _flatten(node: Node | Leaf) -> tuple[list[str], list[Node | Leaf]]:
    """The signs and operands of an expression in the order of writing; brackets stay closed."""
    if isinstance(node, Leaf) or node.op not in ("+", "-", "*", "/", "÷"):
        return [], [node]
    (left_operators, left), (right_operators, right) = map(_flatten, node.parts)
    return [*left_operators, node.op, *right_operators], [*left, *right]
