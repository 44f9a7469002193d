"""The fitted rule: log-odds that add up, two thresholds, and files of the first release."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runtime.critic.aggregation import FEATURES, REMOVED_FEATURES, Aggregation, fitted_with, read_weights, write_weights
from runtime.files import ROOT
from runtime.models.adapter_cards import AdapterCard, read_card
from runtime.odds import sigmoid

RULE = Aggregation(constant=1.0, features={"verdict": 0.5, "deviation": -3.0}, reject=0.3, doubt=0.6)


@pytest.mark.parametrize(
    ("features", "log_odds"),
    [
        ({}, 1.0),
        ({"verdict": 2.0}, 2.0),
        ({"verdict": -4.0}, -1.0),
        ({"verdict": 2.0, "deviation": 1.0}, -1.0),
        ({"verdict": 2.0, "approach": 1.0}, 2.0),  # a feature without a weight is ignored
    ],
)
def test_the_log_odds_are_the_constant_and_the_weighted_features(features, log_odds):
    assert RULE.probability(features) == pytest.approx(1 / (1 + math.exp(-log_odds)))


@pytest.mark.parametrize(
    ("probability", "verdict"), [(0.0, "unsure"), (0.599, "unsure"), (0.6, "correct"), (1.0, "correct")]
)
def test_a_step_that_is_not_rejected_is_correct_or_unsure(probability, verdict):
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
        ([0.7, 0.7, 0.7, 0.8], 0),  # 0.27: no single step, but all together
        ([0.9, 0.6, 0.5, 0.9], 1),  # below the threshold at the third step; the second is likelier the first error
        ([0.9, 0.6, 0.1], 2),
        ([None, 0.29, None], 1),
        ([None, None], None),
        ([0.0, 0.0], 0),
    ],
)
def test_an_attempt_is_right_only_if_all_its_steps_are(steps, place):
    assert RULE.first_error(steps) == place


def test_reading_ends_once_the_product_is_below_the_threshold():
    assert RULE.first_error(iter([0.9, 0.2, None])) == RULE.first_error([0.9, 0.2]) == 1


@given(st.lists(st.floats(0, 1), max_size=9), st.floats(0.01, 0.99))
def test_below_the_threshold_the_likeliest_first_error_is_rejected(steps, reject):
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


def test_only_features_with_a_weight_are_collected():
    assert RULE.uses({"verdict": 0.0})
    assert not RULE.uses({"approach": 1.0})
    assert not RULE.uses({})
    assert not Aggregation(constant=1.0, features={"verdict": 0.0}).uses({"verdict": 5.0})


@pytest.mark.parametrize("log_odds", [-5000.0, -700.0, -3.0, 0.0, 3.0, 700.0, 5000.0])
def test_extreme_log_odds_do_not_overflow(log_odds):
    assert 0 <= sigmoid(log_odds) <= 1
    assert sigmoid(log_odds) + sigmoid(-log_odds) == pytest.approx(1)


@pytest.mark.parametrize(
    "change", [{"features": {"mood": 1.0}}, {"reject": 0.0}, {"reject": 1.0}, {"doubt": 1.5}, {"thresholds": 1}]
)
def test_an_unknown_feature_or_an_impossible_threshold_is_refused(change):
    with pytest.raises(ValidationError):
        Aggregation(constant=0.0, **change)


def test_a_rule_survives_a_round_trip():
    rule = Aggregation(constant=0.25, features=dict.fromkeys(FEATURES, -0.5), reject=0.4)
    assert Aggregation.model_validate_json(rule.model_dump_json()) == rule


# Files of the first release


FORMER = {"constant": 2.9, "signs": {"surprise": 0.4, "word": 0.9, "agreement": 2.0}, "reject": 0.4}
NOW = Aggregation(constant=2.9, features={"surprisal": 0.4, "verdict": 0.9, "agreement": 2.0}, reject=0.4)


def test_a_weights_file_of_the_first_release_is_read_and_written_with_new_names(tmp_path):
    path = tmp_path / "weights.json"
    panels = ("quick", "model", "expectation", "deep without model")
    path.write_text(json.dumps(dict.fromkeys(panels, FORMER)))
    fitted = read_weights(path)
    assert fitted["quick"] == NOW
    assert tuple(fitted) == ("quick", "verdict", "surprisal", "deep without verdict")
    write_weights(path, fitted)
    assert json.loads(path.read_text())["verdict"]["features"] == NOW.features
    assert read_weights(path) == fitted


def test_a_card_of_the_first_release_brings_its_rule():
    known = {"base": "b", "base_sha256": "0", "voice": "critic", "version": "1", "created": "2026-11-22", "recipe": {}}
    card = AdapterCard.model_validate(known | {"data": [], "sha256": "0", "licence": "MIT", "join": {"quick": FORMER}})
    assert fitted_with(card) == {"quick": NOW}
    assert fitted_with(AdapterCard.model_validate_json(card.model_dump_json())) == {"quick": NOW}


@pytest.mark.parametrize("feature", sorted(REMOVED_FEATURES))
def test_a_rule_of_the_last_release_with_a_removed_feature_is_left_out(feature, tmp_path):
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({"quick": FORMER, "deep": {"constant": 1.0, "signs": {"word": 1.0, feature: 0.5}}}))
    assert read_weights(path) == {"quick": NOW}


@pytest.mark.parametrize("path", sorted((ROOT / "data" / "models" / "weights").glob("*.json")), ids=lambda p: p.stem)
def test_the_shipped_weights_can_be_read(path):
    assert all(rule.features.keys() <= {*FEATURES} for rule in read_weights(path).values())


CARDS = [path for path in ROOT.glob("data/models/adapters/*/critic/*.json") if path.stem != "current"]


@pytest.mark.parametrize("path", sorted(CARDS), ids=lambda path: path.stem)
def test_the_rules_on_shipped_cards_can_be_read(path):
    rules = fitted_with(read_card(path))
    assert rules["quick"].uses(["verdict", "surprisal"])
