"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

_UNFINISHED = re.compile(r"\..+\.(\d+)\.[0-9a-f]{8}\.part")
"""The number is that of the process that writes it."""
QUIET, FORGOTTEN = 60.0, 86_400.0
"""Seconds after which a file that nobody writes to is left over: where its process is gone here (the folder may be one
that several machines share), and where a process has its number (which may have been given again)."""


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which is put in its place once that has ended well; until then, and after a crash or a full
    disk, the one that was there stays. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
            settle(file)
        unfinished.replace(path)
    finally:
        with suppress(OSError):  # the error that led here says more
            unfinished.unlink(missing_ok=True)


def settle(*files: IO[bytes]) -> None:
    """Bring what was written to the disk; a full one shows here at the latest. Raises OSError."""
    for file in files:
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, content: bytes | str | Iterable[str]) -> None:
    """Write a file as `whole` does. Text may come in parts. Raises OSError."""
    parts = (content,) if isinstance(content, bytes | str) else content
    with whole(path) as file:
        for part in parts:
            file.write(part if isinstance(part, bytes) else part.encode())


def sweep(*folders: Path) -> None:
    """Delete what killed processes left unfinished in these folders."""
    for folder in folders:
        with suppress(OSError):
            for path in folder.glob(".*.part"):
                if _is_left_over(path):
                    path.unlink(missing_ok=True)


def _is_left_over(path: Path) -> bool:
    found = _UNFINISHED.fullmatch(path.name)
    if not found:
        return False
    age = time.time() - path.stat().st_mtime
    return age > (FORGOTTEN if psutil.pid_exists(int(found[1])) else QUIET)
