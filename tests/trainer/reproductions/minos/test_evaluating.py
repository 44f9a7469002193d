"""Evaluations by a tutor who is shown the labels of rollouts, and verdicts of a language model against the truth."""

from itertools import islice

import pytest

from runtime import settings
from runtime.problems.labelled import StepLabel, labelled
from trainer.data.evaluations import text
from trainer.data.evaluations.annotators import Labelled
from trainer.data.evaluations.pipeline import Evaluation
from trainer.reproductions.ground.attempts import Error, walk
from trainer.reproductions.ground.diagnosis import diagnose
from trainer.reproductions.ground.problems import stream
from trainer.reproductions.minos.evaluating import Tutor, jobs_of, judged, judgement, written
from trainer.reproductions.verifiers.material import Tried

ATTEMPTS = (
    walk(one, lambda scene, made: Error("operation", 0) if scene.step == 1 else None)
    for one in stream(3)
    if len(one.steps) == 3
)
WRONG = next(one for one in ATTEMPTS if one.first_error == 1 and not one.right)
WORKED = WRONG.worked


def attempt(lines, answer, *rollouts):
    """An attempt whose steps so many of eight rollouts completed; the last one is graded."""
    right = answer == WORKED.result
    labels = [StepLabel(step=step, by="rollouts", k=k, n=8) for step, k in enumerate(rollouts)]
    labels.append(StepLabel(step=len(rollouts), by="rollouts", k=int(right), n=1, drawn="none"))
    return labelled(WORKED.problem, lines, answer=answer, correct=right, labels=tuple(labels))


def evaluated(*attempts):
    [job] = jobs_of([Tried(WORKED, attempts)])
    [made] = Tutor().annotate([job], 0)
    return job, made and text.parse(made.text, len(job.labels))


def test_the_tutor_explains_the_first_wrong_step_by_what_went_wrong():
    job, reading = evaluated(attempt(WRONG.lines, WRONG.carried.result, 5, 0))
    assert reading.verdicts == job.labels == (True, False, False) and reading.final is False
    assert reading.explanations[1] == diagnose(WORKED, WRONG.lines).comment


def test_the_verdicts_are_those_of_the_labels_even_where_they_are_wrong():
    """No rollout got home from a right step: the tutor tells what was to be done there."""
    job, reading = evaluated(attempt(WORKED.lines, WORKED.result, 6, 0))
    assert job.labels == (True, False, True)
    assert reading.verdicts == job.labels and reading.final is True and reading.explanations[1]


def test_an_attempt_that_is_right_is_explained_step_by_step():
    _, reading = evaluated(attempt(WORKED.lines, WORKED.result, 6, 3))
    assert reading.verdicts == (True, True, True) and all(reading.explanations)


def test_rows_show_no_label_and_a_share_of_them_comes_first():
    found = []
    for worked in islice(stream(4), 8):
        labels = tuple(StepLabel(step=step, by="rollouts", k=4, n=8) for step in range(len(worked.lines)))
        right = labelled(worked.problem, worked.lines, answer=worked.result, correct=True, labels=labels)
        found.append(Tried(worked, (right,)))
    texts = written(found, 0, settings.load())
    assert len(texts.rows) == texts.attempts == 8
    assert texts.first(0.5) == texts.rows[:4]
    assert all("True" in row.reply[0][0] and "label" not in row.messages[1]["content"] for row in texts.rows)


def read(verdicts, right):
    job = Labelled(right, (True, True, False), False, WORKED)
    return Evaluation(job, "", None, text.Reading(verdicts, ("",) * 3, False))


def test_verdicts_of_a_model_are_compared_with_the_truth():
    wrong = attempt(WRONG.lines, WRONG.carried.result, 5, 5)  # the rollouts miss the error in the second step
    found = judgement([read((True, False, False), wrong)], [read((True, True, None), wrong)])
    assert found.shown == [True, True, True] and found.hidden == [True, False, False]
    assert found.labels == [True, False, True]
    assert found.effect.gain.difference == pytest.approx(2 / 3) and found.effect.n == 1


def test_without_the_model_nothing_is_judged(tmp_path):
    assert judged([], 60, 0, settings.load(models=tmp_path)) is None
