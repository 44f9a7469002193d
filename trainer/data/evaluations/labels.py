"""The label of every step of an attempt, as far as it can be known."""

from __future__ import annotations

from runtime.problems.labelled import LabelledTrajectory
from trainer.data.evaluations.consequences import carried_on
from trainer.data.examples import verifier


def step_labels(attempt: LabelledTrajectory) -> list[bool | None]:
    """Whether each step is right; None where that is not known. Where the labels end at the first error, later steps
    that go on from its number are wrong too."""
    given = verifier.step_labels(attempt, after_error="labelled")
    labels = [None if value is None else value > 0 for value in given]
    if False not in labels:
        return labels
    sources = carried_on(attempt, labels)
    return [
        False if label is None and source is not None else label for label, source in zip(labels, sources, strict=True)
    ]
