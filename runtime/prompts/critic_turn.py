"""The critic's turn: how it reads an attempt and writes its verdicts, the same in serving and in training.

The critic reads the problem, and then in its own turn every step for the first time, each followed by its verdict. It
must not have seen the steps before: a model that reads a step again expects just that step, and no longer notices that
another number was to be expected. All verdicts come from one reading.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.text import Language, is_answer_line
from runtime.types import Message, Problem


def put_to_critic(problem: Problem) -> list[Message]:
    """The conversation up to the critic's turn."""
    return conversation(problem, prompt="critic")


def judged(steps: Sequence[str]) -> Sequence[str]:
    """The steps that the critic judges: all but the last lines that only state the answer."""
    end = len(steps)
    while end > 1 and is_answer_line(steps[end - 1]):
        end -= 1
    return steps[:end]


def verdict_words(language: Language) -> tuple[str, str]:
    """The words for "right" and "wrong"."""
    right, wrong = templates.template("verdicts", language).split("\n")
    return right, wrong


def verdict_parts(steps: Sequence[str], language: Language) -> list[str]:
    """The critic's turn in parts, each of which ends where a verdict follows; earlier steps are taken as right."""
    right, _ = verdict_words(language)
    return [f"{right}]\n{step} [" if number else f"{step} [" for number, step in enumerate(steps)]
