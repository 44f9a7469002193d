"""Measures a loaded model on this machine: best number of threads, speed, best batch size.

Nothing is assumed from the processor's name: one more thread may halve the time or, on a busy machine, multiply it, and
the fastest weight format differs between processors. Every function takes a llama.cpp model and uses a small context of
its own, not that of an engine.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple, Self

import llama_cpp as llama
import numpy as np
import psutil

from runtime.engines.base import EngineError
from runtime.engines.llamacpp.memory import memory_of
from runtime.engines.llamacpp.model import load_model, make_context, vocab_of
from runtime.models.machine import cores

WIDTHS = (1, 4, 8, 16, 32, 64)
PROMPT = 64
"""Tokens in the context before a decoding step is timed."""
CHUNK = 64
"""Tokens read at once."""
HOPELESS = 2.0
"""A number of threads is not measured again if it took so many times as long as the best."""


class Token(NamedTuple):
    """One row of a batch."""

    token: int
    position: int
    sequence: int = 0
    logits: bool = True


@contextmanager
def loaded(path: Path, extra_buffers: bool | None = None) -> Generator[llama.llama_model_p]:
    """The model of a file, freed at the end. Raises EngineError."""
    model = load_model(path, extra_buffers)
    try:
        yield model
    finally:
        llama.llama_model_free(model)


class Bench:
    """A context for `width` sequences of `length` tokens. Use as a context manager."""

    def __init__(self, model: llama.llama_model_p, width: int = 1, length: int = 256, threads: int = 1) -> None:
        batch = max(CHUNK, width)
        context = make_context(model, width, length, batch, threads)
        if not context:
            raise EngineError(f"Not enough memory to decode {width} replies at once. Close other programs.")
        self.context, self.memory = context, memory_of(context)
        self._batch = llama.llama_batch_init(batch, 0, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        llama.llama_batch_free(self._batch)
        llama.llama_free(self.context)

    def use_threads(self, threads: int) -> None:
        llama.llama_set_n_threads(self.context, threads, threads)

    def decode(self, rows: Sequence[Token]) -> float:
        """Decode one batch; returns the seconds until its logits are available. Raises EngineError."""
        batch = self._batch
        for i, row in enumerate(rows):
            batch.token[i], batch.pos[i], batch.logits[i] = row.token, row.position, row.logits
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, row.sequence
        batch.n_tokens = len(rows)
        started = time.perf_counter()
        status = llama.llama_decode(self.context, batch)
        llama.llama_synchronize(self.context)
        if status != 0:
            raise EngineError(f"The model could not be measured (llama_decode returned {status}). Try again.")
        return time.perf_counter() - started

    def forget(self) -> None:
        llama.llama_memory_clear(self.memory, True)


def _some_tokens(model: llama.llama_model_p, count: int) -> list[int]:
    """Random ordinary tokens, the same at every call. One repeated token would use the caches better than text does."""
    size = llama.llama_vocab_n_tokens(vocab_of(model))
    return np.random.default_rng(0).integers(size // 100, size // 2, count).tolist()


# Threads


def candidates(cores: int) -> list[int]:
    """Numbers of threads to measure, largest first."""
    return sorted({1, max(1, cores // 2), max(1, cores - 1), cores}, reverse=True)


def fastest_threads(model: llama.llama_model_p, seconds: float = 0.5, rounds: int = 3) -> int:
    """The number of threads that reads a short batch and then writes a token fastest. The candidates take turns for
    `seconds` (at least `rounds` times) and are compared by their medians, so that short loads do not matter."""
    tokens = [Token(token, position) for position, token in enumerate(_some_tokens(model, 17))]
    with Bench(model) as bench:

        def once(threads: int) -> float:
            bench.use_threads(threads)
            bench.forget()
            return bench.decode(tokens[:16]) + bench.decode(tokens[16:])

        once(cores())  # not measured, as the weights are first read from the disk
        times: dict[int, list[float]] = {}
        for threads in candidates(cores()):
            times[threads] = [once(threads)]
            if times[threads][0] > HOPELESS * min(times.values())[0]:
                break  # fewer threads would take longer still, seconds for a large model
        ends = time.perf_counter() + seconds
        while len(times) > 1 and (time.perf_counter() < ends or len(next(iter(times.values()))) < rounds):
            for threads in times:
                times[threads].append(once(threads))
            best = min(map(min, times.values()))
            times = {threads: taken for threads, taken in times.items() if min(taken) < HOPELESS * best}
    return min(times, key=lambda threads: median(times[threads]))


# Speed


def decode_speed(model: llama.llama_model_p, width: int, threads: int, steps: int = 16, seconds: float = 1.5) -> float:
    """Tokens per second of `width` replies to one prompt, written in lockstep: the median of `steps` steps, or of as
    many as fit into `seconds` (at least three)."""
    tokens = _some_tokens(model, PROMPT + steps + 1)
    with Bench(model, width, PROMPT + steps + 1, threads) as bench:
        bench.decode([Token(token, i, logits=False) for i, token in enumerate(tokens[:PROMPT])])
        for sequence in range(1, width):
            llama.llama_memory_seq_cp(bench.memory, 0, sequence, -1, -1)
        times: list[float] = []
        for position in range(PROMPT, PROMPT + steps + 1):
            times.append(bench.decode([Token(tokens[position], position, s) for s in range(width)]))
            if sum(times) > seconds and len(times) > 3:
                break
    return width / median(times[1:])  # the first step copies the shared prompt to every reply


def prompt_speed(model: llama.llama_model_p, threads: int, seconds: float = 1.5) -> float:
    """Tokens per second of reading a prompt: the median of at least three readings of PROMPT tokens."""
    rows = [Token(token, i, logits=i == PROMPT - 1) for i, token in enumerate(_some_tokens(model, PROMPT))]
    with Bench(model, 1, PROMPT, threads) as bench:
        times: list[float] = []
        while len(times) < 4 or sum(times) < seconds:
            bench.forget()
            times.append(bench.decode(rows))
    return PROMPT / median(times[1:])


class Pace(NamedTuple):
    """Tokens per second of a loaded file: of reading, and of writing by batch size."""

    prompt: float
    speeds: dict[int, float]

    @property
    def alone(self) -> float:
        """Speed of one reply with as many tokens read as written."""
        return 2 / (1 / self.prompt + 1 / self.speeds[1])

    @property
    def batches(self) -> float:
        """Speed of the best batch size with as many tokens read as written; a critic reads more, an actor less."""
        return 2 / (1 / self.prompt + 1 / max(self.speeds.values()))


def pace(model: llama.llama_model_p, widths: Sequence[int], threads: int, seconds: float = 1.0) -> Pace:
    """Measure reading, and writing at each batch size and at 1."""
    speeds = {width: decode_speed(model, width, threads, seconds=seconds) for width in sorted({1, *widths})}
    return Pace(prompt_speed(model, threads, seconds), speeds)


def widths_that_fit(model: llama.llama_model_p, length: int) -> list[int]:
    """The batch sizes whose conversations of `length` tokens take at most half of the free memory."""
    head = llama.llama_model_n_embd(model) // llama.llama_model_n_head(model)
    values = 2 * llama.llama_model_n_layer(model) * llama.llama_model_n_head_kv(model) * head  # keys and values
    fitting = psutil.virtual_memory().available // 2 // (2 * values * length)  # of two bytes each
    return [width for width in WIDTHS if width <= max(fitting, WIDTHS[0])]


def best_width(speeds: dict[int, float]) -> int:
    """The smallest batch size within 5 % of the fastest, as a larger one only needs more memory."""
    return min(width for width, speed in speeds.items() if speed >= 0.95 * max(speeds.values()))
