"""One batch of llama.cpp: its arrays, and the switch that breaks it off while it is being decoded."""

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

GLANCE = 0.02
"""Seconds between two looks at the cancel flags while a long batch is being decoded."""


class Part(NamedTuple):
    """What one lane adds to a batch: keys from a position on, the last of them guesses."""

    lane: Lane
    start: int
    keys: list[int]
    guesses: list[int]
    wanted: list[int]
    """Indices into `keys` whose logits are asked for."""


class Batch:
    """Room for so many tokens, filled anew for every decoding step."""

    def __init__(self, capacity: int) -> None:
        self.raw = llama.llama_batch_init(capacity, 0, 1)
        self._token = np.ctypeslib.as_array(self.raw.token, shape=(capacity,))
        self._position = np.ctypeslib.as_array(self.raw.pos, shape=(capacity,))
        self._logits = np.ctypeslib.as_array(self.raw.logits, shape=(capacity,))
        self._sequence = [self.raw.seq_id[i] for i in range(capacity)]
        np.ctypeslib.as_array(self.raw.n_seq_id, shape=(capacity,))[:] = 1

    def fill(self, parts: list[Part]) -> None:
        """Put the parts one after another; their lanes must be in the order of their sequences."""
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
    """Breaks off a batch once `asked` says so, looking several times a second.

    llama.cpp asks a C function between two operations whether it shall stop. Python cannot be that function: it would
    be called hundreds of times a batch and wait for the interpreter's lock each time. The C library's `strlen` can: it
    reads a string that is empty until somebody writes a letter into it.
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
        """While a batch is decoded that takes long enough for somebody to want it broken off."""
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
            time.sleep(GLANCE)
