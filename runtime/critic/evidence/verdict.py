"""The verdict word of the critic's adapter: right or wrong after each step, all steps in one reading."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from threading import Event

from runtime.critic.evidence.source import Collector, Source, examine_log_odds
from runtime.prompts.critic_turn import put_to_critic, verdict_parts, verdict_words
from runtime.text import language_of
from runtime.types import Problem, Trajectory

NAME = "verdict"
ADAPTER = "critic"


def _collect(collector: Collector, problem: Problem, attempt: Trajectory, cancel: Event) -> tuple[float, ...]:
    """Log-odds of "right" against "wrong" after each judged step, the earlier ones taken as right."""
    language = language_of(problem.text)

    def ask(steps: Sequence[str], since: int) -> list[float]:
        parts, words = verdict_parts(steps, language), verdict_words(language)
        rows = collector.engine.choice_logprobs(put_to_critic(problem), parts, words, ADAPTER, since, cancel)
        return [right - wrong for right, wrong in rows]

    return collector.by_step(NAME, problem, attempt, ask)


SOURCE = Source(
    NAME,
    partial(examine_log_odds, NAME),
    _collect,
    kind=tuple[float, ...],
    features=(NAME,),  # the log-odds
    badges={"correct": "model_right", "unsure": "model_doubts", "incorrect": "model_wrong"},
    depths=("quick", "deep"),
    reads_only=True,
    needs_adapter=ADAPTER,
)
