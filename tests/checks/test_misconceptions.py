"""The seed file of pupils' misconceptions: its labels, and what exact arithmetic alone can say about it."""

import json

from places import ROOT

from runtime.checks import arithmetic
from trainer.data.sources import read_attempts

FILE = ROOT / "data" / "seed" / "misconceptions.jsonl"
ROWS = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]


def refuted(row):
    return [arithmetic.verdict(arithmetic.check(step)) == "incorrect" for step in row["steps"]]


def test_every_problem_has_a_wrong_and_a_right_attempt():
    attempts = list(read_attempts(FILE))
    assert len(attempts) == 80 and len({one.problem.id for one in attempts}) == 40
    assert [one.first_error_index is None for one in attempts] == [False, True] * 40
    assert [one.correct for one in attempts] == [False, True] * 40


def test_arithmetic_refutes_no_right_line_and_none_where_all_sums_are_right():
    assert not any(any(refuted(row)) for row in ROWS if row["sums"] == "right")
    assert all(not any(refuted(row)[: row["label"]]) for row in ROWS if row["label"] > 0)
    assert sum(row["label"] >= 0 and row["sums"] == "right" for row in ROWS) >= 20


def test_where_a_misconception_shows_in_a_sum_arithmetic_refutes_it():
    assert all(any(refuted(row)) for row in ROWS if row["sums"] == "wrong")
