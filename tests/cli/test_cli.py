"""The command lines as a person runs them: results on stdout, one sentence on stderr, an exit code."""

import json
import re
import subprocess
import sys

import pytest
from places import BENCH, ROOT
from program import called, refused, run
from typer.main import get_command
from typer.testing import CliRunner

from runtime.cli.former import todays
from runtime.cli.main import app as runtime_app
from runtime.critic.evidence import NAMES
from runtime.log.store import SessionLog
from runtime.settings import Settings
from runtime.types import Feedback
from trainer.__main__ import app
from trainer.cli import former
from trainer.cli.options import sources_of

PLANTED = sorted((ROOT / "data" / "seed" / "planted").glob("*.txt"))


def test_every_command_of_the_runtime_has_help():
    commands = ["solve", "check", "log", "export", "import", "report", "doctor", "models"]
    for command in [*commands, "models list", "models pull", "models add"]:
        finished = called(*command.split(), "--help")
        assert finished.returncode == 0 and "Usage" in finished.stdout, command


def test_every_command_of_the_trainer_has_help():
    assert called("--help", module="trainer").returncode == 0
    stages = get_command(app).commands
    assert {"evaluate", "evaluate-critic", "calibrate", "labels", "problems", "critiques", "examples"} <= set(stages)
    assert {"rollouts", "sft", "export", "promote", "bench"} <= set(stages)
    for name, stage in stages.items():
        assert stage.help, name
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0, name


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("weigh --voice a.gguf --witnesses=model", "calibrate --adapter a.gguf --sources=model"),
        ("lessons --marked a --marked-limit 3 --drawn b", "examples --gsm8k a --gsm8k-limit 3 --rollouts b"),
        ("traces --marked a --drawn b", "traces --gsm8k a --rollouts b"),
        ("attempts --n 4", "rollouts --n 4"),
        ("retrain --witnesses model --drawn b --marked=c", "retrain --sources model --rollouts b --gsm8k=c"),
        ("evaluate-critic --voice none --witnesses model", "evaluate-critic --adapter none --sources model"),
        ("evaluate --voices none", "evaluate --adapters none"),
        ("promote --voice critic", "promote --role critic"),
    ],
)
def test_old_commands_and_options_are_read_and_the_new_name_is_printed(given, read, capsys):
    assert todays(given.split(), former.COMMANDS, former.OPTIONS) == read.split()
    assert " is called " in capsys.readouterr().err
    command, *options = read.split()
    known = {option for param in get_command(app).commands[command].params for option in param.opts}
    assert {option.split("=")[0] for option in options if option.startswith("--")} <= known
    assert todays(read.split(), former.COMMANDS, former.OPTIONS) == read.split()
    assert capsys.readouterr().err == ""


def test_help_omits_names_of_earlier_releases(tmp_path):
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert "calibrate" in shown and not {*former.COMMANDS} & {*get_command(app).commands}
    given = [
        "weigh",
        "--trajectories",
        str(ROOT / "data" / "seed" / "planted_errors.jsonl"),
        "--out",
        str(tmp_path / "w.json"),
    ]
    refused = CliRunner().invoke(app, [*given, "--witnesses", "model,mood"])
    assert refused.exit_code == 2
    assert "mood: sources are arithmetic, verdict, verifier, surprisal" in " ".join(refused.output.split())


def test_sources_of_the_first_release_are_renamed():
    assert sources_of("model,expectation") == ("verdict", "surprisal")
    assert sources_of(None) == ()


def test_a_removed_source_on_the_command_line_is_ignored(capsys):
    assert sources_of("arithmetic,program,solutions,completions") == ("arithmetic", "solutions")
    assert capsys.readouterr().err == "Left out, as no fitted rule uses them any more: program, completions.\n"


def test_the_defaults_in_the_help_are_those_of_the_settings():
    options = [option for command in ("solve", "check") for option in get_command(runtime_app).commands[command].params]
    shown = [option for option in options if option.name in Settings.model_fields and option.name != "model"]
    assert len(shown) == 6
    for option in shown:
        default = Settings.model_fields[option.name].default
        named = f"{default:g}" if isinstance(default, float) else default
        assert f"; default: {named}." in option.help, option.name


def test_the_help_names_every_source_of_evidence():
    [option] = [o for o in get_command(app).commands["evaluate-critic"].params if o.name == "sources"]
    assert set(NAMES) <= set(re.findall(r"\w+", option.help))


def test_help_of_the_log_loads_nothing_heavy():
    code = (
        "import sys, runpy; sys.argv = ['runtime', 'log', '--help']\n"
        "try: runpy.run_module('runtime', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([m for m in ('llama_cpp', 'gradio', 'torch', 'sympy', 'sqlite_utils') if m in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert finished.stdout.strip().endswith("[]")


@pytest.mark.parametrize(
    ("problem", "word"),
    [("", "empty"), ("x" * 100_000, "100,000 characters"), ("1 + \x01\ufffd\ufffd\ufffd", "not text")],
)
def test_an_unusable_problem_is_refused_with_a_message(problem, word):
    refused(called("solve", problem), word)


def test_a_binary_file_is_no_attempt(tmp_path):
    (tmp_path / "photo.txt").write_bytes(bytes(range(256)) * 10)
    refused(called("check", tmp_path / "photo.txt"), "photo.txt", "UTF-8")


@pytest.mark.rest
def test_a_model_file_cut_in_half_is_refused_by_name(tmp_path):
    half = tmp_path / "half.gguf"
    half.write_bytes(BENCH.read_bytes()[: BENCH.stat().st_size // 2])
    refused(called("solve", "1 + 1?", "--model", half), "half.gguf", "cut short")


def test_without_any_model_the_remedy_is_named(tmp_path):
    refused(called("solve", "1 + 1?", SOLILOQUY_MODELS=str(tmp_path / "none")), "models pull")


def test_a_database_of_a_newer_version_is_not_changed(home):
    log = SessionLog(home / "soliloquy.db")
    log.db["_sqlite_migrations"].insert({"migration_set": "soliloquy", "name": "from_the_future", "applied_at": "2030"})
    log.close()
    before = (home / "soliloquy.db").read_bytes()
    refused(called("log"), "newer version", "SOLILOQUY_HOME")
    assert (home / "soliloquy.db").read_bytes() == before


def test_a_home_that_cannot_be_written_is_named_with_the_remedy(home):
    (home / "file").write_text("not a folder")
    refused(called("log", SOLILOQUY_HOME=str(home / "file")), "SOLILOQUY_HOME")


def test_a_bad_line_of_a_problem_file_is_named(tmp_path):
    (tmp_path / "problems.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n{"question": "no answer"}\n')
    refused(called("evaluate", "--problems", tmp_path / "problems.jsonl", module="trainer"), "line 2", "answer")


def test_solving_prints_one_json_object_and_logs_the_run():
    finished = run("solve", "What is 12 + 13?", "--json", "--model", BENCH)
    assert finished.returncode == 0, finished.stderr
    result = json.loads(finished.stdout)
    assert {"answer", "steps", "mode", "rounds", "model", "seconds"} <= result.keys()
    assert all({"text", "verdict"} <= step.keys() for step in result["steps"])
    logged = json.loads(called("log", "--json").stdout)["runs"]
    assert [row["id"] for row in logged] == [result["run"]]


@pytest.mark.rest
def test_planted_wrong_arithmetic_is_named_at_its_step():
    rows = map(json.loads, (ROOT / "data/seed/planted_errors.jsonl").open(encoding="utf-8"))
    for row, planted in zip(rows, PLANTED[:5], strict=False):
        finished = called("check", planted, "--json", "--no-log", "--model", BENCH)
        result = json.loads(finished.stdout)
        assert result["first_error_index"] == row["first_error_index"], finished.stderr
        wrong = result["steps"][row["first_error_index"]]
        assert (wrong["verdict"], wrong["arithmetic"]) == ("incorrect", "incorrect")
        assert wrong["comment"]


def test_ratings_with_consent_are_exported_completely_or_not_at_all(home):
    result = json.loads(called("solve", "What is 2 + 3?", "--json", "--mode", "direct", "--model", BENCH).stdout)
    log = SessionLog(home / "soliloquy.db")
    log.add_label(result["run"], None, Feedback(rating=1, consent=True))
    log.close()
    assert json.loads(called("export", home / "rated.jsonl", "--json").stdout)["exported"] == 1
    assert json.loads((home / "rated.jsonl").read_text("utf-8"))["id"] == result["run"]
    refused(called("export", home / "rated.jsonl" / "more.jsonl"), "cannot be written")
