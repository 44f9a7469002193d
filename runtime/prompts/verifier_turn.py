"""The verifier's turn: every step ends in a neutral mark, at which the verdict words are scored but never written.

Unlike the critic's turn, no verdict is fed back: the score of a step does not depend on those of the steps before.
So the same reading serves an attempt with several errors, an outcome reward model (the last mark) and a process reward
model (all marks).
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.prompts.actor_turn import conversation
from runtime.types import Message, Problem

MARK = " ["
"""Ends each part. The next token of the critic's turn would be a verdict word, so an untrained base scores here too."""


def put_to_verifier(problem: Problem) -> list[Message]:
    """The conversation up to the verifier's turn."""
    return conversation(problem, prompt="verifier")


def score_parts(steps: Sequence[str]) -> list[str]:
    """The verifier's turn in parts, each of which ends in a mark."""
    return [f"]\n{step}{MARK}" if number else f"{step}{MARK}" for number, step in enumerate(steps)]
