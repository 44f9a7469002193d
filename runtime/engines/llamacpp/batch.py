"""A batch of llama.cpp: its arrays, and aborting it while it is decoded."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Event, Thread
from typing import NamedTuple

import llama_cpp as llama
import numpy as np

from runtime.engines.llamacpp.jobs import ADAPTER_SHIFT
from runtime.engines.llamacpp.memory import Lane

POLL = 0.02
"""Seconds between two checks of the cancel flags while a long batch is decoded."""


class Part(NamedTuple):
    """The keys that one lane adds to a batch, from a position on; the last ones may be guesses."""

    lane: Lane
    start: int
    keys: list[int]
    guesses: list[int]
    wanted: list[int]
    """Indices into `keys` whose logits are needed."""


class Batch:
    """The arrays for a number of tokens, filled again for every decoding step."""

    def __init__(self, capacity: int) -> None:
        self.raw = llama.llama_batch_init(capacity, 0, 1)
        self._token = np.ctypeslib.as_array(self.raw.token, shape=(capacity,))
        self._position = np.ctypeslib.as_array(self.raw.pos, shape=(capacity,))
        self._logits = np.ctypeslib.as_array(self.raw.logits, shape=(capacity,))
        self._sequence = [self.raw.seq_id[i] for i in range(capacity)]
        np.ctypeslib.as_array(self.raw.n_seq_id, shape=(capacity,))[:] = 1

    def fill(self, parts: list[Part]) -> None:
        """Fill the arrays with the parts in order, which must be that of their lanes' sequences."""
        at = 0
        for part in parts:
            end = at + len(part.keys)
            self._token[at:end] = np.array(part.keys, np.int64) & ((1 << ADAPTER_SHIFT) - 1)
            self._position[at:end] = np.arange(part.start, part.start + len(part.keys))
            self._logits[at:end] = 0
            for i in part.wanted:
                self._logits[at + i] = 1
            for i in range(at, end):
                self._sequence[i][0] = part.lane.sequence
            at = end
        self.raw.n_tokens = at

    def free(self) -> None:
        llama.llama_batch_free(self.raw)


class Breaker:
    """Aborts a batch when `asked` returns True; it is called several times a second.

    llama.cpp calls a C function between two operations and stops if it returns non-zero. A Python function would be too
    slow: it is called hundreds of times a batch and would wait for the interpreter's lock. The C library's `strlen` is
    used instead, on a string that is empty until a letter is written into it.
    """

    def __init__(self, context: llama.llama_context_p, asked: Callable[[], bool]) -> None:
        self._asked, self._flag = asked, ctypes.create_string_buffer(2)
        library = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        self._strlen = ctypes.cast(library.strlen, llama.ggml_abort_callback)
        llama.llama_set_abort_callback(context, self._strlen, ctypes.cast(self._flag, ctypes.c_void_p))
        self._watched, self._closing = Event(), False
        self._thread = Thread(target=self._watch, name="llama.cpp cancel", daemon=True)
        self._thread.start()

    @contextmanager
    def watching(self, worth_it: bool) -> Generator[None]:
        """Watch while a batch is decoded, if it is long enough (`worth_it`)."""
        self._flag[0] = b"\0"
        if worth_it:
            self._watched.set()
        try:
            yield
        finally:
            self._watched.clear()

    def close(self) -> None:
        self._closing = True
        self._watched.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing:
            self._watched.wait()
            if self._asked():
                self._flag[0] = b"!"
            time.sleep(POLL)
