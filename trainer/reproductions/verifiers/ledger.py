"""What each part of a reproduction cost, over all its starts."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.engines.base import Usage
from trainer.runs import ResultFile


@dataclass(frozen=True)
class Spent:
    """The cost of a part. Tokens are those of generating and scoring, not of training."""

    seconds: float = 0.0
    read: int = 0
    written: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.read + other.read, self.written + other.written)


class Ledger:
    """Costs by part, stored. A part that is read back adds next to nothing to what it cost when it was made; what a
    killed start spent is not counted."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        """`config` determines which runs share their costs."""
        self.results = ResultFile(folder, "costs", config)
        self._met: dict[str, None] = {}

    @contextmanager
    def part(self, name: str) -> Generator[Usage]:
        """Measure a part; its engine adds to the usage."""
        self._met[name] = None
        started, usage = time.monotonic(), Usage()
        yield usage
        self.results.add({
            "key": len(self.results.rows),
            "part": name,
            "seconds": time.monotonic() - started,
            "read": usage.prompt_tokens,
            "written": usage.completion_tokens,
        })  # fmt: skip

    @property
    def spent(self) -> dict[str, Spent]:
        """By part, of those that this process met, in their order."""
        found = dict.fromkeys(self._met, Spent())
        for row in self.results.rows.values():
            if row["part"] in found:
                found[row["part"]] += Spent(row["seconds"], row["read"], row["written"])
        return found
