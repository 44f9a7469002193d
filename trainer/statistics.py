"""Intervals and paired tests for accuracies, figures of classifiers, and the one that is fitted here. All intervals
cover 90 %."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np

Z = 1.6449
"""Two-sided 90 % of the normal distribution."""
CHANCE = 0.1
"""Largest two-sided p-value of a gain, matching the 90 % intervals."""


def wilson(successes: float, n: float) -> tuple[float, float]:
    """Interval of a share (Wilson 1927): sensible for small n and for shares near 0 and 1."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = successes / n, Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def clustered(values: Sequence[float], of: Sequence[Hashable]) -> tuple[float, tuple[float, float]]:
    """Mean of values of which those with the same entry in `of` (such as a problem) are not independent, and its
    interval by cluster-robust errors (Miller 2024, arXiv 2411.00640)."""
    if not values:
        return 0.0, (0.0, 0.0)
    mean = sum(values) / len(values)
    residuals: dict[Hashable, float] = defaultdict(float)
    for value, cluster in zip(values, of, strict=True):
        residuals[cluster] += value - mean
    half = Z * sqrt(sum(residual * residual for residual in residuals.values())) / len(values)
    return mean, (mean - half, mean + half)


def clustered_share(values: Sequence[float], of: Sequence[Hashable]) -> tuple[float, tuple[float, float]]:
    """As `clustered`, for values from 0 to 1: Wilson's interval with the number of independent values that would vary
    as much (Kish's effective sample size), so it is sensible near 0 and 1."""
    share, (low, high) = clustered(values, of)
    variance = ((high - low) / (2 * Z)) ** 2
    number = min(len(values), share * (1 - share) / variance) if variance else len(set(of))
    return share, wilson(share * number, number)


def pass_at(k: int, right: Sequence[bool]) -> float:
    """Unbiased estimate of the probability that one of k attempts is right (arXiv 2107.03374)."""
    n, c = len(right), sum(right)
    return 1 - comb(n - c, k) / comb(n, k)


@dataclass(frozen=True)
class Paired:
    """The difference of two methods on the same problems."""

    difference: float
    interval: tuple[float, float]
    wins: int
    """Problems with a net gain."""
    losses: int
    p: float
    """p-value of the exact McNemar test, two-sided."""

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.difference:+.1%} [{low:+.1%}, {high:+.1%}], {self.wins} won, {self.losses} lost"

    @property
    def is_gain(self) -> bool:
        """Whether the gain is significant. The interval alone would accept three wins without a loss."""
        return self.interval[0] > 0 and self.p <= CHANCE


def paired(a: Sequence[float], b: Sequence[float], of: Sequence[Hashable] | None = None) -> Paired:
    """Compare a with b, entry by entry in the same order: whether, or in which share of samples, each is right. `of`
    names the problem of each entry if there are several attempts per problem; these are not independent, so each
    problem is one cluster (clustered errors: Miller 2024, arXiv 2411.00640)."""
    gains: dict[Hashable, float] = defaultdict(float)
    for problem, x, y in zip(range(len(a)) if of is None else of, a, b, strict=True):
        gains[problem] += x - y
    if not gains:
        return Paired(0.0, (0.0, 0.0), 0, 0, 1.0)
    n, total, squares = len(a), sum(gains.values()), sum(gain * gain for gain in gains.values())
    difference, spread = total / n, Z * sqrt(max(0.0, squares - total**2 / len(gains))) / n
    wins, losses = (sum(sign * gain > 0 for gain in gains.values()) for sign in (1, -1))
    return Paired(difference, (difference - spread, difference + spread), wins, losses, mcnemar(wins, losses))


def mcnemar(wins: int, losses: int) -> float:
    """Two-sided p-value of a split at least as uneven if wins and losses were equally likely."""
    n = wins + losses
    tail = sum(comb(n, k) for k in range(min(wins, losses) + 1)) / 2**n
    return min(1.0, 2 * tail)


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """The p-values of several tests, by name, adjusted by Holm's step-down procedure (1979)."""
    adjusted, largest = {}, 0.0
    for place, name in enumerate(sorted(p, key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - place) * p[name]))
        adjusted[name] = largest
    return adjusted


def f1(truth: Sequence[bool], found: Sequence[bool], kind: bool = True) -> float:
    """F1 of finding the items of a kind; 0 if there are none and none was found."""
    hits = sum(a is kind and b is kind for a, b in zip(truth, found, strict=True))
    return 2 * hits / max(1, truth.count(kind) + found.count(kind))


def auc(scores: Sequence[float] | np.ndarray, truth: Sequence[bool] | np.ndarray) -> float:
    """Area under the ROC curve: the share of pairs of a true and a false item in which the true one has the higher
    score; ties count half. Raises ValueError if all items are of one class."""
    right = np.asarray(truth, dtype=bool)
    if right.all() or not right.any():
        raise ValueError("the area under the curve needs items of both classes")
    _, level, counts = np.unique(np.asarray(scores, dtype=float), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[level]  # the mean rank of equal scores
    hits = right.sum()
    return float((ranks[right].sum() - hits * (hits + 1) / 2) / (hits * (~right).sum()))


def ridge_logistic(x: np.ndarray, y: np.ndarray, ridge: float, most_steps: int = 50) -> np.ndarray:
    """Logistic regression with an L2 penalty on all weights but the constant, by Newton's method: x (n, d) and y (n,)
    give the constant and the weights (d + 1,)."""
    x = np.hstack([np.ones((len(x), 1)), x])
    beta, pull = np.zeros(x.shape[1]), np.diag([0.0] + [ridge] * (x.shape[1] - 1))
    for _ in range(most_steps):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        curvature = x.T @ (x * (p * (1 - p))[:, None]) + pull + 1e-9 * np.eye(len(beta))
        step = np.linalg.solve(curvature, x.T @ (y - p) - pull @ beta)
        beta += step
        if np.abs(step).max() < 1e-6:
            break
    return beta


def harmonic(a: float, b: float) -> float:
    """Harmonic mean; of the accuracies on wrong and right attempts it is ProcessBench's F1 (arXiv 2412.06559)."""
    return 2 * a * b / (a + b) if a + b else 0.0


def resampled(
    statistic: Callable[[np.ndarray], float], of: Sequence[Hashable], resamples: int = 500, seed: int = 0
) -> tuple[float, float]:
    """Interval of a statistic that is no mean, by bootstrap: whole clusters of items with the same entry in `of` (such
    as a problem) are drawn. `statistic` is given the indices of the drawn items; draws for which it raises ValueError
    are left out. Raises ValueError if none is left."""
    members: dict[Hashable, list[int]] = defaultdict(list)
    for place, cluster in enumerate(of):
        members[cluster].append(place)
    groups, random = [np.array(places) for places in members.values()], np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = random.integers(len(groups), size=len(groups))
        with suppress(ValueError):
            values.append(statistic(np.concatenate([groups[i] for i in drawn])))
    if not values:
        raise ValueError("there are too few items for an interval")
    low, high = np.quantile(values, [0.05, 0.95])
    return float(low), float(high)


@dataclass(frozen=True)
class Bin:
    """Predictions of similar probability, and what came of them."""

    predicted: float
    """Their mean probability."""
    found: float
    """The share that came true."""
    n: int


def reliability(
    probabilities: Sequence[float] | np.ndarray, truth: Sequence[bool] | np.ndarray, count: int = 5
) -> list[Bin]:
    """Bins of equal mass, from the lowest probabilities to the highest."""
    p, came = np.asarray(probabilities, dtype=float), np.asarray(truth, dtype=float)
    parts = np.array_split(np.argsort(p, kind="stable"), count)
    return [Bin(float(p[part].mean()), float(came[part].mean()), len(part)) for part in parts if len(part)]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599): the mean distance of prediction and truth."""
    return sum(one.n * abs(one.predicted - one.found) for one in bins) / sum(one.n for one in bins)
