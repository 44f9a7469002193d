"""The actor's turn: how a problem is put to it, also with an attempt of its own and a critique of that."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.engines.base import Engine, Message, Sampling
from runtime.prompts import templates
from runtime.text import join_steps, language_of
from runtime.types import Problem, Provenance, Trajectory

ADAPTER = "actor"


def conversation(problem: Problem, attempt: Trajectory | None = None, prompt: str = "actor") -> list[Message]:
    """How a problem is put to the actor; with an attempt, the conversation that ends in it."""
    language = language_of(problem.text)
    messages = [
        Message(role="system", content=templates.fill("system", language)),
        Message(role="user", content=templates.fill(prompt, language, problem=problem.text)),
    ]
    if attempt:
        # A person's own lines hold their answer already.
        closing = None if attempt.origin == "student" else attempt.answer
        written = join_steps((step.text for step in attempt.steps), closing, language)
        messages.append(Message(role="assistant", content=written))
    return messages


def continuing(problem: Problem, steps: Sequence[str] = ()) -> list[Message]:
    """The conversation in which the actor goes on after these steps, if there are any."""
    messages = conversation(problem)
    return [*messages, Message(role="assistant", content=join_steps(steps) + "\n")] if steps else messages


def after_critique(problem: Problem, wrong: Trajectory, position: int, comment: str) -> list[Message]:
    """The conversation in which the actor is told what the critic said of a step of its attempt."""
    step = wrong.steps[position].text
    language = language_of(problem.text)
    request = templates.fill("refine", language, number=str(position + 1), step=step, comment=comment)
    return [*conversation(problem, wrong), Message(role="user", content=request)]


def asking_for_calculations(problem: Problem, planned: Trajectory) -> list[Message]:
    """The conversation in which the actor is asked for the calculations that its attempt leaves out."""
    request = templates.fill("calculate", language_of(problem.text))
    return [*conversation(problem, planned), Message(role="user", content=request)]


def provenance(
    engine: Engine, prompt: str, problem: Problem, sampling: Sampling | None = None, adapter: str | None = ADAPTER
) -> Provenance:
    """What made something: enough to make it again. An adapter that the engine does not have is not named."""
    return Provenance(
        engine=engine.name,
        model=engine.model,
        adapter=adapter if adapter in engine.adapters else None,
        prompt=templates.version(prompt, language_of(problem.text)),
        temperature=sampling.temperature if sampling else 0.0,
        seed=sampling.seed if sampling else 0,
    )
