"""What is known of every step of an attempt, and of its outcome."""

from __future__ import annotations

from runtime.problems.labelled import known_steps
from runtime.types import LabelledTrajectory
from trainer.data.evaluations.consequences import carried_on


def step_labels(attempt: LabelledTrajectory) -> list[bool | None]:
    """Whether each step is right; None where that is not known. Where the labels end at the first error, later steps
    that go on from its number are wrong too."""
    known: list[bool | None] = [*known_steps(attempt)]
    labels = known + [None] * (len(attempt.steps) - len(known))
    hard = {label.step: label.hard for label in attempt.labels if label.by != "critic"}
    labels = [hard.get(place) if label is None else label for place, label in enumerate(labels)]
    if False not in labels:
        return labels
    sources = carried_on(attempt, labels)
    return [
        False if label is None and source is not None else label for label, source in zip(labels, sources, strict=True)
    ]


def outcome(attempt: LabelledTrajectory) -> bool | None:
    """Whether the answer is right; where that is not stated, the label of the last step (as in Math-Shepherd)."""
    if attempt.correct is not None:
        return attempt.correct
    labels = step_labels(attempt)
    return labels[-1] if labels else None
