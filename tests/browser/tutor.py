"""A scripted model that makes one mistake, and a page served for a test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.engines.base import Completion, Sampling
from runtime.engines.scripted import ScriptedEngine
from runtime.types import Messages

WRONG_FIRST = ["Ann has 3 * 4 = 12 apples.", "She gives away 5, so 12 - 5 = 8 are left.", "The answer is 8."]
RIGHT = [
    "Ann has 3 * 4 = 12 apples.",
    r"She gives away 5, so 12 - 5 = 7 are left: \(\frac{7}{12}\).",
    "The answer is 7.",
]


class Tutor(ScriptedEngine):
    """Writes the wrong solution first, and the right one from any prefix it is given."""

    def __init__(self, delay: float = 0.0, first: list[str] | None = None) -> None:
        super().__init__(delay=delay)
        self.first = first or WRONG_FIRST

    def sample(
        self, requests: Iterable[Messages], sampling: Sampling, adapter: str | None = None, n: int = 1, **options: Any
    ) -> Iterator[list[Completion]]:
        """Independent solutions, for a critic or a vote, are right."""
        for _ in requests:
            yield [Completion("\n".join(RIGHT), "stop", 1, 1)] * n

    def _next(self, messages: Messages) -> str:
        prefix = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
        if not prefix:
            return "\n".join(self.first)
        *done, tail = prefix.split("\n")
        rest = RIGHT[len(done) :] or [""]
        return "\n".join([rest[0].removeprefix(tail) if rest[0].startswith(tail) else " are left.", *rest[1:]])


@dataclass
class Served:
    """A running page: its address, home folder, log, and Gradio's side of it."""

    address: str
    home: Path
    log: Any
    blocks: Any = None

    def labels(self) -> list[dict[str, Any]]:
        return list(self.log.db["labels"].rows)
