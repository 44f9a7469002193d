"""Training examples for the critic: labelled attempts from every source, half of them right.

    python -m trainer examples --generated 4000 --gsm8k problems.jsonl --judged first_error.jsonl --out FOLDER

Worked problems, generated or from GSM8K, alternately give a right attempt and one with an inserted error: a critic
trained mostly on wrong attempts accepts nothing. Attempts judged by people are used as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from runtime.problems.json_rows import some
from runtime.problems.labelled import LabelledTrajectory, labelled
from runtime.prompts.critic_turn import judged, put_to_critic, verdict_words
from runtime.text import language_of
from trainer.data.examples.attempts import divided, fresh, gsm8k, mixed, recorded, write_attempts
from trainer.data.first_error import is_sound
from trainer.data.rows import Row, write_rows
from trainer.data.sources import read_graded, read_judged

EXPLANATION = 0.5
"""The weight of a whole explanation in the loss; a verdict has 1."""


def critic_row(attempt: LabelledTrajectory) -> Row:
    """The critic's turn on an attempt: a verdict on each step up to the first wrong one, and its explanation."""
    right, wrong = verdict_words(language_of(attempt.problem.text))
    steps = judged(attempt.steps)
    end = len(steps) if attempt.first_error is None else attempt.first_error + 1
    reply: list[tuple[str, float]] = []
    for number, step in enumerate(steps[:end]):
        reply.append((f"]\n{step} [" if number else f"{step} [", 0.0))
        reply.append((wrong if number == attempt.first_error else right, 1.0))
    explained = attempt.first_error is not None and attempt.explanation
    if explained:
        words = f"] {attempt.explanation}"
        reply.append((words, EXPLANATION / max(1, len(words) // 4)))
    messages = put_to_critic(attempt.problem)
    return Row(messages=tuple(messages), reply=tuple(reply), ends=bool(explained), source=attempt.problem.source)


def people(path: Path) -> Iterator[LabelledTrajectory]:
    """Wrong attempts judged by people, and their right prefixes. Reference solutions are left out: they are in another
    style, and a critic that can use style as a cue learns nothing else (trainer/LOG.md)."""
    return (
        attempt for judged in read_judged(path) if judged.first_error is not None for attempt in _with_begun(judged)
    )


def collected(path: Path) -> Iterator[LabelledTrajectory]:
    """Attempts judged in the app, including right ones, as all are in one style."""
    for attempt in read_judged(path):
        if attempt.first_error is None:
            yield attempt
        else:
            yield from _with_begun(attempt)


def _with_begun(attempt: LabelledTrajectory) -> Iterator[LabelledTrajectory]:
    """A wrong attempt and its prefix before the error; empty if only an unjudged line is wrong."""
    place = attempt.first_error
    if place is not None and place < len(judged(attempt.steps)):
        yield attempt
        if place > 0:
            yield labelled(attempt.problem, attempt.steps[:place], None)


def rollouts(path: Path) -> Iterator[LabelledTrajectory]:
    """Right rollouts, which have the style of the model to be judged (`trainer rollouts`)."""
    return (labelled(one.problem, one.steps, None, one.answer) for one in read_graded(path) if is_sound(one))


@dataclass(frozen=True)
class Sources:
    """Sources of labelled attempts."""

    generated: int = 0
    gsm8k: Path | None = None
    gsm8k_limit: int | None = None
    judged: Path | None = None
    records: Path | None = None
    rollouts: Path | None = None
    collected: Path | None = None
    """Attempts judged in the app."""
    held_out: tuple[Path, ...] = ()
    """Files of held-out problems."""
    seed: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """All files to read."""
        learned = (self.gsm8k, self.judged, self.records, self.rollouts, self.collected)
        return (*(file for file in learned if file), *self.held_out)


def write_examples(sources: Sources, folder: Path) -> dict[str, Any]:
    """Write `critic.jsonl` (training rows), `dev.jsonl` (validation rows) and `fit.jsonl` (the attempts behind the
    validation rows, for `calibrate`); return counts by source. Raises RowError, also if no training row is left."""
    division = divided(mixed(_read(sources), sources.seed), sources.held_out)
    write_rows(folder / "critic.jsonl", map(critic_row, division.learned))
    write_rows(folder / "dev.jsonl", map(critic_row, division.kept))
    write_attempts(folder / "fit.jsonl", division.kept)
    return division.summary()


def _read(sources: Sources) -> Iterator[Iterable[LabelledTrajectory]]:
    if sources.generated:
        yield fresh(sources.generated, sources.seed)
    files = (
        (sources.gsm8k, partial(gsm8k, seed=sources.seed, limit=sources.gsm8k_limit)),
        (sources.judged, people),
        (sources.records, recorded),
        (sources.rollouts, rollouts),
        (sources.collected, collected),
    )
    yield from (some(path, read(path), "attempts to learn from") for path, read in files if path)
