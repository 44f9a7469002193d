"""What steps and outcomes are paid, and at which token."""

import random

import pytest
from tables import table

from runtime import settings
from runtime.engines.scripted import ScriptedEngine
from runtime.text import split_steps
from runtime.types import Problem
from trainer.training.rewards import Pay, by_arithmetic, by_critic, credited, steps_of, until

PROBLEM = Problem(text="Lena buys 3 pens for 4 dollars each. How much?", answer="12")


@table(
    ("scores", "credit", "until_error", "expected"),
    [
        ([0.9, 0.4, 0.8], "sum", False, [0.9, 0.4, 0.8]),
        ([0.9, 0.4, 0.8], "centred", False, [0.4, -0.1, 0.3]),
        ([0.9, 0.4, 0.8], "mean", False, [0.3, 0.4 / 3, 0.8 / 3]),
        # From each step on: 0.4, 0.4 and 0.8.
        ([0.9, 0.4, 0.8], "min", False, [0.0, -0.4, 0.8]),
        # From each step on: 0.4, 0.5 and 0.9.
        ([0.4, 0.5, 0.9], "min", False, [-0.1, -0.4, 0.9]),
        ([0.9, 0.4, 0.8], "sum", True, [0.9, 0.4, 0.0]),
        ([0.9, 0.4, 0.8, 0.2], "centred", True, [0.4, -0.1, 0.0, 0.0]),
        ([0.9, 0.4, 0.8], "mean", True, [0.45, 0.2, 0.0]),
        ([0.9, 0.4, 0.2], "min", True, [0.0, 0.4, 0.0]),
        ([0.9, 0.6], "sum", True, [0.9, 0.6]),
        ([0.3], "min", False, [0.3]),
    ],
)
def test_scores_become_rewards(scores, credit, until_error, expected):
    assert credited(scores, credit, until_error) == pytest.approx(expected)


def grown(rng):
    """Scores of an attempt, and the same with one more step somewhere."""
    scores = [rng.random() for _ in range(rng.randint(1, 6))]
    place = rng.randint(0, len(scores))
    return scores, [*scores[:place], rng.random(), *scores[place:]]


@pytest.mark.parametrize("until_error", [False, True])
def test_by_the_min_form_no_further_step_can_earn_anything(until_error):
    rng = random.Random(0)
    for _ in range(500):
        scores, more = grown(rng)
        if until_error and any(score < 0.5 for score in scores):
            continue  # a step that hides an error is not what this is about
        assert sum(credited(more, "min", until_error)) <= sum(credited(scores, "min", until_error)) + 1e-9


def test_by_the_sum_every_further_step_earns_something():
    rng = random.Random(0)
    for _ in range(500):
        scores, more = grown(rng)
        assert sum(credited(more, "sum")) > sum(credited(scores, "sum"))


def test_from_each_step_on_the_min_form_counts_the_lowest_score():
    rng = random.Random(1)
    for _ in range(200):
        scores, _ = grown(rng)
        rewards = credited(scores, "min")
        for start in range(len(scores)):
            assert sum(rewards[start:]) == pytest.approx(min(scores[start:]))


@table(
    ("pay", "ends", "scores", "outcome", "expected"),
    [
        (Pay(), [1, 3], [0.9, 0.4], None, [0.0, 0.9, 0.0, 0.4, 0.0]),
        (Pay(), [1, 3], None, 1.0, [0.0, 0.0, 0.0, 0.0, 1.0]),
        (Pay(outcome_weight=2.0), [1, 4], [0.9, 0.4], 1.0, [0.0, 0.9, 0.0, 0.0, 2.4]),
        (Pay("centred"), [], [], 0.0, [0.0, 0.0, 0.0, 0.0, -0.5]),
        (Pay(), [2, 2], [0.5, 0.25], None, [0.0, 0.0, 0.75, 0.0, 0.0]),
    ],
)
def test_a_step_is_paid_at_its_last_token_and_the_outcome_at_the_last(pay, ends, scores, outcome, expected):
    assert pay.rewards(5, ends, scores, outcome) == pytest.approx(expected)


def test_the_first_error_ends_what_is_right():
    assert until(None, 3) == [1, 1, 1] and until(0, 2) == [0, 0] and until(1, 3) == [1, 0, 0]


def test_arithmetic_and_the_critic_find_the_first_false_step():
    engine = ScriptedEngine([])
    steps = ["3 × 4 = 12", "12 + 1 = 14", "14 + 1 = 15"]
    for judge in (by_arithmetic, by_critic(settings.load())):
        assert judge(engine, PROBLEM, steps) == [1, 0, 0]
    assert by_arithmetic(engine, PROBLEM, steps[:1]) == [1]


@pytest.mark.model
@pytest.mark.parametrize(
    "text",
    [
        "3 × 4 = 12\n12 + 2 = 14\nThe answer is 14.",
        "Step 1: so\n\nwe add:\n3 + 4 = 7\nThe answer is 7",
        "no end",
        "\n\none 🎈\ntwo\n",
    ],
)
def test_the_steps_of_sampled_tokens_end_where_their_lines_end(chat, text):
    token_ids = [*chat.plain_tokens(text), chat.end]
    steps, ends = steps_of(chat.tokenizer, token_ids)
    assert steps == split_steps(text) and len(ends) == len(steps)
    for end in ends:
        before, after = (chat.tokenizer.decode(token_ids[:size], skip_special_tokens=True) for size in (end, end + 1))
        assert after.count("\n") > before.count("\n") or end == len(token_ids) - 1
