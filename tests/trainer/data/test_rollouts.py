"""Rollouts of a model at known problems: graded, stored, resumed, and turned into examples for a critic."""

import json

import pytest
from places import BENCH, ROOT
from typer.testing import CliRunner

from runtime import settings
from runtime.engines.base import Sampling
from runtime.engines.scripted import ScriptedEngine
from runtime.problems.formats import attempts as own
from runtime.problems.labelled import labelled
from runtime.prompts.actor_turn import conversation
from runtime.search.solutions import Solution
from runtime.types import Problem
from trainer.__main__ import app
from trainer.data.examples.critic import rollouts
from trainer.data.examples.rft import write_right
from trainer.data.first_error import with_first_error
from trainer.data.rollouts import Rollouts
from trainer.data.rows import read_rows
from trainer.data.sources import RowError
from trainer.training.recipe import read_recipe

RIGHT, WRONG = "2 + 2 = 4\nThe answer is 4.", "2 + 2 = 5\nThe answer is 5."
LUCKY = "2 + 2 = 5, and one less is right.\nThe answer is 4."
PROBLEMS = [Problem(text=f"What is two and two, number {i}?", answer="4", source="own") for i in range(2)]


def sampled(replies, problems=PROBLEMS, n=2):
    engine = ScriptedEngine(replies)
    engine.parallel = 1  # so that the replies come in the order of the problems
    return Rollouts(problems, engine, settings.load(), Sampling(temperature=0.8), n)


def test_rollouts_are_graded_and_keep_the_order_of_the_problems():
    made = sampled([RIGHT, WRONG, WRONG, RIGHT])
    list(made.run())
    rows = list(made.rows())
    assert [row["correct"] for row in rows] == [True, False, False, True]
    assert [row["question"][-2] for row in rows] == list("0011")
    assert rows[1]["attempt_answer"] == "5"


def test_a_finished_rollout_is_not_sampled_again():
    list(sampled([RIGHT, WRONG], PROBLEMS[:1]).run())
    again = sampled([], PROBLEMS[:1])
    list(again.run())
    assert again.engine.calls == []
    assert len(list(again.rows())) == 2


def test_problems_solved_sometimes_are_listed():
    made = sampled([RIGHT, WRONG, WRONG, WRONG])
    list(made.run())
    assert made.sometimes == PROBLEMS[:1]


def test_a_critic_learns_from_right_attempts_without_a_false_equation(tmp_path):
    made = sampled([RIGHT, WRONG, LUCKY, RIGHT])
    list(made.run())
    file = tmp_path / "attempts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in made.rows()))
    learned = list(rollouts(file))
    assert [attempt.problem.text for attempt in learned] == [problem.text for problem in PROBLEMS]
    assert all(attempt.first_error is None and attempt.problem.source == "own attempts" for attempt in learned)


# Rejection sampling


def test_an_actor_learns_each_of_its_right_solutions_once(tmp_path):
    other = "Two and two: 2 + 2 = 4\nThe answer is 4."
    third = "4 = 2 + 2\nThe answer is 4."
    made = sampled([RIGHT, WRONG, LUCKY, RIGHT, other, third], PROBLEMS[:1], n=6)
    list(made.run())
    attempts = [own.read(row)[0] for row in made.rows()]
    counts = write_right(tmp_path, attempts, most=2)
    rows = [*read_rows(tmp_path / "actor.jsonl"), *read_rows(tmp_path / "actor-dev.jsonl")]
    assert [row.reply for row in rows] == [((RIGHT, 1.0),), ((other, 1.0),)]
    assert list(rows[0].messages) == conversation(PROBLEMS[0]) and all(row.ends for row in rows)
    known = {"finished": 6, "right": 5, "without_a_false_equation": 4, "different": 3, "problems": 1}
    assert counts == {**known, "rows": counts["rows"], "kept_apart": 2 - counts["rows"]}


@pytest.mark.rest
def test_right_solutions_become_rows_that_the_actors_recipe_trains(tmp_path):
    problems = tmp_path / "problems.jsonl"
    problems.write_text(
        "".join(json.dumps({"question": f"What is 2 + {n}?", "answer": f"{2 + n}"}) + "\n" for n in (1, 2))
    )
    asked = ["rft", "--problems", str(problems), "--n", "2", "--model", str(BENCH), "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["sampled"] == 4 and summary["rows"] == len(list(read_rows(tmp_path / "actor.jsonl")))
    recipe = read_recipe(ROOT / "trainer" / "recipes" / "sft" / "actor-bench.yaml", tmp_path)
    assert recipe.data == (tmp_path / "actor.jsonl",)


RIGHT_WAY = ("4 books cost 4 × 3 = 12 dollars.", "With the pen that is 12 + 2 = 14.")
OTHER_WAY = ("The pen costs 2.", "4 × 3 = 12", "12 + 2 = 14")
WRONG_IDEA = ("4 books cost 4 × 3 = 12 dollars.", "12 - 2 = 10", "10 + 0 = 10")
FALSE_SUM = ("4 books cost 4 × 3 = 12 dollars.", "12 + 2 = 16")
LUCKY_SUM = ("4 × 3 = 13", "12 + 2 = 14")
WRONG_PLAN = ("4 + 3 + 2 = 9",)
ONLY_SAID = ("4 books cost 4 × 3 = 12 dollars.",)
RIGHT_ANSWER = (RIGHT_WAY, OTHER_WAY, LUCKY_SUM)
STORY = Problem(text="4 books for 3 dollars each and a pen for 2 dollars: how much?")


@pytest.mark.parametrize(
    "attempts, learned",
    [
        ([RIGHT_WAY, WRONG_IDEA, OTHER_WAY], [(RIGHT_WAY, None), (OTHER_WAY, None), (WRONG_IDEA, 1)]),
        ([FALSE_SUM], [(FALSE_SUM, 1)]),
        ([WRONG_PLAN, LUCKY_SUM], [(WRONG_PLAN, 0)]),
        ([ONLY_SAID], []),  # nothing locates the error
        ([WRONG_PLAN, WRONG_PLAN, WRONG_IDEA, FALSE_SUM], [(WRONG_PLAN, 0), (WRONG_IDEA, 1)]),  # each distinct one once
    ],
)
def test_a_known_solution_locates_the_first_error_of_a_wrong_attempt(attempts, learned):
    answers = [(steps, "14" if steps in RIGHT_ANSWER else "9") for steps in attempts]
    graded = [labelled(STORY, steps, answer=answer, correct=answer == "14") for steps, answer in answers]
    way = Solution("4 × 3 = 12\n12 + 2 = 14", "14")
    assert [(one.steps, one.first_error) for one in with_first_error(graded, way)] == learned


@pytest.mark.parametrize(
    "row", ['{"question": "?", "steps": [], "correct": "yes"}', '{"question": "?", "correct": true}']
)
def test_a_bad_row_of_rollouts_is_named(tmp_path, row):
    file = tmp_path / "attempts.jsonl"
    file.write_text(row)
    with pytest.raises(RowError, match="line 1"):
        rollouts(file)
