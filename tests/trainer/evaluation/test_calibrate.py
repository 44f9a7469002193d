"""Fitting the rule that combines evidence: the optimum, the threshold, and the steps it is fitted on."""

import itertools

import numpy as np
import pytest

from runtime.critic.aggregation import Aggregation, AggregationError, read_weights, write_weights
from runtime.critic.critic import first_error
from runtime.critic.evidence import DEPTHS
from runtime.critic.evidence.source import StepEvidence
from runtime.problems.labelled import labelled
from runtime.search.solutions import Solution
from runtime.types import Evidence, Problem
from trainer.evaluation.calibrate import (
    GRID,
    RIDGE,
    Case,
    cases,
    f1,
    fit,
    fit_panels,
    fitted_by,
    left_out_loss,
    logistic,
    panels_among,
    telling,
)

PROBLEM = Problem(text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?")
ROWS = [
    ({"verdict": 2.0, "agreement": 1.0}, True),
    ({"verdict": 0.5, "agreement": 0.25}, True),
    ({"verdict": -1.0}, True),
    ({"verdict": 1.0}, False),
    ({"verdict": -2.0, "agreement": 0.25}, False),
    ({"agreement": 0.5}, True),
    ({}, False),
]
WORD = Aggregation(constant=0.0, features={"verdict": 1.0}, reject=0.5)
PROVEN = Evidence(by="arithmetic", verdict="incorrect", note="3 × 4 is 12, not 13.")


def case(*words, first_error=None):
    """An attempt with evidence only from the model: these log-odds."""
    return Case(tuple(StepEvidence(features={"verdict": float(word)}) for word in words), first_error)


def loss(parameters):
    """The loss of ridge regression; the constant is not penalised."""
    constant, word, agreement = parameters
    odds = np.array([constant + word * s.get("verdict", 0) + agreement * s.get("agreement", 0) for s, _ in ROWS])
    right = np.array([label for _, label in ROWS])
    return np.logaddexp(0, np.where(right, -odds, odds)).sum() + RIDGE / 2 * (word**2 + agreement**2)


def brute_force():
    """The minimum on a grid that is narrowed again and again."""
    middle, width = np.zeros(3), 8.0
    while width > 1e-6:
        points = [middle + width * np.array(shift) for shift in itertools.product((-1, -0.5, 0, 0.5, 1), repeat=3)]
        best = min(points, key=loss)
        width, middle = (width, best) if np.abs(best - middle).max() == width else (width / 2, best)
    return middle


# The optimum


def test_newtons_method_finds_the_optimum_that_brute_force_finds():
    constant, weights = logistic([signs for signs, _ in ROWS], [label for _, label in ROWS])
    assert [constant, weights["verdict"], weights["agreement"]] == pytest.approx(list(brute_force()), abs=1e-4)
    assert set(weights) == {"verdict", "agreement"}  # no weight for a feature that never occurs


@pytest.mark.parametrize("scale", [1, 10, 1000])
def test_perfectly_separating_features_get_a_finite_weight(scale):
    rows = [{"verdict": float(scale)}] * 20 + [{"verdict": -float(scale)}] * 20
    constant, weights = logistic(rows, [True] * 20 + [False] * 20)
    assert abs(constant) < 1e-6
    assert 0 < weights["verdict"] < 10
    rule = Aggregation(constant=constant, features=weights)
    assert rule.probability({"verdict": scale}) > 0.9 > 0.1 > rule.probability({"verdict": -scale})


@pytest.mark.parametrize("label", [True, False])
def test_identical_labels_give_a_finite_constant(label):
    constant, weights = logistic([{"verdict": 1.0}, {"verdict": 2.0}, {}], [label] * 3)
    assert (constant > 3) == label
    assert np.isfinite([constant, *weights.values()]).all()


def test_identical_features_share_their_weight():
    rows = [{"verdict": 1.0, "agreement": 1.0}, {"verdict": -1.0, "agreement": -1.0}] * 5
    _, weights = logistic(rows, [True, False] * 5)
    assert weights["verdict"] == pytest.approx(weights["agreement"])


def test_without_features_the_rule_has_only_a_constant():
    assert logistic([], []) == (0.0, {})
    constant, weights = logistic([{}, {}, {}, {}], [True, True, True, False])
    assert weights == {}
    assert constant == pytest.approx(np.log(3))


# The threshold


def test_the_threshold_is_the_one_that_finds_first_errors_best():
    # A low log-odds means a wrong step in only four of ten cases: a step is rejected though it is likely right.
    given = [case(1)] * 60 + [case(-1)] * 6 + [case(-1, first_error=0)] * 4
    fitted = fit(given)
    low, high = fitted.probability({"verdict": -1.0}), fitted.probability({"verdict": 1.0})
    assert 0.5 < low < fitted.reject <= high
    assert f1(given, fitted) == pytest.approx(2 * (60 / 66) / (1 + 60 / 66))
    assert f1(given, fitted) == max(f1(given, fitted.model_copy(update={"reject": t})) for t in GRID)
    assert fitted.doubt == max(fitted.reject, 0.5)


def test_errors_are_found_at_their_place():
    given = [case(2, -2, 2, first_error=1), case(2, 2), case(-2, first_error=0), case(2, 2, 2)] * 5
    fitted = fit(given)
    assert [first_error(one.steps, fitted) for one in given[:4]] == [1, None, 0, None]
    assert f1(given, fitted) == 1


def test_steps_after_the_first_error_are_not_fitted():
    begun = [(2, -2), (2, -1), (1, -2)]
    short = [case(*words, first_error=1) for words in begun] + [case(1, 2)]
    long = [case(*words, 9, -9, 9, first_error=1) for words in begun] + [case(1, 2)]
    assert fitted_by(short, ["verdict"]) == fitted_by(long, ["verdict"])


def test_steps_refuted_by_arithmetic_and_steps_after_the_first_error_are_not_fitted():
    first, proven, after = (
        StepEvidence(features={"verdict": 1.0}),
        StepEvidence([PROVEN], {"verdict": 9.0}),
        StepEvidence(features={"verdict": -1.0}),
    )
    assert Case((first, proven, after), 1).fitted == [(first, True)]
    assert Case((first, proven, after), 0).fitted == [(first, False)]
    assert Case((first, after, proven), 1).fitted == [(first, True), (after, False)]
    assert Case((first, after), None).fitted == [(first, True), (after, True)]


def test_a_redundant_feature_is_dropped_and_an_informative_one_kept():
    rng = np.random.default_rng(0)

    def attempt(number, honest):
        right = number % 2
        said, seen = (4 * right - 2 + rng.normal() for _ in range(2))
        signs = {"verdict": said, "surprisal": seen if honest else number // 2 % 2}
        return Case((StepEvidence(features=signs),), None if right else 0)

    noisy, telling_two = ([attempt(number, honest) for number in range(200)] for honest in (False, True))
    assert telling(noisy) == ["verdict"]
    assert telling(telling_two) == ["verdict", "surprisal"]
    assert set(fit(noisy).features) == {"verdict"}
    assert left_out_loss(telling_two, ["verdict", "surprisal"]) < left_out_loss(telling_two, ["verdict"]) < np.log(2)
    assert telling([Case((StepEvidence(),), None)]) == []


# Where a panel finds the first error


def test_a_false_equation_is_an_error_whatever_the_rule_unless_an_error_precedes_it():
    proven = StepEvidence([PROVEN], {"verdict": 9.0})
    assert first_error((StepEvidence(features={"verdict": 9.0}), proven, StepEvidence()), WORD) == 1
    assert first_error((StepEvidence(features={"verdict": -9.0}), proven, StepEvidence()), WORD) == 0


def test_a_step_without_evidence_is_no_error():
    doubtful = Aggregation(constant=-5.0, features={"verdict": 1.0})
    assert first_error((StepEvidence(), StepEvidence(features={"approach": 1.0})), doubtful) is None
    assert first_error(case(0).steps, doubtful) == 0


def test_f1_is_the_harmonic_mean_of_both_accuracies():
    given = [case(1), case(1), case(-1), case(1, -1, first_error=1), case(-1, -1, first_error=1)]
    assert f1(given, WORD) == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))
    assert f1([case(1)], WORD) == 0  # without a wrong attempt there is nothing to find


# From collected evidence


ATTEMPTS = [
    labelled(PROBLEM, ("3 × 4 = 12", "12 + 5 = 17"), None, answer="17"),
    labelled(PROBLEM, ("3 × 4 = 12", "12 - 5 = 7"), 1, answer="7"),
]
SEVENTEEN = (Solution("12, 17", "17"),)
HEARD = [
    {"verdict": (1.0, 2.0), "surprisal": (0.0, -0.5), "solutions": SEVENTEEN},
    {"verdict": (1.0, -2.0), "surprisal": (0.0, -9.0), "solutions": SEVENTEEN},
]


def test_an_attempt_whose_collection_failed_is_left_out():
    assert [one.first_error for one in cases(ATTEMPTS, [None, HEARD[1]], ("verdict",))] == [1]


def test_a_panel_has_only_its_own_sources():
    [first, second] = cases(ATTEMPTS, HEARD, ("solutions",))
    assert [one.features for one in first.steps] == [{"agreement": 1.0}] * 2
    assert [one.features for one in second.steps] == [{"approach": 1.0}, {"deviation": 1.0}]
    assert {e.by for one in first.steps for e in one.evidence} == {"solutions"}
    [_, second] = cases(ATTEMPTS, HEARD, ("surprisal",))
    assert [one.features for one in second.steps] == [{"surprisal": 0.0}, {"surprisal": -9.0}]


def test_only_panels_whose_sources_were_collected_are_fitted():
    assert set(panels_among(("verdict",))) == {"arithmetic", "verdict"}
    quick = {"arithmetic", "verdict", "surprisal", "quick", "quick without verdict"}
    assert set(panels_among(("verdict", "surprisal"))) == quick
    every = panels_among(("arithmetic", "verdict", "verifier", "surprisal", "solutions"))
    assert set(every) == {
        *("arithmetic", "verdict", "verifier", "surprisal", "solutions"),
        *(f"{depth}{missing}" for depth in DEPTHS for missing in ("", " without verdict", " without verifier")),
    }
    assert all(every[name] == DEPTHS[name] for name in DEPTHS)
    assert set(panels_among(())) == {"arithmetic"}


def test_joined_panels_have_only_the_sources_whose_adapter_there_is():
    sources = ("verdict", "verifier", "surprisal")
    assert panels_among(sources, ["critic"])["quick"] == ("arithmetic", "verdict", "surprisal")
    assert panels_among(sources, ["critic"])["verifier"] == ("verifier",)  # alone, for comparison
    joined = panels_among(sources, ["critic", "verifier"])
    assert joined["quick"] == ("arithmetic", "verdict", "verifier", "surprisal")
    assert joined["quick without verifier"] == ("arithmetic", "verdict", "surprisal")


def test_a_panel_may_lack_a_trained_model_but_no_other_source():
    untrained = panels_among(("surprisal", "solutions"))
    assert "verdict" not in untrained
    assert untrained["quick"] == ("arithmetic", "surprisal")
    assert untrained["deep"] == ("arithmetic", "surprisal", "solutions")
    for missing in ("surprisal", "solutions"):
        rest = [source for source in DEPTHS["deep"] if source != missing]
        assert "deep" not in panels_among(rest)
        assert ("quick" in panels_among(rest)) == (missing != "surprisal")


def test_every_collected_panel_is_fitted():
    fitted = fit_panels(ATTEMPTS, HEARD, ("verdict", "surprisal", "solutions"))
    alone, depths = {"arithmetic", "verdict", "surprisal", "solutions"}, {*DEPTHS}
    assert set(fitted) == alone | depths | {f"{depth} without verdict" for depth in depths}
    assert fitted["arithmetic"].features == {}
    assert set(fitted["solutions"].features) <= {"agreement", "deviation", "approach"}
    assert fitted["quick"].features["verdict"] > 0
    silent = fit_panels(ATTEMPTS, HEARD, ("surprisal",))
    assert set(silent["quick"].features) == {"surprisal"}


def test_weights_are_the_same_once_written_and_read(tmp_path):
    fitted = fit_panels(ATTEMPTS, HEARD, ("verdict", "solutions"))
    write_weights(tmp_path / "weights.json", fitted)
    assert read_weights(tmp_path / "weights.json") == fitted


@pytest.mark.parametrize("text", [None, "", "[]", '{"deep": {"features": {"mood": 1}}}'])
def test_a_file_without_weights_is_named_with_the_remedy(text, tmp_path):
    path = tmp_path / "weights.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(AggregationError, match=r"weights\.json.*trainer calibrate"):
        read_weights(path)
