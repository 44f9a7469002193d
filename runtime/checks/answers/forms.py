"""What an answer may be: a number with its unit, a time, a ratio, a range, a list, a formula, or words."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from runtime.checks.arithmetic.units import Measure


class Unreadable(ValueError):
    """A text is not of this form."""


@dataclass(frozen=True)
class Number:
    value: Fraction
    """In its unit; of a percentage, the share."""
    decimals: int = 0
    """Places behind the point of the value, if it is written as one decimal."""
    unit: Measure | None = None
    percent: bool = False
    scale: Fraction = Fraction(1)
    """Of a word that counts in dozens or millions; it is in the value too."""

    @property
    def size(self) -> Fraction:
        """The value in the smallest unit of its dimension."""
        return self.value * (self.unit.size if self.unit else 1)


@dataclass(frozen=True)
class Clock:
    minutes: int
    half: bool
    """Whether morning or afternoon is certain."""


@dataclass(frozen=True)
class Ratio:
    parts: tuple[Fraction, ...]


@dataclass(frozen=True)
class Span:
    """From one number to another: 5-6, 5 to 6."""

    low: Number
    high: Number


@dataclass(frozen=True)
class Listing:
    """Several answers; with brackets their order counts. An interval is a listing of its two ends."""

    items: tuple[Answer, ...]
    left: str = ""
    right: str = ""

    @property
    def is_ordered(self) -> bool:
        return self.left not in ("", "{")


@dataclass(frozen=True)
class Named:
    """x = 4. Words before the sign ("total = 4") are no name."""

    name: str
    value: Answer


@dataclass(frozen=True)
class Formula:
    text: str


@dataclass(frozen=True)
class Words:
    text: str
    """Lower case, without articles and quotation marks."""

    @property
    def has_digits(self) -> bool:
        return any(character.isdigit() for character in self.text)


Answer = Number | Clock | Ratio | Span | Listing | Named | Formula | Words
