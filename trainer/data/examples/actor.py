"""Training examples for the actor: right solutions without checks."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.problems.labelled import LabelledTrajectory
from runtime.prompts.actor_turn import conversation
from runtime.text import join_steps, language_of
from runtime.types import Problem
from trainer.data.rows import Row
from trainer.data.traces.trace import Trace


def actor_row(trace: Trace) -> Row:
    """The solution of a trace, without checks and doubted steps."""
    return _row(trace.problem, (one.step for one in trace.steps if one.right), trace.answer)


def solution_row(attempt: LabelledTrajectory) -> Row:
    """A right attempt with the closing line that states its answer."""
    return _row(attempt.problem, attempt.steps, attempt.trajectory.answer)


def _row(problem: Problem, steps: Iterable[str], answer: str | None) -> Row:
    text = join_steps(steps, answer, language_of(problem.text))
    return Row(messages=tuple(conversation(problem)), reply=((text, 1.0),), source=problem.source)
