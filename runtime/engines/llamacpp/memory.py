"""The key-value memory: the lanes of the context, and a shelf of conversations that were moved out of it.

A lane is a sequence of the context with its own buffer, which measured fastest for batches. llama.cpp decodes only
adjacent sequences in one pass (with a gap at every fourth lane a batch took 2.5 times as long), so busy lanes are kept
adjacent. Any conversation can be copied into any lane: this takes milliseconds, reading it again takes seconds.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import llama_cpp as llama
import numpy as np

from runtime.engines.base import EngineError
from runtime.engines.llamacpp.jobs import Job

WORTH_COPYING = 4
"""A conversation is copied if that saves reading so many tokens; reading one takes as long as copying about a
hundred."""
WORTH_KEEPING = 16
"""A conversation is moved to the shelf if otherwise so many tokens would be lost."""
MOST_SHELVED = 64
"""Conversations on the shelf. Each is compared with every new job: with a tiny model, of which thousands would have
room, looking for a known beginning took as long as reading."""


@dataclass(eq=False)
class Lane:
    sequence: int
    keys: list[int] = field(default_factory=list)
    """The keys that this sequence contains."""
    job: Job | None = None
    pending: deque[int] = field(default_factory=deque)
    """Keys of the job that are not decoded yet."""
    lasting: bool = False
    """Whether the content is worth keeping when another job needs the lane."""
    decoded_at: int = 0
    """The last step that decoded a key of it."""


@dataclass(eq=False)
class Shelved:
    """A conversation outside the context: its keys and its key-value memory as bytes."""

    keys: list[int]
    data: np.ndarray


def memory_of(context: llama.llama_context_p) -> llama.llama_memory_t:
    """llama.cpp's own handle of what a context has read. Raises EngineError if it keeps nothing."""
    memory = llama.llama_get_memory(context)
    if memory is None:
        raise EngineError("This model keeps nothing of what it reads. Use another one.")
    return memory


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common prefix of two lists of keys."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


class Memory:
    """The contents of the lanes and the shelf. `room` is the size of the shelf in bytes, beside its limit in number;
    the least recently used conversation is dropped first."""

    def __init__(self, context: llama.llama_context_p, lanes: int, room: int) -> None:
        self._context, self._memory, self._room = context, memory_of(context), room
        self.lanes = [Lane(i) for i in range(lanes)]
        self._shelf: list[Shelved] = []

    def cached_prefix(self, keys: Sequence[int]) -> int:
        """Length of the longest prefix of these keys in any lane or on the shelf."""
        return self._longest(keys)[1]

    def prepare(self, lane: Lane, keys: Sequence[int], at_most: int) -> int:
        """Put the longest known prefix of `keys`, at most `at_most` long, into a free lane; returns its length. The
        earlier content of the lane goes to the shelf if it is worth keeping."""
        source, known = self._longest(keys)
        keep, there = min(known, at_most), min(common_prefix(lane.keys, keys), at_most)
        if source is not lane and keep >= there + WORTH_COPYING:
            taken = self._use(source) if isinstance(source, Shelved) else self._copy(source)
            self._shelve(lane, there)
            self._fill(lane, taken)
        else:
            keep = there
            self._shelve(lane, keep)
        self.rewind(lane, keep)
        return keep

    def rewind(self, lane: Lane, keep: int) -> None:
        """Remove all but the first `keep` keys of a lane."""
        if keep < len(lane.keys):
            del lane.keys[keep:]
            llama.llama_memory_seq_rm(self._memory, lane.sequence, keep, -1)

    def close_ranks(self) -> None:
        """Move jobs so that busy lanes are adjacent."""
        busy = [lane for lane in self.lanes if lane.job]
        while busy and busy[-1].sequence - busy[0].sequence >= len(busy):
            last = busy.pop()
            hole = next(lane for lane in self.lanes[busy[0].sequence :] if lane.job is None)
            self._shelve(hole, 0)
            self._fill(hole, self._copy(last))
            hole.job, hole.pending, hole.decoded_at = last.job, last.pending, last.decoded_at
            hole.lasting, last.lasting = last.lasting, False
            last.job, last.pending = None, deque()
            busy = [lane for lane in self.lanes if lane.job]

    def forget(self) -> None:
        """Clear everything."""
        llama.llama_memory_clear(self._memory, True)
        self._shelf.clear()
        for lane in self.lanes:
            lane.keys.clear()

    def _longest(self, keys: Sequence[int]) -> tuple[Lane | Shelved, int]:
        """The place with the longest prefix of these keys, and its length. One comparison refuses most places."""
        best, length = self.lanes[0], common_prefix(self.lanes[0].keys, keys)
        for place in self._places():
            if place.keys[: length + 1] == keys[: length + 1]:
                best, length = place, common_prefix(place.keys, keys)
        return best, length

    def _places(self) -> Iterable[Lane | Shelved]:
        yield from self.lanes
        yield from self._shelf

    def _use(self, shelved: Shelved) -> Shelved:
        self._shelf.remove(shelved)
        self._shelf.append(shelved)
        return shelved

    def _shelve(self, lane: Lane, kept: int) -> None:
        if not lane.lasting or len(lane.keys) - kept < WORTH_KEEPING:
            return
        size = len(lane.keys)
        if any(place.keys[:size] == lane.keys for place in self._places() if place is not lane):
            return
        self._shelf = [shelved for shelved in self._shelf if shelved.keys != lane.keys[: len(shelved.keys)]]
        self._shelf.append(self._copy(lane))
        while len(self._shelf) > MOST_SHELVED or sum(shelved.data.nbytes for shelved in self._shelf) > self._room:
            self._shelf.pop(0)

    def _copy(self, lane: Lane) -> Shelved:
        size = llama.llama_state_seq_get_size(self._context, llama.llama_seq_id(lane.sequence))
        data = np.empty(size, np.uint8)
        llama.llama_state_seq_get_data(self._context, _bytes(data), size, llama.llama_seq_id(lane.sequence))
        return Shelved(list(lane.keys), data)

    def _fill(self, lane: Lane, copied: Shelved) -> None:
        data, sequence = copied.data, llama.llama_seq_id(lane.sequence)
        taken = llama.llama_state_seq_set_data(self._context, _bytes(data), data.nbytes, sequence)
        if taken == 0:
            raise RuntimeError("a conversation could not be copied")
        lane.keys = list(copied.keys)


def _bytes(data: np.ndarray) -> ctypes.Array:
    return (ctypes.c_uint8 * data.nbytes).from_buffer(data.data)
