"""How commands end: Ctrl+C, full disks, closed streams and odd environments give an exit code and one sentence."""

import errno
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from places import ROOT
from program import called, run
from tables import rest

from runtime.environment import repair_no_proxy
from runtime.errors import SoliloquyError, run_command_line
from runtime.files import saved_by_library
from trainer.runs import ResultFile, ResultsError

COMMANDS = [("runtime", "log", "--json"), ("trainer", "evaluate", "--help")]


def ended(by):
    def app():
        if isinstance(by, BaseException):
            raise by
        print(by)

    with pytest.raises(SystemExit) as end:
        run_command_line(app)
    return end.value.code


@pytest.fixture(autouse=True)
def streams(monkeypatch):
    """Restores what a command line changes in this process."""
    for name in ("stdin", "stdout", "stderr", "unraisablehook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))


@pytest.mark.parametrize(
    ("by", "code", "message"),
    [
        ("all right", 0, ""),
        (SoliloquyError("It cannot. Do this."), 1, "Error: It cannot. Do this.\n"),
        (SystemExit(3), 3, ""),
        (SystemExit(None), 0, ""),
        (SystemExit("Soliloquy could not start: no."), 1, "Soliloquy could not start: no.\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, ""),
        (
            OSError(errno.ENOSPC, "No space left on device", "/home/rows.jsonl"),
            1,
            "Error: No space left on device (/home/rows.jsonl). Finished work is kept. Free some space, then run the"
            " same command again; a command that can resume does so.\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", b"/caf\xe9"),
            1,
            "Error: Permission denied (/caf\\udce9). Correct this, then run the same command again.\n",
        ),
    ],
)
def test_every_error_has_an_exit_code_and_at_most_one_sentence(by, code, message, capfd):
    assert ended(by) == code
    assert capfd.readouterr().err == message


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command_line(lambda: print(1 / 0))


# Output


def to(place, *words, **environment):
    """A command whose stdout is a file, or a pipe that nobody reads."""
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, env={**os.environ, **environment}, stdout=place,
        stderr=subprocess.PIPE, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", [COMMANDS[0], *rest((COMMANDS[1],))], ids=" ".join)
def test_a_full_disk_behind_stdout_gives_an_error_message(words):
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - it is no path
        finished = to(full, *words)
    assert (finished.returncode, finished.stderr.count("\n")) == (1, 1)
    assert finished.stderr.startswith("Error: No space left on device while writing the output")


@pytest.mark.parametrize("words", [COMMANDS[0], *rest((COMMANDS[1],))], ids=" ".join)
def test_a_closed_pipe_gives_no_traceback(words):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        finished = to(writing, *words)
    finally:
        os.close(writing)
    assert finished.returncode == 1
    assert "Error" not in finished.stderr and "Exception" not in finished.stderr


@pytest.mark.parametrize("closed", ["2>&-", *rest("<&- >&- 2>&-")])
def test_closed_streams_count_as_empty(closed):
    command = f"{sys.executable} -m runtime models list --json {closed}"
    finished = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0
    assert "Traceback" not in finished.stderr
    if closed == "2>&-":
        assert json.loads(finished.stdout)["models"]


# Input


@pytest.mark.parametrize(
    ("given", "message"),
    [("'%2000000d'", "at most 4,000"), *rest(("'\\351 is 2 + 3?'", "is not text"), ("''", "is empty"))],
)
def test_any_stdin_gets_an_answer_or_an_error_message(given, message):
    command = f"printf {given} | {sys.executable} -m runtime solve - --no-log"
    finished = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert finished.stderr.startswith("Error: ") and message in finished.stderr


def test_a_pipe_is_no_model_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.gguf")
    finished = called("models", "add", tmp_path / "pipe.gguf")
    assert finished.returncode == 1
    assert "it is a device or a pipe" in " ".join(finished.stderr.split())


@pytest.mark.rest
def test_paths_in_other_bytes_are_read_and_printed(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    rows = folder / "rows.jsonl"
    rows.write_text('{"problem": "1 + 1?", "steps": ["2"]}\n')
    home = {"SOLILOQUY_HOME": str(folder / "home")}
    done = run("import", rows, "--json", **home)
    assert json.loads(done.stdout) == {"imported": 1, "known": 0, "left_out": {}}
    exported = json.loads(called("export", folder / "out.jsonl", "--json", **home).stdout)
    assert os.fsencode(exported["file"]) == os.fsencode(folder / "out.jsonl")
    missing = called("check", folder / "none.txt")
    assert missing.returncode == 1 and "caf\\udce9/none.txt cannot be read" in missing.stderr
    missing = called("examples", "--judged", folder / "none.jsonl", "--out", tmp_path, module="trainer")
    assert missing.returncode == 1 and "caf\\udce9/none.jsonl cannot be read" in missing.stderr


# Ctrl+C


def interrupted(*words, after):
    """The exit code, as a shell reports it, and the output of a command that gets Ctrl+C."""
    process = subprocess.Popen(
        [sys.executable, *map(str, words)], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=120)[0]
    return 128 - process.returncode if process.returncode < 0 else process.returncode, output


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("after", "words"),
    [
        (2.5, ("app.py", "--no-browser", "--port", "7917")),
        *rest(
            (0.5, ("app.py", "--no-browser", "--port", "7917")),
            (2.5, ("-m", "trainer", "problems", "--out", "{home}/problems.jsonl", "--count", "5000000")),
            (3, ("-m", "trainer", "evaluate", "--problems", "{many}", "--model", "data/models/bench/bench.gguf")),
        ),
    ],
)
def test_ctrl_c_ends_quietly_at_any_time(after, words, home):
    many = home / "many.jsonl"
    many.write_text("".join(f'{{"question": "What is {i} + 1?", "answer": {i + 1}}}\n' for i in range(5000)))
    code, output = interrupted(*(word.format(home=home, many=many) for word in words), after=after)
    assert code == 130 or (code == 0 and "ready" in output)  # a served page ends normally
    assert "Traceback" not in output and "Exception" not in output


def test_an_interrupt_swallowed_by_a_callback_is_raised_again(tmp_path):
    """As llama.cpp calls back while it loads a model."""
    code = (
        "import ctypes, os, signal, time\n"
        "from runtime.errors import run_command_line\n"
        "@ctypes.CFUNCTYPE(None)\n"
        "def callback(): os.kill(os.getpid(), signal.SIGINT)\n"
        "def app():\n"
        "    callback()\n"
        "    time.sleep(60)\n"
        "run_command_line(app)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert (finished.returncode, finished.stderr) == (130, "")


# Disk


@contextmanager
def room(path, extra):
    """A disk on which the files of this process may grow only by this many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_earlier_results_stay_complete(tmp_path):
    results = ResultFile(tmp_path, "run", {"a": 1})
    results.add({"key": "first"})
    before = results.path.read_bytes()
    with room(results.path, 5), pytest.raises(ResultsError, match="File too large"):
        results.add({"key": "second"})
    assert (results.path.read_bytes(), list(results.rows)) == (before, ["first"])
    results.add({"key": "third"})
    assert list(ResultFile(tmp_path, "run", {"a": 1}).rows) == ["first", "third"]


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/0: file write failed"), True),
        (ValueError("Error while serializing: I/O error: No space left on device (os error 28)"), True),
        (ValueError("of something else"), False),
        (PermissionError(errno.EACCES, "Permission denied"), False),
    ],
)
def test_a_full_disk_is_the_same_error_in_every_library(error, full, tmp_path):
    with pytest.raises(OSError if full else type(error)) as caught, saved_by_library(tmp_path / "model"):
        raise error
    assert not full or caught.value.errno == errno.ENOSPC
    assert full or caught.value is error


@pytest.mark.rest
def test_a_trainer_command_on_a_full_disk_ends_with_a_message_and_resumes_later(home):
    """Uses a small disk of its own if the system allows one."""
    disk = home / "disk"
    disk.mkdir()
    mounted = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=300k tmpfs "$0" && exec "$@"', disk]
    if subprocess.run([*mounted, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be made here")
    problems = [sys.executable, "-m", "trainer", "problems", "--processes", "1", "--out", disk / "problems.jsonl"]
    script = (
        f"{shlex.join(map(str, problems))} --count 3000; echo $? >&2; rm {disk}/filler; "
        f"{shlex.join(map(str, problems))} --count 200"
    )
    filled = f"head -c 200k /dev/zero > {disk}/filler; {script}"
    finished = subprocess.run([*mounted, "sh", "-c", filled], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Error: No space left on device" in finished.stderr
    assert "Traceback" not in finished.stderr and "\n1\n" in finished.stderr
    assert "0 of them repeated" in finished.stdout and finished.returncode == 0


# Environment


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("[::1]", "::1"),
        ("fe80::/10", ""),
        (
            "localhost, [fe80::1]:8080,fe80::/10 , 10.0.0.0/8,*,.example.org",
            "localhost,fe80::1,10.0.0.0/8,*,.example.org",
        ),
        ("all://[::1]", "all://[::1]"),
        ("", ""),
    ],
)
def test_no_proxy_is_rewritten_for_httpx(given, expected, monkeypatch):
    import httpx

    monkeypatch.setenv("NO_PROXY", given)
    monkeypatch.delenv("no_proxy", raising=False)
    repair_no_proxy()
    assert os.environ["NO_PROXY"] == expected
    httpx.Client().close()


def test_odd_proxies_give_an_error_message():
    asked, odd = ("solve", "2 + 3?", "--no-log"), "[::1],fe80::/10"
    server = {"SOLILOQUY_SERVER": "http://127.0.0.1:9/v1"}
    gone = called(*asked, **server, NO_PROXY=odd, no_proxy=odd)
    assert gone.returncode == 1
    assert gone.stderr.startswith("Error: ") and "Traceback" not in gone.stderr
    bad = called(*asked, **server, HTTP_PROXY="::bad")
    assert bad.returncode == 1 and bad.stderr.startswith("Error: The proxies of this environment cannot be used")
