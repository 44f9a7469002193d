"""How well the critic judges attempts whose first error is known.

    python -m trainer evaluate-critic --trajectories FILE.jsonl

ProcessBench's figures (arXiv 2412.06559): accuracy on wrong attempts (the first error at its exact place), on right
ones (none found), and their harmonic mean F1. Beside them: telling right attempts from wrong ones (MathCritique's
discrimination), calibration of the step probabilities, and the share found by type of error. One table: each witness
alone, all joined, and what each costs in seconds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from runtime.critic.aggregation import Weights
from runtime.critic.critic import UNTRAINED, first_error, open_critic
from runtime.critic.evidence.sources import PANELS, SIGNS_OF
from runtime.engines.base import Engine
from runtime.files import write_whole
from runtime.settings import Settings
from runtime.types import Witness
from trainer.data.sources import JudgedAttempt
from trainer.evaluation.calibrate import Case, cases, heard_panels
from trainer.evaluation.evidence import JudgedHearing
from trainer.statistics import harmonic, wilson

AND_VOTE = " and a vote"
"""Of a panel's name: what nobody proves was taken back where solutions that voted come to the attempt's answer."""
BINS = 10
"""Of probabilities, for the expected calibration error (Guo et al. 2017, arXiv 1706.04599)."""


def summary(hearing: JudgedHearing, weights: Mapping[str, Weights]) -> dict[str, Any]:
    """The figures of every panel whose witnesses were heard."""
    heard = hearing.testimonies()
    return {
        "n": len(heard),
        "n_error": sum(attempt.first_error is not None for attempt in hearing.attempts),
        "n_correct": sum(attempt.first_error is None for attempt in hearing.attempts),
        "failed": heard.count(None),
        "model": hearing.engine.model,
        "panels": {
            name: {
                **figures(hearing.attempts, heard, panel, _weights_of(name, panel, weights)),
                "seconds": round(sum(map(hearing.seconds, panel)), 2),
            }
            for name, panel in panels_of(hearing, weights).items()
        },
        "run": str(hearing.results.folder),
    }


def panels_of(hearing: JudgedHearing, weights: Mapping[str, Weights]) -> dict[str, tuple[Witness, ...]]:
    """Those whose witnesses were heard; and as the app asks nobody who weighs nothing, those of which only such are
    missing."""
    asked = {
        name: tuple(w for w in panel if w == "arithmetic" or weights[name].hears(SIGNS_OF[w]))
        for name, panel in PANELS.items()
        if name in weights
    }
    able = {name: panel for name, panel in asked.items() if {*panel} <= {"arithmetic", *hearing.panel}}
    voted = {f"{name}{AND_VOTE}": (*panel, "vote") for name, panel in able.items() if "vote" in hearing.panel}
    return able | voted | heard_panels(hearing.panel, hearing.has_voice)


def _weights_of(name: str, panel: Sequence[Witness], weights: Mapping[str, Weights]) -> Weights:
    """Of a panel without weights of its own: those of the quick check where it hears all that counts there, as a voice
    alone does beside which nothing else does; else those of an untrained base."""
    quick = weights.get("quick", UNTRAINED)
    signs = {sign for witness in panel for sign in SIGNS_OF[witness]}
    hears_all = {sign for sign in quick.signs if quick.hears([sign])} <= signs
    is_part = {*panel} <= {*PANELS["quick"], "vote"}
    return weights.get(name.removesuffix(AND_VOTE), quick if hears_all and is_part else UNTRAINED)


def figures(
    attempts: Sequence[JudgedAttempt], heard: Sequence[Any], panel: Sequence[Witness], weights: Weights
) -> dict[str, Any]:
    """Of one panel. An attempt that could not be heard counts as missed."""
    known = [attempt for attempt, testimony in zip(attempts, heard, strict=True) if testimony is not None]
    given = cases(attempts, heard, panel)
    places = [first_error(case.said, weights) for case in given]
    found = dict(zip((attempt.key for attempt in known), places, strict=True))
    outcomes = [attempt.key in found and found[attempt.key] == attempt.first_error for attempt in attempts]
    flagged = [found.get(a.key) is not None if a.key in found else a.first_error is None for a in attempts]
    wrong, right = (_share(attempts, outcomes, is_right) for is_right in (False, True))
    return {
        "f1": harmonic(wrong["accuracy"], right["accuracy"]),
        "wrong": wrong,
        "right": right,
        "discrimination": discrimination(attempts, flagged),
        "calibration": calibration(given, weights),
        "by_type": _by_type(attempts, outcomes),
        "outcomes": {attempt.key: outcome for attempt, outcome in zip(attempts, outcomes, strict=True)},
    }


def _share(attempts: Sequence[JudgedAttempt], outcomes: Sequence[bool], is_right: bool) -> dict[str, Any]:
    hits = [o for a, o in zip(attempts, outcomes, strict=True) if (a.first_error is None) is is_right]
    share = sum(hits) / len(hits) if hits else 0.0
    return {"accuracy": share, "n": len(hits), "interval": wilson(sum(hits), len(hits))}


def discrimination(attempts: Sequence[JudgedAttempt], flagged: Sequence[bool]) -> dict[str, float]:
    """Whether an attempt has any error at all: accuracy, and F1 of both classes."""
    pairs = [(attempt.first_error is not None, flag) for attempt, flag in zip(attempts, flagged, strict=True)]
    counts = {pair: pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))}
    hit, missed, alarm, passed = counts.values()
    return {
        "accuracy": (hit + passed) / len(pairs),
        "f1_wrong": 2 * hit / max(1, 2 * hit + missed + alarm),
        "f1_right": 2 * passed / max(1, 2 * passed + missed + alarm),
    }


def calibration(given: Sequence[Case], weights: Weights) -> dict[str, float]:
    """Of the probability that a step is right, over steps up to the first error: expected calibration error and Brier
    score."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for case in given:
        for one, right in case.weighed:
            if weights.hears(one.signs):
                p = weights.probability(one.signs)
                bins[min(BINS - 1, int(p * BINS))].append((p, right))
    pairs = [pair for part in bins.values() for pair in part]
    if not pairs:
        return {}
    gaps = (abs(sum(p for p, _ in part) - sum(right for _, right in part)) for part in bins.values())
    return {"ece": sum(gaps) / len(pairs), "brier": sum((p - right) ** 2 for p, right in pairs) / len(pairs)}


def _by_type(attempts: Sequence[JudgedAttempt], outcomes: Sequence[bool]) -> dict[str, Any]:
    grouped: dict[str, list[bool]] = defaultdict(list)
    for attempt, outcome in zip(attempts, outcomes, strict=True):
        if attempt.first_error is not None and attempt.error_type:
            grouped[attempt.error_type].append(outcome)
    return {kind: {"found": sum(hits) / len(hits), "n": len(hits)} for kind, hits in sorted(grouped.items())}


def weights_in_use(engine: Engine, settings: Settings) -> Mapping[str, Weights]:
    """Those that the app would weigh with."""
    return open_critic(engine, settings).fitted


def write_outcomes(path: Path, attempts: Sequence[JudgedAttempt], outcomes: Mapping[str, bool]) -> None:
    """What the gate compares: a line for each attempt."""
    lines = ({"key": a.key, "right": outcomes[a.key], "first_error_index": a.first_error} for a in attempts)
    write_whole(path, (json.dumps(line) + "\n" for line in lines))


def table(report: Mapping[str, Any]) -> Table:
    """The panels side by side."""
    made = Table(title=f"{report['model']}: {report['n_error']} wrong and {report['n_correct']} right attempts")
    for column in ("panel", "F1", "on wrong", "on right", "any error: acc.", "F1 wrong / right", "ECE", "seconds"):
        made.add_column(column, justify="left" if column == "panel" else "right")
    for name, row in report["panels"].items():
        told = row["discrimination"]
        made.add_row(
            name,
            f"{row['f1']:.1%}",
            *(f"{row[kind]['accuracy']:.0%} {_span(row[kind]['interval'])}" for kind in ("wrong", "right")),
            f"{told['accuracy']:.0%}",
            f"{told['f1_wrong']:.0%} / {told['f1_right']:.0%}",
            f"{row['calibration']['ece']:.2f}" if row["calibration"] else "-",
            f"{row['seconds']:.1f}",
        )
    return made


def type_table(report: Mapping[str, Any]) -> Table | None:
    """The share of first errors found at their place, by the type that teachers named; None if they named none."""
    panels = report["panels"]
    kinds = next((row["by_type"] for row in panels.values()), {})
    if not kinds:
        return None
    made = Table(title="First errors found, by type")
    for column in ("type", "n", *panels):
        made.add_column(column, justify="left" if column == "type" else "right")
    for kind, row in kinds.items():
        made.add_row(kind, str(row["n"]), *(f"{panel['by_type'][kind]['found']:.0%}" for panel in panels.values()))
    return made


def _span(interval: tuple[float, float]) -> str:
    return "[{:.0%}, {:.0%}]".format(*interval)
