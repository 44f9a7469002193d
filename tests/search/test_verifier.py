"""A verifier's scores: one reading, no verdict fed back, and the aggregates of Math-Shepherd."""

import math

import pytest

from runtime.engines.scripted import ScriptedEngine
from runtime.search.verifier import AGGREGATES, first_error_likelihoods, score_steps
from runtime.types import Problem

PENS = Problem(text="Lena has 3 boxes of 4 pens and loses 2. How many are left?")
STEPS = ["3 * 4 = 12", "12 - 2 = 10"]


def test_every_step_gets_the_probability_of_right_against_wrong():
    engine = ScriptedEngine(verdicts=[0.9, 0.25])
    assert score_steps(engine, PENS, STEPS) == pytest.approx([0.9, 0.25])


def test_the_verifier_reads_marks_and_no_verdicts():
    engine = ScriptedEngine(verdicts=[0.1, 0.1])
    score_steps(engine, PENS, STEPS)
    assert engine.calls[0][-1]["content"] == "3 * 4 = 12 []\n12 - 2 = 10 ["


def test_an_impossible_word_scores_zero_and_not_an_overflow():
    class Certain(ScriptedEngine):
        def choice_logprobs(self, *_, **__):
            return [[-2000.0, 0.0]]

    assert score_steps(Certain(), PENS, STEPS[:1]) == [pytest.approx(0.0)]


def test_aggregates_of_step_scores():
    scores = [0.9, 0.5, 0.8]
    assert {name: round(of(scores), 3) for name, of in AGGREGATES.items()} == {
        "min": 0.5,
        "product": 0.36,
        "last": 0.8,
        "mean": 0.733,
    }


def test_the_likelihoods_of_all_places_of_a_first_error_are_a_distribution():
    scores = [0.9, 0.5, 0.8]
    odds = [math.log(p / (1 - p)) for p in scores]
    expected = [0.1, 0.9 * 0.5, 0.9 * 0.5 * 0.2, 0.9 * 0.5 * 0.8]
    found = [math.exp(likelihood) for likelihood in first_error_likelihoods(odds)]
    assert found == pytest.approx(expected) and sum(found) == pytest.approx(1)
    assert first_error_likelihoods([]) == [0.0]


def test_certain_steps_have_finite_likelihoods():
    assert first_error_likelihoods([900.0, -900.0]) == [-900.0, 0.0, -900.0]
