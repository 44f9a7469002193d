"""Attempts of stored runs with their labels and reviews, for reviewing and exporting.

A step that a refinement kept has one label, stored with the attempt that first wrote it; it counts in both attempts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from runtime.log.run import Run, home_of, step_id
from runtime.log.store import SessionLog
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel
from runtime.types import Critique, Feedback, Problem, Review, Trajectory


@dataclass(frozen=True)
class LabelledAttempt:
    run: Run
    turn: int
    step_ids: tuple[str, ...]
    labels: tuple[Feedback | None, ...]
    """The latest label of each step."""
    review: Review | None = None

    @property
    def key(self) -> str:
        return f"{self.run.id}:{self.turn}"

    @property
    def problem(self) -> Problem:
        return self.run.transcript.talk.problem

    @property
    def trajectory(self) -> Trajectory:
        found = self.run.transcript.talk.turns[self.turn]
        assert isinstance(found, Trajectory), "`turn` is that of an attempt"
        return found

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
        """The ratings from the first step to the first wrong step, or to the last before an unrated step."""
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
        """Index, from 0, of the first step rated wrong, if all steps before it are rated; else None."""
        return len(self.rated) - 1 if self.rated[-1:] == [-1] else None

    @property
    def explanation(self) -> str:
        """The reviewer's explanation of the first wrong step; may be empty."""
        return self.review.explanation if self.review and self.first_error is not None else ""

    @property
    def error_type(self) -> str:
        """The reason given for the first wrong step; may be empty."""
        wrong = self.first_error
        label = self.labels[wrong] if wrong is not None else None
        return (label.reason or "") if label else ""

    @property
    def holds(self) -> bool:
        """Whether every step is rated and none is wrong."""
        return len(self.rated) == len(self.steps) and self.first_error is None

    @property
    def spoiled(self) -> bool:
        """Whether the review says that the problem is unusable."""
        return self.review is not None and self.review.ending == "bad_problem"

    @property
    def known(self) -> LabelledTrajectory:
        """The attempt with what people know of it, as data formats express it."""
        first_error = self.first_error if self.first_error is not None or self.holds else "unknown"
        return LabelledTrajectory(
            problem=self.problem, trajectory=self.trajectory, first_error_index=first_error,
            labels=tuple(_step_label(i, label) for i, label in enumerate(self.labels) if label and _says(label)),
            explanation=self.explanation, error_type=self.error_type or None,
            provenance=LabelProvenance(
                annotator="local", created=self.run.created_at, generator=self.run.model,
                seconds=self.review.seconds if self.review else None,
                ending=self.review.ending if self.review else None,
            ),
        )  # fmt: skip

    def allowed(self) -> LabelledAttempt:
        """The attempt with only the labels and the review that may be exported."""
        review = self.review if self.review and self.review.consent else None
        run = replace(self.run, labels={key: label for key, label in self.run.labels.items() if label.consent})
        return replace(self, run=run, labels=tuple(run.labels.get(key) for key in self.step_ids), review=review)


def _step_label(step: int, label: Feedback) -> StepLabel:
    return StepLabel(step=step, by="human", value=label.rating, reason=label.reason, correction=label.correction)


def _says(label: Feedback) -> bool:
    return any(said is not None for said in (label.rating, label.reason, label.correction))


def attempts_of(run: Run, reviews: Mapping[int, Review]) -> Iterator[LabelledAttempt]:
    """The attempts of a run that have steps, in order."""
    talk = run.transcript.talk
    for turn, trajectory in enumerate(talk.turns):
        if isinstance(trajectory, Trajectory) and trajectory.steps:
            ids = tuple(step_id(run.id, *home_of(talk, turn, i)) for i in range(len(trajectory.steps)))
            yield LabelledAttempt(run, turn, ids, tuple(run.labels.get(key) for key in ids), reviews.get(turn))


def attempt_of(log: SessionLog, key: str) -> LabelledAttempt | None:
    """The attempt with this key, as stored now; None if there is none."""
    run_id, _, turn = key.partition(":")
    run = log.run(run_id)
    found = attempts_of(run, log.reviews(run_id)) if run else ()
    return next((attempt for attempt in found if str(attempt.turn) == turn), None)


def labelled_attempts(log: SessionLog, consented_only: bool = True) -> Iterator[LabelledAttempt]:
    """Every attempt with a label or a review, oldest first."""
    for run in log.labelled_runs():
        for attempt in attempts_of(run, log.reviews(run.id)):
            known = attempt.allowed() if consented_only else attempt
            if known.review or any(known.labels):
                yield known
