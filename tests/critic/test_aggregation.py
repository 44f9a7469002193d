"""The rule by which witnesses are weighed: log-odds that add up, and two thresholds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runtime.critic.aggregation import FEATURES, Aggregation
from runtime.critic.odds import logit, sigmoid

RULE = Aggregation(constant=1.0, features={"verdict": 0.5, "deviation": -3.0}, reject=0.3, doubt=0.6)


@pytest.mark.parametrize(
    ("signs", "log_odds"),
    [
        ({}, 1.0),
        ({"verdict": 2.0}, 2.0),
        ({"verdict": -4.0}, -1.0),
        ({"verdict": 2.0, "deviation": 1.0}, -1.0),
        ({"verdict": 2.0, "approach": 1.0}, 2.0),  # a sign without a weight says nothing
    ],
)
def test_the_log_odds_are_the_constant_and_the_weighed_signs(signs, log_odds):
    assert RULE.probability(signs) == pytest.approx(1 / (1 + math.exp(-log_odds)))


@pytest.mark.parametrize(
    ("probability", "verdict"), [(0.0, "unsure"), (0.599, "unsure"), (0.6, "correct"), (1.0, "correct")]
)
def test_a_step_that_is_not_blamed_is_right_or_unsure(probability, verdict):
    assert RULE.verdict(probability) == verdict


@pytest.mark.parametrize(
    ("steps", "place"),
    [
        ([], None),
        ([0.31], None),
        ([0.29], 0),
        ([1.0, 0.29], 1),
        ([0.9, 0.9, 0.9], None),
        ([0.7, 0.7, 0.7], None),  # 0.34
        ([0.7, 0.7, 0.7, 0.8], 0),  # 0.27: no step alone, but all together
        ([0.9, 0.6, 0.5, 0.9], 1),  # too much doubt at the third, and the second is likelier the first error
        ([0.9, 0.6, 0.1], 2),
        ([None, 0.29, None], 1),
        ([None, None], None),
        ([0.0, 0.0], 0),
    ],
)
def test_an_attempt_is_right_only_if_all_its_steps_are(steps, place):
    assert RULE.first_error(steps) == place


def test_nothing_is_looked_at_once_there_is_too_much_doubt():
    assert RULE.first_error(iter([0.9, 0.2, None])) == RULE.first_error([0.9, 0.2]) == 1


@given(st.lists(st.floats(0, 1), max_size=9), st.floats(0.01, 0.99))
def test_an_error_is_found_where_the_product_falls_below_the_threshold_and_is_the_likeliest_first_one(steps, reject):
    place = RULE.model_copy(update={"reject": reject}).first_error(steps)
    products = [math.prod(steps[:end]) for end in range(len(steps) + 1)]
    if any(abs(product - reject) < 1e-9 for product in products):
        return
    crossed = next((end for end, product in enumerate(products) if product < reject), None)
    if crossed is None:
        assert place is None
    else:
        chances = [products[i] - products[i + 1] for i in range(crossed)]
        assert chances[place] == pytest.approx(max(chances))


def test_a_sign_is_heard_only_if_it_weighs_something():
    assert RULE.uses({"verdict": 0.0})
    assert not RULE.uses({"approach": 1.0})
    assert not RULE.uses({})
    assert not Aggregation(constant=1.0, features={"verdict": 0.0}).uses({"verdict": 5.0})


@pytest.mark.parametrize("log_odds", [-5000.0, -700.0, -3.0, 0.0, 3.0, 700.0, 5000.0])
def test_no_log_odds_are_too_large(log_odds):
    assert 0 <= sigmoid(log_odds) <= 1
    assert sigmoid(log_odds) + sigmoid(-log_odds) == pytest.approx(1)


def test_a_probability_has_log_odds_even_if_it_is_certain():
    assert [sigmoid(logit(p)) for p in (0.1, 0.5, 0.9)] == pytest.approx([0.1, 0.5, 0.9])
    assert math.isfinite(logit(0.0))
    assert logit(0.0) < logit(0.01) < logit(0.99) < logit(1.0)


@pytest.mark.parametrize(
    "change", [{"features": {"mood": 1.0}}, {"reject": 0.0}, {"reject": 1.0}, {"doubt": 1.5}, {"thresholds": 1}]
)
def test_an_unknown_sign_or_an_impossible_threshold_is_refused(change):
    with pytest.raises(ValidationError):
        Aggregation(constant=0.0, **change)


def test_a_rule_is_the_same_once_written_and_read():
    rule = Aggregation(constant=0.25, features=dict.fromkeys(FEATURES, -0.5), reject=0.4)
    assert Aggregation.model_validate_json(rule.model_dump_json()) == rule
