"""Wrong numbers as people write them: forgotten carries, neighbours in the multiplication table, swapped digits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from runtime.problems.worked import Quantity
from trainer.data.errors.formulas import Leaf, Operation, Part, leaves

MIXED = "The digits got mixed up."
LIKE = "6778960134"
"""For each digit, the one it is most easily mistaken for."""


class Slip(NamedTuple):
    value: Fraction
    hint: str
    """A sentence on what went wrong, without the right number; may be empty."""


def of_result(tree: Part, right: Quantity, quantities: Sequence[Quantity]) -> list[Slip]:
    """Wrong results of a calculation, the likeliest kinds first; all are positive and differ from the right one."""
    sums = isinstance(tree, Operation) and tree.sign in "+-"
    round_numbers = all(leaf.value(quantities) % 10 == 0 for _, leaf in leaves(tree))
    just_off = (right.value < 60 or sums) and not round_numbers
    found = [*_of_signs(tree, quantities), *_of_digits(right, just_off, zeros=not sums)]
    return [slip for slip in found if slip.value > 0 and slip.value != right.value]


def of_copying(number: Quantity) -> list[str]:
    """Misreadings of a number of at least two digits."""
    shown = number.shown
    digits = [place for place, sign in enumerate(shown) if sign.isdigit()]
    if "/" in shown or len(digits) < 2:
        return []
    found = [shown[:i] + shown[j] + shown[i] + shown[j + 1 :] for i, j in pairwise(digits) if j == i + 1]
    found += [shown[:i] + LIKE[int(shown[i])] + shown[i + 1 :] for i in digits]
    if "." not in shown:
        found += [shown[1:]] * shown.startswith("1") + [shown[:-1]] * shown.endswith("0")
    return [text for text in found if not _starts_wrong(text) and Fraction(text) not in (0, number.value)]


def _starts_wrong(text: str) -> bool:
    return not text or text[0] == "." or text[-1] == "." or (text[0] == "0" and len(text) > 1 and text[1] != ".")


def _of_signs(tree: Part, quantities: Sequence[Quantity]) -> Iterator[Slip]:
    """Slips in one operation on two numbers."""
    if not isinstance(tree, Operation) or not isinstance(tree.left, Leaf) or not isinstance(tree.right, Leaf):
        return
    left, right = tree.left.value(quantities), tree.right.value(quantities)
    whole = left.denominator == right.denominator == 1
    if tree.sign == "+" and whole:
        yield Slip(_without_carry(int(left), int(right)), "A carry got lost on the way.")
    if tree.sign == "-" and whole and left > right and (borrowed := _without_borrowing(int(left), int(right))) < left:
        yield Slip(borrowed, "Mind the borrowing: take the lower digit from the upper.")
    if tree.sign == "×" and whole and 1 < min(left, right) <= 12 and max(left, right) <= 100:
        small, large = sorted((left, right))
        yield Slip(large * (small + 1), f"{large * (small + 1)} is {large} × {small + 1}.")
        yield Slip(large * (small - 1), f"{large * (small - 1)} is {large} × {small - 1}." if small > 2 else "")
    if tree.sign == "/" and whole and left % right == 0:
        yield Slip(left / right + 1, f"Multiply back by {right} and you will see that it is too much.")
        yield Slip(left / right - 1, f"Multiply back by {right} and you will see that it is not enough.")


def _without_carry(left: int, right: int) -> Fraction:
    places = max(len(str(left)), len(str(right)))
    digits = [(left // 10**i + right // 10**i) % 10 * 10**i for i in range(places)]
    top = (left // 10 ** (places - 1) + right // 10 ** (places - 1)) * 10 ** (places - 1)
    return Fraction(sum(digits[:-1]) + top)


def _without_borrowing(left: int, right: int) -> Fraction:
    places = len(str(left))
    return Fraction(sum(abs(left // 10**i % 10 - right // 10**i % 10) * 10**i for i in range(places)))


def _of_digits(right: Quantity, just_off: bool, zeros: bool) -> Iterator[Slip]:
    """Slips that depend only on the result."""
    value = right.value
    unit = Fraction(1, 10 ** len(right.shown.partition(".")[2])) if "/" not in right.shown else Fraction(1)
    for off in (1, -1):
        if just_off:
            yield Slip(value + off * unit, "You are very close." if value > 12 * unit else "")
        if value > 20 * unit:
            yield Slip(value + off * 10 * unit, "Look at the tens again." if unit == 1 else "")
    if len(right.shown) > 2 and value.denominator == 1:
        yield from (Slip(Fraction(text), MIXED) for text in of_copying(right)[:1])
    if value.denominator > 1 and "/" not in right.shown:
        yield Slip(value * 10, "The decimal point has slipped.")
    if zeros and value % 10 == 0:
        yield Slip(value / 10, "Count the zeros again.")
        yield Slip(value * 10, "Count the zeros again.")
