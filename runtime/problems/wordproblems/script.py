"""What stories are told with, read from the TOML files in `scripts`: moves, and words to choose from."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from runtime.types import Value

FOLDER = Path(__file__).parent / "scripts"


class Move(Value):
    """One turn of a story: numbers are drawn, a sentence is told, a step is worked out, a question is asked, each of
    them only where the move has it.

    In every text {x} stands for what the story calls x and {$x} for that sum of money; in `says`, @ stands for the
    equation. Of the variants of a sentence the story picks one.
    """

    draw: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Whole numbers: from, to, in steps of."""
    cents: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Sums of money, likewise."""
    divisor: dict[str, tuple[str, int, int]] = Field(default_factory=dict)
    """Numbers that divide that one: from, to."""
    tell: tuple[str, ...] = ()
    step: tuple[str, str, str] | tuple[()] = ()
    """The formula of a number, its unit, and what it is: "the number of apples left"."""
    makes: str = ""
    """How the story calls that number; if empty, as the move."""
    kind: str = "count"
    """Or money or measure, which need not be whole."""
    says: tuple[str, ...] = ()
    """The step in a sentence."""
    ask: tuple[str, ...] = ()


class Script(NamedTuple):
    moves: dict[str, Move]
    words: dict[str, list[Any]]
    """Texts, or tables of texts and numbers that go together."""
    distract: tuple[str, ...]
    """Sentences in which @ is a number that is not needed."""


@cache
def read(name: str) -> Script:
    raw = load(name)
    words, distract = raw.pop("words", {}), tuple(raw.pop("distract", ()))
    return Script({move: Move.model_validate(fields) for move, fields in raw.items()}, words, distract)


def load(name: str) -> dict[str, Any]:
    """The tables of a file."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
