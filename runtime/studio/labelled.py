"""Single attempts of stored runs with what people said of them: what is reviewed, and what is exported.

A step that a refinement kept was judged where it was first written, and its label counts in both attempts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from runtime.log.run import Run, home_of, step_id
from runtime.log.store import SessionLog
from runtime.types import Critique, Feedback, Problem, Review, Trajectory


@dataclass(frozen=True)
class LabelledAttempt:
    run: Run
    turn: int
    step_ids: tuple[str, ...]
    labels: tuple[Feedback | None, ...]
    """The latest word on each step."""
    review: Review | None = None

    @property
    def key(self) -> str:
        return f"{self.run.id}:{self.turn}"

    @property
    def problem(self) -> Problem:
        return self.run.transcript.talk.problem

    @property
    def trajectory(self) -> Trajectory:
        return self.run.transcript.talk.turns[self.turn]

    @property
    def steps(self) -> list[str]:
        return [step.text for step in self.trajectory.steps]

    @property
    def critique(self) -> Critique | None:
        return self.run.transcript.talk.critique_of(self.trajectory)

    @property
    def ratings(self) -> list[int | None]:
        return [label.rating if label else None for label in self.labels]

    @property
    def rated(self) -> list[int]:
        """The ratings from the first step on, up to the first wrong step or the first without a rating."""
        found: list[int] = []
        for rating in self.ratings:
            if rating is None:
                break
            found.append(rating)
            if rating < 0:
                break
        return found

    @property
    def first_error(self) -> int | None:
        """The first step that a person rated wrong, from 0, if all before it were rated too."""
        return len(self.rated) - 1 if self.rated[-1:] == [-1] else None

    @property
    def explanation(self) -> str:
        """What a person says is wrong with the first wrong step; empty if nobody did."""
        return self.review.explanation if self.review and self.first_error is not None else ""

    @property
    def error_type(self) -> str:
        """Which kind of error a person found in the first wrong step; empty if nobody said."""
        wrong = self.first_error
        return (self.labels[wrong].reason or "") if wrong is not None else ""

    @property
    def holds(self) -> bool:
        """Whether a person rated every step, and none of them wrong."""
        return len(self.rated) == len(self.steps) and self.first_error is None

    @property
    def spoiled(self) -> bool:
        """Whether a person said that the problem is of no use."""
        return self.review is not None and self.review.ending == "bad_problem"

    def allowed(self) -> LabelledAttempt:
        """Only what people allowed to leave the machine."""
        review = self.review if self.review and self.review.consent else None
        run = replace(self.run, labels={key: label for key, label in self.run.labels.items() if label.consent})
        return replace(self, run=run, labels=tuple(run.labels.get(key) for key in self.step_ids), review=review)


def attempts_of(run: Run, reviews: Mapping[int, Review]) -> Iterator[LabelledAttempt]:
    """The attempts of a run that have a step, in the order in which they were made."""
    talk = run.transcript.talk
    for turn, trajectory in enumerate(talk.turns):
        if isinstance(trajectory, Trajectory) and trajectory.steps:
            ids = tuple(step_id(run.id, *home_of(talk, turn, i)) for i in range(len(trajectory.steps)))
            yield LabelledAttempt(run, turn, ids, tuple(run.labels.get(key) for key in ids), reviews.get(turn))


def attempt_of(log: SessionLog, key: str) -> LabelledAttempt | None:
    """The attempt with this key, as it stands now."""
    run_id, _, turn = key.partition(":")
    run = log.run(run_id)
    found = attempts_of(run, log.reviews(run_id)) if run else ()
    return next((attempt for attempt in found if str(attempt.turn) == turn), None)


def labelled_attempts(log: SessionLog, consented_only: bool = True) -> Iterator[LabelledAttempt]:
    """Every attempt on a step of which, or on the whole of which, people said something; oldest first."""
    for run in log.labelled_runs():
        for attempt in attempts_of(run, log.reviews(run.id)):
            told = attempt.allowed() if consented_only else attempt
            if told.review or any(told.labels):
                yield told
