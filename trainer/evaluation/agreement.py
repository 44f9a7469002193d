"""Keeps the labelled attempts on whose first error a second judge agrees.

    python -m trainer agree --trajectories labels.jsonl --judge critic --out agreed.jsonl

Labels by rollouts and labels by a judge make different mistakes, so half of the rows, those on which both agree, taught
a verifier more than all of them (arXiv 2501.07301). Arithmetic is the stricter judge: it finds only false equations,
and finding none is agreement only with an attempt without an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from runtime.critic.aggregation import Aggregation
from runtime.critic.critic import UNTRAINED, first_error
from runtime.critic.evidence import examine
from runtime.problems.labelled import LabelledTrajectory
from trainer.data.first_error import first_false
from trainer.evaluation.evidence import JudgedEvidence

Judge = Literal["arithmetic", "critic"]
Place = int | None
"""Index of a first error; None: there is none."""
Opinions = Mapping[str, Place]
"""The judge's first error by the key of the attempt; without an entry it could not judge."""

AGREED = ("agreed: no error", "agreed: same first error")


def by_arithmetic(attempts: Sequence[LabelledTrajectory]) -> Opinions:
    return {attempt.key: first_false(attempt) for attempt in attempts}


def by_critic(evidence: JudgedEvidence, weights: Mapping[str, Aggregation]) -> Opinions:
    """As the app's quick check judges."""
    rule = weights.get("quick", UNTRAINED)
    return {
        attempt.key: first_error(examine(attempt.problem, attempt.trajectory, found, evidence.sources), rule)
        for attempt, found in zip(evidence.attempts, evidence.findings(), strict=True)
        if found is not None
    }


def agreed(attempts: Sequence[LabelledTrajectory], opinions: Opinions) -> list[LabelledTrajectory]:
    """The attempts whose labels decide the first error as the judge does."""
    return [attempt for attempt in attempts if _relation(attempt, opinions) in AGREED]


def counts(attempts: Sequence[LabelledTrajectory], opinions: Opinions) -> dict[str, int]:
    """How many attempts stand in which relation to the judge's opinion, the most frequent first."""
    return dict(Counter(_relation(attempt, opinions) for attempt in attempts).most_common())


def _relation(attempt: LabelledTrajectory, opinions: Opinions) -> str:
    if not attempt.is_judged:
        return "labels decide nothing"
    if attempt.key not in opinions:
        return "not judged"
    known, found = attempt.first_error, opinions[attempt.key]
    if known == found:
        return AGREED[known is not None]
    if found is None:
        return "judge finds no error"
    return "labels find no error" if known is None else "judge finds another"
