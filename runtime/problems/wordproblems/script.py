"""Reads the TOML files in `scripts`, which have the moves and texts of the problems."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from runtime.types import Value

FOLDER = Path(__file__).parent / "scripts"


class Move(Value):
    """A move of a problem: draws numbers, adds a sentence, a step or a question; each part is optional.

    In every text, {x} is replaced by the value called x and {$x} by that sum of money; in `step_sentence`, @ is
    replaced by the equation. One variant of each sentence is chosen.
    """

    draw: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Whole numbers to draw: smallest, largest, step."""
    cents: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Sums of money to draw, in the same way, in cents."""
    divisor: dict[str, tuple[str, int, int]] = Field(default_factory=dict)
    """Divisors to draw: of which number, smallest, largest."""
    sentence: tuple[str, ...] = ()
    step: tuple[str, str, str] | tuple[()] = ()
    """The formula of a number, its unit, and a noun phrase for it: "the number of apples left"."""
    makes: str = ""
    """The name of that number; if empty, the name of the move."""
    kind: str = "count"
    """count, or money or measure, which need not be whole."""
    step_sentence: tuple[str, ...] = ()
    """The step as a sentence, in variants."""
    ask: tuple[str, ...] = ()


class Script(NamedTuple):
    moves: dict[str, Move]
    words: dict[str, list[Any]]
    """Texts, or tables of texts and numbers that belong together."""
    distract: tuple[str, ...]
    """Sentences with a number that is not needed, as @."""


@cache
def read(name: str) -> Script:
    raw = load(name)
    words, distract = raw.pop("words", {}), tuple(raw.pop("distract", ()))
    return Script({move: Move.model_validate(fields) for move, fields in raw.items()}, words, distract)


def load(name: str) -> dict[str, Any]:
    """The tables of a file."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
