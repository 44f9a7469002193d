"""Meta-evaluation against figures worked out by hand."""

import pytest

from trainer.evaluation.meta import curve_of, meta_evaluation, steps_until

OUTCOMES = [True, True, True, False]


def test_guessing_the_frequent_outcome_is_accurate_but_not_good():
    guessing = meta_evaluation([0.9, 0.9, 0.9, 0.9], OUTCOMES)
    assert guessing.accuracy == 0.75 and guessing.auc == 0.5
    assert guessing.macro_f1 == pytest.approx((6 / 7 + 0) / 2)


def test_a_good_ranking_with_a_bad_threshold_shows_in_the_auc():
    low = meta_evaluation([0.4, 0.3, 0.2, 0.1], OUTCOMES)
    assert (low.accuracy, low.auc) == (0.25, 1.0)


def test_a_curve_is_in_the_order_of_the_steps():
    curve = curve_of({100: [0.9, 0.8, 0.7, 0.2], 50: [0.9, 0.8, 0.7, 0.6]}, OUTCOMES)
    assert [figures.accuracy for figures in curve.values()] == [0.75, 1.0]
    assert steps_until(curve, 0.75) == 50 and steps_until(curve, 0.9) == 100 and steps_until(curve, 1.1) is None


def test_without_both_outcomes_there_is_no_auc_and_without_attempts_nothing():
    assert meta_evaluation([0.9], [True]).auc is None
    with pytest.raises(ValueError, match="known outcomes"):
        meta_evaluation([], [])
