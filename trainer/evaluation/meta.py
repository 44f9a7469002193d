"""Meta-evaluation (MATH-Minos, arXiv 2406.14024): how well a verifier predicts the outcomes of a fixed set of attempts,
at each checkpoint of its training. No generator is involved, so the curves of two trainings can be compared.

What the published code calls F1 is the micro-average over both classes, which is the accuracy. The macro-average and
the area under the ROC curve do not reward guessing the more frequent outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.types import Value
from trainer.statistics import auc, f1

THRESHOLD = 0.5
"""Score from which an attempt is predicted to be right."""


class MetaEvaluation(Value):
    """Figures of one checkpoint."""

    n: int
    accuracy: float
    macro_f1: float
    auc: float | None
    """None if all attempts have the same outcome."""


Curve = Mapping[int, MetaEvaluation]
"""The figures by training step."""


def meta_evaluation(scores: Sequence[float], outcomes: Sequence[bool]) -> MetaEvaluation:
    """Figures of scores (probabilities that an attempt is right) against the outcomes, in the same order. Raises
    ValueError without attempts."""
    if not outcomes:
        raise ValueError("a meta-evaluation needs attempts with known outcomes")
    predicted = [score >= THRESHOLD for score in scores]
    hits = sum(a is b for a, b in zip(outcomes, predicted, strict=True))
    return MetaEvaluation(
        n=len(outcomes),
        accuracy=hits / len(outcomes),
        macro_f1=(f1(outcomes, predicted, True) + f1(outcomes, predicted, False)) / 2,
        auc=auc(scores, outcomes) if len(set(outcomes)) == 2 else None,
    )


def curve_of(scores: Mapping[int, Sequence[float]], outcomes: Sequence[bool]) -> Curve:
    """The curve of a training from the scores at each of its checkpoints."""
    return {step: meta_evaluation(scores[step], outcomes) for step in sorted(scores)}


def steps_until(curve: Curve, accuracy: float) -> int | None:
    """The first checkpoint with at least this accuracy; None if it is never reached."""
    return next((step for step in sorted(curve) if curve[step].accuracy >= accuracy), None)
