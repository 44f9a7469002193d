"""Attempts of a model at known problems: graded, kept, gone on with, and what a critic learns from them."""

import json

import pytest

from runtime import settings
from runtime.engines.scripted import ScriptedEngine
from runtime.solutions import Solution
from runtime.types import Problem
from trainer.attempts import Drawing
from trainer.lessons import drawn
from trainer.placing import placed
from trainer.sources import GradedAttempt, SourceError

RIGHT, WRONG = "2 + 2 = 4\nThe answer is 4.", "2 + 2 = 5\nThe answer is 5."
LUCKY = "2 + 2 = 5, and one less is right.\nThe answer is 4."
PROBLEMS = [Problem(text=f"What is two and two, number {i}?", answer="4", source="own") for i in range(2)]


def drawing(replies, problems=PROBLEMS, n=2):
    engine = ScriptedEngine(replies)
    engine.parallel = 1  # so that the replies come in the order of the problems
    return Drawing(problems, engine, settings.load(), n, 0.8)


def test_attempts_are_graded_and_keep_the_order_of_the_problems():
    made = drawing([RIGHT, WRONG, WRONG, RIGHT])
    list(made.run())
    rows = list(made.rows())
    assert [row["correct"] for row in rows] == [True, False, False, True]
    assert [row["question"][-2] for row in rows] == list("0011")
    assert rows[1]["attempt_answer"] == "5"


def test_what_was_drawn_is_not_drawn_again():
    list(drawing([RIGHT, WRONG], PROBLEMS[:1]).run())
    again = drawing([], PROBLEMS[:1])
    list(again.run())
    assert again.engine.calls == []
    assert len(list(again.rows())) == 2


def test_problems_between_safe_and_out_of_reach():
    made = drawing([RIGHT, WRONG, WRONG, WRONG])
    list(made.run())
    assert made.sometimes == PROBLEMS[:1]


def test_a_critic_learns_from_right_attempts_without_a_false_equation(tmp_path):
    made = drawing([RIGHT, WRONG, LUCKY, RIGHT])
    list(made.run())
    file = tmp_path / "attempts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in made.rows()))
    learned = list(drawn(file))
    right = [attempt for attempt in learned if attempt.first_error is None]
    assert [attempt.problem.text for attempt in right] == [problem.text for problem in PROBLEMS]
    assert all(attempt.problem.source == "own attempts" for attempt in learned)


RIGHT_WAY = "4 books cost 4 × 3 = 12 dollars.\nWith the pen that is 12 + 2 = 14.\nThe answer is 14."
OTHER_WAY = "The pen costs 2.\n4 × 3 = 12\n12 + 2 = 14\nThe answer is 14."
WRONG_IDEA = "4 books cost 4 × 3 = 12 dollars.\n12 − 2 = 10\n10 + 0 = 10\nThe answer is 10."
FALSE_SUM = "4 books cost 4 × 3 = 12 dollars.\n12 + 2 = 16\nThe answer is 16."
WRONG_PLAN = "4 + 3 + 2 = 9\nThe answer is 9."
ONLY_SAID = "4 books cost 4 × 3 = 12 dollars.\nThe answer is 12."


def learned_from(tmp_path, *texts):
    problem = Problem(text="4 books for 3 dollars each and a pen for 2 dollars: how much?", answer="14", source="own")
    made = drawing(list(texts), [problem], len(texts))
    list(made.run())
    file = tmp_path / "attempts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in made.rows()))
    return [(len(attempt.steps), attempt.first_error) for attempt in drawn(file)]


@pytest.mark.parametrize(
    "texts, learned",
    [
        ([RIGHT_WAY, WRONG_IDEA, OTHER_WAY], [(2, None), (3, None), (3, 1)]),
        ([RIGHT_WAY, FALSE_SUM], [(2, None), (2, 1)]),
        ([RIGHT_WAY, WRONG_PLAN], [(2, None), (1, 0)]),
        ([RIGHT_WAY, ONLY_SAID, RIGHT_WAY], [(2, None)]),  # nothing tells the place
        ([WRONG_IDEA, FALSE_SUM], [(2, 1)]),  # nobody shows the way, but a sum is false
        (
            [RIGHT_WAY, OTHER_WAY, OTHER_WAY, WRONG_PLAN, WRONG_IDEA, FALSE_SUM],
            [(2, None), (3, None), (1, 0), (3, 1)],
        ),  # no problem counts for more than others
    ],
)
def test_right_attempts_tell_where_wrong_ones_leave_the_way(tmp_path, texts, learned):
    assert learned_from(tmp_path, *texts) == learned


def test_a_reference_solution_shows_the_way_where_no_attempt_does():
    problem = Problem(text="4 books for 3 dollars each and a pen for 2 dollars: how much?")
    wrong = GradedAttempt(problem, ("4 × 3 = 12", "12 - 2 = 10"), "10", correct=False)
    assert list(placed([wrong])) == []
    [judged] = placed([wrong], [Solution("4 × 3 = 12\n12 + 2 = 14", "14")])
    assert judged.first_error == 1 and judged.answer == "10"


@pytest.mark.parametrize(
    "row", ['{"question": "?", "steps": [], "correct": "yes"}', '{"question": "?", "correct": true}']
)
def test_a_bad_row_of_attempts_is_named(tmp_path, row):
    file = tmp_path / "attempts.jsonl"
    file.write_text(row)
    with pytest.raises(SourceError, match="line 1"):
        drawn(file)
