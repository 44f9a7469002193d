"""How well a verifier scores labelled attempts.

    python -m trainer evaluate-verifier --trajectories FILE.jsonl --adapter verifier.gguf

Of the scores of steps, and of the attempt's score by each aggregate: how well they separate right from wrong (AUC) and
whether they are probabilities (ECE, five bins of equal mass). Of the first error: ProcessBench's F1 (arXiv 2412.06559),
once with a threshold, below which a step is wrong, and once by the likelihoods of all places. What both need, a cut, is
chosen on other rows. Intervals are clustered by problem.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from rich.table import Table

from runtime.engines.base import Engine, EngineError
from runtime.odds import sigmoid
from runtime.problems.labelled import LabelledTrajectory
from runtime.prompts import templates
from runtime.search.verifier import ADAPTER, AGGREGATES, first_error_likelihoods, step_log_odds
from runtime.settings import Settings
from trainer.data.examples.verifier import outcome, step_labels
from trainer.plots import BLUE, BROWN, INK, VIOLET, quiet
from trainer.runs import ResultFile, model_of, run_missing
from trainer.statistics import Bin, auc, calibration_error, harmonic, reliability, resampled

FOLDS = 5
"""Parts of the problems; the cut for each is chosen on the others."""


class Scoring:
    """Scores attempts, each in one reading. Resumable, also with a longer file. `adapter` identifies the verifier's
    adapter, for example by the hash of its file. Failures are retried by the next run."""

    def __init__(
        self, attempts: Sequence[LabelledTrajectory], engine: Engine, settings: Settings, adapter: str = "none"
    ) -> None:
        self.engine = engine
        self.attempts = list({attempt.key: attempt for attempt in attempts if attempt.steps}.values())
        config = {**model_of(engine), "adapter": adapter, "prompts": templates.all_versions()}
        config |= settings.model_dump(include={"context"})
        self.results = ResultFile(Path(settings.home) / "evaluations", "verifier", config)

    def run(self) -> Iterator[str]:
        """Score what is missing; yields once per attempt."""
        self.results.forget(lambda row: "error" in row)
        work = ((attempt.key, attempt) for attempt in self.attempts)
        yield from run_missing(work, self._score, self.results, self.engine.parallel)

    def _score(self, attempt: LabelledTrajectory) -> dict[str, Any]:
        started, adapter = time.monotonic(), ADAPTER if ADAPTER in self.engine.adapters else None
        try:
            odds = step_log_odds(self.engine, attempt.problem, attempt.steps, adapter)
        except EngineError as error:  # for example too long for the context
            return {"error": str(error)}
        return {"log_odds": odds, "seconds": round(time.monotonic() - started, 3)}

    def cases(self) -> list[Case]:
        """The attempts that could be scored."""
        rows = ((attempt, self.results.rows[attempt.key]) for attempt in self.attempts)
        return [case_of(attempt, row["log_odds"]) for attempt, row in rows if "error" not in row]

    @property
    def seconds(self) -> float:
        """Mean seconds per attempt. Attempts scored at once share the engine, so times are divided by their number."""
        rows = [self.results.rows[attempt.key] for attempt in self.attempts]
        spent = [row["seconds"] for row in rows if "error" not in row]
        return fmean(spent or [0.0]) / min(self.engine.parallel, max(1, len(self.attempts)))


@dataclass(frozen=True)
class Case:
    """The scores of an attempt, and what is known of it."""

    problem: str
    log_odds: tuple[float, ...]
    labels: tuple[bool | None, ...]
    """Whether each step is right; None after the first error, and where nobody knows."""
    outcome: bool | None
    first_error: int | None
    judged: bool
    """Whether the first error is known."""

    @property
    def scores(self) -> list[float]:
        return [sigmoid(odds) for odds in self.log_odds]


def case_of(attempt: LabelledTrajectory, log_odds: Sequence[float]) -> Case:
    labels = tuple(None if label is None else label > 0.5 for label in step_labels(attempt))
    right, known = outcome(attempt), attempt.first_error if attempt.is_judged else None
    return Case(
        attempt.problem.id, tuple(log_odds), labels, None if right is None else right > 0.5, known, attempt.is_judged
    )


# Figures


def summary(cases: Sequence[Case], fitted_on: Sequence[Case] | None = None) -> dict[str, Any]:
    """All figures. The cuts are chosen on `fitted_on`; without it those of each fifth of the problems on the others."""
    steps = [
        (case.problem, score, label)
        for case in cases
        for score, label in zip(case.scores, case.labels, strict=True)
        if label is not None
    ]
    graded = [case for case in cases if case.outcome is not None]
    return {
        "n": len(cases),
        "problems": len({case.problem for case in cases}),
        "steps": separation(steps),
        "outcome": {
            name: separation([(case.problem, of(case.scores), bool(case.outcome)) for case in graded])
            for name, of in AGGREGATES.items()
        },
        "first_error": {name: first_errors(cases, spans, fitted_on) for name, spans in SPANS.items()},
    }


def separation(scored: Sequence[tuple[str, float, bool]]) -> dict[str, Any] | None:
    """AUC and ECE of (problem, score, truth), with the bins of the reliability plot; None without both classes."""
    problems = [problem for problem, _, _ in scored]
    scores, truth = np.array([s for _, s, _ in scored]), np.array([t for _, _, t in scored], dtype=bool)
    if truth.all() or not truth.any():
        return None

    def area(drawn: np.ndarray) -> float:
        return auc(scores[drawn], truth[drawn])

    def error(drawn: np.ndarray) -> float:
        return calibration_error(reliability(scores[drawn], truth[drawn]))

    everything = np.arange(len(scores))
    return {
        "n": len(scores),
        "right": int(truth.sum()),
        "auc": {"value": area(everything), "interval": resampled(area, problems)},
        "ece": {"value": error(everything), "interval": resampled(error, problems)},
        "bins": [asdict(one) for one in reliability(scores, truth)],
    }


# First errors. Each rule objects if some value is below a cut; so the cuts with which it finds the first error of an
# attempt exactly are a span (low, high].

Span = tuple[float, float]
NEVER = (math.inf, -math.inf)


def by_threshold(case: Case) -> Span:
    """The first step whose score is below the cut is wrong."""
    scores, place = case.scores, case.first_error
    if place is None:
        return -math.inf, min(scores)
    return scores[place], min(scores[:place], default=math.inf)


def by_likelihood(case: Case) -> Span:
    """The likeliest place is wrong if the log-odds that there is no error, against that place, are below the cut."""
    *places, none = first_error_likelihoods(case.log_odds)
    odds = none - max(places)
    if case.first_error is None:
        return -math.inf, odds
    return (odds, math.inf) if places.index(max(places)) == case.first_error else NEVER


SPANS: Mapping[str, Callable[[Case], Span]] = {"threshold": by_threshold, "likelihood": by_likelihood}


def first_errors(
    cases: Sequence[Case], span_of: Callable[[Case], Span], fitted_on: Sequence[Case] | None
) -> dict[str, Any] | None:
    """ProcessBench's figures of a rule, and the cut chosen on all rows at hand; None without both right and wrong
    attempts, or other problems to choose a cut on."""
    judged = [case for case in cases if case.judged]
    wrong, problems = np.array([case.first_error is not None for case in judged]), [case.problem for case in judged]
    if wrong.all() or not wrong.any() or (fitted_on is None and len(set(problems)) == 1):
        return None
    spans = spans_of(judged, span_of)
    if fitted_on is None:
        cut, hits = best_cut(spans, wrong), cross_fitted(spans, wrong, problems)
    else:
        others = [case for case in fitted_on if case.judged]
        cut = best_cut(spans_of(others, span_of), np.array([case.first_error is not None for case in others]))
        hits = found(spans, cut)

    def f1(drawn: np.ndarray) -> float:
        kinds = [hits[drawn][wrong[drawn] == kind] for kind in (True, False)]
        if not all(map(len, kinds)):
            raise ValueError("F1 needs right and wrong attempts")
        return harmonic(*(float(kind.mean()) for kind in kinds))

    everything = np.arange(len(judged))
    shares = {name: hits[wrong == kind] for name, kind in (("wrong", True), ("right", False))}
    return {
        "f1": {"value": f1(everything), "interval": resampled(f1, problems)},
        **{name: {"accuracy": float(share.mean()), "n": len(share)} for name, share in shares.items()},
        "cut": cut,
    }


def spans_of(cases: Sequence[Case], span_of: Callable[[Case], Span]) -> np.ndarray:
    """Shape (len(cases), 2)."""
    return np.array([span_of(case) for case in cases])


def found(spans: np.ndarray, cut: float) -> np.ndarray:
    """Whether the first error of each attempt is found with this cut."""
    return (spans[:, 0] < cut) & (cut <= spans[:, 1])


def best_cut(spans: np.ndarray, wrong: np.ndarray) -> float:
    """The cut with the best F1 (the best accuracy where all attempts are of one kind), in the middle between the ends
    of spans. Raises ValueError if no span has an end."""
    ends = np.unique(spans[np.isfinite(spans)])
    if not len(ends):
        raise ValueError("there are no scores to choose a cut on")
    cuts = (ends[:-1] + ends[1:]) / 2 if len(ends) > 1 else ends
    hits = (spans[:, 0] < cuts[:, None]) & (cuts[:, None] <= spans[:, 1])
    shares = [hits[:, wrong == kind].mean(1) for kind in (True, False) if kind in wrong]
    return float(cuts[np.argmax([harmonic(pair[0], pair[-1]) for pair in zip(*shares, strict=True)])])


def cross_fitted(spans: np.ndarray, wrong: np.ndarray, problems: Sequence[str]) -> np.ndarray:
    """Whether each first error is found, with a cut chosen on the attempts at other problems."""
    number = {problem: place for place, problem in enumerate(sorted(set(problems)))}
    folds, hits = np.array([number[problem] % FOLDS for problem in problems]), np.zeros(len(spans), dtype=bool)
    for fold in range(min(FOLDS, len(number))):
        here = folds == fold
        hits[here] = found(spans[here], best_cut(spans[~here], wrong[~here]))
    return hits


# Reports

FIGURE = "{value:.3f} [{low:.3f}, {high:.3f}]"


def table(report: Mapping[str, Any]) -> Table:
    """A row for the steps, for each aggregate and for each rule of the first error."""
    made = Table(title=f"{report['model']}, {report['n']} attempts at {report['problems']} problems")
    for column in ("scores of", "n", "right", "AUC", "ECE", "F1 of the first error", "on wrong", "on right"):
        made.add_column(column, justify="left" if column == "scores of" else "right")
    rows = {"steps": report["steps"], **{f"attempts, {name}": row for name, row in report["outcome"].items()}}
    for name, row in rows.items():
        if row:
            made.add_row(name, str(row["n"]), str(row["right"]), _figure(row["auc"]), _figure(row["ece"]))
    for name, row in report["first_error"].items():
        if row:
            wrong, right = row["wrong"], row["right"]
            shares = (f"{wrong['accuracy']:.1%}", f"{right['accuracy']:.1%}")
            counts = str(wrong["n"] + right["n"]), str(right["n"])
            made.add_row(f"first error by {name}", *counts, "", "", _figure(row["f1"]), *shares)
    return made


def _figure(figure: Mapping[str, Any]) -> str:
    low, high = figure["interval"]
    return FIGURE.format(value=figure["value"], low=low, high=high)


COLOURS = {"min": BLUE, "product": BROWN, "last": VIOLET, "mean": INK}


def plot_reliability(one: Any, report: Mapping[str, Any]) -> None:
    """Predicted against found shares, five bins of equal mass: of the steps, and of the attempts by each aggregate."""
    left, right = one.subplots(1, 2, sharey=True)
    if report["steps"]:
        _draw(left, report["steps"]["bins"], "steps", BLUE)
    for name, row in report["outcome"].items():
        if row:
            _draw(right, row["bins"], name, COLOURS[name])
    for axes, what in ((left, "a step is right"), (right, "an attempt is right")):
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
        axes.set(xlabel=f"score that {what}", xlim=(0, 1), ylim=(0, 1))
    left.set(ylabel="share that is right")
    right.legend(frameon=False)
    quiet(left, right)


def _draw(axes: Any, bins: Sequence[Mapping[str, Any]], name: str, colour: str) -> None:
    drawn = [Bin(**one) for one in bins]
    axes.plot([one.predicted for one in drawn], [one.found for one in drawn], "o-", color=colour, label=name)
