"""A bag of words must not tell inserted errors from right steps, and would notice if it could."""

import random

import pytest

from runtime.problems import wordproblems
from trainer.data.errors import FAULTS
from trainer.data.errors.bag_of_words import LARGEST_AUC, bags, recognised, telling

PROBLEMS = [wordproblems.generate(77, number, "train") for number in range(300)]


@pytest.mark.rest
def test_no_kind_of_error_is_known_by_its_wording():
    found = {one.kind: one for one in telling(PROBLEMS, kinds=FAULTS)}
    assert found.keys() == FAULTS.keys() and all(one.n > 100 for one in found.values())
    assert all(one.same_steps <= LARGEST_AUC for one in found.values()), found
    # A result is carried over wrongly only after the first step, and words like "finally" tell the place.
    assert all(one.any_step <= LARGEST_AUC for kind, one in found.items() if kind != "accumulation"), found


def test_sentences_of_their_own_give_errors_away():
    right = [line for worked in PROBLEMS[:100] for line in worked.lines]
    dice = random.Random(0)
    wrong = [f"{dice.randint(2, 99)} clips and {dice.randint(2, 99)} boxes together make 31." for _ in range(100)]
    assert recognised(wrong, dice.sample(right, 100)) > 0.95


def test_numbers_are_no_cue_and_signs_are():
    assert bags(["12 + 5 = 17 pens"] * 3 + ["9 + 1.5 = 10.5 pens"] * 3).std(axis=0).max() == 0
    assert bags(["12 + 5 = 17"] * 3 + ["12 × 5 = 60"] * 3).std(axis=0).max() > 0
