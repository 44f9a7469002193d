"""Writes the steps of a solution in different styles: an equation in a sentence, before it, alone, or after a label.

Most solutions keep to one style, as a person does; some mix them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from runtime.problems.wordproblems.words import lowered, raised
from runtime.problems.worked import WorkedStep

MANNERS = (
    *("sentence",) * 5,
    *("before",) * 4,
    *("ordered",) * 4,
    *("unit",) * 3,
    *("label",) * 3,
    "short",
    "find",
    "find",
    "verb",
    "verb",
    "is",
)
WORDS = {
    "+": ("Adding", "Add"),
    "-": ("Subtracting", "Subtract"),
    "×": ("Multiplying", "Multiply"),
    "/": ("Dividing", "Divide"),
}


class Line(NamedTuple):
    """A step before its style is chosen. "@" in a sentence is replaced by the equation, or by the value after one."""

    made: int
    """Index of the quantity that it computes."""
    formula: str
    unit: str
    label: str
    """The quantity as a noun phrase: "the number of apples left"."""
    sentences: tuple[str, ...]


def write(rng: random.Random, lines: Sequence[Line]) -> tuple[WorkedStep, ...]:
    """The steps of a solution, in one style or a mixture."""
    manner = rng.choice(MANNERS) if rng.random() < 0.7 else ""
    steps = []
    for index, line in enumerate(lines):
        place = "first" if index == 0 else "last" if index == len(lines) - 1 else "middle"
        text = _line(rng, line, manner or rng.choice(MANNERS), place)
        steps.append(WorkedStep.model_construct(text=raised(text), makes=line.made))
    return tuple(steps)


def _line(rng: random.Random, line: Line, manner: str, place: str) -> str:
    equation, value = f"{{={line.made}}}", f"{{{line.made}}}"
    sentence = rng.choice(line.sentences)
    whole = sentence.replace("@", equation)
    match manner:
        case "sentence":
            return f"So {lowered(whole)}" if place == "last" and rng.random() < 0.4 else whole
        case "before":
            plain = place == "last" or sentence.startswith("That ")
            joint = ", so " if plain else rng.choice((", so ", ", which means that ", ": "))
            return f"{equation}{joint}{lowered(sentence.replace('@', value))}"
        case "ordered":
            return _ordered(rng, whole, place)
        case "unit":
            return f"{equation} {line.unit}".strip() + rng.choice(("", "."))
        case "label":
            return f"{line.label.removeprefix('the ')}: {equation}" + rng.choice(("", f" {line.unit}".rstrip()))
        case "find":
            openings = (
                f"to find {line.label}, we calculate ",
                f"for {line.label}, we get ",
                f"we work out {line.label}: ",
            )
            return f"{rng.choice(openings)}{equation}."
        case "verb":
            return _verb(rng, line, equation)
        case "is":
            return f"{line.label} is {equation}."
        case _:
            return equation


def _ordered(rng: random.Random, whole: str, place: str) -> str:
    openings = {
        "first": ("First, ", "To begin with, ", "We start here: "),
        "middle": ("Then ", "Next, ", "After that, "),
        "last": ("Finally, ", "So ", "Therefore, ", "In the end, "),
    }
    has_opening = whole.split(maxsplit=1)[0] in ("Now", "Then", "After", "With")
    return whole if has_opening else rng.choice(openings[place]) + lowered(whole)


def _verb(rng: random.Random, line: Line, equation: str) -> str:
    """A sentence with a verb for the operation: "adding gives 12 + 5 = 17 apples"."""
    signs = [sign for sign in WORDS if f" {sign} " in line.formula]
    if len(signs) != 1:
        return f"working this out gives {equation} {line.unit}".rstrip() + "."
    doing, do = WORDS[signs[0]]
    return rng.choice((f"{doing} gives {equation} {line.unit}".rstrip() + ".", f"{do}: {equation}."))
