"""A verifier scores the steps of an attempt without writing a word (Math-Shepherd, arXiv 2312.08935).

A process reward model (PRM) has a score for each step, an outcome reward model (ORM) for the last one. Both are the
probability of the word "right" against "wrong" at a mark after the step, read in one pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from threading import Event

from runtime.engines.base import Cancelled, ContextOverflow, Engine
from runtime.models import adapters
from runtime.models.adapter_cards import Choosing
from runtime.odds import log_sigmoid, sigmoid
from runtime.prompts.critic_turn import verdict_words
from runtime.prompts.verifier_turn import put_to_verifier, score_parts
from runtime.search.reliability import likelihood
from runtime.search.selection import Choice
from runtime.settings import Settings
from runtime.text import language_of
from runtime.types import Problem, Trajectory

ADAPTER = "verifier"

Aggregate = Callable[[Sequence[float]], float]
AGGREGATES: Mapping[str, Aggregate] = {
    "min": min,
    "product": math.prod,
    "last": lambda scores: scores[-1],
    "mean": lambda scores: sum(scores) / len(scores),
}
"""From the scores of the steps to that of the attempt; all keep probabilities probabilities. An ORM has only "last"."""


def first_error_likelihoods(log_odds: Sequence[float]) -> list[float]:
    """The log-probability that the first error is in each step, log p-(j) + sum over t < j of log p+(t), and at last
    that there is none, from the log-odds that each step is right: shape (len(log_odds) + 1,). It needs no threshold, so
    it serves a base that was never trained as a verifier (uPRM, arXiv 2605.10158)."""
    likelihoods, right = [], 0.0
    for odds in log_odds:
        likelihoods.append(right + log_sigmoid(-odds))
        right += log_sigmoid(odds)
    return [*likelihoods, right]


def step_log_odds(
    engine: Engine,
    problem: Problem,
    steps: Sequence[str],
    adapter: str | None = ADAPTER,
    since: int = 0,
    cancel: Event | None = None,
) -> list[float]:
    """The log-odds that each step is right, from step `since` on: shape (len(steps) - since,). Without the adapter the
    base itself is asked. Raises Cancelled, ContextOverflow, EngineError."""
    words = verdict_words(language_of(problem.text))
    rows = engine.choice_logprobs(put_to_verifier(problem), score_parts(steps), words, adapter, since, cancel)
    return [right - wrong for right, wrong in rows]


def score_steps(
    engine: Engine,
    problem: Problem,
    steps: Sequence[str],
    adapter: str | None = ADAPTER,
    since: int = 0,
    cancel: Event | None = None,
) -> list[float]:
    """The same as probabilities."""
    return [sigmoid(odds) for odds in step_log_odds(engine, problem, steps, adapter, since, cancel)]


def filled(scores: Sequence[float | None]) -> list[float]:
    """Scores in which an attempt that has none, such as a program, counts as an average one; all equal where no attempt
    has one."""
    known = [score for score in scores if score is not None]
    average = fmean(known) if known else 1.0
    return [average if score is None else score for score in scores]


@dataclass(frozen=True)
class Verifier:
    """The verifier of an engine, and how its card uses the scores."""

    engine: Engine
    choosing: Choosing

    def scores(self, problem: Problem, attempts: Sequence[Trajectory], cancel: Event) -> tuple[float, ...]:
        """A score of each attempt, shape (len(attempts),). Raises EngineError."""
        return tuple(filled([self._score(problem, attempt, cancel) for attempt in attempts]))

    def reliability(self, problem: Problem, attempt: Trajectory, cancel: Event) -> float | None:
        """The probability that the answer of a single attempt is right; None where the card has no such mapping or the
        attempt cannot be scored. Raises EngineError."""
        if self.choosing.alone is None or attempt.answer is None:
            return None
        score = self._score(problem, attempt, cancel)
        return None if score is None else likelihood(self.choosing.alone, Choice(attempt, 1, score), 1)

    def _score(self, problem: Problem, attempt: Trajectory, cancel: Event) -> float | None:
        """None for an attempt without steps or an answer, or too long for the context, and after a stop."""
        if not attempt.steps or attempt.answer is None:
            return None
        try:
            steps = score_steps(self.engine, problem, [step.text for step in attempt.steps], cancel=cancel)
        except (ContextOverflow, Cancelled):
            return None
        return AGGREGATES[self.choosing.aggregate](steps)


def open_verifier(engine: Engine, settings: Settings) -> Verifier | None:
    """The verifier of an engine; None without an adapter whose card says how to choose by its scores."""
    if ADAPTER not in engine.adapters or engine.path is None:
        return None
    adapter = adapters.adapters_of(engine.path, settings).get(ADAPTER)
    return Verifier(engine, adapter.card.choosing) if adapter and adapter.card.choosing else None
