"""What both loops share: which rows each step reads, how fast it learns, and what is written down of it."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from runtime.files import append, write_whole
from trainer.data.rows import Example

FILE = "progress.jsonl"


@dataclass(frozen=True)
class Progress:
    """One step of tuning."""

    step: int
    steps: int
    loss: float
    examples: int
    tokens: int
    """Of these examples, padding left out."""
    seconds: float
    """What the step took."""
    elapsed: float
    """Seconds of the whole run up to here, over all its stretches."""
    dev: float | None = None
    """Mean loss of rows that nothing is learned from, where it was looked at."""


Report = Callable[[Progress], None]
"""Hears of every step."""


def batches(examples: Sequence[Example], size: int, epochs: int, seed: int) -> list[list[int]]:
    """Which examples each step reads: neighbours in length, so that little is padded, in random order. The batches of
    an epoch are those of every other, so that what was read for one can be kept."""
    rng, order = random.Random(seed), list(range(len(examples)))
    rng.shuffle(order)
    made: list[list[int]] = []
    for start in range(0, len(order), 16 * size):
        pool = sorted(order[start : start + 16 * size], key=lambda i: examples[i].length)
        made += [pool[i : i + size] for i in range(0, len(pool), size)]
    return [batch for _ in range(epochs) for batch in rng.sample(made, len(made))]


def share_of_rate(done: int, steps: int, warm_up: int, time_share: float = 0.0) -> float:
    """The share of the learning rate that the step after `done` ones learns with: a linear warm-up, then a cosine to
    zero. It is at zero when the steps or the time are used up, whichever comes first."""
    warm = min(1.0, (done + 1) / max(1, warm_up))
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, max(done / steps, time_share))))


class Record:
    """The progress of a run, a line a step, in its folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self) -> list[Progress]:
        if not self.path.exists():
            return []
        *lines, _unfinished = self.path.read_text("utf-8").split("\n")
        return [Progress(**json.loads(line)) for line in lines]

    def cut(self, done: int) -> list[Progress]:
        """Forget the steps after a checkpoint, which are made again; returns those before it."""
        kept = self.read()[:done]
        write_whole(self.path, map(_line, kept))
        return kept

    def add(self, progress: Progress) -> None:
        append(self.path, _line(progress))


def _line(progress: Progress) -> str:
    return json.dumps(asdict(progress)) + "\n"
