"""Intervals and paired tests against values worked out by hand."""

from math import sqrt

import numpy as np
import pytest

from trainer.statistics import (
    Bin,
    Z,
    auc,
    calibration_error,
    clustered,
    clustered_share,
    harmonic,
    holm,
    mcnemar,
    paired,
    reliability,
    resampled,
    ridge_logistic,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # p = 1/2: the middle is 1/2, the half-width z sqrt(1/40 + z^2/400) / (1 + z^2/10).
        (5, 10, 0.26927, 0.73073),
        # p = 0: the upper end is z^2 / (n + z^2) = 2.70569 / 12.70569.
        (0, 10, 0.0, 0.21295),
        (10, 10, 0.78705, 1.0),
        (0, 0, 0.0, 1.0),
        # As n grows: 1/2 -+ 1.6449 / (2 sqrt(n)).
        (500_000, 1_000_000, 0.49918, 0.50082),
    ],
)
def test_the_wilson_interval(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=1e-5)


@pytest.mark.parametrize("n", [1, 2, 7, 50])
def test_the_interval_lies_between_0_and_1_and_holds_the_share(n):
    for successes in range(n + 1):
        low, high = wilson(successes, n)
        assert 0 <= low <= high <= 1
        assert low - 1e-12 <= successes / n <= high + 1e-12
        assert (1 - high, 1 - low) == pytest.approx(wilson(n - successes, n))


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (1, 1, 1.0),
        (3, 3, 1.0),
        (5, 0, 2 / 32),
        (0, 5, 2 / 32),
        (8, 1, 2 * (1 + 9) / 512),
        (2, 8, 2 * (1 + 10 + 45) / 1024),
    ],
)
def test_mcnemars_exact_p_value(wins, losses, p):
    assert mcnemar(wins, losses) == mcnemar(losses, wins) == pytest.approx(p)


def test_a_pair_of_runs_is_compared_problem_by_problem():
    a = [True] * 3 + [False] + [True] * 4 + [False] * 2
    b = [False] * 3 + [True] + [True] * 4 + [False] * 2
    found = paired(a, b)
    assert (found.wins, found.losses, found.difference) == (3, 1, pytest.approx(0.2))
    half = 1.6449 * sqrt(4 - 2 * 2 / 10) / 10
    assert found.interval == pytest.approx((0.2 - half, 0.2 + half))
    assert found.p == pytest.approx(2 * (1 + 4) / 16)
    other = paired(b, a)
    assert (other.wins, other.losses, other.difference, other.p) == (1, 3, pytest.approx(-0.2), found.p)


def test_the_same_run_twice_does_not_differ():
    found = paired([True, False], [True, False])
    assert (found.difference, found.interval, found.p) == (0.0, (0.0, 0.0), 1.0)
    assert paired([], []).p == 1.0


def test_intervals_cluster_attempts_by_problem():
    a, b = [True] * 6 + [False] * 2, [False] * 4 + [True] * 4
    once = paired(a, b)
    assert paired(a * 3, b * 3, of=[*range(8)] * 3) == once
    assert paired(a * 3, b * 3).interval[0] > once.interval[0]
    # By problem: two won, one won and one lost, one lost and one as before; 1/6 -+ z sqrt(4 + 0 + 1 - 1/3) / 6.
    found = paired([True, True, True, False, False, True], [False, False, False, True, True, True], of="aabbcc")
    half = 1.6449 * sqrt(5 - 1 / 3) / 6
    assert (found.wins, found.losses, found.p) == (1, 1, 1.0)
    assert found.interval == pytest.approx((1 / 6 - half, 1 / 6 + half))


def test_runs_of_different_length_cannot_be_paired():
    with pytest.raises(ValueError):
        paired([True], [True, False])


@pytest.mark.parametrize(("a", "b", "mean"), [(1, 1, 1), (0, 1, 0), (0, 0, 0), (0.5, 1, 2 / 3), (0.3, 0.6, 0.4)])
def test_the_harmonic_mean(a, b, mean):
    assert harmonic(a, b) == harmonic(b, a) == pytest.approx(mean)


def test_values_of_one_cluster_count_as_one():
    alone, (low, high) = clustered([1, 0, 1, 0], range(4))
    # Residuals of 1/2 each: the half-width is z sqrt(4 / 4) / 4.
    assert (alone, low, high) == pytest.approx((0.5, 0.5 - Z / 4, 0.5 + Z / 4))
    repeated, interval = clustered([1, 0, 1, 0] * 5, [*range(4)] * 5)
    assert (repeated, *interval) == pytest.approx((alone, low, high))


def test_the_interval_of_a_clustered_share_is_wilsons_with_fewer_values():
    alone, by_four = range(20), [number % 4 for number in range(20)]
    assert clustered_share([1, 1, 1, 0] * 5, alone)[1] == pytest.approx(wilson(15, 20))
    assert clustered_share([1, 1, 1, 0] * 5, by_four)[1] == pytest.approx(wilson(3, 4))
    assert clustered_share([1.0] * 20, by_four) == (1.0, wilson(4, 4))
    assert clustered_share([], []) == (0.0, (0.0, 1.0))


def test_auc_counts_the_pairs_in_the_right_order():
    assert auc([0.9, 0.8, 0.3, 0.1], [True, False, True, False]) == 0.75
    assert auc([0.5, 0.5], [True, False]) == 0.5
    with pytest.raises(ValueError, match="both classes"):
        auc([0.1, 0.2], [True, True])


def test_ridge_logistic_finds_the_rule_behind_the_labels():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 2))
    y = rng.random(4000) < 1 / (1 + np.exp(-(0.5 + 2 * x[:, 0] - x[:, 1])))
    assert np.allclose(ridge_logistic(x, y.astype(float), 0.1), [0.5, 2, -1], atol=0.15)
    assert abs(ridge_logistic(x, y.astype(float), 1e6)[1]) < 0.01


def test_bins_have_equal_mass_and_the_calibration_error_is_their_mean_distance():
    bins = reliability([0.9, 0.1, 0.2, 0.8], [True, False, True, True], count=2)
    assert bins == [Bin(pytest.approx(0.15), 0.5, 2), Bin(pytest.approx(0.85), 1.0, 2)]
    assert calibration_error(bins) == pytest.approx((0.35 + 0.15) / 2)
    assert [one.n for one in reliability([0.5] * 7, [True] * 7)] == [2, 2, 1, 1, 1]
    assert [one.n for one in reliability([0.5, 0.6], [True, False])] == [1, 1]


def test_an_interval_by_bootstrap_draws_whole_clusters():
    values = np.array([1.0, 0.0] * 50)

    def mean(drawn):
        return float(values[drawn].mean())

    low, high = resampled(mean, range(100))
    _, (expected_low, expected_high) = clustered(values.tolist(), range(100))
    assert (low, high) == pytest.approx((expected_low, expected_high), abs=0.02)
    repeated = resampled(lambda drawn: mean(drawn % 100), [*range(100)] * 5)  # five times the same
    assert repeated == pytest.approx((low, high), abs=0.02)


def test_draws_without_a_value_are_left_out_of_an_interval():
    def needs_both(drawn):
        return auc(drawn % 2, drawn % 2 == 1)

    assert resampled(needs_both, range(3)) == (1.0, 1.0)
    with pytest.raises(ValueError, match="too few items"):
        resampled(needs_both, range(1))


def test_holms_procedure_is_that_of_an_example_by_hand():
    """0.01 × 4; 0.02 × 3; 0.03 × 2 stays at least as large; 0.5 × 1."""
    assert holm({"c": 0.03, "a": 0.01, "d": 0.5, "b": 0.02}) == pytest.approx(
        {"a": 0.04, "b": 0.06, "c": 0.06, "d": 0.5}
    )
    assert holm({"a": 0.9, "b": 0.8}) == {"b": 1.0, "a": 1.0} and holm({}) == {}
