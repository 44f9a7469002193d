"""Runs a session's work in a thread and passes its progress on at a pace that a page can show.

The reader of a `Follower` gets an item at least every `HEARTBEAT` seconds, even while the model reads for seconds, so
that it can stop at any moment; and at most one every `PACE` seconds, however fast tokens arrive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from threading import Condition, Event, Thread

from runtime.log.run import Run
from runtime.session.session import Progress

HEARTBEAT = 0.2
PACE = 0.1
PATIENCE = 2.0
"""Seconds that `stop` waits for the model to stop."""


class Follower:
    """Runs `begin(cancel)` in a thread. Iterating yields the latest `Progress`, or None if there is nothing new, and
    raises what the run raised, unless it was stopped."""

    def __init__(self, begin: Callable[[Event], Generator[Progress]]) -> None:
        self._begin = begin
        self._changed = Condition()
        self._started = self._ended = False
        self._error: Exception | None = None
        self.cancel = Event()
        self.latest: Progress | None = None

    def __iter__(self) -> Iterator[Progress | None]:
        self._started = True
        Thread(target=self._follow, name="run", daemon=True).start()
        shown = None
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda before=shown: self._ended or self.latest is not before, HEARTBEAT)
                    ended, latest = self._ended, self.latest
                if latest is not shown or not ended:
                    yield None if latest is shown else latest
                shown = latest
                if ended:
                    break
                time.sleep(PACE)
            if self._error and not self.cancel.is_set():
                raise self._error
        finally:
            self.cancel.set()

    def _follow(self) -> None:
        error: Exception | None = None
        try:
            with closing(self._begin(self.cancel)) as progress:
                for latest in progress:
                    self._publish(latest)
        except Exception as raised:  # noqa: BLE001 - handed to the reader's thread, which raises it
            error = raised
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()

    def _publish(self, latest: Progress) -> None:
        with self._changed:
            self.latest = latest
            self._changed.notify_all()

    def stop(self) -> Run | None:
        """Stop the run, waiting up to PATIENCE seconds; returns the run, ended, or None if none was started."""
        self.cancel.set()
        with self._changed:
            self._changed.wait_for(lambda: self._ended or not self._started, PATIENCE)
            return self.latest.run.halted() if self.latest else None
