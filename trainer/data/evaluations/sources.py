"""Attempts with the label of every step: fresh ones with and without an inserted error, and those of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from runtime.problems import wordproblems
from runtime.problems.labelled import LabelledTrajectory
from runtime.problems.worked import Worked
from trainer.data.evaluations.annotators import Labelled
from trainer.data.evaluations.labels import step_labels
from trainer.data.examples.attempts import right_attempt, wrong_attempt
from trainer.data.examples.verifier import outcome
from trainer.data.sources import read_attempts


@dataclass(frozen=True)
class Unusable:
    """An attempt that cannot be evaluated, and why."""

    attempt: LabelledTrajectory
    reason: str


def generated(count: int, seed: int, split: wordproblems.Split = "train") -> Iterator[Labelled | Unusable]:
    """Attempts at fresh problems, alternately right and wrong."""
    for number, worked in enumerate(islice(wordproblems.stream(seed, split), count)):
        yield known(wrong_attempt(worked, seed) if number % 2 else right_attempt(worked), worked)


def from_files(paths: Iterable[Path], limit: int | None = None) -> Iterator[Labelled | Unusable]:
    """The attempts of files in any format, of each file those of the first `limit` rows. Raises RowError."""
    return (known(attempt) for path in paths for attempt in read_attempts(path, limit))


def known(attempt: LabelledTrajectory, worked: Worked | None = None) -> Labelled | Unusable:
    """The attempt with its labels, if every step has one."""
    labels, correct = [label for label in step_labels(attempt) if label is not None], outcome(attempt)
    if not labels or len(labels) < len(attempt.steps):
        return Unusable(attempt, "not every step is labelled")
    if correct is None:
        return Unusable(attempt, "the outcome is unknown")
    if bool(correct) is not labels[-1]:
        return Unusable(attempt, "the last step's label is not the outcome")
    return Labelled(attempt, tuple(labels), bool(correct), worked)
