"""Builds a reply from the bytes of its tokens, and finds stop strings that are split over tokens."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Reply:
    """A growing reply. `push` returns text that is safe to show: complete characters that cannot be part of a stop
    string."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self.text = ""
        self.stopped = False
        self._stop = tuple(stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def push(self, data: bytes) -> str:
        """Add a token's bytes; returns the text that became certain. After a stop string nothing is added."""
        return self._take(self._decoder.decode(data))

    def finish(self) -> str:
        """End the reply; returns the text that was held back."""
        shown = self._take(self._decoder.decode(b"", final=True)) + self._held
        self.text += self._held
        self._held = ""
        return shown

    def _take(self, text: str) -> str:
        if self.stopped:
            return ""
        self._held += text
        found = [(at + len(stop), at) for stop in self._stop if (at := self._held.find(stop)) >= 0]
        if found:
            # The stop string that is complete first, as if the text had arrived letter by letter.
            self.stopped, keep, rest = True, min(found)[1], len(self._held)
        else:
            keep = rest = len(self._held) - self._possible_start()
        shown, self._held = self._held[:keep], self._held[rest:]
        self.text += shown
        return shown

    def _possible_start(self) -> int:
        """Length of the longest suffix of the held text that may be the start of a stop string."""
        longest = max((len(stop) for stop in self._stop), default=1) - 1
        for size in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-size:]) for stop in self._stop):
                return size
        return 0
