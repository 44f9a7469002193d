"""Generated word problems as JSON lines, by the million, on several processes; and statistics of such a file.

Lines are ordered by number, so an interrupted file is continued and ends up the same as one written at once.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from runtime.errors import SoliloquyError
from runtime.problems.json_rows import read_rows
from runtime.problems.wordproblems import Split, generate

T = TypeVar("T")

CHUNK = 500
"""Problems per task of a process."""
BEGINNING = b'{"question": '
SEARCHED = 1 << 16
"""The last line must begin within this many bytes of the end of the file."""


class ProblemsError(SoliloquyError):
    """A file cannot be continued or read. The message gives the reason."""


@dataclass(frozen=True)
class Report:
    """Statistics of a file of problems."""

    count: int
    duplicates: int
    """Problems with a repeated text."""
    themes: dict[str, float]
    """Share of each theme, the largest first; the same for templates and steps."""
    templates: dict[str, float]
    steps: dict[int, float]


def row(number: int, seed: int, split: Split) -> dict[str, Any]:
    """One problem as a JSON row."""
    worked = generate(seed, number, split)
    return {
        "question": worked.problem.text,
        "solution": worked.lines,
        "answer": worked.result,
        "unit": worked.unit,
        "theme": worked.theme,
        "template": worked.template,
        "split": split,
        "id": worked.problem.id,
        "seed": seed,
        "number": number,
    }


def write(path: Path, count: int, seed: int, split: Split, processes: int = 1) -> Iterator[int]:
    """Write the missing ones of the problems 0 to `count`; yields the number written so far from time to time. Raises
    ProblemsError for a file of other problems."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = _repaired(path, seed, split)
    yield done
    starts = [(start, min(start + CHUNK, count)) for start in range(done, count, CHUNK)]
    with path.open("a", encoding="utf-8") as file:
        for text in _texts(starts, partial(_lines, seed=seed, split=split), processes):
            file.write(text)
            file.flush()
            done = min(done + CHUNK, count)
            yield done


def report(path: Path) -> Report:
    """Statistics of a whole file. Raises RowError."""
    counted: tuple[Counter[Any], ...] = Counter(), Counter(), Counter(), Counter()
    for _, facts in read_rows(path, _facts, "Generate the problems again."):
        for counter, fact in zip(counted, facts, strict=True):
            counter[fact] += 1
    themes, templates, steps, seen = counted
    count = themes.total()
    return Report(count, count - len(seen), _shares(themes), _shares(templates), dict(sorted(_shares(steps).items())))


def _facts(row: dict[str, Any]) -> tuple[str, str, int, str]:
    if missing := [name for name in ("theme", "template", "solution", "id") if name not in row]:
        raise ValueError(f"`{missing[0]}` is missing")
    return row["theme"], row["template"], len(row["solution"]), row["id"]


def _shares(counted: Counter[Any]) -> dict[Any, float]:
    return {key: number / counted.total() for key, number in counted.most_common()}


def _repaired(path: Path, seed: int, split: Split) -> int:
    """The number of complete lines, after dropping a truncated one."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - SEARCHED))
        end = file.read()
    whole = end[: end.rfind(b"\n") + 1]
    if not whole and end[: len(BEGINNING)] == BEGINNING[: len(end)]:
        os.truncate(path, 0)
        return 0
    try:
        found = json.loads(whole.split(b"\n")[-2])
        number, made_by = found["number"], (found["seed"], found["split"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ProblemsError(f"{path} holds something other than problems. Name another file.") from error
    if made_by != (seed, split):
        raise ProblemsError(f"{path} holds problems of seed {made_by[0]}, split {made_by[1]}. Name another file.")
    os.truncate(path, size - len(end) + len(whole))
    return number + 1


def _texts(starts: list[tuple[int, int]], make: partial[str], processes: int) -> Iterator[str]:
    """The text of each chunk, in order."""
    if processes == 1 or len(starts) < 2:
        yield from map(make, starts)
        return
    with _without_interrupts(lambda: get_context("spawn").Pool(min(processes, len(starts)))) as pool:
        yield from pool.imap(make, starts)


def _without_interrupts(start: Callable[[], T]) -> T:
    """Start processes that ignore Ctrl+C; this process ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return start()
    finally:
        signal.signal(signal.SIGINT, before)


def _lines(numbers: tuple[int, int], seed: int, split: Split) -> str:
    return "".join(json.dumps(row(number, seed, split), ensure_ascii=False) + "\n" for number in range(*numbers))
