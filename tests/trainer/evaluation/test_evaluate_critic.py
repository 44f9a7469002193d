"""Measuring the critic on queued replies: ProcessBench's figures, the stored evidence, and its cost."""

import json

import pytest
from rich.console import Console

from runtime import settings
from runtime.critic.aggregation import Aggregation
from runtime.critic.critic import UNTRAINED
from runtime.critic.evidence.solutions import SOLUTIONS
from runtime.critic.evidence.source import StepEvidence
from runtime.engines.base import EngineError
from runtime.engines.scripted import ScriptedEngine
from runtime.problems.labelled import labelled
from runtime.search.solutions import Solution
from runtime.types import Problem
from trainer.evaluation import critic
from trainer.evaluation.calibrate import Case
from trainer.evaluation.critic import calibration, discrimination, figures, summary, table, weights_in_use
from trainer.evaluation.evidence import JudgedEvidence

PROBLEM = Problem(text="What is two and two and one?", answer="REFERENCE")
SLIP = labelled(PROBLEM, ("2 + 2 = 5", "5 + 1 = 6"), 0, answer="6", error_type="calculation")
WRONG = labelled(PROBLEM, ("2 + 2 = 4", "4 - 1 = 3"), 1, answer="3", error_type="logical")
RIGHT = labelled(PROBLEM, ("2 + 2 = 4", "4 + 1 = 5"), None, answer="5")
ATTEMPTS = [SLIP, WRONG, RIGHT]
FIVE = "2 + 2 = 4\n4 + 1 = 5\nThe answer is 5."
WORD = Aggregation(constant=0.0, features={"verdict": 1.0}, reject=0.5)
ALL = ("verdict", "surprisal", "solutions")
REPLIES = [FIVE] * SOLUTIONS
VERDICTS = [0.9, 0.9, 0.9, 0.2, 0.4]
"""Two per attempt, but the last two attempts start alike: the verdicts miss the false sum, find the wrong step, and
reject one right step."""


def hear(engine, attempts=ATTEMPTS, panel=ALL):
    collected = JudgedEvidence(attempts, engine, settings.load(), panel)
    assert len(list(collected.run())) == len(collected.work)
    return collected


def one_by_one(*given, **named):
    """An engine that takes one request at a time, so that replies come in the order of the problems."""
    engine = ScriptedEngine(*given, **named)
    engine.parallel = 1
    return engine


# The evidence


def test_the_findings_of_every_source_are_stored():
    heard = hear(ScriptedEngine(REPLIES, VERDICTS)).findings()
    assert [len(one["verdict"]) for one in heard] == [2, 2, 2]
    assert heard[1]["verdict"][0] > 0 > heard[1]["verdict"][1]
    assert [one["surprisal"] for one in heard] == [(0.0, 0.0)] * 3
    assert {len(one["solutions"]) for one in heard} == {SOLUTIONS}
    assert heard[0]["solutions"][0] == Solution(FIVE, "5")


def test_finished_evidence_is_read_back_without_calling_the_engine():
    first, engine = hear(ScriptedEngine(REPLIES, VERDICTS)), ScriptedEngine()
    again = hear(engine)
    assert engine.calls == []
    assert again.findings() == first.findings()
    assert summary(again, {"verdict": WORD}) == summary(first, {"verdict": WORD})


def test_a_longer_file_resumes_the_run_of_a_shorter_one():
    other = labelled(Problem(text="What is three and one?"), ("3 + 1 = 4",), None, answer="4")
    hear(ScriptedEngine(REPLIES, VERDICTS))
    engine = ScriptedEngine(["The answer is 4."] * 2)
    assert len(hear(engine, [*ATTEMPTS, other]).findings()) == 4
    assert len(engine.calls) == 4


def test_other_sources_start_another_run():
    engine = ScriptedEngine(verdicts=VERDICTS)
    hear(ScriptedEngine(REPLIES, VERDICTS))
    assert hear(engine, panel=("verdict",)).findings()[0].keys() == {"verdict"}
    assert len(engine.calls) == 3


def test_an_attempt_whose_collection_fails_counts_as_missed():
    other = labelled(Problem(text="What is three and one?"), ("3 + 1 = 4",), None, answer="4")
    engine = one_by_one([EngineError("the model broke"), "The answer is 4.", "The answer is 4."])
    collected = hear(engine, [RIGHT, other], ("solutions",))
    assert [one is None for one in collected.findings()] == [True, False]
    report = summary(collected, {})
    assert (report["n"], report["failed"]) == (2, 1)
    assert report["panels"]["solutions"]["right"]["accuracy"] == 0.5


def test_no_source_sees_the_reference_answer():
    engine = ScriptedEngine(REPLIES, VERDICTS)
    hear(engine)
    assert len(engine.calls) == 2 * 3 + SOLUTIONS
    assert "REFERENCE" not in str(engine.calls)


def test_seconds_are_counted_per_source():
    collected = hear(ScriptedEngine(REPLIES, VERDICTS, delay=0.004), [WRONG])
    assert collected.seconds("solutions") > collected.seconds("verdict") >= 0
    assert collected.seconds("solutions") >= SOLUTIONS * len(FIVE.split()) * 0.004
    assert collected.seconds("vote") == 0


# The figures


def test_figures_are_computed_as_in_processbench():
    report = summary(hear(ScriptedEngine(REPLIES, VERDICTS, adapters=["critic"])), {"verdict": WORD, "quick": WORD})
    assert (report["n"], report["n_error"], report["n_correct"], report["failed"]) == (3, 2, 1, 0)
    panels = report["panels"]
    # exact arithmetic finds the false sum and rejects nothing that is right
    assert (panels["arithmetic"]["wrong"]["accuracy"], panels["arithmetic"]["right"]["accuracy"]) == (0.5, 1.0)
    assert panels["arithmetic"]["f1"] == pytest.approx(2 / 3)
    # the model finds the other error, and rejects one right step
    assert panels["verdict"]["wrong"]["accuracy"] == 0.5
    assert (panels["verdict"]["right"]["accuracy"], panels["verdict"]["f1"]) == (0.0, 0.0)
    assert panels["quick"]["wrong"]["accuracy"] == 1.0
    # together with the solutions everything is found
    assert panels["deep"]["f1"] == 1.0
    assert panels["deep"]["wrong"]["n"] == 2
    low, high = panels["verdict"]["wrong"]["interval"]
    assert low < 0.5 < high


def test_a_panel_needs_only_sources_with_a_weight():
    heard = hear(ScriptedEngine(["Yes."] * 6, VERDICTS, adapters=["critic"]), panel=("arithmetic", "verdict"))
    assert summary(heard, {"quick": WORD})["panels"]["quick"]["wrong"]["accuracy"] == 1.0
    assert "quick" not in summary(heard, {"quick": Aggregation(constant=0.0, features={"surprisal": 1.0})})["panels"]
    assert "quick" not in summary(heard, {})["panels"]


def test_the_verdict_alone_uses_the_quick_rule_if_that_has_no_other_feature():
    heard = hear(ScriptedEngine([], VERDICTS, adapters=["critic"]), panel=("arithmetic", "verdict"))
    alone = summary(heard, {"quick": WORD})["panels"]["verdict"]
    assert (alone["wrong"]["accuracy"], alone["right"]["accuracy"]) == (0.5, 0.0)  # the verdicts miss the false sum
    both = {"quick": Aggregation(constant=0.0, features={"verdict": 1.0, "surprisal": 1.0}, reject=0.5)}
    assert summary(heard, both)["panels"]["verdict"]["wrong"]["accuracy"] == 0.0


def test_a_vote_withdraws_an_unproven_objection():
    engine = one_by_one([FIVE] * 3, VERDICTS, adapters=["critic"])
    heard = hear(engine, panel=("arithmetic", "verdict", "vote"))
    panels = summary(heard, {"quick": WORD})["panels"]
    alone, voted = panels["quick"], panels["quick and a vote"]
    assert (alone["wrong"]["accuracy"], voted["wrong"]["accuracy"]) == (1.0, 1.0)
    assert (alone["right"]["accuracy"], voted["right"]["accuracy"]) == (0.0, 1.0)
    assert not engine.replies  # the problem was solved once for all three attempts


def test_a_panel_without_weights_uses_the_untrained_rule():
    report = summary(hear(ScriptedEngine(REPLIES, VERDICTS)), {})
    assert report["panels"]["verdict"]["wrong"]["accuracy"] == 0.0  # its verdict has no weight
    assert weights_in_use(ScriptedEngine(), settings.load()) == {}
    assert not UNTRAINED.features.get("verdict")


def test_errors_are_counted_by_type():
    heard = [{"verdict": (9.0, 9.0)}, {"verdict": (9.0, -9.0)}, {"verdict": (9.0, 9.0)}]
    found = figures(ATTEMPTS, heard, ("verdict",), WORD)
    assert found["by_type"] == {"calculation": {"found": 0.0, "n": 1}, "logical": {"found": 1.0, "n": 1}}
    assert found["outcomes"] == {SLIP.key: False, WRONG.key: True, RIGHT.key: True}
    shown = critic.type_table({"panels": {"verdict": found}})
    assert [list(column.cells) for column in shown.columns] == [["calculation", "logical"], ["1", "1"], ["0%", "100%"]]
    assert critic.type_table({"panels": {"verdict": {**found, "by_type": {}}}}) is None


def test_discrimination_asks_only_whether_there_is_an_error():
    attempts = [SLIP] * 4 + [RIGHT] * 3
    told = discrimination(attempts, [True, True, True, False, True, False, False])
    assert told["accuracy"] == pytest.approx(5 / 7)
    assert told["f1_wrong"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))
    assert told["f1_right"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


def test_calibration_compares_probabilities_with_the_share_of_right_steps():
    sure = StepEvidence(features={"verdict": 2.0})  # 0.881
    doubtful = StepEvidence(features={"verdict": -2.0})  # 0.119
    given = [Case((sure, sure, doubtful), 2), Case((sure, sure), None), Case((sure, doubtful, sure), 0)]
    p, q = WORD.probability(sure.features), WORD.probability(doubtful.features)
    told = calibration(given, WORD)
    # five sure steps, four of them right, and a doubtful one that is wrong; steps after the first error do not count
    assert told["ece"] == pytest.approx((abs(5 * p - 4) + q) / 6)
    assert told["brier"] == pytest.approx((4 * (1 - p) ** 2 + p**2 + q**2) / 6)
    assert calibration([Case((StepEvidence(),), None)], WORD) == {}


def test_outcomes_are_written_line_by_line(tmp_path):
    heard = [{"verdict": (9.0, 9.0)}, {"verdict": (9.0, -9.0)}, {"verdict": (9.0, 9.0)}]
    found = figures(ATTEMPTS, heard, ("verdict",), WORD)
    critic.write_outcomes(tmp_path / "outcomes.jsonl", ATTEMPTS, found["outcomes"])
    lines = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text("utf-8").splitlines()]
    assert lines == [
        {"key": SLIP.key, "right": False, "first_error_index": 0},
        {"key": WRONG.key, "right": True, "first_error_index": 1},
        {"key": RIGHT.key, "right": True, "first_error_index": None},
    ]


def test_the_table_shows_every_panel(capsys):
    report = summary(hear(ScriptedEngine(REPLIES, VERDICTS)), {"verdict": WORD})
    Console(width=140).print(table(report))
    shown = capsys.readouterr().out
    assert all(name in shown for name in report["panels"])
    assert "2 wrong and 1 right" in shown
    assert "66.7%" in shown
