"""Attempts of stored runs with their labels and reviews, for reviewing and exporting.

A step that a refinement kept has one label, stored with the attempt that first wrote it; it counts in both attempts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from runtime.log.run import Run, home_of, step_id
from runtime.log.store import SessionLog
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel, by_labels
from runtime.types import Critique, Feedback, Problem, Review, Trajectory


@dataclass(frozen=True)
class LabelledAttempt:
    """An attempt and where it is stored; `known` is what people know of it."""

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
    def spoiled(self) -> bool:
        """Whether the review says that the problem is unusable."""
        return self.review is not None and self.review.ending == "bad_problem"

    @property
    def known(self) -> LabelledTrajectory:
        """The attempt with what people know of it: the first error where all steps before it are rated, the reviewer's
        explanation of it and its kind."""
        labels = tuple(_step_label(i, label) for i, label in enumerate(self.labels) if label and _says(label))
        first_error = by_labels(labels, len(self.steps))
        wrong = self.labels[first_error] if isinstance(first_error, int) else None
        review = self.review
        return LabelledTrajectory(
            problem=self.problem, trajectory=self.trajectory, labels=labels, first_error_index=first_error,
            explanation=review.explanation if review and wrong else "",
            error_type=(wrong.reason or None) if wrong else None,
            provenance=LabelProvenance(
                annotator="local", created=self.run.created_at, generator=self.run.model,
                seconds=review.seconds if review else None, ending=review.ending if review else None,
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
