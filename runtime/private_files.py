"""Files and folders that only this user can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

OURS = ("config.toml", "tuning.json", "page-token", "exports", "training", "tmp", "window")
"""What the runtime writes into its home besides the database; the rights of anything else there are not changed."""


def open_private(path: Path, mode: str = "wb") -> IO[Any]:
    """Open a file for writing; a new file can be read by this user only. Raises OSError."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def create_private(path: Path) -> None:
    """Create an empty file that only this user can read, unless it exists. Raises OSError."""
    with suppress(FileExistsError):
        open_private(path, "xb").close()


def keep_private(home: Path, *more: Path) -> None:
    """Create the home folder for this user alone, or close an existing one, its files and the files in `more` to other
    users. Errors are ignored, as whatever writes there later reports them."""
    with suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = [home, *(path for name in OURS for path in _below(home / name))] if _is_for_one(home) else []
        for path in (*own, *home.glob("soliloquy.db*"), *more):
            _shut(path)


def _is_for_one(home: Path) -> bool:
    """Whether the folder is the runtime's own, not one with other content, such as /tmp or the user's home folder."""
    if os.name != "posix":  # Windows protects a user's folders itself
        return False
    state = home.stat()
    shared = state.st_mode & stat.S_ISVTX or home.resolve() in (Path.home(), Path("/"))
    return state.st_uid == os.geteuid() and not shared


def _below(start: Path) -> Iterator[Path]:
    """A file or folder and everything in it, without following links."""
    yield start
    for folder, folders, names in os.walk(start):
        yield from (Path(folder, name) for name in (*folders, *names))


def _shut(path: Path) -> None:
    """Remove all rights of other users. Raises OSError."""
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077 and not path.is_symlink():
            path.chmod(mode & 0o700)
