"""A run of the trainer as the page follows it: started once, read from its files, stopped by a file, resumed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from places import ROOT
from training_process import WRITER
from typer.testing import CliRunner

from runtime import settings
from runtime.events import Transcript
from runtime.log.run import Run, step_id
from runtime.log.store import new_id, now
from runtime.problems.division import LEARN, TEST, TESTED, kept_apart
from runtime.studio import training
from runtime.studio.importing import import_attempts
from runtime.studio.training import Training, TrainingError, read_standing
from runtime.studio.training.material import bases, write_material
from runtime.studio.training.progress import Point, Standing
from runtime.types import Feedback, Outcome, Problem, SelfTalk, Step, Trajectory
from runtime.view.chart import loss_chart, loss_table
from runtime.view.training import examples, ready, standing, verdict
from trainer.__main__ import app
from trainer.pipelines.stages import Stages, Stopped


def recorded(log, problem, texts):
    """A run in the log: a person's attempt with these steps."""
    attempt = Trajectory(problem_id=problem.id, steps=tuple(Step(text=text) for text in texts), origin="student")
    outcome = Outcome(status="settled", trajectory_id=attempt.id)
    talk = SelfTalk(problem=problem, turns=(attempt,), outcome=outcome)
    run = Run(new_id(), log.start_session(), "check", "check", "m", Transcript(talk), created_at=now())
    log.record(run)
    return run


def rated(log, number, wrong):
    """An attempt of three steps, all rated, the last one wrong or right."""
    problem = Problem(text=f"What is {number} + 1, and then + 1, and then + 1?")
    run = recorded(
        log, problem, [f"{number + k} + 1 = {number + k + (2 if wrong and k == 2 else 1)}" for k in range(3)]
    )
    for k in range(3):
        said = Feedback(rating=-1 if wrong and k == 2 else 1, consent=True)
        log.add_label(run.id, step_id(run.id, 0, k), said)


# Readiness


def test_readiness_counts_usable_ratings_and_names_what_is_missing(log):
    found = training.readiness(log, settings.load())
    assert (found.ratings, found.wrong, found.right) == (0, 0, 0)
    assert {"ratings", "errors"} <= set(found.missing)
    for number in range(17):
        rated(log, number, wrong=number % 2 == 0)
    found = training.readiness(log, settings.load())
    assert (found.ratings, found.wrong, found.right) == (51, 9, 8)
    assert not {"ratings", "errors"} & set(found.missing)


def test_a_wrong_answer_line_is_not_counted_as_a_training_example(log, tmp_path):
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps({"problem": "1 + 1?", "steps": ["1 + 1 = 2", "The answer is 3."]}) + "\n")
    import_attempts(file, log)
    (run,) = log.ended_runs()
    for position, rating in enumerate((1, -1)):
        log.add_label(run.id, step_id(run.id, 0, position), Feedback(rating=rating, consent=True))
    assert training.readiness(log, settings.load()).wrong == 0


def test_only_bases_with_a_recipe_can_be_trained():
    found = bases(settings.load())
    assert set(found) <= {path.stem.removeprefix("critic-") for path in (ROOT / "trainer/recipes/sft").glob("critic-*")}
    found = bases(settings.load(), "actor")
    assert set(found) <= {path.stem for path in (ROOT / "trainer/recipes/preference").iterdir()}


def test_the_preview_equals_the_trainers_examples(log):
    for number in range(20):
        rated(log, number, wrong=True)
    rows = training.preview(log, limit=3)
    assert len(rows) == 3
    learned = [text for text, weight in rows[0]["reply"] if weight > 0]
    assert set(learned) <= {"right", "wrong"} and learned
    shown = examples(rows, "critic", "en")
    assert "<mark>right</mark>" in shown and "What is" in shown


# Corrections


def corrected(log, number, correction, consent=True):
    """An attempt whose first step a person wrote anew; about two of five of these problems are kept for the test."""
    problem = Problem(text=f"Ann has {number} pens and buys 2 more. How many has she?")
    run = recorded(log, problem, ["She has many pens."])
    log.add_label(run.id, step_id(run.id, 0, 0), Feedback(rating=-1, consent=consent, correction=correction))
    return problem


def test_corrections_are_counted_by_their_use_and_what_is_missing_is_named(log):
    found = training.readiness(log, settings.load(), "actor")
    assert (found.corrections, found.shortage.total) == (0, LEARN + TEST) and "corrections" in found.missing
    assert "0 corrections that may be exported; at least 13 are needed" in ready(found, "en")
    assert "Missing: 8 corrections to learn from, and corrections at 5 more problems" in ready(found, "en")
    problems = [corrected(log, number, f"{number} + 2 = {number + 2}") for number in range(25)]
    found = training.readiness(log, settings.load(), "actor")
    tested = sum(kept_apart(problem, TESTED) for problem in problems)
    assert (found.corrections, found.tested, found.shortage.total) == (25, tested, 0)
    assert not {"corrections", "ratings", "errors"} & set(found.missing)
    assert "25 corrections that may be exported; at least 13 are needed" in ready(found, "en")
    assert f"{25 - tested} to learn from" in ready(found, "en")
    assert {"ratings"} <= set(training.readiness(log, settings.load()).missing)


def test_the_trainer_gets_each_correction_with_consent_once_unless_arithmetic_refutes_it(log, tmp_path):
    corrected(log, 3, "3 + 2 = 5")
    corrected(log, 3, "3 + 2 = 5")
    corrected(log, 4, "4 + 2 = 7")
    corrected(log, 5, "5 + 2 = 7", consent=False)
    assert write_material(log, "actor", tmp_path / "corrections.jsonl") == 1
    [row] = map(json.loads, (tmp_path / "corrections.jsonl").read_text().splitlines())
    assert (row["chosen"], row["rejected"]) == ("3 + 2 = 5", "She has many pens.")
    assert row["prompt"].startswith("Ann has 3 pens")


def test_the_preview_shows_only_corrections_to_learn_from(log):
    problems = {f"{n} + 2 = {n + 2}": corrected(log, n, f"{n} + 2 = {n + 2}") for n in range(12)}
    rows = training.preview(log, "actor", limit=12)
    assert {row["chosen"] for row in rows} == {one for one, p in problems.items() if not kept_apart(p, TESTED)}
    shown = examples(rows, "actor", "en")
    assert "<del>She has many pens.</del>" in shown and f"<mark>{rows[0]['chosen']}</mark>" in shown
    assert "crossed-out" in shown and "划掉" in examples(rows, "actor", "zh-CN")


# A short process takes the trainer's place


class Written(Training):
    """Starts a short process instead of hours of training."""

    steps = 400

    def command(self, folder, plan):
        return [sys.executable, "-c", WRITER, str(folder), str(self.steps)]


@pytest.fixture
def begun(log, tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.studio.training.runs.bases", lambda settings, role: ("smollm2-135m",))
    rated(log, 1, wrong=True)
    runs = Written(settings.load())
    yield runs
    if runs.running:
        runs.stop()
        wait_until(lambda: not runs.running)


def wait_until(true, seconds=90):
    deadline = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found, "it did not happen in time"
    return found


@pytest.mark.parametrize(("role", "name"), [("critic", "retrain"), ("actor", "retrain-actor")])
def test_the_training_command_uses_only_existing_options(log, role, name):
    runs = Training(settings.load())
    plan = training.Plan(base="smollm2-135m", minutes=7.5, attempts=3, created_at=now(), role=role)
    command = runs.command(Path("/tmp/x"), plan)
    assert command[1:4] == ["-m", "trainer", name]
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"}).output
    for option in (word for word in command if word.startswith("--")):
        assert option in shown
    assert command[command.index("--minutes") + 1] == "7.5"


def test_a_run_is_followed_stopped_and_resumed(log, begun):
    begun.start("smollm2-135m", 10, log)
    wait_until(lambda: len(begun.standing().points) > 5)
    halfway = begun.standing()
    assert (halfway.state, halfway.stage, halfway.steps) == ("running", "tuning", 400)
    assert 0 < halfway.seconds_left < 600
    with pytest.raises(TrainingError, match="Another training is running"):
        begun.start("smollm2-135m", 10, log)
    # A server started after the first was closed finds the same run.
    assert Written(settings.load()).running
    begun.stop()
    assert begun.standing().state in ("stopping", "stopped")
    wait_until(lambda: begun.standing().state == "stopped")
    done = len(begun.standing().points)
    begun.steps = done + 5
    begun.resume()
    wait_until(lambda: begun.standing().state == "over")
    finished = begun.standing()
    assert len(finished.points) == done + 5 and [point.step for point in finished.points[:2]] == [1, 2]
    assert finished.verdict["version"] == "v1" and finished.verdict["promoted"]
    assert len(list(begun.home.iterdir())) == 1


def test_each_role_has_its_newest_run_and_a_run_in_progress_is_shown_in_both(log, begun):
    begun.steps = 2
    begun.start("smollm2-135m", 10, log)
    wait_until(lambda: not begun.running)
    actor = Written(settings.load(), "actor")
    assert (actor.plan, Written(settings.load(), "critic").plan.role) == (None, "critic")
    actor.steps = 400
    actor.start("smollm2-135m", 10, log)
    assert (actor.plan.role, Written(settings.load(), "critic").plan.role) == ("actor", "actor")
    with pytest.raises(TrainingError, match="Another training is running"):
        Written(settings.load(), "critic").start("smollm2-135m", 10, log)
    actor.stop()
    wait_until(lambda: not actor.running)
    critic = Written(settings.load(), "critic")
    assert (actor.plan.role, critic.plan.role, critic.standing().state) == ("actor", "critic", "over")
    assert "Solver of smollm2-135m · 10 min · 0 corrections" in standing(actor.standing(), actor.plan, "", "en")


def test_the_newest_run_is_the_last_started_even_if_the_clock_was_set_back(log, begun, monkeypatch):
    moments = iter(range(2_000_000_000, 0, -86_400))
    monkeypatch.setattr("time.time_ns", lambda: next(moments) * 10**9)
    monkeypatch.setattr(Training, "_launch", lambda self, folder, plan: None)
    folders = []
    for _ in range(3):
        begun.start("smollm2-135m", 10, log)
        folders.append(begun.folder)
    assert len(set(folders)) == 3
    (begun.home / "a copy of mine").mkdir()
    (begun.home / "a copy of mine" / "plan.json").write_text("{}")
    assert begun.folder == folders[-1]


def test_a_killed_run_is_recognised_as_interrupted_and_resumes(log, begun):
    begun.start("smollm2-135m", 10, log)
    wait_until(lambda: begun.standing().points)
    pid = json.loads((begun.folder / "process.json").read_text())["pid"]
    os.kill(pid, 9)
    wait_until(lambda: begun.standing().state == "broken")
    begun.steps = len(begun.standing().points) + 2
    begun.resume()
    wait_until(lambda: begun.standing().state == "over")


def test_a_reused_process_id_is_not_taken_for_the_run(log, begun):
    begun.start("smollm2-135m", 10, log)
    known = begun.folder / "process.json"
    pid = json.loads(known.read_text())["pid"]
    known.write_text(json.dumps({"pid": pid, "born": psutil.Process(pid).create_time() - 100}))
    assert not begun.running
    os.kill(pid, 9)


FAILING = """
import sys
from pathlib import Path
from runtime.errors import SoliloquyError, run_command_line
from trainer.pipelines.stages import Stages

def command():
    with Stages(Path(sys.argv[1])).until_the_end():
        raise SoliloquyError("There is no room for <examples>.")

run_command_line(command)
"""


def test_a_failed_run_shows_its_error(log, begun, monkeypatch):
    monkeypatch.setattr(Written, "command", lambda self, folder, plan: [sys.executable, "-c", FAILING, str(folder)])
    begun.start("smollm2-135m", 10, log)
    wait_until(lambda: not begun.running)
    assert (begun.standing().state, begun.standing().failure) == ("failed", "There is no room for <examples>.")
    assert begun.last_lines() == "Error: There is no room for <examples>."
    assert "no room for &lt;examples&gt;" in standing(begun.standing(), begun.plan, begun.last_lines(), "en")


def test_a_base_that_is_not_downloaded_is_refused(log):
    with pytest.raises(TrainingError, match="cannot be trained here"):
        Training(settings.load()).start("none", 1, log)


# The trainer's side


def test_stages_are_recorded_and_a_stop_file_ends_them(tmp_path):
    stages = Stages(tmp_path)
    with pytest.raises(Stopped), stages.until_the_end():
        stages.begin("examples", n=3)
        (tmp_path / "stop").touch()
        stages.begin("tuning")
    rows = [json.loads(line) for line in (tmp_path / "stages.jsonl").read_text().splitlines()]
    assert [row["stage"] for row in rows] == ["examples", "stopped"] and rows[0]["n"] == 3
    with pytest.raises(ZeroDivisionError), Stages(tmp_path / "more").until_the_end():
        _ = 1 / 0
    assert read_standing(tmp_path / "more", False).state == "failed"
    Stages().begin("nobody follows")


# What is shown


def points(count, dev_every=50):
    return tuple(Point(i, 2 / i, 1.0, float(i), 1 / i if i % dev_every == 0 else None) for i in range(1, count + 1))


def test_the_remaining_time_follows_recent_steps_and_the_time_limit():
    assert Standing("running", "tuning", points=points(100), steps=160).seconds_left == 60
    assert Standing("running", "tuning", points=points(100), steps=9999, minutes=2).seconds_left == 20
    assert Standing("running", "measuring", points=points(100), steps=160).seconds_left is None


def test_an_unfinished_line_is_left_out(tmp_path):
    (tmp_path / "stages.jsonl").write_text('{"stage": "lessons"}\n{"stage": "tun')
    assert read_standing(tmp_path, True).stage == "examples"


def test_the_chart_covers_the_whole_run_with_a_limited_number_of_points():
    drawn = loss_chart(points(5000), "en")
    raw = drawn.split('class="sq-raw" points="')[1].split('"')[0].split()
    assert len(raw) == 500
    assert float(raw[-1].split(",")[0]) == pytest.approx(708, abs=0.1)
    assert drawn.count("<circle") == 100
    assert loss_chart((), "en") == "" == loss_table((), "en")
    assert "<td>5000</td>" in loss_table(points(5000), "en")
    assert loss_chart(points(1), "en").count("<svg") == 3


def test_a_gate_verdict_shows_figures_before_and_after():
    figures = {"n": 160, "adapter": {"f1": {"value": 0.9}}, "base": {"f1": {"value": 0.7}}}
    told = {"promoted": True, "version": "v1", "reasons": ["Better <than> the base"], "figures": figures}
    shown = verdict(Standing("over", "gate", verdict=told), "critic", "en")
    assert "90%" in shown and "70%" in shown and "v1" in shown and "&lt;than&gt;" in shown
    worse = verdict(Standing("over", "gate", verdict={**told, "promoted": False, "version": None}), "critic", "zh-CN")
    assert "没有明显更好" in worse
    assert verdict(Standing("running"), "critic", "en") == ""


def test_the_verdict_on_an_actor_shows_both_figures_with_their_numbers_and_intervals():
    preferred, solved = {"n": 6, "interval": [0.1, 0.5]}, {"n": 160, "interval": [0.02, 0.07]}
    figures = {
        "n": 160,
        "base": {"accuracy": {"value": 0.03, **solved}, "preferred": {"value": 0.2, **preferred}},
        "adapter": {"accuracy": {"value": 0.05, **solved}, "preferred": {"value": 0.9, **preferred}},
    }
    told = {"promoted": True, "version": "v1", "reasons": ["Prefers"], "figures": figures}
    shown = verdict(Standing("over", "gate", verdict=told), "actor", "en")
    for text in ("corrections preferred (n = 6)", "90% [10, 50]", "problems solved (n = 160)", "3% [2, 7]"):
        assert text in shown
    assert "How well it judges the new solver" in shown
    worse = verdict(Standing("over", "gate", verdict={**told, "promoted": False, "version": None}), "actor", "en")
    assert "did not pass" in worse and "90% [10, 50]" in worse and "How well it judges" not in worse


def test_the_runtime_starts_the_trainer_without_importing_it():
    code = (
        "import sys, runtime.studio.training, runtime.view.training;"
        "print('trainer' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_run_files_of_an_earlier_release_are_read(tmp_path):
    plan = training.Plan(base="smollm2-135m", minutes=7.5, attempts=3, created_at=now())
    (tmp_path / "stages.jsonl").write_text('{"stage": "lessons"}\n')
    assert read_standing(tmp_path, True).stage == "examples"
    lines = [{"stage": "voice"}, {"stage": "measuring", "what": "voice"}]
    (tmp_path / "stages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[:1]))
    assert "Saving the new version" in standing(read_standing(tmp_path, True), plan, "", "en")
    (tmp_path / "stages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "Testing the new version" in standing(read_standing(tmp_path, True), plan, "", "en")
    ended = {"stage": "over", "promoted": True, "figures": {"n": 9, "voice": {"f1": {"value": 0.9}}}}
    (tmp_path / "stages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, ended]))
    assert "90%" in verdict(read_standing(tmp_path, False), "critic", "en")
