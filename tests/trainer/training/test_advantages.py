"""Advantages against values computed by hand."""

import pytest

from trainer.training.advantages import against_group, gae, returns, whitened

REWARDS, VALUES = [0.0, 1.0, 2.0], [0.5, 1.0, 1.5]


def test_gae_is_the_sum_of_discounted_surprises():
    # With gamma 0.5 and lambda 0.8 the surprises are 0, 0.75 and 0.5, and each discounts the next one by 0.4.
    assert gae(REWARDS, VALUES, 0.5, 0.8) == pytest.approx([0.38, 0.95, 0.5])


def test_with_lambda_one_it_is_the_return_less_the_value_and_with_zero_one_surprise():
    for gamma in (1.0, 0.9):
        whole = [total - value for total, value in zip(returns(REWARDS, gamma), VALUES, strict=True)]
        assert gae(REWARDS, VALUES, gamma, 1.0) == pytest.approx(whole)
    assert gae(REWARDS, VALUES, 1.0, 0.0) == pytest.approx([0.5, 1.5, 0.5])


def test_returns_are_discounted_sums():
    assert returns(REWARDS, 1.0) == [3.0, 3.0, 2.0]
    assert returns(REWARDS, 0.5) == [1.0, 2.0, 2.0]
    assert returns([], 1.0) == []


def test_an_outcome_is_compared_with_that_of_the_other_replies():
    group = [([1.0, 1.0], [0]), ([0.0, 0.0, 0.0], [0, 1]), ([0.0], [])]
    assert against_group(group) == [[1.0, 1.0], [-0.5, -0.5, -0.5], [-0.5]]


def test_a_token_is_compared_with_the_same_step_of_the_others_or_their_last():
    # The first reply has two steps and a line after them, the second one step and such a line.
    first, second = ([3.0, 3.0, 2.0, 2.0, 1.0], [1, 3]), ([5.0, 5.0, 4.0], [1])
    assert against_group([first, second]) == [
        [3.0 - 5.0, 3.0 - 5.0, 2.0 - 4.0, 2.0 - 4.0, 1.0 - 4.0],
        [5.0 - 3.0, 5.0 - 3.0, 4.0 - 2.0],
    ]


def test_whitened_advantages_have_mean_zero_and_spread_one():
    far, near = 3 / 5**0.5, 1 / 5**0.5
    low, high = whitened([[1.0, 3.0], [5.0, 7.0]])
    assert low == pytest.approx([-far, -near]) and high == pytest.approx([near, far])
    assert whitened([[2.0], [2.0, 2.0]]) == [[0.0], [0.0, 0.0]]
