"""How far a chosen answer can be relied on: the probability that it is right, fitted on development problems.

A second opinion is held as in the app, several times on the samples of each problem: voters are taken in random order
until they are enough. Its votes, and the verifier's scores of them, are the features (`runtime.search.reliability`). An
answer is *solid* above the probability from which on at least 95 % of the answers are right.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from runtime.models.adapter_cards import Choosing, Reliability
from runtime.search.reliability import features, likelihood
from runtime.search.selection import Choice, majority, weighted_majority
from runtime.search.self_consistency import VOTERS, is_enough
from trainer.evaluation.calibrate import logistic
from trainer.evaluation.samples import Sampled
from trainer.plots import FAINT, quiet
from trainer.statistics import Paired, calibration_error, clustered_share, paired, wilson
from trainer.statistics import reliability as bins_of

PRECISION = 0.95
OPINIONS = 8
"""Second opinions held on the samples of each problem."""
FOLDS = 5
BINS = 5
"""Bins of equal mass, of the expected calibration error."""
SHARE = "{:.1%} [{:.1%}, {:.1%}]"
ALONE, WITH_SCORES = ("votes",), ("votes", "scores")
"""The features of self-consistency alone, and with a verifier."""


@dataclass(frozen=True)
class Opinion:
    """A choice among `n` solutions of a problem, and whether it is right."""

    problem: str
    choice: Choice
    n: int
    right: bool


def second_opinions(sampled: Sequence[Sampled], choosing: Choosing) -> list[Opinion]:
    """Votes on every problem as the app holds them; those that find no answer are left out."""
    return [opinion for one in sampled for opinion in _opinions(one, choosing)]


def _opinions(one: Sampled, choosing: Choosing) -> list[Opinion]:
    rng, found = random.Random(one.problem.id), []
    choose = weighted_majority if choosing.votes == "weighted" else majority
    for _ in range(OPINIONS if len(one.samples) > VOTERS else 1):
        drawn = rng.sample(range(len(one.samples)), min(VOTERS, len(one.samples)))
        voters = [one.samples[place].attempt for place in drawn]
        asked = next((n for n in range(1, len(drawn)) if is_enough(voters[:n])), len(drawn))
        choice = one.choose(choose, choosing.aggregate, drawn[:asked])
        if choice.attempt:
            found.append(Opinion(one.problem.id, choice, asked, one.is_right(choice)))
    return found


def single_answers(sampled: Sequence[Sampled], choosing: Choosing) -> list[Opinion]:
    """The greedy answers that were scored, as choices among one."""
    scored = [(one, one.greedy.score(choosing.aggregate)) for one in sampled]
    return [
        Opinion(one.problem.id, Choice(one.greedy.attempt, 1, score), 1, one.greedy.right)
        for one, score in scored
        if score is not None
    ]


def fit(opinions: Sequence[Opinion], names: Sequence[str]) -> Reliability:
    """The mapping with these features."""
    rows = [{name: features(one.choice, one.n)[name] for name in names} for one in opinions]
    constant, weights = logistic(rows, [one.right for one in opinions], names)
    return Reliability(constant=constant, **weights)


def calibrated(sampled: Sequence[Sampled], choosing: Choosing) -> Choosing:
    """How to choose, with its mappings fitted on these problems."""
    alone, voted = single_answers(sampled, choosing), second_opinions(sampled, choosing)
    return choosing.model_copy(update={"alone": fit(alone, ("scores",)), "voted": fit(voted, WITH_SCORES)})


def threshold(rule: Reliability, opinions: Sequence[Opinion], precision: float = PRECISION) -> float:
    """The least probability from which on the answers have this precision; above 1 if there is none."""
    rated = sorted(((likelihood(rule, one.choice, one.n), one.right) for one in opinions), reverse=True)
    right, least = 0, 2.0
    for count, (p, is_right) in enumerate(rated, 1):
        right += is_right
        is_last_of_equals = count == len(rated) or rated[count][0] < p
        if is_last_of_equals and right >= precision * count:
            least = p
    return least


@dataclass(frozen=True)
class Rated:
    """An opinion with its probability, and whether it passes for solid, by a mapping fitted on other problems."""

    opinion: Opinion
    p: float
    solid: bool


def cross_fitted(opinions: Sequence[Opinion], names: Sequence[str]) -> list[Rated]:
    """Every opinion rated by the mapping and threshold of the other folds; a problem lies in one fold."""
    problems = list(dict.fromkeys(one.problem for one in opinions))
    fold_of = {problem: place * FOLDS // len(problems) for place, problem in enumerate(problems)}
    found = []
    for fold in range(FOLDS):
        others = [one for one in opinions if fold_of[one.problem] != fold]
        rule = fit(others, names)
        found += rated([one for one in opinions if fold_of[one.problem] == fold], rule, threshold(rule, others))
    return found


def rated(opinions: Sequence[Opinion], rule: Reliability, least: float) -> list[Rated]:
    """Opinions rated by a mapping; solid from probability `least` on."""
    probabilities = [(one, likelihood(rule, one.choice, one.n)) for one in opinions]
    return [Rated(one, p, p >= least) for one, p in probabilities]


def figures(found: Sequence[Rated]) -> dict[str, Any]:
    """Coverage (the share of answers that pass for solid) and their precision, with intervals, and the calibration."""
    problems, solid = [one.opinion.problem for one in found], [one for one in found if one.solid]
    coverage, covered = clustered_share([one.solid for one in found], problems)
    precision, right = clustered_share([one.opinion.right for one in solid], [one.opinion.problem for one in solid])
    bins = bins_of([one.p for one in found], [one.opinion.right for one in found], BINS)
    return {
        "coverage": coverage,
        "coverage_interval": covered,
        "precision": precision if solid else None,
        "precision_interval": right if solid else wilson(0, 0),
        "problems": len({*problems}),
        "ece": calibration_error(bins),
        "bins": [asdict(one) for one in bins],
    }


def summary(sampled: Sequence[Sampled], choosing: Choosing) -> dict[str, Any]:
    """Coverage at a precision of 95 % and calibration: of self-consistency alone, and with the verifier if the samples
    are scored; paired by problem. Cross-fitted, unless the mapping of a card is given, which then is rated as it is."""
    plain = cross_fitted(second_opinions(sampled, Choosing()), ALONE)
    report = {"self-consistency": figures(plain)}
    if any(one.greedy.scores for one in sampled):
        opinions = second_opinions(sampled, choosing)
        helped = cross_fitted(opinions, WITH_SCORES)
        report["with a verifier"] = figures(helped) | {"gain": str(_gain(helped, plain))}
        if choosing.voted:
            report["as the card rates it"] = figures(rated(opinions, choosing.voted, PRECISION))
        if choosing.alone:
            single = single_answers(sampled, choosing)
            report["a single solution, as the card rates it"] = figures(rated(single, choosing.alone, PRECISION))
    return report


def _gain(helped: Sequence[Rated], plain: Sequence[Rated]) -> Paired:
    """The difference of the shares of solid answers, problem by problem."""
    sides: list[dict[str, list[bool]]] = [{}, {}]
    for side, found in zip(sides, (helped, plain), strict=True):
        for one in found:
            side.setdefault(one.opinion.problem, []).append(one.solid)
    common = [problem for problem in sides[1] if problem in sides[0]]
    return paired(*([fmean(side[problem]) for problem in common] for side in sides))


def table(report: Mapping[str, Any]) -> str:
    """Markdown."""
    lines = []
    for name, row in report.items():
        solid = SHARE.format(row["coverage"], *row["coverage_interval"])
        right = "-" if row["precision"] is None else SHARE.format(row["precision"], *row["precision_interval"])
        lines.append(f"| {name} | {solid} | {right} | {row['ece']:.3f} |")
    head = f"| answers of {VOTERS} solutions | solid | of these right | calibration error |"
    return "\n".join([head, "|---|---|---|---|", *lines])


def plot(drawn: Any, report: Mapping[str, Any]) -> None:
    """Share of right answers against their probability, in bins of equal mass."""
    axes = drawn.subplots()
    axes.plot([0, 1], [0, 1], ":", color=FAINT)
    for (name, row), style in zip(report.items(), ("s--", "o-", "^-", "v-"), strict=False):
        predicted, right = ([one[key] for one in row["bins"]] for key in ("predicted", "found"))
        axes.plot(predicted, right, style, label=name)
    axes.set(xlabel="probability", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8)
    quiet(axes)
