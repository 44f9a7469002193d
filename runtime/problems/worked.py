"""Problems with worked solutions, whose numbers can be computed again after a change.

A step is a template over quantities: `{3}` is the value of quantity 3, `{=3}` its whole equation ("4 × 3 = 12"). So an
error put into one step (`trainer.data.errors`) also changes the later steps, as in a person's work.
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
    """A number of the problem: given (without a formula), or computed from earlier ones."""

    value: Fraction
    formula: str = ""
    """Of earlier quantities, such as "{0} × ({1} + {2})"; the signs are + - × / and parentheses."""
    places: int = Field(default=0, ge=0, le=6)
    """Digits written after the point where the value is not whole; 2 for money. 0: as many as it needs."""

    @property
    def shown(self) -> str:
        """The value as text: 12, 3.75, 4.50, 1/3."""
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
    """Index of the quantity that this step computes; None for a step that only states something."""


class Worked(Value):
    """A problem and its solution, step by step."""

    problem: Problem
    quantities: tuple[Quantity, ...]
    steps: tuple[WorkedStep, ...]
    answer: int
    """Index of the quantity that is asked for."""
    theme: str = ""
    template: str = ""
    unit: str = ""
    """The unit of the answer in words; may be empty."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The texts of the steps, without the line that states the answer."""
        return tuple(fill(step.text, self.quantities) for step in self.steps)

    @property
    def result(self) -> str:
        """The answer as text, without its unit."""
        return self.quantities[self.answer].shown

    def changed(self, quantities: Mapping[int, Quantity]) -> Worked:
        """A copy with these quantities (by index) replaced, and all that depend on them computed again. The problem and
        its reference answer stay. Raises ZeroDivisionError."""
        made: list[Quantity] = []
        for number, old in enumerate(self.quantities):
            new = quantities.get(number)
            made.append(new or (worked_out(old, made) if old.formula else old))
        return self.model_copy(update={"quantities": tuple(made)})


def worked_out(quantity: Quantity, earlier: Sequence[Quantity]) -> Quantity:
    """A quantity with the value of its formula. Raises ZeroDivisionError."""
    return quantity.model_copy(update={"value": _value(_tree(quantity.formula), earlier)})


def fill(text: str, quantities: Sequence[Quantity]) -> str:
    """Fill a template: `{3}` with a value, `{=3}` with an equation."""

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
    raise ValueError(f"{ast.unparse(node)} is not a formula")
