"""Damaged rows: lists, exports and reports skip and count them, opening one gives an error message, and all other rows
are read as before."""

import json
import sqlite3
from contextlib import closing, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from runtime import settings as configuration
from runtime.cli.main import app
from runtime.events import Transcript
from runtime.log.run import Run, step_id
from runtime.log.store import SessionLog, StoreError, new_id, now
from runtime.page import past
from runtime.session.comparison import kept_comparison
from runtime.studio import training
from runtime.studio.exports import FORMATS, rows_of
from runtime.studio.labelled import labelled_attempts
from runtime.studio.reviewing import Reviewing, queue
from runtime.types import Cost, Critique, Feedback, Outcome, Parent, Problem, Review, SelfTalk, Step, StepVerdict
from runtime.types import Trajectory as Attempt
from runtime.view.report import html, markdown

READ = {
    "runs": ("talk", "kind", "mode", "model", "status", "answer", "seconds", "help", "created_at"),
    "problems": ("text",),
    "labels": ("step_id", "rating", "reason", "correction", "consent"),
    "reviews": ("turn", "ending", "explanation", "seconds", "consent"),
    "hints": ("step_id", "level"),
    "costs": ("first", "seconds", "calls", "prompt_tokens", "tokens"),
    "votes": ("vote",),
}
"""Columns that are parsed or shown, by table."""
PLACES = [(table, column) for table, columns in READ.items() for column in columns]
FAULTS = [None, b"\xff\xfe\x00", b"", "", "{", '{"problem": {"text": "1"}}', "[" * 5000, "a:b:c", "7", -1, 2.5, 10**15]
FAULTS += [b"\xffno UTF-8\x00"]
WELL = Problem(text="What is 2 + 3?", answer="5")
ILL = Problem(text="What is 3 + 4?", answer="7")


def talk(problem):
    first = Attempt(problem_id=problem.id, steps=(Step(text="one"), Step(text="two")), answer="1")
    kept = Parent(trajectory_id=first.id, kept=1)
    second = Attempt(problem_id=problem.id, steps=(Step(text="one"), Step(text="2")), answer="2", parent=kept)
    judged = Critique(trajectory_id=second.id, verdicts=(StepVerdict(verdict="correct"),) * 2)
    outcome = Outcome(status="settled", answer="2", trajectory_id=second.id)
    return SelfTalk(problem=problem, turns=(first, second, judged), outcome=outcome)


def filled(log, problem, session=None):
    """A run with a value in everything that can be stored."""
    session = session or log.start_session()
    run = Run(new_id(), session, "solve", "direct", "m", Transcript(talk(problem)), created_at=now())
    log.record(run)
    for turn, position in ((0, 0), (0, 1), (1, 1)):
        log.add_label(run.id, step_id(run.id, turn, position), Feedback(rating=1, correction="c", consent=True))
    log.add_review(run.id, Review(turn=0, ending="solution", consent=True))
    log.add_hints(run.id, {step_id(run.id, 0, 0): 2})
    log.add_cost(run.id, Cost(first=0.1, seconds=1, calls=1, prompt_tokens=1, tokens=1))
    log.add_vote(session, "direct")
    return run


def damage(log, table, column, value, key, where="run_id"):
    """Store an impossible value; bytes with letters in them are stored as text, which they are not."""
    as_text = isinstance(value, bytes) and any(chr(byte).isalpha() for byte in value if byte < 128)
    with closing(sqlite3.connect(log.path)) as database:
        for (trigger,) in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            database.execute(f"drop trigger {trigger}")
        given = "cast(? as text)" if as_text else "?"
        with suppress(sqlite3.IntegrityError):  # refused by the table itself
            database.execute(f"update {table} set {column} = {given} where {where} = ?", [value, key])
        database.commit()


def keys(run):
    """The condition that finds the rows of a run, by table."""
    own = dict.fromkeys(("labels", "reviews", "hints", "costs"), ("run_id", run.id))
    return own | {
        "runs": ("id", run.id),
        "votes": ("session_id", run.session_id),
        "problems": ("id", run.transcript.talk.problem.id),
    }


def everything_that_reads(log):
    """All functions that read the log, with their results."""
    given = configuration.load()
    yield "list", past.listing(log, "en")["rows"]
    yield "search", past.listing(log, "zh-CN", "What")["rows"]
    yield "talks", list(log.export())
    yield "queue", queue(log)
    yield "reviewing", Reviewing(log).current
    yield "done", queue(log, shelf="done")
    yield "attempts", [attempt.key for attempt in labelled_attempts(log)]
    yield "readiness", training.readiness(log, given).ratings
    for name in FORMATS:
        yield name, json.dumps(rows_of(name, labelled_attempts(log)))
    yield "tally", log.tally()
    yield "imported", list(log.talks("imported"))
    for session in [row["id"] for row in log.db["sessions"].rows]:
        yield "latest", log.latest_run(session, "solve")
        yield "vote", log.vote(session)
        yield "costs", log.costs(session)
        yield "comparison", kept_comparison(given, lambda: None, log, session)
        try:
            runs = log.runs_of(session)
        except StoreError as error:
            assert "cannot be read" in str(error)
            continue
        yield "report", markdown(runs, "en") + html(runs, "zh-CN")


def check(log, table, column, *values):
    ills = [filled(log, Problem(text=f"What is 3 + {number}?", answer="7")) for number in range(len(values))]
    well = filled(log, WELL)
    for ill, value in zip(ills, values, strict=True):
        where, key = keys(ill)[table]
        damage(log, table, column, value, key, where)
    found = dict(everything_that_reads(log))
    for name in ("list", "search", "talks", "attempts"):
        assert well.id in json.dumps(found[name]), name
    assert WELL.text in found["prm800k"] and WELL.text in found["stepwise"]
    assert log.run(well.id).labels and log.run(well.id) == log.runs_of(well.id)[0]
    for ill in ills:
        try:
            log.run(ill.id)
        except StoreError as error:
            assert "cannot be read" in str(error) and log.unreadable


@pytest.mark.parametrize("place", PLACES, ids="-".join)
def test_damaged_values_in_any_column_are_skipped(place, log):
    check(log, *place, *FAULTS)
    assert log.unreadable or place[1] == "consent"


TALK = json.dumps(talk(ILL).model_dump(mode="json"))


@given(start=st.integers(0, len(TALK)), length=st.integers(0, 60), put=st.binary(max_size=6))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_with_damaged_json_is_skipped(start, length, put, tmp_path_factory):
    log = SessionLog(tmp_path_factory.mktemp("hole") / "soliloquy.db")
    whole = TALK.encode()
    check(log, "runs", "talk", whole[:start] + put + whole[start + length :])
    log.close()


def test_a_damaged_consent_counts_as_no_consent(log):
    run = filled(log, ILL)
    for value in (b"\x01", "1x", "yes", 2, None):
        damage(log, "labels", "consent", value, run.id)
        damage(log, "reviews", "consent", value, run.id)
        assert list(log.export()) == list(labelled_attempts(log)) == []


@pytest.mark.parametrize("parent", ["unknown", "its own"])
def test_a_refinement_with_a_wrong_parent_causes_no_endless_loop(parent, log):
    run = filled(log, ILL)
    found = json.loads(TALK)
    known = talk(ILL).turns[1].id if parent == "its own" else "0" * 16
    found["turns"][1]["parent"]["trajectory_id"] = known
    damage(log, "runs", "talk", json.dumps(found), run.id, "id")
    assert dict(everything_that_reads(log))["attempts"]


def test_skipped_rows_are_counted_once_and_reported(log):
    ill = filled(log, ILL)
    filled(log, WELL)
    damage(log, "runs", "talk", "{", ill.id, "id")
    for _ in range(3):
        shown = past.listing(log, "en")
    assert log.unreadable == 1
    assert shown["empty"] == "Not listed because they are damaged: 1."
    assert len(shown["rows"]) == 1


@pytest.mark.parametrize("command", [["log"], ["export"], ["export", "--format", "stepwise"]])
def test_commands_skip_damaged_rows_and_report_them(command, log):
    ill, _ = filled(log, ILL), filled(log, WELL)
    damage(log, "runs", "talk", "{", ill.id, "id")
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0 and WELL.text in done.stdout and ILL.text not in done.stdout
    assert "Damaged rows left out: 1." in done.stderr


def test_reporting_a_damaged_run_gives_an_error_message(log):
    ill = filled(log, ILL)
    damage(log, "runs", "talk", "{", ill.id, "id")
    done = CliRunner().invoke(app, ["report", ill.id])
    assert isinstance(done.exception, StoreError) and "damaged and cannot be read" in str(done.exception)
    with pytest.raises(StoreError, match="damaged and cannot be read"):
        past.runs_of(log, ill.id, "en")
