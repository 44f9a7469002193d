"""Files that are there as a whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

import psutil

from runtime.private_files import open_private

Progress = Callable[[int, int], None]
"""Told how many of how many bytes are done."""
CHUNK = 1 << 20
"""Bytes that are read at once."""
NO_ROOM = 1 << 20
"""Bytes; a disk with fewer is full."""

_UNFINISHED = re.compile(r"\..+\.(\d+)\.[0-9a-f]{8}\.part")
"""The number is that of the process that writes it."""
QUIET, FORGOTTEN = 60.0, 86_400.0
"""Seconds after which a file that nobody writes to is left over: where its process is gone here (the folder may be one
that several machines share), and where a process has its number (which may have been given again)."""

ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds `app.py`, `runtime`, `trainer` and `data`."""


def folder_of(parent: Path, name: str, once: str) -> Path:
    """The folder `name`, or the one that an earlier release made as `once`, where only that is there."""
    return parent / (once if (parent / once).is_dir() and not (parent / name).exists() else name)


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which is put in its place once that has ended well; until then, and after a crash or a full
    disk, the one that was there stays. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with open_private(unfinished) as file:
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
    """Write a file as `whole` does. Text may come in parts. Only this user can read a new file. Raises OSError."""
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


def append(path: Path, text: str) -> None:
    """Put text at the end of a file, all of it or nothing: what a full disk cut off is taken back. Raises OSError."""
    with path.open("ab", buffering=0) as file:
        size, rest = file.seek(0, os.SEEK_END), memoryview(text.encode())
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            os.truncate(path, size)
            raise


@contextmanager
def saved_by_library(path: Path) -> Iterator[None]:
    """While a library writes to `path`: each has an error of its own for a full disk. Raises OSError for it."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        is_full = "No space left" in str(error) or shutil.disk_usage(path.parent).free < NO_ROOM
        if is_full or "file write failed" in str(error):  # torch does not say why
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


def shown(name: str) -> str:
    """A name that may hold bytes which are not UTF-8, as text that can be stored: they become question marks."""
    return os.fsencode(name).decode("utf-8", "replace")


def open_regular(path: Path) -> BinaryIO:
    """An ordinary file, to be read. Raises OSError, also for a folder, and for a device or a pipe: those may have no
    end, or keep whoever opens them waiting."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a device or a pipe; save what it gives to a file first", str(path))
    return path.open("rb")


def sha256_of(path: Path, start: int = 0, length: int | None = None, progress: Progress | None = None) -> str:
    """Hexadecimal SHA-256 of a file, or of a stretch of it."""
    digest = hashlib.sha256()
    left = total = path.stat().st_size - start if length is None else length
    with path.open("rb") as file:
        file.seek(start)
        while left and (chunk := file.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
            if progress:
                progress(total - left, total)
    return digest.hexdigest()
