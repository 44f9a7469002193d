"""One answer from many attempts at a problem: by votes, by a verifier's scores, or by both.

Choosing is separate from sampling, so that every method and every N can use the same attempts. Self-consistency: arXiv
2203.11171. Best of N, and votes weighted by a verifier: arXiv 2312.08935.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event

from runtime.engines.base import Completion, Engine, Enough, Sampling, provenance
from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.search.solutions import TEMPERATURE, decided, read_solution, votes
from runtime.text import language_of, split_steps
from runtime.types import Problem, Step, Trajectory

SAMPLING = Sampling(temperature=TEMPERATURE)


@dataclass(frozen=True)
class Choice:
    """The chosen attempt; None if no attempt states an answer."""

    attempt: Trajectory | None = None
    weight: float = 0.0
    """The number of votes for its answer, the sum of their probabilities, or its own score."""

    @property
    def answer(self) -> str | None:
        return self.attempt.answer if self.attempt else None


Score = Callable[[Trajectory], float]
"""A verifier's score of an attempt."""
Choose = Callable[[Sequence[Trajectory], Sequence[float]], Choice]
"""A choice among attempts, given a score for each."""


def majority(attempts: Sequence[Trajectory]) -> Choice:
    """The first attempt with the most frequent answer; of equally frequent ones the first."""
    groups = [group.solutions for group in votes(attempts)]
    return Choice(groups[0][0], len(groups[0])) if groups else Choice()


def highest(attempts: Sequence[Trajectory], scores: Sequence[float]) -> Choice:
    """The attempt with the highest score among those that state an answer. Scores may have any scale."""
    choices = [Choice(attempt, score) for attempt, score in zip(attempts, scores, strict=True)]
    return max((c for c in choices if c.answer is not None), key=lambda c: c.weight, default=Choice())


def weighted_majority(attempts: Sequence[Trajectory], scores: Sequence[float]) -> Choice:
    """The best attempt with the answer whose scores have the largest sum. Raises ValueError for scores that are no
    probabilities: with negative logits every further vote for an answer would count against it."""
    if wrong := [score for score in scores if not 0 <= score <= 1]:
        raise ValueError(f"A score of {wrong[0]} is no probability and cannot be summed. Put logits through a sigmoid.")
    groups = [group.solutions for group in votes([Choice(*scored) for scored in zip(attempts, scores, strict=True)])]
    if not groups:
        return Choice()
    winner = max(groups, key=lambda group: sum(choice.weight for choice in group))
    best = max(winner, key=lambda choice: choice.weight)
    return Choice(best.attempt, sum(choice.weight for choice in winner))


def sample_attempts(
    engine: Engine,
    problem: Problem,
    n: int,
    sampling: Sampling = SAMPLING,
    adapter: str | None = None,
    cancel: Event | None = None,
    enough: Enough | None = None,
) -> list[Trajectory]:
    """`n` independent attempts, decoded together; fewer once `enough` holds of their replies. Raises EngineError."""
    [replies] = engine.sample([conversation(problem)], sampling, adapter, n, cancel=cancel, enough=enough)
    made_by = provenance(engine, templates.version("actor", language_of(problem.text)), sampling, adapter)
    return [
        Trajectory(
            problem_id=problem.id,
            steps=tuple(Step(text=step) for step in split_steps(reply.text)),
            answer=read_solution(reply).answer,
            finish=reply.finish,
            made_by=made_by,
        )
        for reply in replies
    ]


def self_consistency(
    engine: Engine,
    problem: Problem,
    n: int,
    sampling: Sampling = SAMPLING,
    adapter: str | None = None,
    cancel: Event | None = None,
) -> Choice:
    """The most frequent answer of `n` attempts; sampling ends once it cannot change any more. Raises EngineError."""

    def enough(replies: Sequence[Completion]) -> bool:
        return decided([read_solution(reply) for reply in replies], missing=n - len(replies))

    return majority(sample_attempts(engine, problem, n, sampling, adapter, cancel, enough))


def best_of_n(
    engine: Engine,
    problem: Problem,
    n: int,
    score: Score,
    choose: Choose = highest,
    sampling: Sampling = SAMPLING,
    adapter: str | None = None,
    cancel: Event | None = None,
) -> Choice:
    """A choice among `n` attempts by a verifier's scores: `highest`, or `weighted_majority` for scores from 0 to 1.
    Raises EngineError."""
    attempts = sample_attempts(engine, problem, n, sampling, adapter, cancel)
    answered = [attempt for attempt in attempts if attempt.answer is not None]
    return choose(answered, [score(attempt) for attempt in answered])
