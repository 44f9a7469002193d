"""A vote on the outcome of a talk: the answer stands unless enough new solutions agree on another one.

A solution that is outvoted is replaced by one that won. A person's own work stays; the note says how the vote went.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event

from runtime.critic.critic import Judge
from runtime.engines.base import Engine, EngineError
from runtime.events import CritiqueDone, Voting, next_or_value, shown, value_of
from runtime.events import Event as TalkEvent
from runtime.search import self_consistency
from runtime.search.self_consistency import VOTERS, MajorityVote
from runtime.search.verifier import Verifier
from runtime.solving.meanwhile import meanwhile
from runtime.solving.outcomes import outcome_of
from runtime.text import language_of
from runtime.types import Critique, Outcome, Problem, Trajectory


@dataclass(frozen=True)
class Vote:
    """On one attempt, of the actor or of a person, and on its critique, if there is a critic."""

    problem: Problem
    attempt: Trajectory
    critique: Critique | None
    critic: Judge | None
    seed: int = 0
    """Of the solutions that vote."""
    verifier: Verifier | None = None

    def held(self, found: Outcome, engine: Engine, cancel: Event) -> Generator[TalkEvent, None, Outcome]:
        """The generator's value is the outcome after the vote; it stays `found` after a stop, and where the engine
        fails, which its note then says."""
        at_hand = () if self._is_own_work else (self.attempt,)
        yield Voting(len(at_hand), VOTERS)
        try:
            majority = yield from self._majority(engine, at_hand, cancel)
            if cancel.is_set():
                return found
            new = yield from self._applied(majority, cancel)
        except EngineError as error:
            return found.noting(str(error))
        return new.model_copy(update={"note": found.noting(new.note).note}) if new else found

    def _majority(
        self, engine: Engine, at_hand: Sequence[Trajectory], cancel: Event
    ) -> Generator[TalkEvent, None, MajorityVote]:
        """The vote, which takes minutes; its progress is reported meanwhile."""
        by = {"seed": self.seed, "verifier": self.verifier}
        ask = partial(self_consistency.ask, engine, self.problem, cancel, at_hand, **by)
        counting = meanwhile(lambda report: ask(report=report), cancel)
        while not isinstance(item := next_or_value(counting), MajorityVote):
            yield Voting(max(item, len(at_hand)), VOTERS)
        return item

    def _applied(self, majority: MajorityVote, cancel: Event) -> Generator[TalkEvent, None, Outcome | None]:
        """The outcome after a vote; None after a stop. Events come last, as the old answer is shown until then."""
        standing, critique = self.attempt, self.critique
        if majority.winner and majority.replaces(self.attempt) and not self._is_own_work:
            standing = majority.winner
            critique = value_of(self.critic.read(self.problem, standing, cancel)) if self.critic else None
        critique = self._reconsidered(standing, critique, majority, cancel)
        if cancel.is_set():
            return None
        if standing is not self.attempt:
            yield from shown(standing)
        if critique and critique is not self.critique:
            yield CritiqueDone(critique)
        return self._outcome(standing, critique, majority)

    def _reconsidered(
        self, attempt: Trajectory, critique: Critique | None, majority: MajorityVote, cancel: Event
    ) -> Critique | None:
        """Without an unproven error, where enough solutions agree on the attempt's answer."""
        is_blamed = critique is not None and critique.first_error is not None
        if self.critic and is_blamed and majority.is_certain and majority.shares(attempt):
            return self.critic.reconsider(self.problem, attempt, majority, cancel) or critique
        return critique

    def _outcome(self, standing: Trajectory, critique: Critique | None, majority: MajorityVote) -> Outcome:
        if self._is_own_work:
            note = self_consistency.on_own_work(majority, self.problem, self.attempt)
            objected = majority.outvotes(self.attempt) and bool(note)
        else:
            note = self_consistency.on_solution(majority, self.attempt, language_of(self.problem.text))
            objected = not majority.is_certain
        outcome = outcome_of(standing, critique, note)
        status = outcome.status
        if objected and status != "unanswerable":
            status = "unsettled"
        elif status == "unchecked" and majority.is_certain and majority.shares(standing):
            status = "settled"
        is_rated = not self._is_own_work and majority.shares(standing)
        return outcome.model_copy(
            update={
                "vote": majority.count,
                "answers": majority.answers,
                "weights": majority.weights,
                "status": status,
                "reliability": majority.reliability if is_rated else None,
            }
        )

    @property
    def _is_own_work(self) -> bool:
        return self.attempt.origin == "student"
