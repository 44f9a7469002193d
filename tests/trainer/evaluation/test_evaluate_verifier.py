"""Measuring a verifier on queued scores: what is stored, and the figures."""

import json
import math

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from runtime import settings
from runtime.engines.base import EngineError
from runtime.engines.scripted import ScriptedEngine
from runtime.odds import sigmoid
from runtime.problems.labelled import labelled
from runtime.types import Problem
from trainer.__main__ import app
from trainer.evaluation.verifier import (
    NEVER,
    Case,
    Scoring,
    best_cut,
    by_likelihood,
    by_threshold,
    cross_fitted,
    plot_reliability,
    spans_of,
    summary,
    table,
)
from trainer.plots import figure

RIGHT = labelled(Problem(text="What is 2 + 2 + 1?"), ("2 + 2 = 4", "4 + 1 = 5"), None, "5")
WRONG = labelled(Problem(text="What is 3 + 2 + 1?"), ("3 + 2 = 6", "6 + 1 = 7"), 0, "7")
GRADED = labelled(Problem(text="What is 4 + 2 + 1?"), ("4 + 2 = 6",), "unknown", "6", correct=False)
ATTEMPTS = [RIGHT, WRONG, GRADED]
SCORES = [0.9, 0.8, 0.3, 0.6, 0.2]


def scored(engine, attempts=ATTEMPTS):
    engine.parallel = 1
    scoring = Scoring(attempts, engine, settings.load())
    assert len(list(scoring.run())) == len(attempts)
    return scoring


def case(problem, first_error, *scores):
    odds = tuple(math.log(p / (1 - p)) for p in scores)
    labels = tuple(
        None if first_error is not None and i > first_error else i != first_error for i in range(len(scores))
    )
    return Case(problem, odds, labels, first_error is None, first_error, True)


def test_scores_are_stored_and_read_back_without_calling_the_engine():
    first, engine = scored(ScriptedEngine(verdicts=SCORES)), ScriptedEngine()
    again = scored(engine)
    assert engine.calls == [] and again.cases() == first.cases()
    right, wrong, graded = first.cases()
    assert [score for one in first.cases() for score in one.scores] == pytest.approx(SCORES)
    assert (right.labels, wrong.labels, graded.labels) == ((True, True), (False, None), (None,))
    assert (right.outcome, wrong.outcome, graded.outcome) == (True, False, False)
    assert (right.judged, wrong.first_error, graded.judged) == (True, 0, False)


def test_an_attempt_that_cannot_be_scored_is_left_out_and_tried_again():
    class Short(ScriptedEngine):
        def choice_logprobs(self, messages, *given, **named):
            if "3 + 2" in str(messages):
                raise EngineError("too long")
            return super().choice_logprobs(messages, *given, **named)

    assert len(scored(Short(verdicts=SCORES)).cases()) == 2
    assert len(scored(ScriptedEngine(verdicts=[0.5, 0.5])).cases()) == 3


# Figures


def test_figures_of_steps_and_attempts():
    cases = [case("a", None, 0.9, 0.8), case("b", 0, 0.3, 0.95), case("c", 1, 0.7, 0.75), case("d", None, 0.6, 0.9)]
    report = summary(cases)
    steps = report["steps"]  # right: 0.9, 0.8, 0.7, 0.6, 0.9; wrong: 0.3, 0.75
    assert (steps["n"], steps["right"]) == (7, 5)
    assert steps["auc"]["value"] == pytest.approx(8 / 10)
    assert sum(one["n"] for one in steps["bins"]) == 7 and len(steps["bins"]) == 5
    expected = {  # right: a and d
        "min": 3 / 4,  # 0.8, 0.6 against 0.3, 0.7
        "last": 2 / 4,  # 0.8, 0.9 against 0.95, 0.75
        "mean": 4 / 4,  # 0.85, 0.75 against 0.625, 0.725
        "product": 4 / 4,  # 0.72, 0.54 against 0.285, 0.525
    }
    assert {name: row["auc"]["value"] for name, row in report["outcome"].items()} == pytest.approx(expected)
    low, high = report["outcome"]["min"]["auc"]["interval"]
    assert 0 <= low <= 3 / 4 <= high <= 1


def test_a_threshold_is_chosen_on_other_rows():
    fitted = [case("x", None, 0.9, 0.52), case("y", 1, 0.8, 0.48)]
    cases = [case("a", None, 0.9, 0.4), case("b", 0, 0.3, 0.9), case("c", None, 0.6, 0.7)]
    row = summary(cases, fitted)["first_error"]["threshold"]
    assert row["cut"] == pytest.approx(0.5)
    assert (row["wrong"], row["right"]) == ({"accuracy": 1.0, "n": 1}, {"accuracy": 0.5, "n": 2})
    assert row["f1"]["value"] == pytest.approx(2 / 3)  # on its own rows a threshold of 0.35 would reach 1
    assert summary(cases)["first_error"]["threshold"]["cut"] == pytest.approx(0.35)


def test_cross_fitted_cuts_never_see_the_problem_they_judge():
    """With one odd problem, whose error no cut of the others finds, its own cut would."""
    cases = [case(f"p{i}", 0 if i % 2 else None, 0.2 if i % 2 else 0.8) for i in range(10)] + [case("odd", 0, 0.9)]
    spans, wrong = spans_of(cases, by_threshold), [one.first_error is not None for one in cases]
    hits = cross_fitted(spans, np.array(wrong), [one.problem for one in cases])
    assert hits.tolist() == [True] * 10 + [False]


def test_the_likelihood_weighs_all_steps():
    # A weak step after doubtful ones: the first of them is as likely to be the error, as the others must be right then.
    one = case("a", 0, 0.5, 0.45)
    likelihoods = [0.5, 0.5 * 0.55, 0.5 * 0.45]  # p- of the first; p+ p-; p+ p+
    low, high = by_likelihood(one)
    assert high == math.inf and low == pytest.approx(math.log(likelihoods[2] / likelihoods[0]))
    assert by_likelihood(case("a", 1, 0.5, 0.45)) == NEVER
    assert by_threshold(case("a", 1, 0.5, 0.45)) == pytest.approx((0.45, 0.5))


def test_the_best_cut_lies_between_scores():
    spans = spans_of([case("a", None, 0.6), case("b", 0, 0.4), case("c", 0, 0.1)], by_threshold)
    assert best_cut(spans, np.array([False, True, True])) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="no scores"):
        best_cut(np.array([[-np.inf, np.inf]]), np.array([True]))
    assert summary([case("a", None, 0.9), case("a", 0, 0.2)])["first_error"]["threshold"] is None  # no other problem


def test_a_report_without_both_classes_leaves_their_figures_out():
    report = summary([case("a", None, 0.9)])
    assert report["steps"] is None and report["first_error"] == {"threshold": None, "likelihood": None}
    Console().print(table({**report, "model": "m"}))


def test_reports_are_printed_and_drawn(tmp_path):
    cases = [
        case(str(i), i % 3 if i % 2 else None, *(sigmoid((i * 7 + j) % 5 - 2) for j in range(3))) for i in range(30)
    ]
    report = {**summary(cases), "model": "m"}
    with figure(tmp_path / "plot.png") as one:
        plot_reliability(one, report)
        assert [len(line.get_xdata()) for line in one.axes[0].lines] == [5, 2]  # five bins, and the diagonal
        assert len(one.axes[1].lines) == 5
    assert (tmp_path / "plot.png").stat().st_size > 5000
    console = Console(width=160)
    with console.capture() as shown:
        console.print(table(report))
    assert "first error by likelihood" in shown.get() and "attempts, product" in shown.get()


def test_the_command_prints_its_figures(tmp_path, monkeypatch):
    rows = [
        {"question": one.problem.text, "steps": one.steps, "first_error_index": -1 if one.first_error is None else 0}
        for one in (RIGHT, WRONG)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    engine = ScriptedEngine(verdicts=[0.9, 0.8, 0.3, 0.6])
    engine.parallel = 1
    monkeypatch.setattr("runtime.engines.open_engine", lambda *given, **named: engine)
    given = ["evaluate-verifier", "--trajectories", str(path), "--adapter", "none", "--plot", str(tmp_path / "a.png")]
    done = CliRunner().invoke(app, [*given, "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["n"], report["failed"], report["steps"]["auc"]["value"]) == (2, 0, 1.0)
    assert (tmp_path / "a.png").is_file()
