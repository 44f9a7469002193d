"""What both loops share: batches, the learning rate, and the record of progress."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.files import append, write_whole
from trainer.data.rows import Tokens

FILE = "progress.jsonl"
SCORES = "scores"
"""In the outcomes of a step: the score of each validation attempt, or the margin of each validation pair."""


@dataclass(frozen=True)
class Progress:
    """One training step."""

    step: int
    steps: int
    loss: float
    examples: int
    tokens: int
    """Tokens of these examples without padding."""
    seconds: float
    """Duration of the step."""
    elapsed: float
    """Seconds of the whole run so far, over all its parts."""
    dev: float | None = None
    """Mean loss of validation rows, if computed at this step."""
    outcomes: dict[str, Any] | None = None
    """How well a verifier predicts the outcomes of the validation attempts then (`trainer.evaluation.meta`), or how
    validation pairs are judged (`trainer.training.preference`), and the `SCORES` of these; or what a step of PPO found
    (`trainer.training.ppo_run`)."""


Report = Callable[[Progress], None]
"""A callback for every step."""


def batches(examples: Sequence[Tokens], size: int, epochs: int, seed: int) -> list[list[int]]:
    """Indexes of the examples of each step: similar lengths, so that little is padded, in random order. All epochs have
    the same batches, so that prefixes can be kept."""
    rng, order = random.Random(seed), list(range(len(examples)))
    rng.shuffle(order)
    made: list[list[int]] = []
    for start in range(0, len(order), 16 * size):
        pool = sorted(order[start : start + 16 * size], key=lambda i: examples[i].length)
        made += [pool[i : i + size] for i in range(0, len(pool), size)]
    return [batch for _ in range(epochs) for batch in rng.sample(made, len(made))]


def share_of_rate(done: int, steps: int, warm_up: int, time_share: float = 0.0) -> float:
    """The learning rate's factor at the step after `done` ones: linear warm-up, then a cosine to zero at the last step
    or the time limit, whichever comes first."""
    warm = min(1.0, (done + 1) / max(1, warm_up))
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, max(done / steps, time_share))))


class Record:
    """The progress of a run in its folder, one JSON line per step."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self) -> list[Progress]:
        if not self.path.exists():
            return []
        *lines, _unfinished = self.path.read_text("utf-8").split("\n")
        return [Progress(**json.loads(line)) for line in lines]

    def cut(self, done: int) -> list[Progress]:
        """Drop the steps after a checkpoint, which are repeated; return the others."""
        kept = self.read()[:done]
        write_whole(self.path, map(_line, kept))
        return kept

    def add(self, progress: Progress) -> None:
        append(self.path, _line(progress))


def _line(progress: Progress) -> str:
    return json.dumps(asdict(progress)) + "\n"
