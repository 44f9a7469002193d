"""The critic's turn: how an attempt is put to it, and how its verdicts are written, in serving and in training alike.

The turn follows the actor's own words in the same conversation, so what the actor read and wrote is not read again by
an activated voice. The critic repeats each step and puts its verdict behind it: a step is judged where it was just
read, and all verdicts come from one reading.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime import prompts
from runtime.actor import conversation
from runtime.engines.base import Message
from runtime.text import Language, language_of
from runtime.types import Problem, Trajectory


def put_to_critic(problem: Problem, attempt: Trajectory) -> list[Message]:
    """The conversation up to the critic's turn."""
    asked = prompts.fill("critic", language_of(problem.text))
    return [*conversation(problem, attempt), Message(role="user", content=asked)]


def verdict_words(language: Language) -> tuple[str, str]:
    """The words for right and for wrong."""
    right, wrong = prompts.template("verdicts", language).split("\n")
    return right, wrong


def verdict_parts(steps: Sequence[str], language: Language) -> list[str]:
    """The critic's turn cut where a verdict stands next, every step but the last taken as right."""
    right, _ = verdict_words(language)
    return [f"{right}]\n{step} [" if number else f"{step} [" for number, step in enumerate(steps)]
