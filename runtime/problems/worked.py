"""Worked problems: stories whose solution is known to every number and can be worked again.

A step is a template over quantities: `{3}` shows the value of quantity 3, `{=3}` its whole equation ("4 × 3 = 12"). So
a step that goes wrong (`trainer.data.errors`) carries its consequences into every later one, as a person's would.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache

from pydantic import Field

from runtime.types import Problem, Value

_SLOT = re.compile(r"\{(=?)(\d+)\}")


class Quantity(Value):
    """A number of the story: given (no formula), or made from earlier ones."""

    value: Fraction
    formula: str = ""
    """Of earlier quantities, such as "{0} × ({1} + {2})"; the signs are + - × / and parentheses."""
    places: int = Field(default=0, ge=0, le=6)
    """Digits written after the point where the value is not whole; 2 for money. 0: as many as it needs."""

    @property
    def shown(self) -> str:
        """As it is written: 12, 3.75, 4.50, 1/3."""
        value = self.value
        if value.denominator == 1:
            return str(value.numerator)
        decimal = Decimal(value.numerator) / Decimal(value.denominator)
        if Fraction(decimal) != value:
            return f"{value.numerator}/{value.denominator}"
        padded = f"{decimal:.{self.places}f}"
        return padded if self.places and Fraction(padded) == value else f"{decimal:f}"


class WorkedStep(Value):
    """One line of the solution."""

    text: str
    """With slots: "Lena pays {=3} dollars for the notebooks." """
    makes: int | None = None
    """The quantity that this step works out; None for a step that only states something."""


class Worked(Value):
    """A problem and its solution, step by step."""

    problem: Problem
    quantities: tuple[Quantity, ...]
    steps: tuple[WorkedStep, ...]
    answer: int
    """Which quantity is asked for."""
    theme: str = ""
    template: str = ""
    unit: str = ""
    """Of the answer, in words; may be empty."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The steps as they are written, without the line that states the answer."""
        return tuple(fill(step.text, self.quantities) for step in self.steps)

    @property
    def result(self) -> str:
        """The answer as it is written, without a unit."""
        return self.quantities[self.answer].shown

    def changed(self, quantities: Mapping[int, Quantity]) -> Worked:
        """The same story with these quantities put in the place of those, and all that follow from them worked out
        again. The problem and its reference answer stay. Raises ZeroDivisionError where nothing follows."""
        made: list[Quantity] = []
        for number, old in enumerate(self.quantities):
            new = quantities.get(number)
            made.append(new or (worked_out(old, made) if old.formula else old))
        return self.model_copy(update={"quantities": tuple(made)})


def worked_out(quantity: Quantity, earlier: Sequence[Quantity]) -> Quantity:
    """A quantity with the value that its formula gives. Raises ZeroDivisionError."""
    return quantity.model_copy(update={"value": _value(_tree(quantity.formula), earlier)})


def fill(text: str, quantities: Sequence[Quantity]) -> str:
    """A template with its slots filled: values, and equations where a slot begins with an equals sign."""

    def shown(slot: re.Match[str]) -> str:
        quantity = quantities[int(slot[2])]
        return f"{fill(quantity.formula, quantities)} = {quantity.shown}" if slot[1] else quantity.shown

    return _SLOT.sub(shown, text)


_OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@cache
def _tree(formula: str) -> ast.expr:
    return ast.parse(_SLOT.sub(r"q\2", formula).replace("×", "*"), mode="eval").body


def _value(node: ast.expr, earlier: Sequence[Quantity]) -> Fraction:
    match node:
        case ast.BinOp(left, sign, right):
            return _OPERATIONS[type(sign)](_value(left, earlier), _value(right, earlier))
        case ast.Name(name):
            return earlier[int(name[1:])].value
        case ast.Constant(int(number)):
            return Fraction(number)
    raise ValueError(f"{ast.unparse(node)} is no formula")
