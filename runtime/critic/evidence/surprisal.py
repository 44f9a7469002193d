"""Surprisal: whether the digits and signs are those that the model itself would have written. Needs no training.

An actor that solves a problem expects the right numbers and signs of the next step. So every digit and every sign of an
attempt is compared with the one the model holds likeliest at that place, all in one reading. That tells slips of
choosing and of copying; of a wrong idea that the model would have had itself, it says nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from threading import Event

from runtime.critic.evidence.collector import Collector
from runtime.critic.evidence.source import Source, StepEvidence
from runtime.engines.base import Engine
from runtime.prompts.actor_turn import conversation
from runtime.text import Language, language_of
from runtime.types import Evidence, Problem, Trajectory

NAME = "surprisal"
UNEXPECTED = -5.0
"""Log-probability below the expected digit or sign from which on a badge says so; the rule has its own measure."""

CHOICES = (*"0123456789", " +", " -", " ×", " *", " /", "+", "-", "*", "/", "×")
"""What is compared with each other: only what decides a calculation, never wording."""
_DECIDES = re.compile(r"[0-9]| ?[-+×*/](?= ?[0-9$(])")


def compares(step: str) -> bool:
    """Whether a step holds anything that could be other than expected."""
    return _DECIDES.search(f"{step}\n") is not None


def surprises(
    engine: Engine, problem: Problem, steps: Sequence[str], since: int = 0, cancel: Event | None = None
) -> list[float]:
    """For every step from `since` on the log-probability of its worst digit or sign against the likeliest one there: 0
    where all are those expected, or there are none; the more below 0 the more unexpected. Raises ContextOverflow,
    Cancelled, EngineError."""
    parts, written, owners, text = [], [], [], ""
    for number, step in enumerate(steps):
        line, at = f"{step}\n", 0
        for found in _DECIDES.finditer(line):
            parts.append(text + line[at : found.start()])
            written.append(CHOICES.index(found[0]))
            owners.append(number)
            text, at = "", found.start()
        text += line[at:]
    first, worst = bisect_left(owners, since), [0.0] * len(steps)
    if first < len(parts):
        rows = engine.choice_logprobs(conversation(problem), parts, CHOICES, since=first, cancel=cancel)
        for owner, choice, row in zip(owners[first:], written[first:], rows, strict=True):
            worst[owner] = min(worst[owner], row[choice] - max(row))
    return worst[since:]


def _collect(collector: Collector, problem: Problem, attempt: Trajectory, cancel: Event) -> tuple[float, ...]:
    return collector.by_step(NAME, problem, attempt, partial(surprises, collector.engine, problem, cancel=cancel))


def _examine(steps: Sequence[StepEvidence], found: Sequence[float], problem: Problem, attempt: Trajectory) -> None:
    language = language_of(problem.text)
    for one, step, surprise in zip(steps, attempt.steps, found, strict=False):
        one.features[NAME] = surprise
        if compares(step.text):
            unexpected = surprise < UNEXPECTED
            note = _UNEXPECTED[language] if unexpected else None
            one.evidence.append(Evidence(by=NAME, verdict="incorrect" if unexpected else "correct", note=note))


_UNEXPECTED: dict[Language, str] = {
    "en": "A different number or sign would be expected here.",
    "zh-CN": "这里本该是另一个数或另一种运算。",
}
SOURCE = Source(
    NAME,
    _examine,
    _collect,
    kind=tuple[float, ...],
    features=(NAME,),  # how far the least expected digit or sign lies below the expected one, in log-probability
    badges={"correct": "expected", "incorrect": "unexpected"},
    depths=("quick", "deep"),
    reads_only=True,
)
