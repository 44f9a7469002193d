"""Expression trees: their exact value, and the values of other readings of the same signs.

`parser.py` makes the trees. Values are fractions; no text is executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, product
from math import factorial, isqrt
from typing import NamedTuple

from runtime.checks.arithmetic.numerals import MAX_DIGITS, SUPERSCRIPTS, THOUSANDS
from runtime.checks.arithmetic.units import size_of

MAX_EXPONENT, MAX_FACTORIAL = 12, 20
MAX_ROW, MAX_READINGS = 24, 200
"""Most operations in a row that are read in other ways, and most of these readings."""


CURRENCIES = ("$", "\\$", "£", "€", "¥")


class Unreadable(ValueError):
    """The text is not an expression that can be read with certainty."""


class Leaf(NamedTuple):
    value: Fraction
    text: str
    unit: str = ""
    """The words after it: a unit, or what is counted."""

    @property
    def decimals(self) -> int:
        return len(self.text.partition(".")[2])


class Node(NamedTuple):
    """`op` is one of + - * / ÷ ^ or neg, pct, root, ! (factorial), group (a bracket), floor (a square one), mixed
    (1 1/2), scale (3 million), compound (1 hour 20 minutes, in the last of its units)."""

    op: str
    parts: tuple[Node | Leaf, ...]
    unit: str = ""


def evaluate(node: Node | Leaf, percent: Fraction = Fraction(1, 100)) -> Fraction:
    """The exact value. Raises ZeroDivisionError, and Unreadable if it would become too large."""
    if isinstance(node, Leaf):
        return node.value
    values = [evaluate(part, percent) for part in node.parts]
    value = _in_last_unit(node, values) if node.op == "compound" else _apply(node.op, values, percent)
    if max(abs(value.numerator), value.denominator) > 10**MAX_DIGITS:
        raise Unreadable("the number has too many digits")
    return value


def _apply(op: str, values: list[Fraction], percent: Fraction) -> Fraction:
    match op:
        case "+" | "mixed":
            return values[0] + values[1]
        case "-":
            return values[0] - values[1]
        case "*" | "scale":
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
        case "root":
            return _root(values[0])
        case "!":
            if values[0] not in range(MAX_FACTORIAL + 1):
                raise Unreadable("the argument of the factorial is not a small whole number")
            return Fraction(factorial(int(values[0])))
        case _:
            return values[0]


def _root(value: Fraction) -> Fraction:
    """The square root, if it is rational. Raises Unreadable."""
    if value < 0 or any(isqrt(part) ** 2 != part for part in (value.numerator, value.denominator)):
        raise Unreadable("the root is not rational")
    return Fraction(isqrt(value.numerator), isqrt(value.denominator))


def _in_last_unit(node: Node, values: list[Fraction]) -> Fraction:
    """1 hour 20 minutes as 80 minutes."""
    sizes = [size_of(part.unit) for part in node.parts]
    return sum((value * size for value, size in zip(values, sizes, strict=True)), Fraction(0)) / sizes[-1]


def in_percent(node: Node | Leaf) -> Fraction:
    """The value of an expression with 20% read as 20."""
    return evaluate(node, Fraction(1))


def has_percent(node: Node | Leaf) -> bool:
    return isinstance(node, Node) and (node.op == "pct" or any(map(has_percent, node.parts)))


def leaves(node: Node | Leaf) -> list[Leaf]:
    return [node] if isinstance(node, Leaf) else [leaf for part in node.parts for leaf in leaves(part)]


def exchange(node: Node | Leaf, old: Leaf, new: Leaf) -> Node | Leaf:
    """The expression with one number exchanged."""
    if isinstance(node, Leaf):
        return new if node is old else node
    return node._replace(parts=tuple(exchange(part, old, new) for part in node.parts))


def without_scales(node: Node | Leaf) -> Node | Leaf:
    """The expression with 3 million read as 3, as in "2.5 million + 3 = 5.5 million"."""
    if isinstance(node, Leaf):
        return node
    return (
        without_scales(node.parts[0])
        if node.op == "scale"
        else node._replace(parts=tuple(map(without_scales, node.parts)))
    )


def write(node: Node | Leaf, with_units: bool = False) -> str:
    """The expression in plain signs, without words, and with units only on request."""
    if with_units and node.unit and not (isinstance(node, Node) and node.op in ("scale", "compound")):
        bare = write(node._replace(unit=""), with_units)
        return f"{node.unit}{bare}" if node.unit in CURRENCIES else f"{bare} {node.unit}"
    if isinstance(node, Leaf):
        return THOUSANDS.sub(",", node.text.translate(SUPERSCRIPTS))
    parts = [write(part, with_units and node.op != "compound") for part in node.parts]
    match node.op:
        case "group" | "floor":
            return f"({parts[0]})"
        case "neg":
            return f"-{parts[0]}"
        case "pct":
            return f"{parts[0]}%"
        case "root":
            return f"√{parts[0]}"
        case "!":
            return f"{parts[0]}!"
        case "mixed" | "scale":
            return " ".join(parts)
        case "compound":
            return " ".join(f"{text} {part.unit}" for text, part in zip(parts, node.parts, strict=True))
        case "/" | "^":
            return node.op.join(parts)
        case op:
            return f" {'×' if op == '*' else op} ".join(parts)


def partial_values(node: Node | Leaf) -> list[Fraction]:
    """The intermediate values when calculating strictly from left to right: 3 + 4 × 2 gives 3, 7, 14."""
    operators, operands = _flatten(node)
    values = [evaluate(operands[0])]
    for op, operand in zip(operators, operands[1:], strict=True):
        values.append(evaluate(Node(op, (Leaf(values[-1], ""), operand))))
    return values


def readings(node: Node | Leaf) -> set[Fraction]:
    """The values of all readings of an expression: a slash may be a fraction bar of any extent (60 × 2 / 60 + 40), 2
    1/2 may be a product, 50 + 10% may be 55, -3² may be 9."""
    return set(islice(_readings(node), MAX_READINGS))


def tails(node: Node | Leaf) -> set[Fraction]:
    """The values of the parts after a minus sign that may be a dash: "the total of 20 numbers - 20 × 5 = 100"."""
    operators, operands = _flatten(node)
    if len(operators) > MAX_ROW:
        return set()
    numbers = [Leaf(evaluate(operand), "") for operand in operands]
    starts = [at for at in range(1, len(operators)) if operators[at - 1] == "-"]
    found = {_value_of(operators[at:], numbers[at:]) for at in starts}
    negative = {_value_of(operators[at:], [Leaf(-numbers[at].value, ""), *numbers[at + 1 :]]) for at in starts}
    return found | negative


def left_to_right(node: Node | Leaf) -> Fraction:
    """The value without precedence of operations: (3 + 4) × 2 for 3 + 4 × 2."""
    return partial_values(node)[-1]


def _readings(node: Node | Leaf) -> Iterator[Fraction]:
    if isinstance(node, Leaf):
        yield node.value
        return
    operators, operands = _flatten(node)
    if not operators:
        for parts in product(*map(readings, node.parts)):
            yield from _ways(node, [Leaf(value, "") for value in parts])
        return
    alternatives = [readings(operand) for operand in operands]
    for values in islice(product(*alternatives), MAX_READINGS):
        yield from _with_bars(operators, [Leaf(value, "") for value in values])
    if isinstance(operands[0], Node) and operands[0].op == "root":
        yield from _under_one_root(operators, [operands[0].parts[0], *operands[1:]])
    if "/" in operators and any(isinstance(one, Node) and one.op == "pct" for one in operands):
        yield evaluate(node) / 10000  # 1/6 % of 9600
    if operators[-1] in ("+", "-") and isinstance(operands[-1], Node) and operands[-1].op == "pct":
        rest, share = evaluate(node.parts[0]), evaluate(operands[-1])
        yield rest * (1 + share if operators[-1] == "+" else 1 - share)


def _under_one_root(operators: list[str], operands: list[Node | Leaf]) -> Iterator[Fraction]:
    """The value of √289 - 64 read as √(289 - 64)."""
    try:
        yield _root(_value_of(operators, [Leaf(evaluate(operand), "") for operand in operands]))
    except (Unreadable, ZeroDivisionError):
        return


def _ways(node: Node, parts: list[Leaf]) -> Iterator[Fraction]:
    """The readings of a single node that is not a row of operations."""
    try:
        yield evaluate(node._replace(parts=tuple(parts))) if node.op != "compound" else evaluate(node)
    except ZeroDivisionError:
        return
    if node.op == "mixed":
        yield parts[0].value * parts[1].value
    if node.op == "floor":
        yield Fraction(parts[0].value // 1)
    if node.op in ("pct", "scale", "!"):
        yield parts[0].value
    if node.op == "neg" and isinstance(node.parts[0], Node) and node.parts[0].op == "^":
        yield -evaluate(Node("neg", (parts[0],)))


def _with_bars(operators: list[str], operands: list[Leaf]) -> Iterator[Fraction]:
    """The values of a row of operations with up to two slashes read as fraction bars."""
    rows = [(operators, operands)]
    for _ in range(3 if len(operators) <= MAX_ROW else 1):
        following: list[tuple[list[str], list[Leaf]]] = []
        for row in rows:
            try:
                yield _value_of(*row)
            except ZeroDivisionError:
                continue
            following += islice(_bars(*row), MAX_READINGS - len(following))
        rows = following


def _bars(operators: list[str], operands: list[Leaf]) -> Iterator[tuple[list[str], list[Leaf]]]:
    """The rows with one slash read as a fraction bar, and the fraction as one number."""
    for at in (i for i, operator in enumerate(operators) if operator in ("/", "÷")):
        for start, end in product(range(at + 1), range(at + 1, len(operands))):
            try:
                top = _value_of(operators[start:at], operands[start : at + 1])
                bar = Leaf(top / _value_of(operators[at + 1 : end], operands[at + 1 : end + 1]), "")
            except ZeroDivisionError:
                continue
            yield [*operators[:start], *operators[end:]], [*operands[:start], bar, *operands[end + 1 :]]


def _value_of(operators: list[str], operands: list[Leaf]) -> Fraction:
    """The value of a row: products before sums, from left to right."""
    total, term, sign = Fraction(0), operands[0].value, 1
    for operator, operand in zip(operators, operands[1:], strict=True):
        if operator in ("+", "-"):
            total, term, sign = total + sign * term, operand.value, 1 if operator == "+" else -1
        else:
            term = term * operand.value if operator == "*" else term / operand.value
    return total + sign * term


def _flatten(node: Node | Leaf) -> tuple[list[str], list[Node | Leaf]]:
    """The operators and operands of an expression in written order; a bracket is one operand."""
    if isinstance(node, Leaf) or node.op not in ("+", "-", "*", "/", "÷"):
        return [], [node]
    (left_operators, left), (right_operators, right) = map(_flatten, node.parts)
    return [*left_operators, node.op, *right_operators], [*left, *right]
