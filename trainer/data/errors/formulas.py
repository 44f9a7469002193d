"""Formulas of `runtime.problems.worked` as small trees, to replace an operation or a number."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from runtime.problems.worked import Quantity

Path = tuple[Literal["left", "right"], ...]
"""The path from the root of a formula to a part of it."""
SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "×", ast.Div: "/"}
_WORK = {"+": operator.add, "-": operator.sub, "×": operator.mul, "/": operator.truediv}
_RANK = {"+": 1, "-": 1, "×": 2, "/": 2}


@dataclass(frozen=True)
class Leaf:
    text: str
    """A slot such as "{3}", or a number such as "60"."""

    @property
    def quantity(self) -> int | None:
        return int(self.text[1:-1]) if self.text.startswith("{") else None

    def value(self, quantities: Sequence[Quantity]) -> Fraction:
        return Fraction(self.text) if self.quantity is None else quantities[self.quantity].value


@dataclass(frozen=True)
class Operation:
    left: Part
    sign: str
    right: Part

    def value(self, quantities: Sequence[Quantity]) -> Fraction:
        """Raises ZeroDivisionError."""
        return _WORK[self.sign](self.left.value(quantities), self.right.value(quantities))


Part = Leaf | Operation


def parse(formula: str) -> Part:
    return _part(ast.parse(re.sub(r"\{(\d+)\}", r"q\1", formula).replace("×", "*"), mode="eval").body)


def _part(node: ast.expr) -> Part:
    match node:
        case ast.BinOp(left, sign, right):
            return Operation(_part(left), SIGNS[type(sign)], _part(right))
        case ast.Name(name):
            return Leaf(f"{{{name[1:]}}}")
        case ast.Constant(number):
            return Leaf(str(number))
    raise ValueError(f"{ast.unparse(node)} is no formula")


def write(part: Part) -> str:
    """The formula of a tree, with minimal parentheses."""
    if isinstance(part, Leaf):
        return part.text
    left, right = write(part.left), write(part.right)
    if isinstance(part.left, Operation) and _RANK[part.left.sign] < _RANK[part.sign]:
        left = f"({left})"
    lower = isinstance(part.right, Operation) and _RANK[part.right.sign] < _RANK[part.sign] + (part.sign in "-/")
    return f"{left} {part.sign} {f'({right})' if lower else right}"


def parts(part: Part, path: Path = ()) -> Iterator[tuple[Path, Part]]:
    """Every part of a formula with its path, from the root down."""
    yield path, part
    if isinstance(part, Operation):
        yield from parts(part.left, (*path, "left"))
        yield from parts(part.right, (*path, "right"))


def operations(part: Part) -> list[tuple[Path, Operation]]:
    return [(path, found) for path, found in parts(part) if isinstance(found, Operation)]


def leaves(part: Part) -> list[tuple[Path, Leaf]]:
    return [(path, found) for path, found in parts(part) if isinstance(found, Leaf)]


def used(part: Part) -> set[int]:
    """Indexes of the quantities in a formula."""
    return {leaf.quantity for _, leaf in leaves(part) if leaf.quantity is not None}


def exchanged(part: Part, path: Path, new: Part) -> Part:
    """The formula with the part at this path replaced."""
    if not path or isinstance(part, Leaf):
        return new
    if path[0] == "left":
        return replace(part, left=exchanged(part.left, path[1:], new))
    return replace(part, right=exchanged(part.right, path[1:], new))
