"""Attempts of a model at known problems: graded, kept, gone on with, and what a critic learns from them."""

import json

from runtime import settings
from runtime.engines.scripted import ScriptedEngine
from runtime.types import Problem
from trainer.attempts import Drawing
from trainer.lessons import drawn

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
    assert [attempt.problem.text for attempt in learned] == [problem.text for problem in PROBLEMS]
    assert all(attempt.first_error is None and attempt.problem.source == "own" for attempt in learned)
