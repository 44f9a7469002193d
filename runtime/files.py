"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil

OURS = ("config.toml", "tuning.json", "page-token", "exports", "training", "tmp", "window")
"""What the runtime writes into its home, beside the database; whatever else lies there is left as it is."""
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


def open_private(path: Path, mode: str = "wb") -> IO[Any]:
    """A file opened to be written, which only this user can read if it is new. Raises OSError."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def create_private(path: Path) -> None:
    """An empty file that only this user can read, unless there is one already. Raises OSError."""
    with suppress(FileExistsError):
        open_private(path, "xb").close()


def keep_private(home: Path, *more: Path) -> None:
    """Make the home for this user alone, or shut one that others can look into, with all that the runtime keeps there
    and the files in `more`. What cannot be changed stays: whoever needs to write there will say so."""
    with suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = [home, *(path for name in OURS for path in _below(home / name))] if _is_for_one(home) else []
        for path in (*own, *home.glob("soliloquy.db*"), *more):
            _shut(path)


def _is_for_one(home: Path) -> bool:
    """Whether it was made for us, rather than a folder that holds other things too, such as /tmp or a user's own."""
    if os.name != "posix":  # Windows shuts a user's folders by itself
        return False
    state = home.stat()
    shared = state.st_mode & stat.S_ISVTX or home.resolve() in (Path.home(), Path("/"))
    return state.st_uid == os.geteuid() and not shared


def _below(start: Path) -> Iterator[Path]:
    """A file or folder and all that is in it, without following links."""
    yield start
    for folder, folders, names in os.walk(start):
        yield from (Path(folder, name) for name in (*folders, *names))


def _shut(path: Path) -> None:
    """Take every right from other users. Raises OSError."""
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077 and not path.is_symlink():
            path.chmod(mode & 0o700)
