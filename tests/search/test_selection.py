"""One answer from many attempts: votes, scores, and early stopping that never changes the winner."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.checks.grading import equal
from runtime.engines.base import Completion, Sampling
from runtime.engines.scripted import ScriptedEngine
from runtime.search.selection import (
    Choice,
    best_of_n,
    highest,
    majority,
    sample_attempts,
    self_consistency,
    weighted_majority,
)
from runtime.search.solutions import agreeing, decided, read_solution, votes
from runtime.types import Problem, Trajectory

PROBLEM = Problem(text="What is 2 + 3?")


def attempt(answer, finish="stop"):
    return Trajectory(problem_id=PROBLEM.id, steps=(), answer=answer, finish=finish)


def attempts(*answers):
    return [attempt(answer) for answer in answers]


def replies(*answers):
    return [f"2 + 3 = {answer}\nThe answer is {answer}." for answer in answers]


# Choosing


@pytest.mark.parametrize(
    ("answers", "answer", "weight"),
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
def test_the_majority_counts_equal_answers_and_the_first_of_a_tie(answers, answer, weight):
    choice = majority(attempts(*answers))
    assert (choice.answer, choice.weight) == (answer, weight)


def test_the_highest_score_of_any_scale_wins_among_those_that_answer():
    tried = attempts("5", None, "6", "7")
    assert highest(tried, [-3.5, 9.0, -0.5, -2.0]) == Choice(tried[2], -0.5)
    assert highest(tried, [2.0, 9.0, 2.0, 1.0]).attempt is tried[0]
    assert highest(attempts(None), [1.0]) == Choice()
    assert highest([], []) == Choice()


def test_weighted_votes_are_sums_of_probabilities():
    tried = attempts("5", "6", "6.0", "5", None)
    choice = weighted_majority(tried, [0.9, 0.35, 0.5, 0.1, 1.0])
    assert choice.answer == "5"
    assert choice.weight == pytest.approx(1.0)
    assert choice.attempt is tried[0]
    assert weighted_majority(tried, [0.3, 0.35, 0.5, 0.1, 1.0]).attempt is tried[2]
    assert weighted_majority(attempts(None), [0.5]) == Choice()


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
    ("answers", "answer", "weight"),
    [
        (["5", "5 kg", "5"], "5", 3),
        (["5 kg", "3 m", "5", "3 m"], "3 m", 2),
        (["50%", "50", "0.5"], "50%", 2),
        (["1 hour", "60 minutes", "61"], "1 hour", 2),
    ],
)
def test_a_bare_number_votes_for_a_unit_only_if_there_is_one(answers, answer, weight):
    choice = majority(attempts(*answers))
    assert (choice.answer, choice.weight) == (answer, weight)


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


@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=12))
def test_stopping_early_finds_the_winner_of_all(answers):
    texts = [completion(answer).text for answer in answers]
    engine = ScriptedEngine(texts)
    early = self_consistency(engine, PROBLEM, len(answers))
    every = majority([read_solution(completion(answer)) for answer in answers])
    assert early.answer == every.answer
    groups = [
        len(vote.solutions) for vote in votes([read_solution(completion(a)) for a in answers[: len(engine.calls)]])
    ]
    if len(engine.calls) < len(answers):  # exactly as many replies as needed were sampled
        assert groups[0] > sum(groups[1:2]) + len(answers) - len(engine.calls)
    before = [read_solution(completion(answer)) for answer in answers[: len(engine.calls) - 1]]
    assert not (before and decided(before, missing=len(answers) - len(before)))


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


def test_self_consistency_samples_no_more_than_needed():
    engine = ScriptedEngine(replies("5", "6", "5", "5", "5", "7", "8", "9"))
    choice = self_consistency(engine, PROBLEM, 7)
    assert (choice.answer, choice.weight, len(engine.calls)) == ("5", 4, 5)


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


def test_the_best_of_n_is_the_verifiers_choice():
    engine = ScriptedEngine(replies("5", "5", "6"))
    liked = {"5": 0.4, "6": 0.7}
    assert best_of_n(engine, PROBLEM, 3, lambda a: liked[a.answer]).answer == "6"
    engine = ScriptedEngine(replies("5", "5", "6"))
    choice = best_of_n(engine, PROBLEM, 3, lambda a: liked[a.answer], weighted_majority)
    assert (choice.answer, choice.weight) == ("5", pytest.approx(0.8))


def test_an_attempt_without_an_answer_is_neither_scored_nor_chosen():
    engine = ScriptedEngine(["I do not know.", *replies("5"), "No."])
    scored = []
    choice = best_of_n(engine, PROBLEM, 3, lambda a: scored.append(a.answer) or 0.1)
    assert (choice.answer, scored) == ("5", ["5"])
    assert best_of_n(ScriptedEngine(["No idea."] * 2), PROBLEM, 2, lambda a: 1.0) == Choice()


@pytest.mark.model
@pytest.mark.timeout(60)
def test_voting_and_best_of_n_work_with_the_small_model(small_engine):
    sampling = Sampling(temperature=0.7, max_tokens=80, seed=1)
    tried = sample_attempts(small_engine, PROBLEM, 6, sampling)
    assert len({tuple(step.text for step in each.steps) for each in tried}) > 1
    assert tried == sample_attempts(small_engine, PROBLEM, 6, sampling)
    longest = best_of_n(small_engine, PROBLEM, 6, lambda a: float(len(a.steps)), sampling=sampling)
    assert longest == highest(tried, [float(len(each.steps)) for each in tried])
    early, every = self_consistency(small_engine, PROBLEM, 6, sampling), majority(tried)
    assert equal(early.answer, every.answer)
