"""One answer from many attempts at a problem: by votes, by a verifier's scores, or by both.

Choosing is separate from sampling, so that every method and every N can use the same attempts. Self-consistency: arXiv
2203.11171. Best of N, and votes weighted by a verifier: arXiv 2312.08935.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event

from runtime.engines.base import Engine, Enough, Sampling, provenance
from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.search.solutions import TEMPERATURE, read_solution, votes
from runtime.text import language_of, split_steps
from runtime.types import Problem, Step, Trajectory

SAMPLING = Sampling(temperature=TEMPERATURE)


@dataclass(frozen=True)
class Choice:
    """The chosen attempt; None if no attempt states an answer."""

    attempt: Trajectory | None = None
    votes: int = 0
    """How many attempts reach its answer; chosen by its score alone, only itself."""
    weight: float = 0.0
    """The sum of their scores."""

    @property
    def answer(self) -> str | None:
        return self.attempt.answer if self.attempt else None


def majority(attempts: Sequence[Trajectory], scores: Sequence[float] = ()) -> Choice:
    """The first attempt with the most frequent answer; of equally frequent ones the first. Scores, if there are any,
    only add up."""
    groups = by_answer(attempts, scores or [1.0] * len(attempts))
    return _elected(groups[0], groups[0][0]) if groups else Choice()


def weighted_majority(attempts: Sequence[Trajectory], scores: Sequence[float]) -> Choice:
    """The best attempt with the answer whose scores have the largest sum, one with steps before one without. Raises
    ValueError for scores that are no probabilities: with negative logits every further vote for an answer would count
    against it."""
    if wrong := [score for score in scores if not 0 <= score <= 1]:
        raise ValueError(f"A score of {wrong[0]} is no probability and cannot be summed. Put logits through a sigmoid.")
    groups = by_answer(attempts, scores)
    if not groups:
        return Choice()
    winners = max(groups, key=lambda group: sum(choice.weight for choice in group))
    return _elected(winners, max(winners, key=lambda one: (bool(one.attempt and one.attempt.steps), one.weight)))


def highest(attempts: Sequence[Trajectory], scores: Sequence[float]) -> Choice:
    """Best-of-N: the attempt with the highest score among those that state an answer. Scores may have any scale."""
    choices = [Choice(attempt, 1, score) for attempt, score in zip(attempts, scores, strict=True)]
    return max((c for c in choices if c.answer is not None), key=lambda c: c.weight, default=Choice())


def by_answer(attempts: Sequence[Trajectory], scores: Sequence[float]) -> list[tuple[Choice, ...]]:
    """The attempts with their scores, grouped by answer, the largest group first. Those without an answer are left
    out."""
    scored = [Choice(attempt, 1, score) for attempt, score in zip(attempts, scores, strict=True)]
    return [group.solutions for group in votes(scored)]


def _elected(group: Sequence[Choice], chosen: Choice) -> Choice:
    return Choice(chosen.attempt, len(group), sum(one.weight for one in group))


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
