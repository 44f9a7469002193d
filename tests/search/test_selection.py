"""One answer from many attempts: votes, scores, and early stopping that never changes the winner."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.checks.grading import equal
from runtime.engines.base import Completion, Sampling
from runtime.engines.scripted import ScriptedEngine
from runtime.search.selection import Choice, highest, majority, sample_attempts, weighted_majority
from runtime.search.solutions import agreeing, decided, read_solution
from runtime.types import Problem, Step, Trajectory

PROBLEM = Problem(text="What is 2 + 3?")


def attempt(answer, finish="stop"):
    return Trajectory(problem_id=PROBLEM.id, steps=(), answer=answer, finish=finish)


def attempts(*answers):
    return [attempt(answer) for answer in answers]


# Choosing


@pytest.mark.parametrize(
    ("answers", "answer", "count"),
    [
        (["5", "6", "5"], "5", 2),
        (["6", "5", "5.0", "$5"], "5", 3),
        (["1/2", "0.3", "0.5"], "1/2", 2),
        (["6", "5"], "6", 1),
        ([None, None, "5"], "5", 1),
        ([None], None, 0),
        ([], None, 0),
    ],
)
def test_the_majority_counts_equal_answers_and_the_first_of_a_tie(answers, answer, count):
    choice = majority(attempts(*answers))
    assert (choice.answer, choice.votes, choice.weight) == (answer, count, count)


def test_scores_do_not_change_a_majority_but_are_added_up():
    choice = majority(attempts("5", "6", "5"), [0.1, 0.9, 0.3])
    assert (choice.answer, choice.votes, choice.weight) == ("5", 2, pytest.approx(0.4))


def test_the_highest_score_of_any_scale_wins_among_those_that_answer():
    tried = attempts("5", None, "6", "7")
    assert highest(tried, [-3.5, 9.0, -0.5, -2.0]) == Choice(tried[2], 1, -0.5)
    assert highest(tried, [2.0, 9.0, 2.0, 1.0]).attempt is tried[0]
    assert highest(attempts(None), [1.0]) == Choice()
    assert highest([], []) == Choice()


def test_weighted_votes_are_sums_of_probabilities():
    tried = attempts("5", "6", "6.0", "5", None)
    choice = weighted_majority(tried, [0.9, 0.35, 0.5, 0.1, 1.0])
    assert (choice.answer, choice.votes, choice.weight) == ("5", 2, pytest.approx(1.0))
    assert choice.attempt is tried[0]
    assert weighted_majority(tried, [0.3, 0.35, 0.5, 0.1, 1.0]).attempt is tried[2]
    assert weighted_majority(attempts(None), [0.5]) == Choice()


def test_a_solution_with_steps_is_shown_before_a_better_one_without():
    worded = Trajectory(problem_id=PROBLEM.id, steps=(Step(text="2 + 3 = 5"),), answer="5")
    assert weighted_majority([attempt("5"), worded, attempt("6")], [0.9, 0.2, 1.0]).attempt is worded


def test_the_same_attempt_twice_has_two_scores():
    one, other = attempts("5", "6")
    assert weighted_majority([one, one, other], [0.2, 0.3, 0.4]).weight == pytest.approx(0.5)


@pytest.mark.parametrize("wrong", [-0.1, 1.01, 4.2, math.inf, -math.inf, math.nan])
def test_logits_are_refused_in_a_weighted_vote(wrong):
    with pytest.raises(ValueError, match="no probability"):
        weighted_majority(attempts("5", "6"), [0.5, wrong])


@pytest.mark.parametrize("choose", [highest, weighted_majority])
def test_every_attempt_needs_a_score(choose):
    with pytest.raises(ValueError, match="shorter"):
        choose(attempts("5", "6"), [0.5])


# Deciding early

ANSWERS = ["5", "5.0", "$5", "6", "12/2", "7", "seven", "x + 1", "1 + x", None]
"""Several spellings of an answer, within which equality is transitive."""


UNITS = ["5", "5 kg", "5000 g", "5 m", "6", "0.33", "1/3", "0.333", "50%", "0.5", "50", "(1, 2)", "2 and 1", None]
"""Answers that others may join or leave as the vote continues."""


@given(st.lists(st.sampled_from(UNITS), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_a_decided_vote_stands_though_units_may_part_its_answers(answers, random):
    tried = attempts(*answers)
    winner = majority(tried).answer
    ending = random.sample(range(len(answers)), len(answers))
    for count in range(1, len(answers) + 1):
        known = [tried[place] for place in sorted(ending[:count])]
        if decided(known, missing=len(answers) - count):
            assert equal(majority(known).answer, winner)


@pytest.mark.parametrize(
    ("answers", "answer", "count"),
    [
        (["5", "5 kg", "5"], "5", 3),
        (["5 kg", "3 m", "5", "3 m"], "3 m", 2),
        (["50%", "50", "0.5"], "50%", 2),
        (["1 hour", "60 minutes", "61"], "1 hour", 2),
    ],
)
def test_a_bare_number_votes_for_a_unit_only_if_there_is_one(answers, answer, count):
    choice = majority(attempts(*answers))
    assert (choice.answer, choice.votes) == (answer, count)


@pytest.mark.parametrize(
    ("answers", "missing", "settled"),
    [
        (["5", "5", "5", "5 kg"], 1, True),
        (["5", "5 kg", "5", "5 kg"], 1, False),  # a later answer may be 5 m
        (["50%", "0.5", "0.5", "50"], 1, True),
    ],
)
def test_a_group_that_may_still_split_does_not_decide(answers, missing, settled):
    assert decided(attempts(*answers), missing) is settled


def test_agreement_is_counted_within_the_groups_of_the_vote():
    assert agreeing("5", attempts("5", "5 kg", None, "6")) == 2
    assert agreeing("5", attempts("5", "5 kg", "5 m")) == 1
    assert agreeing("5 kg", attempts("5", "5", "5 kg")) == 3
    assert agreeing(None, attempts("5")) == agreeing("5", []) == 0


def completion(answer):
    text = "I do not know." if answer is None else f"The answer is {answer}."
    return Completion(text, "stop", 1, len(text.split()))


@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_a_decided_vote_is_never_overturned(answers, random):
    """Independent of the order in which replies end; an engine yields the finished ones in the order of their seeds."""
    solutions = [read_solution(completion(answer)) for answer in answers]
    winner = majority(solutions).answer
    ending = random.sample(range(len(answers)), len(answers))
    for count in range(1, len(answers) + 1):
        known = [solutions[place] for place in sorted(ending[:count])]
        if decided(known, missing=len(answers) - count):
            assert equal(majority(known).answer, winner)


@pytest.mark.parametrize(
    ("answers", "missing", "settled"),
    [
        (["5"] * 5, 3, True),
        (["5"] * 4, 4, False),
        (["5", "5", "5", "6"], 1, True),
        (["5", "5", "5", "6"], 2, False),
        ([None, None, "5", "5"], 1, True),
        ([None, None], 0, False),
        (["5", "6"], 0, False),
        ([], 3, False),
    ],
)
def test_a_vote_is_decided_when_the_missing_answers_cannot_make_a_tie(answers, missing, settled):
    assert decided(attempts(*answers), missing) is settled


# Sampling


def test_attempts_are_steps_and_an_answer_in_one_conversation():
    problem = PROBLEM.model_copy(update={"answer": "REFERENCE"})
    engine = ScriptedEngine(["2 + 3 = 5\nThe answer is 5.", "2 + 3 = 6\n6 is it\nand so on"], adapters=["actor"])
    first, second = sample_attempts(
        engine, problem, 2, Sampling(temperature=0.7, max_tokens=9, seed=3), adapter="actor"
    )
    assert [step.text for step in first.steps] == ["2 + 3 = 5"]
    assert (first.answer, first.finish, first.problem_id) == ("5", "stop", PROBLEM.id)
    assert (first.made_by.temperature, first.made_by.seed, first.made_by.adapter) == (0.7, 3, "actor")
    assert (second.answer, second.finish) == (None, "length")  # truncated: its numbers are no answer
    assert engine.calls[0] == engine.calls[1]
    assert "REFERENCE" not in str(engine.calls)


@pytest.mark.rest
@pytest.mark.model
@pytest.mark.timeout(60)
def test_sampling_works_with_the_small_model(small_engine):
    sampling = Sampling(temperature=0.7, max_tokens=80, seed=1)
    tried = sample_attempts(small_engine, PROBLEM, 6, sampling)
    assert len({tuple(step.text for step in each.steps) for each in tried}) > 1
    assert tried == sample_attempts(small_engine, PROBLEM, 6, sampling)
