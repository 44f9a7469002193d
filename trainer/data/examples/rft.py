"""Rejection sampling fine-tuning (RFT, arXiv 2308.01825): an actor learns its own right solutions, each different one
once. The baseline that needs neither a reward model nor pairs.

    python -m trainer rft --problems problems.jsonl --n 8 --out FOLDER
    python -m trainer sft trainer/recipes/sft/actor-bench.yaml --data FOLDER
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from runtime.problems.division import kept_apart
from runtime.problems.labelled import LabelledTrajectory
from trainer.data.examples.actor import solution_row
from trainer.data.first_error import first_false
from trainer.data.rows import write_rows


def write_right(folder: Path, attempts: Sequence[LabelledTrajectory], most: int) -> dict[str, int]:
    """Write `actor.jsonl` (training rows) and `actor-dev.jsonl` (those of other problems); return counts. Of each
    problem the first `most` solutions are taken."""
    right = [attempt for attempt in attempts if attempt.correct and attempt.steps and attempt.answer]
    sound = [attempt for attempt in right if first_false(attempt) is None]
    chosen = _different(sound, most)
    learned, apart = ([a for a in chosen if kept_apart(a.problem) is side] for side in (False, True))
    for rows, name in ((learned, "actor"), (apart, "actor-dev")):
        write_rows(folder / f"{name}.jsonl", map(solution_row, rows))
    return {
        "finished": len(attempts),
        "right": len(right),
        "without_a_false_equation": len(sound),
        "different": len({(attempt.problem.text, attempt.steps) for attempt in sound}),
        "problems": len({attempt.problem.text for attempt in chosen}),
        "rows": len(learned),
        "kept_apart": len(apart),
    }


def _different(attempts: Iterable[LabelledTrajectory], most: int) -> list[LabelledTrajectory]:
    """The first `most` different solutions of each problem."""
    found: dict[str, dict[tuple[str, ...], LabelledTrajectory]] = defaultdict(dict)
    for attempt in attempts:
        known = found[attempt.problem.text]
        if len(known) < most:
            known.setdefault(attempt.steps, attempt)
    return [attempt for known in found.values() for attempt in known.values()]
