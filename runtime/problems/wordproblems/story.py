"""A word problem while it is made: its numbers, its sentences, and the steps of its solution.

Things are whole numbers, money has whole cents, and there are at least two of everything counted, so that every noun is
plural. Otherwise `Senseless` is raised and the problem is made again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal, TypeVar

from runtime.problems.wordproblems.script import Move, Script
from runtime.problems.wordproblems.styles import Line, write
from runtime.problems.wordproblems.words import people, raised
from runtime.problems.worked import Quantity, Worked, fill, worked_out
from runtime.types import Problem

T = TypeVar("T")
LARGEST = 200_000
MOST_STEPS = 8


class Senseless(Exception):
    """The numbers make no sense in this problem."""


class Number(str):
    """A quantity of the problem. As text it is its slot, for use in sentences and formulas."""

    __slots__ = ("at", "value")
    at: int
    value: Fraction

    @property
    def whole(self) -> int:
        return int(self.value)


class Story:
    def __init__(self, rng: random.Random, theme: str, script: Script) -> None:
        self.rng, self.theme, self.script = rng, theme, script
        self.quantities: list[Quantity] = []
        self.sentences: list[str] = []
        self.lines: list[Line] = []
        self.moves: list[str] = []
        self.questions: Sequence[str] = ()
        self.sign = rng.random() < 0.5
        """Whether money is written with a dollar sign in the question."""
        self.hero, friend, third = people(rng, 3)
        self.names: dict[str, Any] = {
            "name": self.hero.name,
            "her": self.hero.hers,
            "friend": friend.name,
            "third": third.name,
        }
        """The values for the slots of a sentence, by name."""

    def __getitem__(self, name: str) -> Any:
        """The value of a name; with a dollar sign before it, as a sum of money."""
        return self.money(self.names[name[1:]]) if name.startswith("$") else self.names[name]

    def let(self, **names: Any) -> None:
        self.names.update(names)

    def choose(self, words: str) -> None:
        """Choose one of the script's `words` and store it under their name; of a table, store all its entries."""
        chosen = self.pick(self.script.words[words])
        self.let(**chosen if isinstance(chosen, dict) else {words: chosen})

    def play(self, *moves: str) -> None:
        """Play these moves of the script, one after another."""
        for name in moves:
            move = self.script.moves[name]
            for number, bounds in move.draw.items():
                self.names[number] = self.whole(*bounds)
            for number, bounds in move.cents.items():
                self.names[number] = self.cents(*bounds)
            for number, (of, low, high) in move.divisor.items():
                self.names[number] = self.divisor(self[of], low, high)
            if move.sentence:
                self.add_sentence(*move.sentence)
            if move.step:
                self.names[move.makes or name] = self.work(move)
            if move.ask:
                self.questions = move.ask

    def filled(self, text: str) -> str:
        """A text with its slots filled."""
        return text.format_map(self)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.random() * len(choices))]

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def between(self, low: int, high: int, step: int = 1) -> int:
        """A random number from low to high, inclusive, in steps."""
        return low + step * int(self.rng.random() * ((high - low) // step + 1))

    def given(self, value: Fraction | int, places: int = 0) -> Number:
        """A number given in the question. Raises Senseless for 1, as the nouns are plural."""
        if value == 1:
            raise Senseless
        return self._number(Quantity.model_construct(value=Fraction(value), formula="", places=places))

    def whole(self, low: int, high: int, step: int = 1) -> Number:
        """A given random whole number from low to high."""
        if high < low:
            raise Senseless
        return self.given(self.between(low, high, step))

    def cents(self, low: int, high: int, step: int = 5) -> Number:
        """A given random sum of money; the arguments are in cents."""
        return self.given(Fraction(self.between(low, high, step), 100), 2)

    def divisor(self, of: Number, low: int = 2, high: int = 12) -> Number:
        """A given random divisor of a number, with a quotient of at least 2. Raises Senseless if there is none."""
        value = of.whole
        found = [d for d in range(low, high + 1) if value % d == 0 and value // d > 1]
        if not found or of.value.denominator != 1:
            raise Senseless
        return self.given(self.pick(found))

    def money(self, number: str) -> str:
        return f"${number}" if self.sign else f"{number} dollars"

    def add_sentence(self, *variants: str) -> None:
        self.sentences.append(raised(self.filled(self.pick(variants))))

    def subject(self) -> str:
        """The hero's name, or the pronoun after the name was used."""
        return self.hero.she if self.sentences and self.chance(0.5) else self.hero.name

    def distract(self, variants: Sequence[str] = ()) -> None:
        """Sometimes add a sentence with a number that is not needed, after the first sentence; by default one of the
        script's."""
        if self.chance(0.22):
            number, place = self.whole(7, 48), self.between(1, len(self.sentences))
            self.sentences.insert(
                place, raised(self.filled(self.pick(variants or self.script.distract)).replace("@", number))
            )

    def finish(self, split: Literal["train", "dev", "test"]) -> Worked:
        """The problem with its question; the answer is the last computed quantity."""
        last = self.lines[-1]
        text = fill(" ".join([*self.sentences, raised(self.filled(self.pick(self.questions)))]), self.quantities)
        problem = Problem.model_construct(
            text=text, answer=self.quantities[last.made].shown, source="wordproblems", split=split, licence="CC0-1.0"
        )
        return Worked.model_construct(
            problem=problem,
            quantities=tuple(self.quantities),
            steps=write(self.rng, self.lines),
            answer=last.made,
            theme=self.theme,
            template=self.template,
            unit=last.unit,
        )

    @property
    def template(self) -> str:
        return "-".join(self.moves)

    def work(self, move: Move) -> Number:
        """Add a step with a formula; returns its quantity. Raises Senseless for a value that makes no sense."""
        formula, unit, label = map(self.filled, move.step)
        kind = self.filled(move.kind)
        blank = Quantity.model_construct(value=Fraction(0), formula=formula, places=2 if kind == "money" else 0)
        quantity = worked_out(blank, self.quantities)
        value = quantity.value
        fine = 1 if kind == "count" else 100
        if (
            (value * fine).denominator != 1
            or value <= 0
            or value == 1
            or value > LARGEST
            or len(self.lines) == MOST_STEPS
        ):
            raise Senseless
        number = self._number(quantity)
        step_sentence = tuple(self.filled(text) for text in move.step_sentence)
        self.lines.append(Line(number.at, formula, unit, label, step_sentence))
        return number

    def _number(self, quantity: Quantity) -> Number:
        number = Number(f"{{{len(self.quantities)}}}")
        number.at, number.value = len(self.quantities), quantity.value
        self.quantities.append(quantity)
        return number
