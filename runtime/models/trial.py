"""Whether llama.cpp runs a model file on this processor: tried once in a process of its own, then remembered.

A library that was built for another processor dies with its first matrix product, and a damaged or hostile file can
abort llama.cpp or keep it busy for ever. Nothing in the process that it happens to can be caught, so a child process
(`engines.llamacpp.trial`) loads the file, fills in its chat template, reads a problem and writes ten tokens, and this
one waits with a deadline. The finding counts for this library, processor, kernel and file, and stands in `trials.json`
of the home. `python -m runtime.models.trial [FILE]` prints it; without a file, for the small model that ships with
Soliloquy.
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

from pydantic import Field, TypeAdapter, ValidationError

from runtime import settings as configuration
from runtime.errors import run_command_line
from runtime.files import ROOT, write_whole
from runtime.models import processor
from runtime.models.download.files import ModelError
from runtime.settings import Settings
from runtime.types import Value

KNOWN_GOOD = ROOT / "data" / "models" / "bench" / "bench.gguf"
"""A small model that every working llama.cpp runs: what dies on it too is not the file's fault."""
CHILD = "runtime.engines.llamacpp.trial"
DEADLINES = {"start": 60.0, "load": 120.0, "template": 20.0, "decode": 180.0}
"""Seconds that each stage may take; loading gets more for a large file. A quiet machine needs a hundredth of them."""
DOING = {
    "start": "starting llama.cpp",
    "load": "loading the file",
    "template": "filling in its chat template",
    "decode": "decoding",
}
SLOWEST_DISK = 20e6  # bytes per second
REMEMBERED = 200
"""Findings that are kept, the newest ones."""
REBUILD = (
    "Build llama.cpp for this machine: `make clean`, then `NATIVE=1 make app`. If that build dies too,"
    " `CMAKE_ARGS=-DGGML_NATIVE=OFF NATIVE=1 make app` builds one that needs no special instructions,"
    " or set SOLILOQUY_SERVER to a server that has a model"
)


class Finding(Value):
    """What a trial came to."""

    works: bool
    said: str
    """What happened; if the file cannot be used, a sentence with the remedy."""
    extra_buffers: bool = False
    """Whether weights may be put into llama.cpp's extra buffers (repacked, or for AMX) ..."""
    repacked: bool = False
    """... and whether any were."""
    flags: str = ""
    """What llama.cpp was built with, in its own words."""
    seconds: float = 0.0
    tried_at: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    lasting: bool = True
    """Whether another trial would come to the same: not if it was refused, or given up, for lack of memory or time."""


_FINDINGS = TypeAdapter(dict[str, Finding])


def require(path: Path, settings: Settings, extra_buffers: bool | None = None) -> Finding:
    """The finding on a model file that works, tried now if that is not known yet. `extra_buffers` are those that were
    measured to be fastest; None leaves it to the processor. Where llama.cpp dies with them, what works without them is
    the finding. Raises ModelError, with a sentence, if the file cannot be used here."""
    found = examine(path, settings, extra_buffers)
    if not found.works and found.extra_buffers:
        found = examine(path, settings, False)
    if not found.works:
        raise ModelError(found.said)
    return found


def examine(path: Path, settings: Settings, extra_buffers: bool | None = None, anew: bool = False) -> Finding:
    """The finding on a file, whatever it is: the remembered one, or with `anew` always a new one. Raises ModelError if
    there is no such file."""
    key = _key(path, extra_buffers)
    known = None if anew else _read(settings).get(key)
    if known is None:
        known = _try(path, settings, extra_buffers)
        if known.lasting:
            _remember(key, known, settings)
    return known


def is_known(path: Path, settings: Settings, extra_buffers: bool | None = None) -> bool:
    """Whether this very file was found to work before."""
    found = _read(settings).get(_key(path, extra_buffers))
    return found is not None and found.works


def library(settings: Settings, anew: bool = False) -> Finding:
    """Whether llama.cpp works on this processor at all."""
    return examine(KNOWN_GOOD, settings, anew=anew)


# The memory


@cache
def library_hash() -> str:
    """Of llama.cpp's shared libraries, found without loading them."""
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
    with suppress(OSError):  # only not remembered: then the next start tries again
        write_whole(_file(settings), _FINDINGS.dump_json(kept, indent=1))


# The trial


def _try(path: Path, settings: Settings, extra_buffers: bool | None) -> Finding:
    started = time.monotonic()
    heard = _Heard()
    with tempfile.TemporaryFile() as errors:
        # Its own group, so that Ctrl+C in a terminal is answered by this process, which then ends the child.
        child = subprocess.Popen(
            [sys.executable, "-m", CHILD, os.fspath(path.absolute()), str(extra_buffers)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
        )  # fmt: skip
        try:
            given_up = _follow(child, heard, path.stat().st_size)
        finally:
            if child.poll() is None:
                child.kill()
            code = child.wait()
            child.stdout.close()
        last_words = _last_line(errors)
    finding = Finding(
        works=heard.works,
        said=heard.refused or f"ten tokens were decoded {time.monotonic() - started:.1f} s after the start",
        extra_buffers=heard.extra_buffers,
        repacked=heard.repacked,
        flags=heard.flags,
        seconds=round(time.monotonic() - started, 2),
        lasting=not heard.refused,
    )
    if heard.works or heard.refused:
        return finding
    said, lasting = _why(path, settings, heard, given_up, code, last_words)
    return finding.model_copy(update={"said": said, "lasting": lasting})


class _Heard:
    """What the child has told so far."""

    stage = "start"
    works = extra_buffers = repacked = False
    refused = flags = ""


def _follow(child: subprocess.Popen[bytes], heard: _Heard, size: int) -> bool:
    """Listen until the child ends; True if a stage took too long."""
    lines: SimpleQueue[bytes | None] = SimpleQueue()

    def read() -> None:
        with suppress(ValueError, OSError):  # closed meanwhile, as the child was given up
            for line in child.stdout:
                lines.put(line)
        lines.put(None)

    Thread(target=read, name="trial", daemon=True).start()
    while True:
        more = size / SLOWEST_DISK if heard.stage == "load" else 0.0
        try:
            line = lines.get(timeout=DEADLINES[heard.stage] + more)
        except Empty:
            return True
        if line is None:
            return False
        with suppress(ValueError):  # what is no message of ours
            for name, value in json.loads(line).items():
                setattr(heard, name, value)


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
    lines = [line for line in errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""


def _why(path: Path, settings: Settings, heard: _Heard, given_up: bool, code: int, last_words: str) -> tuple[str, bool]:
    """Why a trial failed, in a sentence, and whether another would fail in the same way."""
    doing, other = DOING[heard.stage], "Fetch or copy it again, or choose another model."
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    if given_up:
        seconds = DEADLINES[heard.stage]
        return f"{name} was given up: {doing} took more than {seconds:.0f} seconds. {other}", heard.stage == "template"
    if code == -getattr(signal, "SIGKILL", 9):
        return f"{name} needs more memory than is free. Close other programs or use a smaller model.", False
    how = f"died with {_signal(code)}" if code < 0 else f"ended ({last_words or f'exit code {code}'})"
    if path != KNOWN_GOOD and library(settings).works:
        return f"{name} cannot be used: llama.cpp {how} while {doing}. The file is damaged, or of a kind that" \
               f" this llama.cpp does not run. {other}", True  # fmt: skip
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
        raise ModelError(found.said)
    yield f"llama.cpp works on this processor: {found.said} ({found.flags})."


def main() -> None:
    for line in _print(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(line)


if __name__ == "__main__":
    run_command_line(main)
