"""One database file and several processes: all can store, acknowledged rows survive a kill, and a file deleted or
replaced under an open log is noticed."""

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from places import ROOT

from runtime.events import Transcript
from runtime.log.run import Run, step_id
from runtime.log.store import SessionLog, StoreError, new_id, now
from runtime.types import Feedback, Outcome, Problem, SelfTalk, Step, Trajectory

PROBLEM = Problem(text="What is 2 + 3?")
ATTEMPT = Trajectory(problem_id=PROBLEM.id, steps=(Step(text="2 + 3 = 5"),), answer="5")
TALK = SelfTalk(problem=PROBLEM, turns=(ATTEMPT,), outcome=Outcome(status="settled", trajectory_id=ATTEMPT.id))


def recorded(log, session=None):
    run = Run(new_id(), session or log.start_session(), "solve", "direct", "m", Transcript(TALK), created_at=now())
    log.record(run)
    return run


def in_pairs(tmp_path, rounds, work):
    """Run the work twice at once per round, in processes that start together, on a home that is new in each round;
    return the homes."""
    script = f"""
import sys, time
from pathlib import Path
from test_database import *
gates = sys.stdin
for line in gates:
    home = Path(line.strip())
    while not (home / "go").exists():
        time.sleep(0.0005)
    try:
        {work}
        print("ok", flush=True)
    except Exception as error:
        print(repr(error), flush=True)
"""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "log")]),
    }
    pair = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         env=environment, cwd=ROOT)
        for _ in range(2)
    ]  # fmt: skip
    results, homes = [], []
    try:
        for number in range(rounds):
            home = tmp_path / f"home-{number}"
            home.mkdir()
            homes.append(home)
            for process in pair:
                print(home, file=process.stdin, flush=True)
            time.sleep(0.01)
            (home / "go").touch()
            results += [process.stdout.readline().strip() for process in pair]
    finally:
        for process in pair:
            process.kill()
            process.wait()
    assert results == ["ok"] * (2 * rounds)
    return homes


# Several processes


@pytest.mark.timeout(300)
def test_two_processes_can_open_a_fresh_home_at_once_and_both_store_a_run(tmp_path):
    for home in in_pairs(tmp_path, 20, 'log = SessionLog(home / "soliloquy.db"); recorded(log); log.close()'):
        log = SessionLog(home / "soliloquy.db")
        assert len(log.runs()) == 2
        log.close()


@pytest.mark.timeout(300)
@pytest.mark.rest
def test_two_imports_of_the_same_rows_at_once_store_each_row_once(tmp_path):
    file = tmp_path / "in.jsonl"
    rows = ({"problem": f"{n} + 1?", "steps": [f"{n} + 1 = {n + 1}"]} for n in range(300))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    work = "from runtime.studio.importing import import_attempts; "
    work += 'log = SessionLog(home / "soliloquy.db"); import_attempts(home.parent / "in.jsonl", log); log.close()'
    for home in in_pairs(tmp_path, 3, work):
        log = SessionLog(home / "soliloquy.db")
        assert log.count_runs() == 300
        log.close()


def test_opening_a_locked_log_waits_for_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.log.database.PATIENCE", 0.1)
    monkeypatch.setattr("runtime.log.database.NEXT_TRY", 0.05)
    path = tmp_path / "soliloquy.db"
    log = SessionLog(path, at_once=False)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("create table t (x)")
        other.execute("begin exclusive")
        for _ in range(2):
            with pytest.raises(StoreError, match="Another program is using it"):
                log.start_session()
        other.execute("commit")
    time.sleep(0.1)
    assert log.run(recorded(log).id)
    log.close()


def test_two_logs_that_read_before_they_write_wait_for_each_other(tmp_path):
    one, other = SessionLog(tmp_path / "soliloquy.db"), SessionLog(tmp_path / "soliloquy.db")
    other.db.execute("pragma busy_timeout = 50")
    with one.transaction():
        recorded(one)
        with pytest.raises(StoreError, match="Another program is using it"), other.transaction():
            pass
    assert other.count_runs() == 1
    one.close(), other.close()


# Kills


def writer(path, run_id, acknowledge):
    """Store labels for ever and acknowledge each; sometimes a session, a review or a new run."""
    log, number = SessionLog(path), 0
    while True:
        reason = f"{os.getpid()}/{number}"
        log.add_label(run_id, step_id(run_id, 0, 0), Feedback(rating=1, reason=reason, consent=number % 2 == 0))
        os.write(acknowledge, f"{reason}\n".encode())
        if number % 10 == 0:
            recorded(log)
        number += 1


def killed_writer(path, run_id, labels, seconds):
    """The labels a writer acknowledged until it was killed, seconds after acknowledging the first few."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:  # never return into the test
        try:
            writer(path, run_id, write_end)
        finally:
            os._exit(1)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        lines = "".join(pipe.readline() for _ in range(labels))
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        lines = (lines + pipe.read()).split("\n")
    assert os.WIFSIGNALED(status), "it ended before it was killed"
    return lines[:-1]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_every_acknowledged_label_survives_a_kill(kills, tmp_path):
    path, rng, kept = tmp_path / "soliloquy.db", random.Random(0), []
    log = SessionLog(path)
    run = recorded(log)
    log.close()
    for kill in range(kills):
        kept += killed_writer(path, run.id, rng.randrange(6), rng.uniform(0, 0.05))
        if kill % 10 == 9:
            log = SessionLog(path)
            assert log.db.execute("pragma integrity_check").fetchone()[0] == "ok"
            log.close()
    log = SessionLog(path)
    there = {row["reason"] for row in log.db["labels"].rows}
    log.close()
    print(f"{kills} kills: {len(kept)} labels acknowledged, {len(there)} stored, {len(set(kept) - there)} lost")
    assert len(kept) > kills
    assert not set(kept) - there


@pytest.mark.timeout(120)
def test_a_kill_while_a_fresh_home_is_created_leaves_a_usable_home(tmp_path):
    rng = random.Random(1)
    for kill in range(30):
        path = tmp_path / f"{kill}" / "soliloquy.db"
        pid = os.fork()
        if pid == 0:
            try:
                recorded(SessionLog(path))
                time.sleep(60)
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0, 0.08))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        log = SessionLog(path)
        assert log.run(recorded(log).id)
        log.close()


# The file is deleted or replaced


def unlink_all(path):
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)


@pytest.mark.parametrize("what", ["database", "all files", "home"])
def test_a_run_continues_in_a_new_database_if_the_old_one_was_deleted(what, tmp_path):
    path = tmp_path / "home" / "soliloquy.db"
    log = SessionLog(path)
    run = recorded(log)
    if what == "database":
        path.unlink()
    else:
        unlink_all(path)
    if what == "home":
        path.parent.rmdir()
    with pytest.raises(StoreError, match="is not stored here"):
        log.add_label(run.id, step_id(run.id, 0, 0), Feedback(rating=1))
    log.record(run)
    log.add_label(run.id, step_id(run.id, 0, 0), Feedback(rating=1))
    log.close()
    again = SessionLog(path)
    assert again.run(run.id).labels[step_id(run.id, 0, 0)].rating == 1
    again.close()


def test_a_replaced_database_is_used_without_the_old_write_ahead_log(tmp_path):
    path, spare = tmp_path / "soliloquy.db", tmp_path / "spare" / "soliloquy.db"
    theirs = SessionLog(spare)
    copied = recorded(theirs)
    theirs.close()
    log = SessionLog(path)
    lost = [recorded(log) for _ in range(20)]
    spare.replace(path)
    assert [row["id"] for row in log.runs(100)] == [copied.id]
    new = recorded(log)
    log.close()
    again = SessionLog(path)
    assert [row["id"] for row in again.runs(100)] == [new.id, copied.id]
    assert again.run(lost[0].id) is None
    assert again.db.execute("pragma integrity_check").fetchone()[0] == "ok"
    again.close()


@pytest.mark.parametrize("how", ["written to", "closed", "forgotten"])
def test_closing_a_log_of_a_deleted_database_does_not_harm_the_new_one(how, tmp_path):
    path = tmp_path / "soliloquy.db"
    old = SessionLog(path)
    recorded(old)
    unlink_all(path)
    new = SessionLog(path)
    kept = [recorded(new)]
    if how == "written to":
        kept.append(recorded(old))
    elif how == "closed":
        old.close()
    else:
        del old
    kept.append(recorded(new))
    reader = SessionLog(path)
    assert {row["id"] for row in reader.runs()} == {run.id for run in kept}
    reader.close()
    new.close()


def test_a_write_into_a_deleted_file_is_reported_as_not_stored(tmp_path):
    log = SessionLog(tmp_path / "soliloquy.db")
    run = recorded(log)
    with pytest.raises(StoreError, match="so this was not stored"), log.transaction():
        log.add_label(run.id, None, Feedback(rating=1))
        log.path.unlink()
    log.record(run)
    log.add_label(run.id, None, Feedback(rating=1))
    assert log.run(run.id).labels
    log.close()


# Faults below


def limited(path, limit):
    """Run in a child process whose files are limited to this many bytes; return what it acknowledged and how it
    ended."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            log = SessionLog(path)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            while True:
                run = recorded(log)
                log.add_label(run.id, step_id(run.id, 0, 0), Feedback(rating=1))
                os.write(write_end, f"{run.id}\n".encode())
        except StoreError as error:
            os.write(write_end, f"StoreError: {error}\n".encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        lines = pipe.read().splitlines()
    os.waitpid(pid, 0)
    return lines


def test_a_file_size_limit_gives_an_error_message_and_no_partial_row(tmp_path):
    path = tmp_path / "soliloquy.db"
    SessionLog(path).close()
    *kept, last = limited(path, 2_000_000)
    assert last.startswith(f"StoreError: {path} cannot be used") and len(kept) > 10
    log = SessionLog(path)
    assert {row["id"] for row in log.runs(10_000)} >= set(kept)
    assert all(log.run(run).labels for run in kept)
    assert all(log.db["steps"].count_where("run_id = ?", [row["id"]]) == 1 for row in log.runs(10_000))
    log.close()


@pytest.mark.parametrize("table", ["sessions", "problems", "runs", "steps", "critiques"])
@pytest.mark.parametrize("fault", ["disk I/O error", "database or disk is full"])
def test_a_run_is_stored_completely_or_not_at_all(table, fault, tmp_path):
    from runtime.types import Critique, StepVerdict

    log = SessionLog(tmp_path / "soliloquy.db")
    judged = Critique(trajectory_id=ATTEMPT.id, verdicts=(StepVerdict(verdict="correct"),))
    run = Run(
        new_id(), new_id(), "solve", "direct", "m", Transcript(TALK.model_copy(update={"turns": (ATTEMPT, judged)}))
    )
    log.db.execute(f"create temp trigger fault before insert on {table} begin select raise(abort, '{fault}'); end")
    with pytest.raises(StoreError, match=fault):
        log.record(run)
    log.db.execute("drop trigger fault")
    assert [log.db[name].count for name in ("sessions", "problems", "runs", "steps", "critiques")] == [0] * 5
    log.record(run)
    assert log.run(run.id).transcript == run.transcript
    log.close()


def test_a_database_that_turned_read_only_is_reported_and_used_again_later(tmp_path):
    log = SessionLog(tmp_path / "soliloquy.db")
    run = recorded(log)
    log.db.execute("pragma query_only = on")
    with pytest.raises(StoreError, match="Set SOLILOQUY_HOME to a folder you can write to"):
        log.add_label(run.id, None, Feedback(rating=1))
    log.add_label(run.id, None, Feedback(rating=-1))
    assert log.labels(run.id)[run.id].rating == -1
    log.close()
