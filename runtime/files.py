"""Writing files atomically, reading ordinary files, and checksums."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

import psutil

from runtime.private_files import open_private

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all."""
CHUNK = 1 << 20
"""Bytes per read."""
NO_ROOM = 1 << 20
"""Bytes free below which a disk counts as full."""

_UNFINISHED = re.compile(r"\..+\.(\d+)\.[0-9a-f]{8}\.part")
"""Name of an unfinished file; the number is the id of the process that writes it."""
QUIET, FORGOTTEN = 60.0, 86_400.0
"""Seconds since the last write after which an unfinished file is deleted. QUIET: no process here has its id (another
machine that shares the folder may). FORGOTTEN: a process has its id (which may have been reused)."""

ROOT = Path(__file__).resolve().parents[1]
"""The folder of `app.py`, `runtime`, `trainer` and `data`."""


def folder_of(parent: Path, name: str, once: str) -> Path:
    """The folder `name`, or `once`, its name in earlier releases, if only that exists."""
    return parent / (once if (parent / once).is_dir() and not (parent / name).exists() else name)


@contextmanager
def whole(path: Path) -> Generator[IO[bytes]]:
    """A file to write, which replaces `path` once the block has ended without an error. After a crash or on a full disk
    the earlier file stays. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with open_private(unfinished) as file:
            yield file
            flush_to_disk(file)
        unfinished.replace(path)
    finally:
        with suppress(OSError):  # the first error is the one to raise
            unfinished.unlink(missing_ok=True)


def flush_to_disk(*files: IO[bytes]) -> None:
    """Flush files to the disk. Raises OSError, at the latest here if the disk is full."""
    for file in files:
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, content: bytes | str | Iterable[str]) -> None:
    """Write a file atomically, as `whole` does; text may come in parts. Only this user can read it. Raises OSError."""
    parts = (content,) if isinstance(content, bytes | str) else content
    with whole(path) as file:
        for part in parts:
            file.write(part if isinstance(part, bytes) else part.encode())


def sweep(*folders: Path) -> None:
    """Delete the unfinished files of killed processes in these folders."""
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
    """Append all of a text or, if the disk is full, nothing of it. Raises OSError."""
    with path.open("ab", buffering=0) as file:
        size, rest = file.seek(0, os.SEEK_END), memoryview(text.encode())
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            os.truncate(path, size)
            raise


@contextmanager
def saved_by_library(path: Path) -> Generator[None]:
    """Wraps a library's writing to `path`: raises OSError for a full disk, whatever error the library raises for it."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        is_full = "No space left" in str(error) or shutil.disk_usage(path.parent).free < NO_ROOM
        if is_full or "file write failed" in str(error):  # torch gives no reason
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


def shown(name: str) -> str:
    """A file name as text that can be stored: bytes that are not UTF-8 become replacement characters (U+FFFD)."""
    return os.fsencode(name).decode("utf-8", "replace")


def open_regular(path: Path) -> BinaryIO:
    """Open an ordinary file for reading. Raises OSError, also for a folder, and for a device or a pipe, which may block
    or never end."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a device or a pipe; save its content to a file first", str(path))
    return path.open("rb")


def sha256_of(path: Path, start: int = 0, length: int | None = None, progress: Progress | None = None) -> str:
    """Hexadecimal SHA-256 of a file, or of `length` bytes of it from `start`."""
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
