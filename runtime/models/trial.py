"""Tests in a child process whether llama.cpp runs a model file on this processor, and stores the result.

A library built for another processor dies at its first matrix product, and a damaged or hostile file can abort
llama.cpp or make it loop forever. Neither can be caught within the process. So a child process
(`engines.llamacpp.trial`) loads the file, fills in its chat template, reads a problem and writes ten tokens, with a
deadline for each stage. The result is valid for this library, processor, kernel and file; it is stored in `trials.json`
of the home.

`python -m runtime.models.trial [FILE]` prints the result for a file, or for the small model that ships with Soliloquy.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO

from pydantic import AliasChoices, Field, TypeAdapter, ValidationError

from runtime import settings as configuration
from runtime.errors import run_command_line
from runtime.files import ROOT, write_whole
from runtime.models import processor
from runtime.models.download.files import ModelError
from runtime.settings import Settings
from runtime.types import Value

KNOWN_GOOD = ROOT / "data" / "models" / "bench" / "bench.gguf"
"""A small model that every working llama.cpp runs: if this fails too, the fault is not in the file."""
CHILD = "runtime.engines.llamacpp.trial"
DEADLINES = {"start": 60.0, "load": 120.0, "template": 20.0, "decode": 180.0}
"""Longest time of each stage in seconds, plus the time to read a large file. An idle machine needs about 1 % of it."""
DOING = {
    "start": "starting llama.cpp",
    "load": "loading the file",
    "template": "filling in its chat template",
    "decode": "decoding",
}
SLOWEST_DISK = 20e6  # bytes per second
REMEMBERED = 200
"""Most findings stored; the oldest are dropped."""
REBUILD = (
    "Build llama.cpp for this machine: `make clean`, then `NATIVE=1 make app`. If that build dies too,"
    " `CMAKE_ARGS=-DGGML_NATIVE=OFF NATIVE=1 make app` builds one without special instructions;"
    " or set SOLILOQUY_SERVER to a server that runs a model"
)


class Finding(Value):
    """The result of a trial."""

    works: bool
    text: str = Field(validation_alias=AliasChoices("text", "said"))
    """The result in words; if the file cannot be used, a sentence with the remedy. Called `said` in earlier
    releases."""
    extra_buffers: bool = False
    """Whether llama.cpp was allowed to put weights into extra buffers (repacked, or for AMX)."""
    repacked: bool = False
    """Whether it put any there."""
    flags: str = ""
    """llama.cpp's own list of its build flags."""
    seconds: float = 0.0
    tried_at: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    lasting: bool = True
    """Whether another trial would give the same result: not if memory or time was short."""


_FINDINGS = TypeAdapter(dict[str, Finding])


def require(path: Path, settings: Settings, extra_buffers: bool | None = None) -> Finding:
    """The finding for a model file that works; it is tested now if that is not known yet.

    `extra_buffers` is the faster choice as measured; None leaves it to the processor. If llama.cpp dies with extra
    buffers, it is tested without them. Raises ModelError if the file cannot be used here.
    """
    found = examine(path, settings, extra_buffers)
    if not found.works and found.extra_buffers:
        found = examine(path, settings, False)
    if not found.works:
        raise ModelError(found.text)
    return found


def examine(path: Path, settings: Settings, extra_buffers: bool | None = None, again: bool = False) -> Finding:
    """The finding for a file, good or bad: the stored one, or a new one if there is none or with `again`. Raises
    ModelError if the file cannot be read."""
    key = _key(path, extra_buffers)
    finding = None if again else _read(settings).get(key)
    if finding is None:
        finding = _try(path, settings, extra_buffers)
        if finding.lasting:
            _remember(key, finding, settings)
    return finding


def is_known(path: Path, settings: Settings, extra_buffers: bool | None = None) -> bool:
    """Whether the stored finding is that this file works."""
    found = _read(settings).get(_key(path, extra_buffers))
    return found is not None and found.works


def library(settings: Settings, again: bool = False) -> Finding:
    """The finding for the known good model: whether llama.cpp works on this processor."""
    return examine(KNOWN_GOOD, settings, again=again)


# Storage


@cache
def library_hash() -> str:
    """A hash of llama.cpp's shared libraries, which are not loaded."""
    found = importlib.util.find_spec("llama_cpp")
    if found is None or found.origin is None:
        return "none"
    folder, digest = Path(os.environ.get("LLAMA_CPP_LIB_PATH") or Path(found.origin).parent / "lib"), hashlib.sha256()
    for file in sorted({file.resolve() for file in folder.glob("*") if file.is_file()}):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _key(path: Path, extra_buffers: bool | None) -> str:
    try:
        found = path.stat()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}). Choose another file.") from error
    place = os.fsencode(path.absolute()).decode("utf-8", "backslashreplace")
    machine = (library_hash(), processor.name(), platform.release())
    return " | ".join((*machine, place, str(found.st_size), str(found.st_mtime_ns), f"extra buffers {extra_buffers}"))


def _file(settings: Settings) -> Path:
    return settings.home / "trials.json"


def _read(settings: Settings) -> dict[str, Finding]:
    try:
        return _FINDINGS.validate_json(_file(settings).read_bytes())
    except (OSError, ValidationError):
        return {}


def _remember(key: str, finding: Finding, settings: Settings) -> None:
    others = {other: found for other, found in _read(settings).items() if other != key}
    kept = dict([*others.items(), (key, finding)][-REMEMBERED:])
    with suppress(OSError):  # then the next start tests again
        write_whole(_file(settings), _FINDINGS.dump_json(kept, indent=1))


# The trial


def _try(path: Path, settings: Settings, extra_buffers: bool | None) -> Finding:
    started = time.monotonic()
    report = _Report()
    with tempfile.TemporaryFile() as errors:
        # A session of its own, so that Ctrl+C in a terminal reaches only this process, which then kills the child.
        child = subprocess.Popen(
            [sys.executable, "-m", CHILD, os.fspath(path.absolute()), str(extra_buffers)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
        )  # fmt: skip
        try:
            timed_out = _follow(child, report, path.stat().st_size)
        finally:
            if child.poll() is None:
                child.kill()
            code = child.wait()
            if child.stdout:
                child.stdout.close()
        last_words = _last_line(errors)
    finding = Finding(
        works=report.works,
        text=report.refused or f"ten tokens were decoded {time.monotonic() - started:.1f} s after the start",
        extra_buffers=report.extra_buffers,
        repacked=report.repacked,
        flags=report.flags,
        seconds=round(time.monotonic() - started, 2),
        lasting=not report.refused,
    )
    if report.works or report.refused:
        return finding
    text, lasting = _why(path, settings, report, timed_out, code, last_words)
    return finding.model_copy(update={"text": text, "lasting": lasting})


class _Report:
    """What the child process has reported so far."""

    stage = "start"
    works = extra_buffers = repacked = False
    refused = flags = ""


def _follow(child: subprocess.Popen[bytes], report: _Report, size: int) -> bool:
    """Read the child's messages into `report` until it ends; returns True if a stage took too long."""
    lines: SimpleQueue[bytes | None] = SimpleQueue()

    def read() -> None:
        with suppress(ValueError, OSError):  # closed after a timeout
            for line in child.stdout or ():
                lines.put(line)
        lines.put(None)

    Thread(target=read, name="trial", daemon=True).start()
    while True:
        more = size / SLOWEST_DISK if report.stage == "load" else 0.0
        try:
            line = lines.get(timeout=DEADLINES[report.stage] + more)
        except Empty:
            return True
        if line is None:
            return False
        with suppress(ValueError):  # llama.cpp's own output
            for name, value in json.loads(line).items():
                setattr(report, name, value)


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
    lines = [line for line in errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""


def _why(
    path: Path, settings: Settings, report: _Report, timed_out: bool, code: int, last_words: str
) -> tuple[str, bool]:
    """Why a trial failed, in a sentence, and whether another would fail in the same way."""
    doing, other = DOING[report.stage], "Download or copy it again, or choose another model."
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    if timed_out:
        seconds = DEADLINES[report.stage]
        return f"{name} was stopped: {doing} took more than {seconds:.0f} seconds. {other}", report.stage == "template"
    if code == -getattr(signal, "SIGKILL", 9):
        return f"{name} needs more memory than is free. Close other programs or use a smaller model.", False
    how = f"died with {_signal(code)}" if code < 0 else f"ended ({last_words or f'exit code {code}'})"
    if path != KNOWN_GOOD and library(settings).works:
        return f"{name} cannot be used: llama.cpp {how} while {doing}. The file is damaged, or this llama.cpp does" \
               f" not support it. {other}", True  # fmt: skip
    illegal = " (an instruction that this processor does not have)" if code == -getattr(signal, "SIGILL", 4) else ""
    return f"llama.cpp {how}{illegal} while {doing}: it does not work on this processor. {REBUILD}.", True


def _signal(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _print(path: Path | None) -> Iterator[str]:
    settings = configuration.load()
    found = examine(path, settings) if path else library(settings)
    if not found.works:
        raise ModelError(found.text)
    yield f"llama.cpp works on this processor: {found.text} ({found.flags})."


def main() -> None:
    for line in _print(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(line)


if __name__ == "__main__":
    run_command_line(main)
