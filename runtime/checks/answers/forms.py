"""The forms of an answer: a number with its unit, a time, a ratio, a range, a list, a formula, or words."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from runtime.checks.arithmetic.units import Measure


class Unreadable(ValueError):
    """The text does not have this form."""


@dataclass(frozen=True)
class Number:
    value: Fraction
    """The value in its unit; for a percentage, the share."""
    decimals: int = 0
    """Number of decimal places, if it is written as a decimal."""
    unit: Measure | None = None
    percent: bool = False
    scale: Fraction = Fraction(1)
    """The factor of a word such as dozen or million; it is included in the value."""

    @property
    def size(self) -> Fraction:
        """The value in the smallest unit of its dimensions."""
        return self.value * (self.unit.size if self.unit else 1)


@dataclass(frozen=True)
class Clock:
    minutes: int
    half: bool
    """Whether it is known to be morning or afternoon."""


@dataclass(frozen=True)
class Ratio:
    parts: tuple[Fraction, ...]


@dataclass(frozen=True)
class Span:
    """A range of numbers: 5-6, 5 to 6."""

    low: Number
    high: Number


@dataclass(frozen=True)
class Listing:
    """Several answers; with brackets, they are ordered. An interval is a listing of its two ends."""

    items: tuple[Answer, ...]
    left: str = ""
    right: str = ""

    @property
    def is_ordered(self) -> bool:
        return self.left not in ("", "{")


@dataclass(frozen=True)
class Named:
    """An answer with a name: x = 4. Words before the sign ("total = 4") are not a name."""

    name: str
    value: Answer


@dataclass(frozen=True)
class Formula:
    text: str


@dataclass(frozen=True)
class Words:
    text: str
    """The text in lower case, without articles and quotation marks."""

    @property
    def has_digits(self) -> bool:
        return any(character.isdigit() for character in self.text)


Answer = Number | Clock | Ratio | Span | Listing | Named | Formula | Words
