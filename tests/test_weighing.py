"""The rule by which witnesses are weighed: log-odds that add up, and two thresholds."""

import math

import pytest
from pydantic import ValidationError

from runtime.weighing import SIGNS, Weights, logit, sigmoid

RULE = Weights(constant=1.0, signs={"word": 0.5, "deviation": -3.0}, reject=0.3, doubt=0.6)


@pytest.mark.parametrize(
    ("signs", "log_odds"),
    [
        ({}, 1.0),
        ({"word": 2.0}, 2.0),
        ({"word": -4.0}, -1.0),
        ({"word": 2.0, "deviation": 1.0}, -1.0),
        ({"word": 2.0, "approach": 1.0}, 2.0),  # a sign without a weight says nothing
    ],
)
def test_the_log_odds_are_the_constant_and_the_weighed_signs(signs, log_odds):
    assert RULE.probability(signs) == pytest.approx(1 / (1 + math.exp(-log_odds)))


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [(0.0, "incorrect"), (0.299, "incorrect"), (0.3, "unsure"), (0.599, "unsure"), (0.6, "correct"), (1.0, "correct")],
)
def test_two_thresholds_part_the_verdicts(probability, verdict):
    assert RULE.verdict(probability) == verdict


def test_where_doubt_is_below_rejection_nothing_is_unsure():
    strict = RULE.model_copy(update={"reject": 0.8})
    assert [strict.verdict(p) for p in (0.7, 0.79, 0.8)] == ["incorrect", "incorrect", "correct"]


def test_a_sign_is_heard_only_if_it_weighs_something():
    assert RULE.hears({"word": 0.0})
    assert not RULE.hears({"approach": 1.0})
    assert not RULE.hears({})
    assert not Weights(constant=1.0, signs={"word": 0.0}).hears({"word": 5.0})


@pytest.mark.parametrize("log_odds", [-5000.0, -700.0, -3.0, 0.0, 3.0, 700.0, 5000.0])
def test_no_log_odds_are_too_large(log_odds):
    assert 0 <= sigmoid(log_odds) <= 1
    assert sigmoid(log_odds) + sigmoid(-log_odds) == pytest.approx(1)


def test_a_probability_has_log_odds_even_if_it_is_certain():
    assert [sigmoid(logit(p)) for p in (0.1, 0.5, 0.9)] == pytest.approx([0.1, 0.5, 0.9])
    assert math.isfinite(logit(0.0))
    assert logit(0.0) < logit(0.01) < logit(0.99) < logit(1.0)


@pytest.mark.parametrize(
    "change", [{"signs": {"mood": 1.0}}, {"reject": 0.0}, {"reject": 1.0}, {"doubt": 1.5}, {"thresholds": 1}]
)
def test_an_unknown_sign_or_an_impossible_threshold_is_refused(change):
    with pytest.raises(ValidationError):
        Weights(constant=0.0, **change)


def test_a_rule_is_the_same_once_written_and_read():
    rule = Weights(constant=0.25, signs=dict.fromkeys(SIGNS, -0.5), reject=0.4)
    assert Weights.model_validate_json(rule.model_dump_json()) == rule
