"""Fits how the critic's witnesses are weighed, on judged attempts that nothing else is measured on.

    python -m trainer weigh --trajectories FILE.jsonl --out weights.json

For every panel: a logistic regression over the signs of each step up to the first error (right or wrong), without the
signs that tell nothing new of attempts left out of the fit, then the threshold that finds first errors best
(ProcessBench's F1) on all of them. A witness without a sign that weighs anything is not asked by the app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runtime.critic.aggregation import SIGNS, Sign, Signs, Weights
from runtime.critic.critic import first_error
from runtime.critic.evidence.sources import PANELS, Said, Testimony, examine
from runtime.types import Witness
from trainer.data.sources import JudgedAttempt
from trainer.statistics import harmonic

ALL_PANELS: dict[str, tuple[Witness, ...]] = {
    "arithmetic": ("arithmetic",),
    "model": ("model",),
    "expectation": ("expectation",),
    "solutions": ("solutions",),
    "program": ("program",),
    "completions": ("completions",),
    **PANELS,
    "deep with completions": (*PANELS["deep"], "completions"),
    "deep without model": tuple(witness for witness in PANELS["deep"] if witness != "model"),
}
"""Each witness alone, and those that are heard together."""
RIDGE = 0.5
"""Pull of the weights towards 0: there are few attempts, and signs that are nearly the same."""
FOLDS = 5
GRID = tuple(round(0.02 * step, 2) for step in range(1, 48))
"""Thresholds that are tried."""
AT_MOST = 0.4
"""Probability that an attempt is right below which the app may object."""


@dataclass(frozen=True)
class Case:
    """What a panel says of an attempt, step by step, and where its first error is."""

    said: tuple[Said, ...]
    first_error: int | None

    @property
    def weighed(self) -> list[tuple[Said, bool]]:
        """The steps up to the first error that are weighed, and whether each is right. What arithmetic refutes needs no
        weighing, and nobody looks further."""
        ends = (number for number, one in enumerate(self.said) if one.disproof or number - 1 == self.first_error)
        return [(one, number != self.first_error) for number, one in enumerate(self.said[: next(ends, None)])]


def cases(attempts: Sequence[JudgedAttempt], heard: Sequence[Testimony | None], panel: Sequence[Witness]) -> list[Case]:
    """The attempts that were heard."""
    return [
        Case(tuple(examine(attempt.problem, attempt.trajectory, testimony, panel)), attempt.first_error)
        for attempt, testimony in zip(attempts, heard, strict=True)
        if testimony is not None
    ]


def fit(given: Sequence[Case]) -> Weights:
    """Weights and threshold of one panel."""
    fitted = weighed_by(given, telling(given))
    best = max(GRID, key=lambda reject: f1(given, fitted.model_copy(update={"reject": reject})))
    return fitted.model_copy(update={"reject": best, "doubt": max(best, 0.5)})


def telling(given: Sequence[Case]) -> list[Sign]:
    """The signs worth hearing: one after the other those are dropped without which attempts left out of the fit are
    told no worse, as every witness costs seconds."""
    names = [name for name in SIGNS if any(name in one.signs for case in given for one in case.said)]
    best = left_out_loss(given, names)
    while len(names) > 1:
        losses = {name: left_out_loss(given, [other for other in names if other != name]) for name in names}
        name = min(losses, key=losses.get)
        if losses[name] > best:
            break
        best, names = losses[name], [other for other in names if other != name]
    return names


def left_out_loss(given: Sequence[Case], names: Sequence[Sign]) -> float:
    """Mean log loss of the steps of each fold, weighed as the other folds say; neighbours share a fold, as they may be
    attempts at one problem."""
    folds = [given[len(given) * part // FOLDS : len(given) * (part + 1) // FOLDS] for part in range(FOLDS)]
    losses = []
    for number, fold in enumerate(folds):
        weights = weighed_by([case for other in (*folds[:number], *folds[number + 1 :]) for case in other], names)
        steps = [step for case in fold for step in case.weighed]
        losses += [-np.log(_certain(weights.probability(one.signs), right)) for one, right in steps]
    return float(np.mean(losses or [0.0]))


def _certain(p: float, right: bool) -> float:
    return max(p if right else 1 - p, 1e-6)


def weighed_by(given: Sequence[Case], names: Sequence[Sign]) -> Weights:
    """Weights of these signs alone."""
    rows = [row for case in given for row in case.weighed]
    signs = [{name: one.signs[name] for name in names if name in one.signs} for one, _ in rows]
    constant, weights = logistic(signs, [right for _, right in rows])
    return Weights(constant=constant, signs=weights)


def f1(given: Sequence[Case], weights: Weights) -> float:
    """ProcessBench's F1 (arXiv 2412.06559)."""
    hits = [(case.first_error is None, first_error(case.said, weights) == case.first_error) for case in given]
    shares = [np.mean([hit for right, hit in hits if right is kind] or [0.0]) for kind in (True, False)]
    return float(harmonic(*shares))


def logistic(rows: Sequence[Signs], labels: Sequence[bool]) -> tuple[float, Mapping]:
    """Ridge logistic regression by Newton's method: the constant, and a weight for every sign that occurs."""
    names = [name for name in SIGNS if any(name in row for row in rows)]
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
    heard: Sequence[Testimony | None],
    witnesses: Sequence[Witness],
    has_voice: bool = True,
) -> dict[str, Weights]:
    """Weights of every panel whose witnesses were heard."""
    panels = heard_panels(witnesses, has_voice)
    return {name: fit(cases(attempts, heard, panel)) for name, panel in panels.items()}


def heard_panels(witnesses: Sequence[Witness], has_voice: bool = True) -> dict[str, tuple[Witness, ...]]:
    """The panels made of these witnesses; arithmetic is always there. A base without a voice has its word heard alone,
    for comparison; in company it is neither asked nor missed, as in the app."""
    if not has_voice:
        alone = {"model": ("model",)} if "model" in witnesses else {}
        return alone | heard_panels([witness for witness in witnesses if witness != "model"])
    heard = {"arithmetic", *witnesses}
    reduced = {name: tuple(witness for witness in panel if witness in heard) for name, panel in ALL_PANELS.items()}
    return {name: panel for name, panel in reduced.items() if panel and set(ALL_PANELS[name]) - {"model"} <= heard}


def cautious(weights: Weights) -> Weights:
    """As the app judges: an attempt counts as wrong only where three to two speak against it, a step as unsure below
    the threshold that finds most errors. A student who is told that right work is wrong loses more than one who is told
    nothing."""
    return weights.model_copy(update={"reject": min(AT_MOST, weights.reject), "doubt": max(0.5, weights.reject)})
