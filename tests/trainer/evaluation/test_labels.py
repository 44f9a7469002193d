"""Measuring labels by rollouts against known first errors, on completions whose successes are given."""

import json
import os
import re
import subprocess
import sys

import pytest
from answering import Answering
from places import ROOT
from rich.console import Console

from runtime import settings
from runtime.checks.grading import grade
from runtime.engines.base import Sampling
from runtime.problems.json_rows import RowError
from runtime.problems.labelled import labelled
from runtime.search.solutions import Solution
from runtime.types import Problem
from trainer.data.completer import Completer
from trainer.data.step_labels import Labelling
from trainer.evaluation import labels as evaluation
from trainer.evaluation.labels import KnownAttempt, Part, parts, read_known, summary, tables

RIGHT, WRONG = "The answer is 9.", "The answer is 8."
REFERENCE = Solution("2 + 3 = 5\n5 + 4 = 9", "9")


def known(number, first, steps=("2 + 3 = 5", "5 + 3 = 8", "8 + 0 = 8"), answer="8"):
    problem = Problem(text=f"What is 2 + 3 + 4, number {number}?", answer="9")
    return KnownAttempt(labelled(problem, steps, first, answer), REFERENCE)


def completed(attempts, successes, n=4):
    """All prefixes completed: "1" in `successes` is a success, by the number of steps of the prefix."""

    def answer(prefix, count):
        return RIGHT if successes[len(re.findall("\n", prefix))][count - 1] == "1" else WRONG

    chosen = settings.load()
    completer = Completer(Answering(answer), chosen, Sampling(max_tokens=chosen.max_tokens), n)
    list(Labelling([one.attempt for one in attempts], completer).run())
    return completer


def test_completions_are_read_in_disjoint_parts():
    assert parts("abcdef", 2) == ["ab", "cd", "ef"]
    assert parts("abcdef", 4) == ["abcd"]


def test_step_labels_are_compared_with_the_known_first_error():
    attempts = [known(number, 1) for number in range(2)]
    report = summary(attempts, completed(attempts, ["1111", "1000", "0001"]))
    one, two, four = report["steps"]
    # The right step has a success in one of four, two and one parts; the wrong one has none in three, one and none.
    assert [row["right"]["share"] for row in (one, two, four)] == [0.25, 0.5, 1.0]
    assert [row["wrong"]["share"] for row in (one, two, four)] == [0.75, 0.5, 0.0]
    assert [row["all"]["share"] for row in (one, two, four)] == [0.5, 0.5, 0.5]
    # Soft: distances of single completions are 0 or 1; 1/4 of four is 9/16 from 1 and 1/16 from 0.
    assert (one["soft_distance"]["mean"], four["soft_distance"]["mean"]) == pytest.approx((0.5, 10 / 32))
    assert one["all"]["n"] == 4  # the last step is after the first error
    assert report["solved"]["share"] == 1.0
    assert (report["attempts"], report["problems"], report["left_out"]) == (2, 2, 0)


def test_the_rule_calls_a_step_wrong_whose_number_the_reference_lacks():
    attempts = [known(0, 1), known(1, 0)]
    report = summary(attempts, completed(attempts, ["1111", "1111", "0000"]))
    # The first number that is not in the reference is in the second step: right for one attempt, wrong for the other.
    assert report["rule"]["right"] == {"share": 1.0, "interval": pytest.approx((0.27, 1.0), abs=0.01), "n": 1}
    assert report["rule"]["wrong"]["share"] == 0.5
    assert report["steps"][0]["all"]["share"] == pytest.approx(2 / 3)
    assert report["steps"][0]["above_rule"]["difference"] == 0.0


STEPS = tuple(f"{number} + 0 = {number}" for number in range(1, 9))
SUCCESSES = ["1111", "1111", "1111", "0000", "1111", "0000", "0000", "0000"]
"""The prefix of three steps fails by chance; the first error is the fifth step, with index 4."""


def found(way):
    attempts = [known(0, 4, STEPS)]
    completer = completed(attempts, SUCCESSES)
    part = Part(attempts[0].attempt, completer, slice(0, 4))
    return evaluation.WAYS[way](part, True), part


@pytest.mark.parametrize(("way", "place"), [("every step", 2), ("every step, monotone", 4), ("bisection", 4)])
def test_each_way_finds_the_first_error_by_its_own_rule(way, place):
    assert found(way)[0] == place


def test_bisection_pays_for_the_prefixes_that_it_visits():
    words = len(RIGHT.split())
    assert found("every step")[1].tokens == 7 * 4 * words
    assert found("bisection")[1].tokens == 3 * 4 * words
    attempts = [known(0, 4, STEPS)]
    report = summary(attempts, completed(attempts, SUCCESSES))
    costs = {(row["way"], row["size"]): row["tokens"] for row in report["first_errors"]}
    assert costs["bisection", 4] == 4 * 4 * words  # with the problem alone
    assert costs["every step", 2] == 8 * 2 * words
    [beside] = [row for row in report["at_equal_tokens"] if row["bisection"] == 4]
    assert (beside["every_step"], beside["difference"]) == (2, 1.0)


@pytest.mark.parametrize(
    ("alone", "solved"),
    [("0000", "never"), ("0100", "less than half of the time"), ("0011", "at least half of the time")],
)
def test_first_errors_are_counted_by_the_confidence_of_the_completer(alone, solved):
    attempts = [known(number, 1) for number in range(2)]
    report = summary(attempts, completed(attempts, [alone, "1111", "0000"]))
    assert [(row["solved"], row["share"], row["n"]) for row in report["by_confidence"]] == [(solved, 1.0, 2)]


def test_an_unconfirmed_first_step_is_undecided():
    attempts = [known(0, 0)]
    report = summary(attempts, completed(attempts, ["0000", "0000", "0000"]))
    assert {row["decided"] for row in report["first_errors"]} == {0.0}
    assert {row["found"]["share"] for row in report["first_errors"]} == {0.0}


def test_right_attempts_are_measured_by_their_steps_only():
    attempts = [known(0, None, ("2 + 3 = 5", "5 + 4 = 9"), "9")]
    report = summary(attempts, completed(attempts, ["1111", "1010"]))
    assert report["first_errors"] == report["at_equal_tokens"] == []
    assert report["steps"][0]["all"]["share"] == 0.5


def test_the_report_is_shown_as_tables():
    attempts = [known(number, 1) for number in range(3)]
    console = Console(width=140, record=True)
    for table in tables(summary(attempts, completed(attempts, ["1111", "1000", "0000"]))):
        console.print(table)
    text = console.export_text()
    assert "HE, n = 4" in text
    assert "100.0% [" in text
    assert "bisection" in text


def test_generated_attempts_hold_one_error_and_the_right_solution():
    attempts = list(evaluation.generated(12, 5, most_steps=3))
    assert len({one.attempt.problem.text for one in attempts}) == 12
    for one in attempts:
        steps = one.reference.text.splitlines()
        assert len(steps) <= 3
        assert isinstance(one.attempt.first_error, int)
        assert one.attempt.steps[: one.attempt.first_error] == tuple(steps[: one.attempt.first_error])
        assert grade(one.reference.answer, one.attempt.problem) is True
        assert grade(one.attempt.answer, one.attempt.problem) is False


def test_rows_with_a_reference_solution_are_read(tmp_path):
    row = {"question": "What?", "steps": ["a", "9"], "first_error": 0, "reference_solution": "2 + 3 = 5\n5 + 4 = 9"}
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row))
    [one] = read_known(file)
    assert (one.attempt.problem.answer, one.reference.answer, one.attempt.first_error) == ("9", "9", 0)
    file.write_text(json.dumps({**row, "reference_solution": ""}))
    with pytest.raises(RowError, match="reference solution is missing"):
        read_known(file)


@pytest.mark.model
@pytest.mark.rest
def test_the_command_measures_a_model(tmp_path):
    command = [sys.executable, "-m", "trainer", "evaluate-labels", "--generated", "2", "--most-steps", "2", "--n", "2"]
    model = ["--model", "data/models/bench/bench.gguf", "--full-distribution", "--json"]
    options = {**os.environ, "SOLILOQUY_THREADS": "1"}
    done = subprocess.run([*command, *model], cwd=ROOT, env=options, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert (report["model"], report["attempts"], [row["size"] for row in report["steps"]]) == ("bench", 2, [1, 2])
    assert all(row["tokens"] > 0 for row in report["first_errors"])
