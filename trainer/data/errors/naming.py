"""A tutor's words for the numbers of a story: "24 clips", "$15", "20%", "the 24 clips from step 1"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property

from runtime.problems.worked import Worked, fill

NUMBER = re.compile(
    r"(?<![\w./])(\$\s?)?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+)(?![\d,]*\d|/\d)(\s?%|\s?percent\b)?"
)
_PLURAL = re.compile(r"\s([a-z]{2,}\s)?([a-z]{2,}(?:[^su\W\d_]s|ses|les)|people|children|feet|men|women|teeth)\b")
_NO_NOUN = re.compile(
    r"\b(?:more|less|fewer|times|has|is|was|as|does|plus|minus|of|in|on|at|for|and|or|to|from|per|each|every|costs|"
    r"weighs|gives|buys|sells|makes|eats|needs|the|his|her|its|their|this|that|by|with|than|left|these|"
    r"across|always|pass|unless)\b"
)
_UNITS = re.compile(r"\s(hours|days|years|weeks|months|minutes|seconds|miles|pounds|ounces|dollars|cents|inches)\b")
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"“$0-9])")
_EACH = re.compile(r"^[^.?!]*\b(?:each|every|per|apiece|an hour|a (?:day|week|month|year|piece))\b")
LONGEST_QUOTE = 110


def numbers(text: str) -> Iterator[tuple[Fraction, re.Match[str]]]:
    """The numbers of a text with their matches."""
    for match in NUMBER.finditer(text):
        yield Fraction(match[2].replace(",", "")), match


class Names:
    """The words for the quantities of one worked problem."""

    def __init__(self, worked: Worked) -> None:
        self._worked = worked

    @cached_property
    def sentences(self) -> list[str]:
        return [sentence.strip() for sentence in _SENTENCE.split(self._worked.problem.text) if sentence.strip()]

    @property
    def question(self) -> str | None:
        """The question of the problem, if it is short enough to quote."""
        asked = [sentence for sentence in self.sentences if sentence.endswith("?")]
        return asked[-1] if asked and len(asked[-1]) <= LONGEST_QUOTE else None

    def made_in(self, quantity: int) -> int | None:
        """Index of the step that computes a quantity."""
        return next((i for i, step in enumerate(self._worked.steps) if step.makes == quantity), None)

    def called(self, quantity: int) -> str:
        """A number with the noun after it, if any: "24 clips"."""
        number = self._worked.quantities[quantity]
        step = self.made_in(quantity)
        if step is not None:
            text = self._worked.steps[step].text
            slot = next((slot for slot in (f"{{={quantity}}}", f"{{{quantity}}}") if slot in text), None)
            return number.shown + (self._noun(text.partition(slot)[2]) if slot else "")
        for value, match in numbers(self._worked.problem.text):
            if value == number.value:
                if match[1] or match[3]:
                    return f"{'$' if match[1] else ''}{number.shown}{'%' if match[3] else ''}"
                return number.shown + self._noun(self._worked.problem.text[match.end() :])
        return number.shown

    @staticmethod
    def _noun(behind: str) -> str:
        unit = _UNITS.match(behind)
        if unit:
            return f" {unit[1]}"
        found = _PLURAL.match(behind)
        return "" if not found or _NO_NOUN.search(found[0]) else found[0].rstrip()

    def with_origin(self, quantity: int, step: int) -> str:
        """A number with the place where the student finds it: "the 24 clips from step 1"."""
        made = self.made_in(quantity)
        if made is None or made >= step:
            return self.called(quantity)
        where = "the step before" if made == step - 1 else f"step {made + 1}"
        return f"the {self.called(quantity)} from {where}"

    def quote(self, quantity: int) -> str | None:
        """The sentence of the problem with a given number, if it is short enough to quote."""
        value = self._worked.quantities[quantity].value
        if self._worked.quantities[quantity].formula:
            return None
        for sentence in self.sentences:
            if len(sentence) <= LONGEST_QUOTE and any(value == found for found, _ in numbers(sentence)):
                return sentence
        return None

    def is_for_each(self, quantity: int) -> bool:
        """Whether the problem gives a number per unit: "12 pencils each", "$5 per hour"."""
        if not self.is_given(quantity):
            return False
        text, value = self._worked.problem.text, self._worked.quantities[quantity].value
        places = [match.span() for found, match in numbers(text) if found == value]
        return any(_EACH.search(text[max(start - 25, 0) : end + 25]) for start, end in places)

    def is_given(self, quantity: int) -> bool:
        """Whether the problem contains a number in digits."""
        number = self._worked.quantities[quantity]
        found = {value for value, _ in numbers(self._worked.problem.text)}
        return not number.formula and number.value in found

    def equation(self, formula: str) -> str:
        """A formula with its numbers."""
        return fill(formula, self._worked.quantities)
