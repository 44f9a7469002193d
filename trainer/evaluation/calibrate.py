"""Fits the rule that combines evidence, on labelled attempts that nothing else is measured on.

    python -m trainer calibrate --trajectories FILE.jsonl --out weights.json

For every set of sources: a logistic regression over the features of each step up to the first error (right or wrong),
after backward elimination of features by cross-validated log loss; then the threshold with the best ProcessBench F1 on
all attempts. The app does not ask a source none of whose features has a weight.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from runtime.critic.aggregation import Aggregation, Features
from runtime.critic.critic import first_error
from runtime.critic.evidence import DEPTHS, FEATURES, NEEDS, SOURCES, arithmetic, examine, usable, vote
from runtime.critic.evidence.source import Findings, StepEvidence
from runtime.problems.labelled import LabelledTrajectory
from trainer.statistics import harmonic, ridge_logistic

TRAINED = tuple(NEEDS.values())
"""The roles of adapters that give evidence."""
RIDGE = 0.5
"""L2 penalty of the weights: there are few attempts, and nearly identical features."""
FOLDS = 5
GRID = tuple(round(0.02 * step, 2) for step in range(1, 48))
"""Candidate thresholds."""
AT_MOST = 0.4
"""The app objects only if the probability that an attempt is right is below this."""


@dataclass(frozen=True)
class Case:
    """The evidence on an attempt, step by step, and its first error."""

    steps: tuple[StepEvidence, ...]
    first_error: int | None

    @property
    def fitted(self) -> list[tuple[StepEvidence, bool]]:
        """The steps up to the first error on which the rule is fitted, and whether each is right. Steps refuted by
        arithmetic need no rule, and later steps are not judged."""
        ends = (number for number, one in enumerate(self.steps) if one.disproof or number - 1 == self.first_error)
        return [(one, number != self.first_error) for number, one in enumerate(self.steps[: next(ends, None)])]


def cases(
    attempts: Sequence[LabelledTrajectory], findings: Sequence[Findings | None], sources: Sequence[str]
) -> list[Case]:
    """The attempts whose evidence could be collected."""
    return [
        Case(tuple(examine(attempt.problem, attempt.trajectory, found, sources)), attempt.first_error)
        for attempt, found in zip(attempts, findings, strict=True)
        if found is not None
    ]


def fit(given: Sequence[Case]) -> Aggregation:
    """Weights and threshold of one panel."""
    fitted = fitted_by(given, telling(given))
    best = max(GRID, key=lambda reject: f1(given, fitted.model_copy(update={"reject": reject})))
    return fitted.model_copy(update={"reject": best, "doubt": max(best, 0.5)})


def telling(given: Sequence[Case]) -> list[str]:
    """Backward feature elimination by cross-validated log loss: a feature is dropped if the loss does not rise without
    it, as every source costs seconds."""
    names = [name for name in FEATURES if any(name in one.features for case in given for one in case.steps)]
    best = left_out_loss(given, names)
    while len(names) > 1:
        losses = {name: left_out_loss(given, [other for other in names if other != name]) for name in names}
        name = min(losses, key=losses.__getitem__)
        if losses[name] > best:
            break
        best, names = losses[name], [other for other in names if other != name]
    return names


def left_out_loss(given: Sequence[Case], names: Sequence[str]) -> float:
    """Mean log loss of the steps of each fold under weights fitted on the other folds. Neighbours share a fold, as they
    may be attempts at one problem."""
    folds = [given[len(given) * part // FOLDS : len(given) * (part + 1) // FOLDS] for part in range(FOLDS)]
    losses = []
    for number, fold in enumerate(folds):
        weights = fitted_by([case for other in (*folds[:number], *folds[number + 1 :]) for case in other], names)
        steps = [step for case in fold for step in case.fitted]
        chances = [(weights.probability(one.features), right) for one, right in steps]
        losses += [-np.log(max(p if right else 1 - p, 1e-6)) for p, right in chances]
    return float(np.mean(losses or [0.0]))


def fitted_by(given: Sequence[Case], names: Sequence[str]) -> Aggregation:
    """Weights of these features alone."""
    rows = [row for case in given for row in case.fitted]
    features = [{name: one.features[name] for name in names if name in one.features} for one, _ in rows]
    constant, weights = logistic(features, [right for _, right in rows])
    return Aggregation(constant=constant, features=weights)


def f1(given: Sequence[Case], weights: Aggregation) -> float:
    """ProcessBench's F1 (arXiv 2412.06559)."""
    hits = [(case.first_error is None, first_error(case.steps, weights) == case.first_error) for case in given]
    shares = [fmean([hit for right, hit in hits if right is kind] or [0.0]) for kind in (True, False)]
    return harmonic(*shares)


def logistic(
    rows: Sequence[Features], labels: Sequence[bool], features: Sequence[str] = FEATURES
) -> tuple[float, Mapping[str, float]]:
    """Ridge logistic regression: the constant, and a weight for each of the features that occurs."""
    names = [name for name in features if any(name in row for row in rows)]
    x = np.array([[row.get(name, 0.0) for name in names] for row in rows]).reshape(len(rows), len(names))
    beta = ridge_logistic(x, np.array(labels, dtype=float), RIDGE)
    return float(beta[0]), {name: float(weight) for name, weight in zip(names, beta[1:], strict=True)}


def fit_panels(
    attempts: Sequence[LabelledTrajectory],
    findings: Sequence[Findings | None],
    sources: Sequence[str],
    roles: Container[str] = TRAINED,
) -> dict[str, Aggregation]:
    """Weights of every panel whose sources were collected."""
    panels = panels_among(sources, roles)
    return {name: fit(cases(attempts, findings, panel)) for name, panel in panels.items()}


def panels_among(sources: Sequence[str], roles: Container[str] = TRAINED) -> dict[str, tuple[str, ...]]:
    """The panels (sets of sources) that are compared: each of these sources and arithmetic alone, except a vote; those
    of each depth; and these without each source that needs an adapter. Without an adapter of that role a source is
    measured only alone, for comparison, as the app does not ask it."""
    asked = {arithmetic.NAME, *sources}
    alone = {source.name: (source.name,) for source in SOURCES if source.name in asked and source.name != vote.NAME}
    able = usable(asked, roles)
    depths = {
        depth: tuple(name for name in panel if name in able)
        for depth, panel in DEPTHS.items()
        if {*panel} - {*NEEDS} <= asked
    }
    without = {
        f"{depth} without {missing}": tuple(name for name in panel if name != missing)
        for depth, panel in depths.items()
        for missing in NEEDS
        if missing in panel
    }
    return alone | depths | without


def cautious(weights: Aggregation) -> Aggregation:
    """The rule as the app uses it: an attempt is rejected only below a probability of 0.4, and a step is unsure below
    the threshold that finds most errors. Being told that right work is wrong harms a student more than no message."""
    return weights.model_copy(update={"reject": min(AT_MOST, weights.reject), "doubt": max(0.5, weights.reject)})
