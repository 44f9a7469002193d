"""Does a test problem stand in the training data? The same text, or the same thirteen words in a row.

    report = decontaminate.find(training_texts, {"dev": [...], "test": [...]})
    clean = decontaminate.drop(rows, report)

Texts are compared in lower case, without marks and spaces; a text of fewer than thirteen words only as a whole. Two
problems that were made from one template overlap only where thirteen words in a row, numbers included, are the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from runtime.problems.json_rows import Row, read_rows
from runtime.types import content_hash

T = TypeVar("T")

WINDOW = 13
"""Words in a row that nobody writes twice by chance."""
_WORD = re.compile(r"[\u4e00-\u9fff]|[^\W_\u4e00-\u9fff]+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Overlap:
    """A training text that is, or shares a run of words with, a held-out one. Rows are counted from 0."""

    row: int
    held_out: str
    """Name of the held-out set."""
    held_out_row: int
    how: Literal["same", "window"]
    words: str
    """What both say."""


@dataclass(frozen=True)
class Report:
    texts: int
    held_out: dict[str, int]
    overlaps: tuple[Overlap, ...]
    """At most one for each training text and held-out set."""

    @property
    def rows(self) -> frozenset[int]:
        """The training texts that must go."""
        return frozenset(overlap.row for overlap in self.overlaps)

    def summary(self) -> dict[str, Any]:
        """The report as one JSON object."""
        by_set = {name: [o for o in self.overlaps if o.held_out == name] for name in self.held_out}
        found = {
            name: {"texts": self.held_out[name], **{how: sum(o.how == how for o in rows) for how in ("same", "window")}}
            for name, rows in by_set.items()
        }
        return {
            "texts": self.texts,
            "overlapping": len(self.rows),
            "window": WINDOW,
            "held_out": found,
            "overlaps": [asdict(overlap) for overlap in self.overlaps],
        }


def find(texts: Iterable[str], held_out: Mapping[str, Iterable[str]]) -> Report:
    """Compare training texts with every held-out set. Each text is read once; memory grows with the held-out sets."""
    sets = {name: _Index(rows) for name, rows in held_out.items()}
    overlaps, row = [], -1
    for row, text in enumerate(texts):
        said = words(text)
        for name, index in sets.items():
            if found := index.find(said):
                place, how, common = found
                overlaps.append(Overlap(row, name, place, how, common))
    return Report(row + 1, {name: index.texts for name, index in sets.items()}, tuple(overlaps))


def drop(rows: Sequence[T], report: Report) -> list[T]:
    """The rows without those that overlap. Raises ValueError if the report is of other rows."""
    if len(rows) != report.texts:
        raise ValueError(f"the report is of {report.texts} texts, not of these {len(rows)} rows")
    return [row for place, row in enumerate(rows) if place not in report.rows]


def words(text: str) -> tuple[str, ...]:
    """The words of a text, normalised; each Chinese character is one."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def read_texts(path: Path) -> list[str]:
    """The problem of each JSON line: `question`, `text`, or `problem`, a text or an object with `text`. Raises
    RowError for a line without one, because what was not compared is not clean."""
    return [text for _, text in read_rows(path, _text, "What is held out needs a problem in every row.")]


def _text(row: Row) -> str:
    found = next((row[name] for name in ("question", "problem", "text") if row.get(name)), None)
    found = found.get("text") if isinstance(found, dict) else found
    if not isinstance(found, str):
        raise ValueError("there is no `question`, `problem` or `text`")
    return found


class _Index:
    """The texts of a held-out set by their hash, and by every run of thirteen words."""

    def __init__(self, rows: Iterable[str]) -> None:
        self.texts = 0
        self._whole: dict[str, int] = {}
        self._windows: dict[tuple[str, ...], int] = {}
        for place, text in enumerate(rows):
            said = words(text)
            self.texts += 1
            self._whole.setdefault(content_hash(*said), place)
            for window in windows(said):
                self._windows.setdefault(window, place)

    def find(self, said: tuple[str, ...]) -> tuple[int, Literal["same", "window"], str] | None:
        if said and (place := self._whole.get(content_hash(*said))) is not None:
            return place, "same", " ".join(said)
        for window in windows(said):
            if (place := self._windows.get(window)) is not None:
                return place, "window", " ".join(window)
        return None


def windows(said: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """Every run of thirteen words; none of a shorter text."""
    return (said[start : start + WINDOW] for start in range(len(said) - WINDOW + 1))
