"""Attempts with labels by rollouts: distinct, labelled without the truth, and paid for once."""

import pytest
from world import world

from runtime import settings
from runtime.engines.base import Usage
from runtime.problems.labelled import by_labels
from trainer.data.examples.verifier import scored_row
from trainer.reproductions.ground.diagnosis import diagnose
from trainer.reproductions.verifiers.ledger import Ledger, Spent
from trainer.reproductions.verifiers.material import fresh, tried, with_rollouts, with_truth


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        setting = world(patch, settings.load(home=tmp_path_factory.mktemp("home")))
        found = tried(setting, fresh(setting, 12, 1, "material"), 6, 1, Usage())
        yield setting, with_rollouts(setting, found, 16, 1, Usage())


@pytest.mark.rest
def test_another_seed_name_or_split_gives_other_problems(labelled):
    setting, _ = labelled
    given = [("a", 1, "train"), ("b", 1, "train"), ("a", 2, "train"), ("a", 1, "test")]
    drawn = [{one.problem.id for one in fresh(setting, 20, seed, name, split)} for name, seed, split in given]
    assert len(set.union(*drawn)) == sum(map(len, drawn)) > 70


def test_attempts_are_distinct_and_every_step_has_a_label(labelled):
    _, found = labelled
    attempts = [attempt for one in found for attempt in one.attempts]
    assert len({attempt.key for attempt in attempts}) == len(attempts) > 20
    assert all([label.step for label in attempt.labels] == list(range(len(attempt.steps))) for attempt in attempts)
    assert {attempt.correct for attempt in attempts} == {True, False}


def test_labels_are_those_of_rollouts_and_the_truth_is_only_measured(labelled):
    """An actor that errs at random may get home from a wrong step, or never from a right one."""
    _, found = labelled
    agree = []
    for one in found:
        for attempt in one.attempts:
            assert {label.by for label in attempt.labels} == {"rollouts"}
            assert attempt.first_error_index == by_labels(attempt.labels, len(attempt.steps))
            known = with_truth(one.worked, attempt)
            place = diagnose(one.worked, attempt.steps)
            assert known.first_error == (place.place if place else None) and known.labels == ()
            agree += [(label.k == 0) == (label.step >= known.first_error) for label in attempt.labels
                      if known.first_error is not None and label.step <= known.first_error]  # fmt: skip
    assert sum(agree) / len(agree) > 0.8


def test_the_last_step_is_labelled_by_the_answer_and_soft_labels_are_shares(labelled):
    _, found = labelled
    rows = [(attempt, scored_row(attempt, "soft", "labelled")) for one in found for attempt in one.attempts]
    assert all(row.labels[-1] == row.outcome == float(attempt.correct) for attempt, row in rows)
    assert any(0 < label < 1 for _, row in rows for label in row.labels)


def test_costs_are_those_of_all_starts_and_of_the_parts_that_were_met(tmp_path):
    ledger = Ledger(tmp_path, {"seed": 1})
    with ledger.part("a") as usage:
        usage.prompt_tokens += 3
    with ledger.part("b") as usage:
        usage.completion_tokens += 5
    again = Ledger(tmp_path, {"seed": 1})
    with again.part("a") as usage:
        usage.prompt_tokens += 1
    assert list(again.spent) == ["a"] and again.spent["a"].read == 4 and again.spent["a"].seconds > 0
    assert list(Ledger(tmp_path, {"seed": 2}).spent) == []
    assert Spent(1.0, 2, 3) + Spent(1.0, 2, 3) == Spent(2.0, 4, 6)
