"""A record of the stages of a long command, for an observer in another process, and a way to stop it.

In the folder given by `--progress`, `stages.jsonl` gets a line when a stage begins, and a last one: over, stopped or
failed. If a file `stop` appears there, the command ends at the next point from which it can resume.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.errors import SoliloquyError
from runtime.files import append

FILE, STOP = "stages.jsonl", "stop"


class Stopped(SoliloquyError):
    """A stop was requested."""


class Stages:
    """Without a folder nothing is recorded and no stop can be requested."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def begin(self, stage: str, **facts: Any) -> None:
        """Record a new stage. Raises Stopped if a stop was requested."""
        self.pause()
        self._write(stage, **facts)

    def pause(self) -> None:
        """A point from which the command can resume. Raises Stopped if a stop was requested."""
        if self.folder and (self.folder / STOP).exists():
            raise Stopped("It was stopped. Finished work is kept; the same command resumes it.")

    @contextmanager
    def until_the_end(self) -> Generator[None]:
        """Record a stop or a failure."""
        try:
            yield
        except Stopped:
            self._write("stopped")
            raise
        except BaseException as error:
            self._write("failed", text=str(error) if isinstance(error, SoliloquyError) else repr(error))
            raise

    def end(self, **facts: Any) -> None:
        self._write("over", **facts)

    def _write(self, stage: str, **facts: Any) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        entry = {"stage": stage, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **facts}
        append(self.folder / FILE, json.dumps(entry, ensure_ascii=False) + "\n")
