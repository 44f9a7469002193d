"""Files and folders that only this user can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

OURS = ("config.toml", "tuning.json", "page-token", "exports", "training", "tmp", "window")
"""What the runtime writes into its home, beside the database; whatever else lies there is left as it is."""


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
