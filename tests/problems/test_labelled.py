"""Labelled trajectories: JSON round trips, no label outside the steps, and the first error that labels decide."""

import pytest
from tables import table

from runtime.problems.labelled import (
    LabelledTrajectory,
    LabelProvenance,
    StepLabel,
    WrittenCritique,
    by_labels,
    known_steps,
    labelled,
)
from runtime.types import Problem

PROBLEM = Problem(text="1 + 1 + 1?", answer="3")
STEPS = ("1 + 1 = 2", "2 + 1 = 4")
KNOWN = labelled(
    PROBLEM, STEPS, 1, answer="4", explanation="2 + 1 is 3.", error_type="calculation", correct=False,
    labels=(
        StepLabel(step=0, by="rollouts", k=3, n=4),
        StepLabel(step=1, by="human", value=-1, reason="sum", correction="2 + 1 = 3"),
        StepLabel(step=1, by="critic", p=0.25),
    ),
    critiques=(WrittenCritique(text="Wrong.", by="m"),),
    provenance=LabelProvenance(format="ProcessBench", row="7", role="rejected", seconds=1.5),
)  # fmt: skip


@pytest.mark.parametrize("attempt", [KNOWN, labelled(PROBLEM, STEPS, None), labelled(PROBLEM, STEPS)])
def test_json_round_trips_give_the_same_value(attempt):
    assert LabelledTrajectory.model_validate_json(attempt.model_dump_json()) == attempt


@pytest.mark.parametrize("known", [{"first_error_index": 2}, {"labels": (StepLabel(step=2, value=1),)}])
def test_a_label_outside_the_steps_is_refused(known):
    with pytest.raises(ValueError, match="not on one of the 2 steps"):
        labelled(PROBLEM, STEPS, **known)


@pytest.mark.parametrize("label", [{}, {"k": 1}, {"n": 2}, {"k": 3, "n": 2}, {"value": 2}, {"p": 1.5}])
def test_a_label_that_says_nothing_or_is_impossible_is_refused(label):
    with pytest.raises(ValueError):
        StepLabel(step=0, **label)


def test_the_first_error_of_an_attempt_that_nobody_judged_cannot_be_asked_for():
    unjudged = labelled(PROBLEM, STEPS)
    assert not unjudged.is_judged
    with pytest.raises(ValueError, match="not known"):
        _ = unjudged.first_error


def ratings(*values, by="human"):
    return [StepLabel(step=i, by=by, value=value) for i, value in enumerate(values) if value is not None]


@table(
    ("labels", "first_error", "known"),
    [
        (ratings(1, 1, 1), None, [True, True, True]),
        (ratings(1, 0, -1), 2, [True, True, False]),
        (ratings(1, -1), 1, [True, False]),
        (ratings(1, None, -1), "unknown", [True]),
        (ratings(None, -1, 1), "unknown", []),
        (ratings(1, -1, 1, by="critic"), "unknown", []),
        ([], "unknown", []),
    ],
)
def test_labels_decide_the_first_error_only_where_all_steps_before_it_are_labelled(labels, first_error, known):
    assert by_labels(labels, 3) == first_error
    assert known_steps(labelled(PROBLEM, ("a", "b", "c"), labels=tuple(labels))) == known


@table(("first_error", "known"), [(None, [True, True]), (0, [False]), (1, [True, False]), ("unknown", [])])
def test_a_first_error_states_which_steps_are_right(first_error, known):
    assert known_steps(labelled(PROBLEM, STEPS, first_error)) == known
