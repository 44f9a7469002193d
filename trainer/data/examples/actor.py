"""Training examples for the actor: right solutions without checks."""

from __future__ import annotations

from runtime.prompts.actor_turn import conversation
from runtime.text import join_steps, language_of
from trainer.data.rows import Row
from trainer.data.traces.trace import Trace


def actor_row(trace: Trace) -> Row:
    """The solution of a trace, without checks and doubted steps."""
    steps = (one.step for one in trace.steps if one.right)
    text = join_steps(steps, trace.answer, language_of(trace.problem.text))
    return Row(messages=tuple(conversation(trace.problem)), reply=((text, 1.0),), source=trace.problem.source)
