"""The stages of a long command, written down for whoever follows it from outside, and how it is asked to stop.

In the folder that `--progress` names, `stages.jsonl` gets a line when a stage begins, and a last one: over, stopped or
failed. Where a file `stop` is put there, the command ends at the next moment at which it can go on later.
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
    """Somebody asked for an end."""


class Stages:
    """Without a folder nothing is written, and nobody asks."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def begin(self, stage: str, **facts: Any) -> None:
        """Raises Stopped if an end was asked for."""
        self.pause()
        self._write(stage, **facts)

    def pause(self) -> None:
        """A moment at which the command can stop and go on later. Raises Stopped."""
        if self.folder and (self.folder / STOP).exists():
            raise Stopped("It was stopped; what is done is kept, and the same command goes on from there.")

    @contextmanager
    def until_the_end(self) -> Generator[None]:
        """Writes down how it ended, if it did not end well."""
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
        told = {"stage": stage, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **facts}
        append(self.folder / FILE, json.dumps(told, ensure_ascii=False) + "\n")
