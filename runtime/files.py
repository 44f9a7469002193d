"""Files that are there as a whole or not at all, and files that have an end."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO


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
