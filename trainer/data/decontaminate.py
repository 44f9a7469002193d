"""Overlaps of training data with test problems: the same text, or the same thirteen words in a row.

    report = decontaminate.find(training_texts, {"dev": [...], "test": [...]})
    clean = decontaminate.drop(rows, report)

Texts are compared in lower case, without punctuation and spaces; texts of fewer than thirteen words only as a whole.
Two problems from one template overlap only if thirteen words in a row, including numbers, are the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from runtime.problems.json_rows import Row, read_rows

T = TypeVar("T")

WINDOW = 13
"""Words in a row that do not repeat by chance."""
_WORD = re.compile(r"[\u4e00-\u9fff]|[^\W_\u4e00-\u9fff]+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Overlap:
    """A training text that equals a held-out one or shares a run of words with it. Rows are counted from 0."""

    row: int
    held_out: str
    """Name of the held-out set."""
    held_out_row: int
    how: Literal["same", "window"]
    words: str
    """The common words."""


@dataclass(frozen=True)
class Report:
    texts: int
    held_out: dict[str, int]
    overlaps: tuple[Overlap, ...]
    """At most one per training text and held-out set."""

    @property
    def rows(self) -> frozenset[int]:
        """The training texts to drop."""
        return frozenset(overlap.row for overlap in self.overlaps)

    def summary(self) -> dict[str, Any]:
        """The report as one JSON object."""
        counts = Counter((overlap.held_out, overlap.how) for overlap in self.overlaps)
        return {
            "texts": self.texts,
            "overlapping": len(self.rows),
            "window": WINDOW,
            "held_out": {
                name: {"texts": texts, **{how: counts[name, how] for how in ("same", "window")}}
                for name, texts in self.held_out.items()
            },
            "overlaps": [asdict(overlap) for overlap in self.overlaps],
        }


def find(texts: Iterable[str], held_out: Mapping[str, Iterable[str]]) -> Report:
    """Compare training texts with every held-out set. Each text is read once; memory grows with the held-out sets."""
    sets = {name: list(rows) for name, rows in held_out.items()}
    places = {name: _places(rows) for name, rows in sets.items()}
    overlaps, row = [], -1
    for row, text in enumerate(texts):
        keys = _keys(words(text))
        for name, known in places.items():
            if key := next((key for key in keys if key in known), None):
                how, common = key
                overlaps.append(Overlap(row, name, known[key], how, " ".join(common)))
    return Report(row + 1, {name: len(rows) for name, rows in sets.items()}, tuple(overlaps))


Key = tuple[Literal["same", "window"], tuple[str, ...]]


def _keys(words: tuple[str, ...]) -> list[Key]:
    """Keys of a text: its whole, and every run of thirteen words."""
    return [("same", words), *(("window", window) for window in windows(words))] if words else []


def _places(rows: Iterable[str]) -> dict[Key, int]:
    """The first row of a held-out set by key."""
    found: dict[Key, int] = {}
    for place, text in enumerate(rows):
        for key in _keys(words(text)):
            found.setdefault(key, place)
    return found


def drop(rows: Sequence[T], report: Report) -> list[T]:
    """The rows without overlaps. Raises ValueError if the report is about other rows."""
    if len(rows) != report.texts:
        raise ValueError(f"the report is of {report.texts} texts, not of these {len(rows)} rows")
    return [row for place, row in enumerate(rows) if place not in report.rows]


def without(held_out: Iterable[Path], rows: Sequence[T], text: Callable[[T], str]) -> list[T]:
    """The rows whose problem, found by `text`, does not overlap with a held-out file. Raises RowError."""
    others = {str(path): read_texts(path) for path in held_out}
    return drop(rows, find(map(text, rows), others))


def words(text: str) -> tuple[str, ...]:
    """The words of a text, normalised; each Chinese character is a word."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def read_texts(path: Path) -> list[str]:
    """The problem of each JSON line: `question`, `text`, or `problem` (text, or an object with `text`). Raises RowError
    for a line without one, because an uncompared row may overlap."""
    return [text for _, text in read_rows(path, _text, "What is held out needs a problem in every row.")]


def _text(row: Row) -> str:
    found = next((row[name] for name in ("question", "problem", "text") if row.get(name)), None)
    found = found.get("text") if isinstance(found, dict) else found
    if not isinstance(found, str):
        raise ValueError("there is no `question`, `problem` or `text`")
    return found


def windows(words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """Every run of thirteen words; none for a shorter text."""
    return (words[start : start + WINDOW] for start in range(len(words) - WINDOW + 1))
