"""Practising: problems of the requested kind, lines checked against the exact solution, and the change of level."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import islice

import pytest

from runtime.problems import wordproblems
from runtime.problems.worked import Quantity, Worked, WorkedStep
from runtime.tutoring.practice import GROUPS, MOST, Ladder, fresh, judge
from runtime.types import Problem

PENS = Worked(
    problem=Problem(text="Lena buys 3 pens for 4 dollars each and a book for 5 dollars. How much in all?", answer="17"),
    quantities=(
        Quantity(value=Fraction(3)),
        Quantity(value=Fraction(4)),
        Quantity(value=Fraction(5)),
        Quantity(value=Fraction(12), formula="{0} × {1}"),
        Quantity(value=Fraction(17), formula="{3} + {2}"),
    ),
    steps=(WorkedStep(text="The pens cost {=3} dollars.", makes=3), WorkedStep(text="In all {=4}.", makes=4)),
    answer=4,
)


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("The pens cost 3 × 4 = 12 dollars.", "step"),
        ("12 dollars for the pens", "step"),
        ("12 dollars for 3 pens", "step"),
        ("3 × 4 + 5 = 17", "answer"),
        ("$17.00", "answer"),
        ("The answer is 17 dollars.", "answer"),
        ("3 × 4 = 11", "slip"),
        ("3 × 4 = 12, 12 + 5 = 18", "slip"),
        ("3 + 4 = 7", "astray"),
        ("The 12 dollars become 13.", "astray"),
        ("She pays 21.", "astray"),
        ("Lena buys 3 pens.", "remark"),
        ("The 2nd thing is a book.", "remark"),
        ("First the pens.", "remark"),
    ],
)
def test_a_line_is_checked_against_arithmetic_and_the_solution(line, finding):
    assert judge(PENS, [line]).lines[0].finding == finding


def test_a_false_sum_is_named_without_its_value():
    assert judge(PENS, ["12 + 5 = 18"]).lines[0].equation == "12 + 5"


def test_the_first_line_to_look_at_again_is_found():
    judgement = judge(PENS, ["3 × 4 = 12", "12 - 5 = 7", "7 + 1 = 9"])
    assert (judgement.first_error, judgement.solved) == (1, False)


def test_another_way_to_the_answer_is_accepted_and_a_false_sum_in_it_is_not():
    assert judge(PENS, ["5 + 4 = 9", "9 + 8 = 17"]).solved
    assert judge(PENS, ["5 + 4 = 8", "9 + 8 = 17"]).first_error == 0


def test_a_problem_is_not_solved_before_its_answer_is_written():
    assert not judge(PENS, ["3 × 4 = 12"]).solved and judge(PENS, ["3 × 4 = 12"]).first_error is None
    assert not judge(PENS, ["17", "17 + 4 = 21"]).solved


def test_reference_solutions_are_accepted_and_changed_ones_rejected():
    """Over many stories: the reference lines solve the problem; with one right side changed that line is named."""
    rng = random.Random(7)
    for worked in islice(wordproblems.stream(11), 300):
        assert judge(worked, worked.lines).solved, worked.lines
        at = rng.randrange(len(worked.lines))
        number = worked.steps[at].makes
        wrong = worked.quantities[number].model_copy(update={"value": Fraction(987_654_321)})
        changed = worked.changed({number: wrong})
        assert judge(worked, changed.lines[: at + 1]).first_error == at, changed.lines


@pytest.mark.parametrize("group", [None, *GROUPS])
def test_a_fresh_problem_has_the_requested_kind_and_does_not_contain_its_answer(group):
    number, worked = fresh(3, 40, 2, group)
    assert number >= 40 and (group is None or worked.theme in GROUPS[group])
    assert len(worked.steps) == 2 or group == "reading"
    assert fresh(3, number, 2, group) == (number, worked)
    assert sum(q.value == worked.quantities[worked.answer].value for q in worked.quantities) == 1


def test_if_no_story_is_long_enough_the_nearest_length_is_used():
    assert len(fresh(1, 0, MOST, "measuring")[1].steps) >= 4


def test_every_theme_of_the_training_split_belongs_to_one_group():
    assert sorted(theme for themes in GROUPS.values() for theme in themes) == sorted(wordproblems.themes("train"))


def test_two_right_answers_raise_the_level_and_two_missed_lower_it_within_limits():
    assert Ladder(2).after("right").after("right") == Ladder(3)
    assert Ladder(2).after("right").after("mended").after("right") == Ladder(2, 1)
    assert Ladder(2).after("missed").after("right").after("missed") == Ladder(2, -1)
    assert Ladder(2).after("missed").after("missed") == Ladder(1)
    assert Ladder(1, -1).after("missed") == Ladder(1) and Ladder(MOST, 1).after("right") == Ladder(MOST)
