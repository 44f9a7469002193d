"""Files that are there as a whole or not at all, and files that have an end."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

NO_ROOM = 1 << 20
"""Bytes; a disk with fewer is full."""


def write_whole(path: Path, content: bytes | str | Iterable[str]) -> None:
    """Put a file in its place once it is written to its end; until then, and after a crash or a full disk, the one that
    was there stays. Text may come in parts. Raises OSError."""
    parts = (content,) if isinstance(content, bytes | str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            for part in parts:
                file.write(part if isinstance(part, bytes) else part.encode())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


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
