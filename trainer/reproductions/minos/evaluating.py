"""Evaluations in words of the same attempts: by a tutor for the first stage, and by a small language model (MM7).

Both are shown the labels of rollouts, not the truth; the language model also none. The tutor knows the right solution,
as the paper's GPT-4 can find it: it puts into words what is wrong with the first step that is labelled wrong, or what
was to be worked out there. A text that does not agree with the labels is dropped.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from runtime import engines
from runtime.models import catalogue
from runtime.problems.labelled import LabelledTrajectory
from runtime.settings import Settings
from trainer.data.errors.comments import wanted
from trainer.data.evaluations.annotators import Labelled, Model, Structural
from trainer.data.evaluations.labels import step_labels
from trainer.data.evaluations.pipeline import Evaluation, Evaluations
from trainer.data.evaluations.sources import known
from trainer.data.examples.evaluation import evaluation_row
from trainer.data.rows import Row
from trainer.reproductions.claims import Effect
from trainer.reproductions.ground.diagnosis import diagnose
from trainer.reproductions.verifiers.material import Tried, finished, with_truth
from trainer.statistics import clustered_share, paired

SMALL = "smollm2-135m"
"""The language model of MM7."""
CONTEXT, PARALLEL = 4096, 16


class Tutor(Structural):
    """The structural annotator, with words for the errors of the ground."""

    name = "tutor"

    def _comment(self, job: Labelled) -> str:
        worked, place = job.worked, job.first_error
        assert worked and place is not None, "it is asked about a wrong step of a known problem"
        found = diagnose(worked, job.steps)
        if found and found.place == place:
            return found.comment
        made = worked.steps[min(place, len(worked.steps) - 1)].makes
        assert made is not None, "every step of the ground makes a number"
        return wanted(worked, made, random.Random(f"{worked.problem.id} {place}"))


@dataclass(frozen=True)
class Written:
    """The evaluations of the tutor."""

    rows: Sequence[Row]
    """Those that agree with the labels, as training rows, in the order of the problems."""
    attempts: int

    def first(self, share: float) -> Sequence[Row]:
        return self.rows[: round(share * len(self.rows))]


def written(found: Sequence[Tried], seed: int, settings: Settings) -> Written:
    """Evaluations of all attempts whose every step is labelled. Stored."""
    run = Evaluations(jobs_of(found), Tutor(), seed, settings.home)
    finished(run.run())
    rows = [evaluation_row(one.job.attempt, one.text) for one in run.evaluations() if one.fault is None]
    return Written(rows, len(run.jobs))


def jobs_of(found: Sequence[Tried]) -> list[Labelled]:
    jobs = (known(attempt, one.worked) for one in found for attempt in one.attempts)
    return [job for job in jobs if isinstance(job, Labelled)]


# A language model as annotator (MM7)


@dataclass(frozen=True)
class Judged:
    """Verdicts of a language model on the steps of attempts."""

    problems: Sequence[str]
    """Of each step whose truth is known."""
    shown: Sequence[bool]
    """Whether the verdict is true with the labels before its eyes; a missing one is not."""
    hidden: Sequence[bool]
    """The same without."""
    labels: Sequence[bool]
    """Whether the label that it was shown is true."""

    @property
    def effect(self) -> Effect:
        gain = paired(self.shown, self.hidden, self.problems)
        return Effect("labels shown - hidden", gain, len(set(self.problems)))

    def share(self, hits: Sequence[bool]) -> str:
        value, (low, high) = clustered_share(hits, self.problems)
        return f"{value:.1%} [{low:.1%}, {high:.1%}] of {len(hits)} verdicts are true"


def judged(found: Sequence[Tried], count: int, seed: int, settings: Settings) -> Judged | None:
    """Let the small language model explain `count` attempts, at one problem each, wrong and right ones in turn; None
    if it is not installed. Stored. Raises EngineError."""
    if SMALL not in {one.name for one in catalogue.installed(settings)}:
        return None
    jobs = jobs_of([Tried(one.worked, chosen) for one, chosen in _in_turn(found)])[:count]
    with closing(engines.open_engine(settings.with_(model=SMALL, context=CONTEXT), PARALLEL, True, {})) as engine:
        runs = [Evaluations(jobs, Model(engine, hinted), seed, settings.home) for hinted in (True, False)]
        for run in runs:
            finished(run.run())
    shown, hidden = (list(run.evaluations()) for run in runs)
    return judgement(shown, hidden)


def _in_turn(found: Sequence[Tried]) -> Iterator[tuple[Tried, tuple[LabelledTrajectory, ...]]]:
    """Of each problem one attempt, wrong and right ones in turn as far as there are such."""
    for number, one in enumerate(found):
        preferred = sorted(one.attempts, key=lambda attempt: attempt.correct is (number % 2 == 0))
        yield one, tuple(preferred[:1])


def judgement(shown: Sequence[Evaluation], hidden: Sequence[Evaluation]) -> Judged:
    """The verdicts of both against the truth, step by step."""
    columns: list[tuple[str, bool, bool, bool]] = []
    for one, other in zip(shown, hidden, strict=True):
        assert one.job.worked, "its problem is known"
        truth = step_labels(with_truth(one.job.worked, one.job.attempt))
        for right, label, a, b in zip(truth, one.job.labels, one.reading.verdicts, other.reading.verdicts, strict=True):
            if right is not None:
                columns.append((one.job.attempt.problem.id, a is right, b is right, label is right))
    return Judged(*(list(column) for column in zip(*columns, strict=True)))
