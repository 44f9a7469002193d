"""The conversations in which the actor solves a problem, continues an attempt or refines it."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.prompts import templates
from runtime.text import join_steps, language_of
from runtime.types import Message, Problem, Trajectory

ADAPTER = "actor"


def conversation(problem: Problem, attempt: Trajectory | None = None, prompt: str = "actor") -> list[Message]:
    """The conversation that asks for a solution; with an attempt, that which ends in it."""
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
    """The conversation in which the actor continues after these steps, if there are any."""
    messages = conversation(problem)
    return [*messages, Message(role="assistant", content=join_steps(steps) + "\n")] if steps else messages


def after_critique(problem: Problem, wrong: Trajectory, position: int, comment: str) -> list[Message]:
    """The conversation in which the actor is given the critic's comment on a step of its attempt."""
    step = wrong.steps[position].text
    language = language_of(problem.text)
    request = templates.fill("refine", language, number=str(position + 1), step=step, comment=comment)
    return [*conversation(problem, wrong), Message(role="user", content=request)]


def after_acceptance(problem: Problem, attempt: Trajectory) -> list[Message]:
    """The conversation in which the actor is told that the critic found no error in its attempt."""
    request = templates.fill("accepted", language_of(problem.text))
    return [*conversation(problem, attempt), Message(role="user", content=request)]


def trying_again(problem: Problem, attempt: Trajectory) -> list[Message]:
    """The conversation in which the actor is asked for another attempt, and told nothing of the first one."""
    request = templates.fill("again", language_of(problem.text))
    return [*conversation(problem, attempt), Message(role="user", content=request)]


def asking_for_calculations(problem: Problem, planned: Trajectory) -> list[Message]:
    """The conversation in which the actor is asked for the calculations that its attempt leaves out."""
    request = templates.fill("calculate", language_of(problem.text))
    return [*conversation(problem, planned), Message(role="user", content=request)]
