"""What a sampled reply is paid: for its steps, for its outcome, or for both; and at which token.

A judge gives each step a score from 0 to 1: a verifier its probability, a critic or exact arithmetic 1 before the first
error and 0 from there on. The reward of a step comes at the token that ends it (Math-Shepherd, arXiv 2312.08935), that
of the outcome at the last token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from threading import Event
from typing import Literal

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from runtime.critic.critic import Critic, weights_of
from runtime.engines.base import Engine
from runtime.events import value_of
from runtime.search.verifier import score_steps
from runtime.settings import Settings
from runtime.text import LineReader
from runtime.types import Problem, Step, Trajectory
from trainer.data.losers import is_refuted

Credit = Literal["sum", "centred", "mean", "min"]
Judge = Callable[[Engine, Problem, Sequence[str]], list[float]]
"""The score of each step of an attempt, from 0 to 1. Called from several threads. Raises EngineError."""
ERROR = 0.5
"""A step with a lower score counts as an error."""


# Scores of steps


def by_verifier(engine: Engine, problem: Problem, steps: Sequence[str]) -> list[float]:
    return score_steps(engine, problem, steps)


def by_arithmetic(engine: Engine, problem: Problem, steps: Sequence[str]) -> list[float]:
    """By the first equation that exact arithmetic refutes."""
    refuted = [is_refuted(step) for step in steps]
    return until(refuted.index(True) if True in refuted else None, len(steps))


def by_critic(settings: Settings) -> Judge:
    """By the first error that the app's critic finds with its quick check."""

    def judge(engine: Engine, problem: Problem, steps: Sequence[str]) -> list[float]:
        critic = Critic(engine, settings.max_tokens, settings.seed, "quick", weights_of(engine, settings))
        attempt = Trajectory(problem_id=problem.id, steps=tuple(Step(text=step) for step in steps))
        return until(value_of(critic.read(problem, attempt, Event())).first_error, len(steps))

    return judge


def until(error: int | None, steps: int) -> list[float]:
    """The scores of steps of which this is the first wrong one; None: all are right."""
    return [float(error is None or step < error) for step in range(steps)]


# From scores to rewards


def credited(scores: Sequence[float], credit: Credit, until_error: bool = False) -> list[float]:
    """The reward of each step.

    sum: its score, so that more steps earn more. centred: less a half, so that a doubtful step costs. mean: divided by
    the number of steps. min: from each step on, the rewards add up to the lowest score from there on, which is what
    counts (PURE, arXiv 2504.15275), so that no further step can earn anything. With `until_error` the steps after the
    first error get nothing; it is what a first-error judge says of them in any case.
    """
    end = next((place + 1 for place, score in enumerate(scores) if score < ERROR), len(scores))
    paid = list(scores[:end] if until_error else scores)
    if credit == "min":
        lowest = [*accumulate(reversed(paid), min)][::-1]
        rewards = [now - after for now, after in zip(lowest, [*lowest[1:], 0.0], strict=True)]
    else:
        share = len(paid) if credit == "mean" else 1
        rewards = [(score - (ERROR if credit == "centred" else 0.0)) / share for score in paid]
    return [*rewards, *[0.0] * (len(scores) - len(paid))]


@dataclass(frozen=True)
class Pay:
    """How scores and outcome become the rewards of tokens."""

    credit: Credit = "sum"
    until_error: bool = False
    outcome_weight: float = 1.0

    def rewards(
        self, tokens: int, ends: Sequence[int], scores: Sequence[float] | None, outcome: float | None
    ) -> list[float]:
        """The reward of each token. `ends` are the places of the tokens that end the steps; None is not paid. A reply
        without a step counts as one wrong step, or saying nothing would be the way not to err."""
        rewards = [0.0] * tokens
        if scores is not None:
            places = ends or [tokens - 1]
            for place, reward in zip(places, credited(scores or [0.0], self.credit, self.until_error), strict=True):
                rewards[place] += reward
        if outcome is not None:
            rewards[-1] += self.outcome_weight * outcome
        return rewards


def steps_of(tokenizer: Tokenizer, token_ids: Sequence[int]) -> tuple[list[str], list[int]]:
    """The steps of a sampled reply, and the place of the token that ends each: that with its newline, or the last."""
    reader, stream, found = LineReader(), DecodeStream(skip_special_tokens=True), []
    for place, token in enumerate(token_ids):
        found += [(line, place) for line in reader.push(stream.step(tokenizer, token) or "")]
    found += [(line, len(token_ids) - 1) for line in reader.finish()]
    steps = [(line.text, place) for line, place in found if line.kind == "step"]
    return [text for text, _ in steps], [place for _, place in steps]
