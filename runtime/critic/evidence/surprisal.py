"""Surprisal: whether digits and signs are those that the model itself would have written. Needs no training.

A model that can solve a problem expects the right numbers and signs in the next step. So every digit and every sign of
an attempt is compared with the likeliest one at that place, all in one reading. This finds wrong choices and copying
errors, but no wrong idea that the model would have had too.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from threading import Event

from runtime.critic.evidence.source import Collector, Source, StepEvidence
from runtime.engines.base import Engine
from runtime.prompts.actor_turn import conversation
from runtime.text import Language, language_of
from runtime.types import Evidence, Problem, Trajectory

NAME = "surprisal"
UNEXPECTED = -5.0
"""Log-probability relative to the likeliest digit or sign below which the badge says unexpected; the fitted rule uses
the number itself."""

CHOICES = (*"0123456789", " +", " -", " ×", " *", " /", "+", "-", "*", "/", "×")
"""The tokens compared with each other: only what decides a calculation, never wording."""
_DECIDES = re.compile(r"[0-9]| ?[-+×*/](?= ?[0-9$(])")


def compares(step: str) -> bool:
    """Whether a step holds any digit or sign to compare."""
    return _DECIDES.search(f"{step}\n") is not None


def surprises(
    engine: Engine, problem: Problem, steps: Sequence[str], since: int = 0, cancel: Event | None = None
) -> list[float]:
    """For every step from `since` on the log-probability of its least expected digit or sign relative to the likeliest
    one there: 0 where all are the likeliest, or there are none; never above 0. Raises ContextOverflow, Cancelled,
    EngineError."""
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
