"""Actor and critic on many problems at once: attempts, critiques and refinements, each with its cost.

The app solves one problem at a time (`runtime.solving.loop`). Experiments need thousands of turns, so all turns of one
kind are sampled in one call and decoded in batches. Unlike the app, which keeps the steps before a wrong one, a
refinement here rewrites the whole solution, as in the paper (MathCritique, arXiv 2411.16579).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TypeVar

from pydantic import AliasChoices, Field

from runtime.checks.grading import grade
from runtime.checks.stated import final_answer
from runtime.critic.aggregation import Aggregation
from runtime.critic.critic import NO_REASON, Critic
from runtime.critic.evidence.verdict import ADAPTER as CRITIC
from runtime.engines.base import Completion, Engine, Metered, Sampling
from runtime.events import value_of
from runtime.problems.labelled import LabelledTrajectory
from runtime.prompts.actor_turn import ADAPTER as ACTOR
from runtime.prompts.actor_turn import after_acceptance, after_critique, conversation
from runtime.prompts.critic_turn import put_to_critic, verdict_parts, verdict_words
from runtime.text import join_steps, language_of, split_steps
from runtime.types import Critique, Message, Messages, Parent, Problem, Step, Trajectory, Value
from trainer.runs import kept

V = TypeVar("V", bound=Value)

TEMPERATURE = 0.7
"""Sampling temperature of attempts and refinements when several are sampled."""
COMMENT_TOKENS = 60


class Spent(Value):
    """Turns (a critique counts once, however many calls it takes), and tokens read and written."""

    turns: int = 0
    read: int = 0
    written: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(turns=self.turns + other.turns, read=self.read + other.read, written=self.written + other.written)


class Attempt(LabelledTrajectory):
    """A graded attempt, with its cost."""

    correct: bool = Field(validation_alias=AliasChoices("correct", "right"))
    """Called `right` in files of earlier releases."""
    cost: Spent = Spent()

    @property
    def can_be_refined(self) -> bool:
        """Whether it is complete: a truncated attempt has no solution to go back into."""
        return bool(self.steps) and self.trajectory.finish == "stop"

    @property
    def text(self) -> str:
        """The attempt as an actor writes it."""
        return join_steps(self.steps, self.answer, language_of(self.problem.text))


class Reading(Value):
    """The critique of an attempt, with its cost."""

    critique: Critique
    cost: Spent = Spent()

    @property
    def objects(self) -> bool:
        return self.critique.first_error is not None


@dataclass(frozen=True)
class Players:
    """Actor and critic on one engine, which may have adapters for both."""

    engine: Engine
    weights: Mapping[str, Aggregation]
    """The critic's fitted rules, by depth."""
    max_tokens: int = 256

    def attempts(
        self, problems: Sequence[Problem], n: int = 1, temperature: float = TEMPERATURE, seed: int = 0
    ) -> list[Attempt]:
        """`n` attempts at each problem, one problem after the other. Raises EngineError."""
        replies = self._written([conversation(problem) for problem in problems], n, temperature, seed)
        return [_read(problem, one) for problem, some in zip(problems, replies, strict=True) for one in some]

    def critiques(self, attempts: Sequence[Attempt]) -> list[Reading]:
        """One critique per attempt, by a critic without the answer. One at a time: batches may round differently, and a
        killed run must end with the same result."""
        return [self._criticise(attempt) for attempt in attempts]

    def refinements(
        self, pairs: Sequence[tuple[Attempt, Reading]], n: int = 1, temperature: float = TEMPERATURE, seed: int = 0
    ) -> list[Attempt]:
        """`n` refinements of each attempt, also of those that the critic accepts. Raises EngineError."""
        replies = self._written([refining(*pair) for pair in pairs], n, temperature, seed)
        return [
            _read(attempt.problem, reply, attempt)
            for (attempt, _), some in zip(pairs, replies, strict=True)
            for reply in some
        ]

    def _written(self, asked: Iterable[Messages], n: int, temperature: float, seed: int) -> Iterable[list[Completion]]:
        sampling = Sampling(temperature=temperature, max_tokens=self.max_tokens, seed=seed).unfiltered()
        return self.engine.sample(asked, sampling, ACTOR if ACTOR in self.engine.adapters else None, n)

    def _criticise(self, attempt: Attempt) -> Reading:
        asked = attempt.problem.model_copy(update={"answer": None})
        engine = Metered(self.engine)
        critic = Critic(engine, self.max_tokens, depth="quick", weights=self.weights)
        critique = value_of(critic.read(asked, attempt.trajectory, Event()))
        critique = worded(engine, asked, attempt.trajectory, critique)
        used = engine.usage
        return Reading(critique=critique, cost=Spent(turns=1, read=used.prompt_tokens, written=used.completion_tokens))


Opened = Callable[[], AbstractContextManager[Players]]
"""Opens actor and critic on a new engine, because what an engine has read before changes its roundings."""


def sampled(path: Path, kind: type[V], opened: Opened, ask: Callable[[Players], Iterable[V]]) -> list[V]:
    """Samples of players, stored in a file and not sampled again. Each call opens a new engine, so that a killed run
    resumes with the same result."""

    def make() -> Iterator[V]:
        with opened() as players:
            yield from ask(players)

    return kept(path, kind, make)


def worded(engine: Engine, problem: Problem, attempt: Trajectory, critique: Critique) -> Critique:
    """The critique with a reason for the first error: if no source noted one, the text that the critic's adapter writes
    after its verdict, MathCritique's natural-language feedback. (The app shows only what can be checked.)"""
    language, place = language_of(problem.text), critique.first_error
    if place is None or critique.verdicts[place].comment != NO_REASON[language]:
        return critique
    steps = [step.text for step in attempt.steps[: place + 1]]
    turn = "".join(verdict_parts(steps, language)) + f"{verdict_words(language)[1]}]"
    asked = [*put_to_critic(problem), Message(role="assistant", content=turn)]
    [[reply]] = engine.sample([asked], Sampling(max_tokens=COMMENT_TOKENS), CRITIC, stop=("\n",))
    blamed = critique.verdicts[place].model_copy(update={"comment": reply.text.strip()})
    return critique.model_copy(update={"verdicts": (*critique.verdicts[:place], blamed)})


def refining(attempt: Attempt, reading: Reading) -> Messages:
    """The actor's conversation after a critique. It is told of the first error, or that the critic found none."""
    place = reading.critique.first_error
    if place is None:
        return after_acceptance(attempt.problem, attempt.trajectory)
    return after_critique(attempt.problem, attempt.trajectory, place, reading.critique.verdicts[place].comment)


def _read(problem: Problem, reply: Completion, before: Attempt | None = None) -> Attempt:
    answer = final_answer(reply.text) if reply.finish == "stop" else None
    trajectory = Trajectory(
        problem_id=problem.id,
        steps=tuple(Step(text=line) for line in split_steps(reply.text)),
        answer=answer,
        finish=reply.finish,
        origin="refine" if before else "sample",
        parent=Parent(trajectory_id=before.trajectory.id, kept=0) if before else None,
    )
    cost = Spent(turns=1, read=reply.prompt_tokens, written=reply.completion_tokens)
    return Attempt(problem=problem, trajectory=trajectory, correct=grade(answer, problem) is True, cost=cost)
