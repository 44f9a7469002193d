"""A verifier scores the steps of an attempt without writing a word (Math-Shepherd, arXiv 2312.08935).

A process reward model (PRM) has a score for each step, an outcome reward model (ORM) for the last one. Both are the
probability of the word "right" against "wrong" at a mark after the step, read in one pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from threading import Event

from runtime.engines.base import Engine
from runtime.prompts.critic_turn import verdict_words
from runtime.prompts.verifier_turn import put_to_verifier, score_parts
from runtime.text import language_of
from runtime.types import Problem

ADAPTER = "verifier"

Aggregate = Callable[[Sequence[float]], float]
AGGREGATES: Mapping[str, Aggregate] = {
    "min": min,
    "product": math.prod,
    "last": lambda scores: scores[-1],
    "mean": lambda scores: sum(scores) / len(scores),
}
"""From the scores of the steps to that of the attempt; all keep probabilities probabilities. An ORM has only "last"."""


def score_steps(
    engine: Engine,
    problem: Problem,
    steps: Sequence[str],
    adapter: str | None = ADAPTER,
    since: int = 0,
    cancel: Event | None = None,
) -> list[float]:
    """The probability that each step is right, from step `since` on: shape (len(steps) - since,). Without the adapter
    the base itself is asked. Raises Cancelled, ContextOverflow, EngineError."""
    words = verdict_words(language_of(problem.text))
    rows = engine.choice_logprobs(put_to_verifier(problem), score_parts(steps), words, adapter, since, cancel)
    return [1 / (1 + math.exp(min(wrong - right, 700.0))) for right, wrong in rows]  # exp overflows beyond
