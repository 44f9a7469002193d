"""How well the critic judges attempts whose first error is known.

    python -m trainer evaluate-critic --trajectories FILE.jsonl

ProcessBench's figures (arXiv 2412.06559): accuracy on wrong attempts (the exact first error), accuracy on right ones
(no error reported), and their harmonic mean F1. Also: discrimination of right and wrong attempts (MathCritique),
calibration of the step probabilities, and recall by type of error. One table row per panel: each source alone, all
together, and their cost in seconds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from runtime.critic.aggregation import Aggregation
from runtime.critic.critic import UNTRAINED, first_error, open_critic
from runtime.critic.evidence import DEPTHS, FEATURES_OF, arithmetic, vote
from runtime.critic.evidence.source import Findings
from runtime.engines.base import Engine
from runtime.files import write_whole
from runtime.problems.labelled import LabelledTrajectory
from runtime.settings import Settings
from trainer.evaluation.calibrate import Case, cases, panels_among
from trainer.evaluation.evidence import JudgedEvidence
from trainer.statistics import f1, harmonic, wilson

AND_VOTE = " and a vote"
"""Suffix of panels in which a vote withdraws unproven objections if its solutions reach the attempt's answer."""
SHARE = "{:.0%} [{:.0%}, {:.0%}]"
BINS = 10
"""Bins of the expected calibration error (Guo et al. 2017, arXiv 1706.04599)."""


def summary(collected: JudgedEvidence, weights: Mapping[str, Aggregation]) -> dict[str, Any]:
    """The figures of every panel whose sources were collected."""
    findings = collected.findings()
    return {
        "n": len(findings),
        "n_error": sum(attempt.first_error is not None for attempt in collected.attempts),
        "n_correct": sum(attempt.first_error is None for attempt in collected.attempts),
        "failed": findings.count(None),
        "model": collected.engine.model,
        "panels": {
            name: {
                **figures(collected.attempts, findings, panel, _weights_of(name, panel, weights)),
                "seconds": round(sum(map(collected.seconds, panel)), 2),
            }
            for name, panel in panels_of(collected, weights).items()
        },
        "run": str(collected.results.folder),
    }


def panels_of(collected: JudgedEvidence, weights: Mapping[str, Aggregation]) -> dict[str, tuple[str, ...]]:
    """The panels whose sources were collected. Sources without a weight are not required, because the app does not ask
    them."""
    asked = {
        name: tuple(s for s in panel if s == arithmetic.NAME or weights[name].uses(FEATURES_OF[s]))
        for name, panel in DEPTHS.items()
        if name in weights
    }
    able = {name: panel for name, panel in asked.items() if {*panel} <= {arithmetic.NAME, *collected.sources}}
    voted = {f"{name}{AND_VOTE}": (*panel, vote.NAME) for name, panel in able.items() if vote.NAME in collected.sources}
    return able | voted | panels_among(collected.sources, collected.engine.adapters)


def _weights_of(name: str, panel: Sequence[str], weights: Mapping[str, Aggregation]) -> Aggregation:
    """The rule of a panel. A panel without its own uses the quick rule if it contains all features that have a weight
    there, otherwise the untrained rule."""
    quick = weights.get("quick", UNTRAINED)
    features = {feature for source in panel for feature in FEATURES_OF[source]}
    has_all = {feature for feature in quick.features if quick.uses([feature])} <= features
    is_part = {*panel} <= {*DEPTHS["quick"], vote.NAME}
    return weights.get(name.removesuffix(AND_VOTE), quick if has_all and is_part else UNTRAINED)


def figures(
    attempts: Sequence[LabelledTrajectory],
    findings: Sequence[Findings | None],
    panel: Sequence[str],
    weights: Aggregation,
) -> dict[str, Any]:
    """The figures of one panel. An attempt without evidence counts as missed."""
    known = [attempt for attempt, one in zip(attempts, findings, strict=True) if one is not None]
    given = cases(attempts, findings, panel)
    places = [first_error(case.steps, weights) for case in given]
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


def _share(attempts: Sequence[LabelledTrajectory], outcomes: Sequence[bool], is_right: bool) -> dict[str, Any]:
    hits = [o for a, o in zip(attempts, outcomes, strict=True) if (a.first_error is None) is is_right]
    share = sum(hits) / len(hits) if hits else 0.0
    return {"accuracy": share, "n": len(hits), "interval": wilson(sum(hits), len(hits))}


def discrimination(attempts: Sequence[LabelledTrajectory], flagged: Sequence[bool]) -> dict[str, float]:
    """Whether an attempt has any error: accuracy, and F1 of both classes."""
    wrong = [attempt.first_error is not None for attempt in attempts]
    accuracy = sum(a is b for a, b in zip(wrong, flagged, strict=True)) / len(wrong)
    return {"accuracy": accuracy, "f1_wrong": f1(wrong, flagged), "f1_right": f1(wrong, flagged, False)}


def calibration(given: Sequence[Case], weights: Aggregation) -> dict[str, float]:
    """Expected calibration error and Brier score of the step probabilities, over steps up to the first error."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for case in given:
        for one, right in case.fitted:
            if weights.uses(one.features):
                p = weights.probability(one.features)
                bins[min(BINS - 1, int(p * BINS))].append((p, right))
    pairs = [pair for part in bins.values() for pair in part]
    if not pairs:
        return {}
    gaps = (abs(sum(p for p, _ in part) - sum(right for _, right in part)) for part in bins.values())
    return {"ece": sum(gaps) / len(pairs), "brier": sum((p - right) ** 2 for p, right in pairs) / len(pairs)}


def _by_type(attempts: Sequence[LabelledTrajectory], outcomes: Sequence[bool]) -> dict[str, Any]:
    grouped: dict[str, list[bool]] = defaultdict(list)
    for attempt, outcome in zip(attempts, outcomes, strict=True):
        if attempt.first_error is not None and attempt.error_type:
            grouped[attempt.error_type].append(outcome)
    return {kind: {"found": sum(hits) / len(hits), "n": len(hits)} for kind, hits in sorted(grouped.items())}


def weights_in_use(engine: Engine, settings: Settings) -> Mapping[str, Aggregation]:
    """The rules that the app would use, by depth."""
    return open_critic(engine, settings).fitted


def write_outcomes(path: Path, attempts: Sequence[LabelledTrajectory], outcomes: Mapping[str, bool]) -> None:
    """Write the outcomes for the gate, one JSON line per attempt. Raises OSError."""
    lines = ({"key": a.key, "right": outcomes[a.key], "first_error_index": a.first_error} for a in attempts)
    write_whole(path, (json.dumps(line) + "\n" for line in lines))


def table(report: Mapping[str, Any]) -> Table:
    """One row per panel."""
    made = Table(title=f"{report['model']}: {report['n_error']} wrong and {report['n_correct']} right attempts")
    for column in ("panel", "F1", "on wrong", "on right", "any error: acc.", "F1 wrong / right", "ECE", "seconds"):
        made.add_column(column, justify="left" if column == "panel" else "right")
    for name, row in report["panels"].items():
        told = row["discrimination"]
        made.add_row(
            name,
            f"{row['f1']:.1%}",
            *(SHARE.format(row[kind]["accuracy"], *row[kind]["interval"]) for kind in ("wrong", "right")),
            f"{told['accuracy']:.0%}",
            f"{told['f1_wrong']:.0%} / {told['f1_right']:.0%}",
            f"{row['calibration']['ece']:.2f}" if row["calibration"] else "-",
            f"{row['seconds']:.1f}",
        )
    return made


def type_table(report: Mapping[str, Any]) -> Table | None:
    """Recall of first errors by the error type of the labels; None without types."""
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
