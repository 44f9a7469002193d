"""A run directory: finished work is kept, however the run ended."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from places import ROOT

from trainer.runs import ResultFile, ResultsError, run_missing

WORK = [(f"k{i}", i) for i in range(12)]


def squared(item):
    return {"value": item * item, "text": f"两 {item}\n{{}}"}


def opened(folder, config=None, name="squares"):
    return ResultFile(folder, name, config or {"model": "m", "seed": 0})


def finished(results, work=WORK, do=squared, workers=3):
    return list(run_missing(work, do, results, workers))


def stored(results):
    return [json.loads(line) for line in results.path.read_bytes().decode("utf-8").split("\n")[:-1]]


EXPECTED = {key: {"key": key, **squared(item)} for key, item in WORK}


def test_every_key_is_done_once_and_stored(tmp_path):
    done = []
    results = opened(tmp_path)
    keys = finished(results, do=lambda item: done.append(item) or squared(item))
    assert sorted(keys) == sorted(EXPECTED)
    assert sorted(done) == list(range(12))
    assert results.rows == EXPECTED
    assert sorted(row["key"] for row in stored(results)) == sorted(EXPECTED)


def test_a_duplicate_key_is_done_once(tmp_path):
    done = []
    results = opened(tmp_path)
    finished(results, [("a", 1), ("b", 2), ("a", 1)], lambda item: done.append(item) or squared(item))
    assert sorted(done) == [1, 2]
    assert sorted(row["key"] for row in stored(results)) == ["a", "b"]


def test_a_reopened_run_does_only_what_is_missing(tmp_path):
    finished(opened(tmp_path), WORK[:5])
    done = []
    again = opened(tmp_path)
    assert again.rows == {key: EXPECTED[key] for key, _ in WORK[:5]}
    assert sorted(finished(again, do=lambda item: done.append(item) or squared(item))) == sorted(EXPECTED)
    assert sorted(done) == list(range(5, 12))
    assert opened(tmp_path).rows == again.rows == EXPECTED


@pytest.mark.parametrize("sign", ["\n", "\r", "\x0b", "\x1c", "\x85", "\u2028", "\u2029"])
def test_rows_with_any_kind_of_line_break_are_read_back(sign, tmp_path):
    opened(tmp_path).add({"key": "a", "text": f"one{sign}two"})
    assert opened(tmp_path).rows == {"a": {"key": "a", "text": f"one{sign}two"}}


@pytest.mark.parametrize("missing", [1, 2, 20, 30])
def test_a_truncated_line_is_dropped_and_redone(missing, tmp_path):
    results = opened(tmp_path)
    finished(results, workers=1)
    results.path.write_bytes(results.path.read_bytes()[:-missing])
    again = opened(tmp_path)
    assert len(again.rows) == 11
    finished(again)
    assert opened(tmp_path).rows == EXPECTED
    assert len(stored(again)) == 12


def test_the_folder_name_depends_on_everything_that_decides_the_results(tmp_path):
    first = opened(tmp_path, {"a": 1, "b": {"c": 2, "d": 3}})
    assert opened(tmp_path, {"b": {"d": 3, "c": 2}, "a": 1}).folder == first.folder
    others = [opened(tmp_path, {"a": 1, "b": {"c": 2, "d": 4}}), opened(tmp_path, {"a": "1"}), opened(tmp_path, {})]
    folders = {run.folder for run in [*others, opened(tmp_path, first_config(first), "other")]}
    assert len(folders - {first.folder}) == 4
    assert first_config(first) == {"a": 1, "b": {"c": 2, "d": 3}}


def first_config(results):
    return json.loads((results.folder / "config.json").read_text("utf-8"))


def test_an_error_stops_the_run_and_keeps_what_was_done(tmp_path):
    def do(item):
        if item == 6:
            raise RuntimeError("no memory")
        return squared(item)

    results = opened(tmp_path)
    with pytest.raises(RuntimeError, match="no memory"):
        finished(results, do=do, workers=1)
    kept = opened(tmp_path).rows
    assert kept == {key: EXPECTED[key] for key in kept}
    assert "k6" not in kept
    assert sorted(finished(opened(tmp_path))) == sorted(EXPECTED)
    assert opened(tmp_path).rows == EXPECTED


def test_a_run_starts_no_more_work_once_its_reader_is_gone(tmp_path):
    done = []

    def do(item):
        time.sleep(0.02)
        done.append(item)
        return squared(item)

    steps = run_missing(WORK, do, opened(tmp_path), 1)
    next(steps)
    steps.close()
    assert len(done) < len(WORK)
    assert set(opened(tmp_path).rows) == {"k0"}


PROGRAM = """
import sys, time
from pathlib import Path
from trainer.runs import ResultFile, ResultsError, run_missing

def do(item):
    time.sleep(0.03)
    return {"value": item * item}

results = ResultFile(Path(sys.argv[1]), "killed", {"n": 40})
for key in run_missing([(f"k{i}", i) for i in range(40)], do, results, 2):
    print(key, flush=True)
"""


def test_a_killed_run_resumes_and_ends_with_the_same_rows(tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    for _ in range(7):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    survived = ResultFile(tmp_path, "killed", {"n": 40}).rows
    assert 7 <= len(survived) < 40
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert sorted(finished.stdout.split()) == sorted(f"k{i}" for i in range(40))
    results = ResultFile(tmp_path, "killed", {"n": 40})
    assert results.rows == {f"k{i}": {"key": f"k{i}", "value": i * i} for i in range(40)}
    assert len(stored(results)) == 40


def test_lines_damaged_by_a_crash_or_another_process_are_redone(tmp_path):
    results = opened(tmp_path)
    finished(results)
    whole = results.path.read_bytes().split(b"\n")
    whole[3], whole[5], whole[7] = whole[3][:9], whole[5][:4] + whole[5], b"[1]"
    results.path.write_bytes(b"\n".join(whole))
    again = opened(tmp_path)
    assert len(again.rows) == 9
    finished(again)
    assert again.rows == opened(tmp_path).rows == EXPECTED


def test_a_full_disk_gives_an_error_message_and_no_partial_line(tmp_path):
    results = opened(tmp_path)
    results.add({"key": "a", "text": "x" * 100})
    before = results.path.read_bytes()
    was = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, was[1]))
        with pytest.raises(ResultsError, match="give the same command again"):
            results.add({"key": "b", "text": "y" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, was)
        signal.signal(signal.SIGXFSZ, handler)
    assert results.path.read_bytes() == before and "b" not in results.rows
    results.add({"key": "b", "text": "y"})
    assert list(opened(tmp_path).rows) == ["a", "b"]
