"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


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
