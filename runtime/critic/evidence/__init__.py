"""Evidence on the steps of an attempt: one file for each source, all listed here.

A new source is one file that fills in a `Source`, its line in `SOURCES`, and the strings of its badges in the locales
(`badge.` and `why.`). The critic, the fitted rule, its calibration, the evaluation and the page read this list. Nothing
is scored here (see `runtime.critic.aggregation` and `runtime.critic.critic`).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any, get_args

from pydantic import TypeAdapter

from runtime.critic.evidence import arithmetic, solutions, surprisal, verdict, verifier, vote
from runtime.critic.evidence.source import Findings, Source, StepEvidence
from runtime.prompts.critic_turn import judged
from runtime.types import Depth, Problem, Trajectory

SOURCES: tuple[Source, ...] = (
    arithmetic.SOURCE,
    verdict.SOURCE,
    verifier.SOURCE,
    surprisal.SOURCE,
    solutions.SOURCE,
    vote.SOURCE,
)
"""In the order in which the page shows their evidence."""
NAMES = tuple(source.name for source in SOURCES)
READERS = tuple(source.name for source in SOURCES if source.reads_only)
DEPTHS: dict[Depth, tuple[str, ...]] = {
    depth: tuple(source.name for source in SOURCES if depth in source.depths) for depth in get_args(Depth)
}
"""The sources of each depth; measured in trainer/LOG.md."""
NEEDS = {source.name: source.needs_adapter for source in SOURCES if source.needs_adapter}
"""The role of the adapter that a source needs."""
FEATURES = tuple(feature for source in SOURCES for feature in source.features)
FEATURES_OF = {source.name: source.features for source in SOURCES}


def named(names: Iterable[str]) -> list[Source]:
    """The sources of these names, in the order of the list."""
    wanted = {*names}
    return [source for source in SOURCES if source.name in wanted]


def usable(names: Iterable[str], roles: Container[str]) -> tuple[str, ...]:
    """The sources among these that need no adapter, or one of these roles."""
    return tuple(name for name in names if name not in NEEDS or NEEDS[name] in roles)


def examine(problem: Problem, attempt: Trajectory, findings: Findings, sources: Sequence[str]) -> list[StepEvidence]:
    """The evidence of these sources on every step."""
    every = [StepEvidence() for _ in attempt.steps]
    steps = every[: len(judged([step.text for step in attempt.steps]))]
    for source in named(sources):
        found = findings.get(source.name)
        if found or not source.collect:
            source.examine(every if source.every_line else steps, found, problem, attempt)
    return every


def to_json(findings: Findings) -> dict[str, Any]:
    """As values that `json.dumps` can write."""
    return {name: _ADAPTERS[name].dump_python(found, mode="json") for name, found in findings.items()}


def from_json(written: dict[str, Any]) -> dict[str, Any]:
    """What `to_json` was given. Raises ValidationError, KeyError."""
    return {name: _ADAPTERS[name].validate_python(value) for name, value in written.items() if value}


_ADAPTERS = {source.name: TypeAdapter(source.kind) for source in SOURCES if source.collect}
