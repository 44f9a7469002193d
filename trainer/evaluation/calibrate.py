"""Fits the rule that puts evidence together, on judged attempts that nothing else is measured on.

    python -m trainer calibrate --trajectories FILE.jsonl --out weights.json

For every set of sources: a logistic regression over the features of each step up to the first error (right or wrong),
without the features that tell nothing new of attempts left out of the fit, then the threshold that finds first errors
best (ProcessBench's F1) on all of them. A source without a feature that has a weight is not asked by the app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from runtime.critic.aggregation import Aggregation, Features
from runtime.critic.critic import first_error
from runtime.critic.evidence import DEPTHS, FEATURES, SOURCES, arithmetic, examine, vote
from runtime.critic.evidence.source import Findings, StepEvidence
from trainer.data.sources import JudgedAttempt
from trainer.statistics import harmonic

NEED_CRITIC = {source.name for source in SOURCES if source.needs_critic}
"""What a base that was never trained as a critic is not asked."""
PANELS: dict[str, tuple[str, ...]] = {
    **{source.name: (source.name,) for source in SOURCES if source.name != vote.NAME},
    **DEPTHS,
    **{f"deep without {name}": tuple(other for other in DEPTHS["deep"] if other != name) for name in NEED_CRITIC},
}
"""The sets of sources that are compared: each alone, which a vote cannot be, and those that are used together."""
RIDGE = 0.5
"""Pull of the weights towards 0: there are few attempts, and features that are nearly the same."""
FOLDS = 5
GRID = tuple(round(0.02 * step, 2) for step in range(1, 48))
"""Thresholds that are tried."""
AT_MOST = 0.4
"""Probability that an attempt is right below which the app may object."""


@dataclass(frozen=True)
class Case:
    """The evidence on an attempt, step by step, and where its first error is."""

    steps: tuple[StepEvidence, ...]
    first_error: int | None

    @property
    def fitted(self) -> list[tuple[StepEvidence, bool]]:
        """The steps up to the first error that the rule is for, and whether each is right. What arithmetic refutes
        needs no rule, and what follows is not looked at."""
        ends = (number for number, one in enumerate(self.steps) if one.disproof or number - 1 == self.first_error)
        return [(one, number != self.first_error) for number, one in enumerate(self.steps[: next(ends, None)])]


def cases(attempts: Sequence[JudgedAttempt], findings: Sequence[Findings | None], sources: Sequence[str]) -> list[Case]:
    """The attempts of which evidence could be collected."""
    return [
        Case(tuple(examine(attempt.problem, attempt.trajectory, found, sources)), attempt.first_error)
        for attempt, found in zip(attempts, findings, strict=True)
        if found is not None
    ]


def fit(given: Sequence[Case]) -> Aggregation:
    """Weights and threshold of one set of sources."""
    fitted = fitted_by(given, telling(given))
    best = max(GRID, key=lambda reject: f1(given, fitted.model_copy(update={"reject": reject})))
    return fitted.model_copy(update={"reject": best, "doubt": max(best, 0.5)})


def telling(given: Sequence[Case]) -> list[str]:
    """The features worth having: one after the other those are dropped without which attempts left out of the fit are
    told no worse, as every source costs seconds."""
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
    """Mean log loss of the steps of each fold, judged as the other folds say; neighbours share a fold, as they may be
    attempts at one problem."""
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


def logistic(rows: Sequence[Features], labels: Sequence[bool]) -> tuple[float, Mapping]:
    """Ridge logistic regression by Newton's method: the constant, and a weight for every feature that occurs."""
    names = [name for name in FEATURES if any(name in row for row in rows)]
    x = np.array([[1.0, *(row.get(name, 0.0) for name in names)] for row in rows]).reshape(len(rows), len(names) + 1)
    y, beta = np.array(labels, dtype=float), np.zeros(len(names) + 1)
    pull = np.diag([0.0] + [RIDGE] * len(names))
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        step = np.linalg.solve(
            x.T @ (x * (p * (1 - p))[:, None]) + pull + 1e-9 * np.eye(len(beta)), x.T @ (y - p) - pull @ beta
        )
        beta += step
        if np.abs(step).max() < 1e-6:
            break
    return float(beta[0]), {name: float(weight) for name, weight in zip(names, beta[1:], strict=True)}


def fit_panels(
    attempts: Sequence[JudgedAttempt],
    findings: Sequence[Findings | None],
    sources: Sequence[str],
    has_adapter: bool = True,
) -> dict[str, Aggregation]:
    """Weights of every panel whose sources were asked."""
    panels = panels_among(sources, has_adapter)
    return {name: fit(cases(attempts, findings, panel)) for name, panel in panels.items()}


def panels_among(sources: Sequence[str], has_adapter: bool = True) -> dict[str, tuple[str, ...]]:
    """The panels made of these sources; arithmetic is always there. Of a base that was never trained as a critic the
    verdict word is measured alone, for comparison; in company it is neither asked nor missed, as in the app."""
    if not has_adapter:
        alone = {name: (name,) for name in sources if name in NEED_CRITIC}
        return alone | panels_among([name for name in sources if name not in NEED_CRITIC])
    asked = {arithmetic.NAME, *sources}
    reduced = {name: tuple(source for source in panel if source in asked) for name, panel in PANELS.items()}
    return {name: panel for name, panel in reduced.items() if panel and {*PANELS[name]} - NEED_CRITIC <= asked}


def cautious(weights: Aggregation) -> Aggregation:
    """As the app judges: an attempt counts as wrong only where three to two speak against it, a step as unsure below
    the threshold that finds most errors. A student who is told that right work is wrong loses more than one who is told
    nothing."""
    return weights.model_copy(update={"reject": min(AT_MOST, weights.reject), "doubt": max(0.5, weights.reject)})
