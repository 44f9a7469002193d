"""The verifier's score of each step, at a neutral mark and not at a verdict word; all steps in one reading.

A verdict word takes the steps before it as right. A verifier reads no verdict, so its score of a step is unconditional,
and the two make different mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from threading import Event

from runtime.critic.evidence.source import Collector, Source, examine_log_odds
from runtime.search.verifier import ADAPTER, step_log_odds
from runtime.types import Problem, Trajectory

NAME = "verifier"


def _collect(collector: Collector, problem: Problem, attempt: Trajectory, cancel: Event) -> tuple[float, ...]:
    """Log-odds that each judged step is right."""

    def ask(steps: Sequence[str], since: int) -> list[float]:
        return step_log_odds(collector.engine, problem, steps, since=since, cancel=cancel)

    return collector.by_step(NAME, problem, attempt, ask)


SOURCE = Source(
    NAME,
    partial(examine_log_odds, NAME),
    _collect,
    kind=tuple[float, ...],
    features=(NAME,),  # the log-odds
    badges={"correct": "verifier_right", "unsure": "verifier_doubts", "incorrect": "verifier_wrong"},
    depths=("quick", "deep"),
    reads_only=True,
    needs_adapter=ADAPTER,
)
