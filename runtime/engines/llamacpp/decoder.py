"""Continuous batching over one llama.cpp context: a single thread owns the context, everybody else hands it jobs.

Each slot is one sequence of the context. A finished job frees its slot at once; a new job goes to the free slot that
already holds the longest beginning of its prompt, so that a critic does not read again what the actor wrote. The
owner thread decodes one batch at a time, mixing prompts that are being read with replies that are being written.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Condition, Event, Thread

import llama_cpp as llama
import numpy as np

from runtime.engines.base import Completion, EngineError, Sampling
from runtime.engines.reply import Reply
from runtime.types import Finish

READ_AT_ONCE = 128
"""Prompt tokens a batch takes: the longest that a cancel waits for is one such batch."""


@dataclass(eq=False)
class Job:
    """Tokens to read, and what to do at their end: write a reply, or score choices at marked places."""

    tokens: list[int]
    out: SimpleQueue = field(default_factory=SimpleQueue)
    """Receives pieces of text, then a Completion (or a list of rows of log-probabilities), or an exception."""
    cancel: Event = field(default_factory=Event)
    also_cancel: Event | None = None
    """A second flag, the caller's own."""

    @property
    def cancelled(self) -> bool:
        return self.cancel.is_set() or (self.also_cancel is not None and self.also_cancel.is_set())


@dataclass(eq=False)
class WriteJob(Job):
    sampling: Sampling = field(default_factory=Sampling)
    reply: Reply = field(default_factory=Reply)
    written: int = 0


@dataclass(eq=False)
class ScoreJob(Job):
    marks: Sequence[int] = ()
    """Indices into `tokens`, ascending; the choices are scored as the next token after each."""
    choices: Sequence[int] = ()
    rows: list[list[float]] = field(default_factory=list)


@dataclass(eq=False)
class Slot:
    sequence: int
    tokens: list[int] = field(default_factory=list)
    """What this sequence of the context holds."""
    job: Job | None = None
    pending: deque[int] = field(default_factory=deque)
    """Tokens of the job that were not decoded yet."""
    sampler: ctypes.c_void_p | None = None

    def common_prefix(self, tokens: Sequence[int]) -> int:
        pairs = zip(self.tokens, tokens, strict=False)
        return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(self.tokens), len(tokens)))


def log_softmax_at(logits: np.ndarray, choices: Sequence[int]) -> list[float]:
    """Log-probabilities of some tokens, given one row of logits over the vocabulary."""
    shifted = logits.astype(np.float64) - logits.max()
    return [float(shifted[choice] - np.log(np.exp(shifted).sum())) for choice in choices]


class Decoder:
    """Owns a llama.cpp context and its thread. `submit` may be called from any thread."""

    def __init__(self, model: int, context: int, slots: int) -> None:
        self.context, self.vocab = context, llama.llama_model_get_vocab(model)
        self.size = llama.llama_vocab_n_tokens(self.vocab)
        self.slots = [Slot(i) for i in range(slots)]
        self._capacity = READ_AT_ONCE + slots
        self._batch = llama.llama_batch_init(self._capacity, 0, 1)
        self._pieces: dict[int, bytes] = {}
        self._waiting: deque[Job] = deque()
        self._wake = Condition()
        self._closing = False
        self._thread = Thread(target=self._run, name="llama.cpp", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        with self._wake:
            if self._closing:
                raise EngineError("The model was unloaded. Load it again to go on.")
            self._waiting.append(job)
            self._wake.notify()

    def close(self) -> None:
        """End the thread; jobs still under way receive an EngineError. The context may be freed afterwards."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        llama.llama_batch_free(self._batch)

    # The owner thread: everything below runs there.

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                if rows := self._fill_batch():
                    self._decode(rows)
            except Exception as error:  # noqa: BLE001 - the boundary of this thread: whoever waits must hear of it
                self._fail(EngineError(f"The model stopped in the middle of a reply ({error}). Try again."))
        self._fail(EngineError("The model was unloaded before the reply was finished."))

    def _wait_for_work(self) -> bool:
        with self._wake:
            while not self._closing and not self._waiting and not any(slot.job for slot in self.slots):
                self._wake.wait()
            self._drop_cancelled()  # first, so that who stopped and asks again finds what was read already
            while self._waiting and (free := [slot for slot in self.slots if slot.job is None]):
                job = self._waiting.popleft()
                self._admit(max(free, key=lambda slot: slot.common_prefix(job.tokens)), job)
            self._drop_cancelled()
            return not self._closing

    def _admit(self, slot: Slot, job: Job) -> None:
        first_read = job.marks[0] if isinstance(job, ScoreJob) else len(job.tokens) - 1
        keep = min(slot.common_prefix(job.tokens), first_read)
        self._rewind(slot, keep)
        slot.job, slot.pending = job, deque(job.tokens[keep:])
        if isinstance(job, WriteJob):
            slot.sampler = make_sampler(job.sampling)

    def _rewind(self, slot: Slot, keep: int) -> None:
        del slot.tokens[keep:]
        llama.llama_memory_seq_rm(llama.llama_get_memory(self.context), slot.sequence, keep, -1)

    def _drop_cancelled(self) -> None:
        for slot in self.slots:
            if slot.job and slot.job.cancelled:
                self._finish(slot, "cancelled")

    def _fill_batch(self) -> list[tuple[Slot, int]]:
        """Put tokens of every busy slot into the batch; return, per token, its slot and its index in the slot.
        Replies under way come first, so that a long prompt does not halt them."""
        busy = sorted((slot for slot in self.slots if slot.job), key=lambda slot: len(slot.pending))
        rows: list[tuple[Slot, int]] = []
        batch = self._batch
        for slot in busy:
            for _ in range(min(len(slot.pending), self._capacity - len(rows))):
                position = len(slot.tokens)
                slot.tokens.append(slot.pending.popleft())
                i = len(rows)
                batch.token[i], batch.pos[i] = slot.tokens[-1], position
                batch.n_seq_id[i], batch.seq_id[i][0] = 1, slot.sequence
                batch.logits[i] = self._wants_logits(slot, position)
                rows.append((slot, position))
        batch.n_tokens = len(rows)
        return rows

    @staticmethod
    def _wants_logits(slot: Slot, position: int) -> bool:
        return position in slot.job.marks if isinstance(slot.job, ScoreJob) else not slot.pending

    def _decode(self, rows: list[tuple[Slot, int]]) -> None:
        status = llama.llama_decode(self.context, self._batch)
        if status != 0:
            raise EngineError(f"llama_decode returned {status}")
        for i, (slot, _) in enumerate(rows):
            if self._batch.logits[i] and slot.job:
                self._score(slot, i) if isinstance(slot.job, ScoreJob) else self._write(slot, i)

    def _score(self, slot: Slot, i: int) -> None:
        job = slot.job
        logits = np.ctypeslib.as_array(llama.llama_get_logits_ith(self.context, i), shape=(self.size,))
        job.rows.append(log_softmax_at(logits, job.choices))
        if len(job.rows) == len(job.marks):
            self._finish(slot, "stop")

    def _write(self, slot: Slot, i: int) -> None:
        job = slot.job
        token = llama.llama_sampler_sample(slot.sampler, self.context, i)
        if llama.llama_vocab_is_eog(self.vocab, token):
            return self._finish(slot, "stop")
        job.written += 1
        if piece := job.reply.push(self._piece(token)):
            job.out.put(piece)
        if job.reply.stopped:
            return self._finish(slot, "stop")
        if job.written >= job.sampling.max_tokens:
            return self._finish(slot, "length")
        return slot.pending.append(token)

    def _finish(self, slot: Slot, finish: Finish) -> None:
        job, slot.job = slot.job, None
        slot.pending.clear()
        if isinstance(job, ScoreJob):
            job.out.put(EngineError("Cancelled.") if finish == "cancelled" else job.rows)
            return
        llama.llama_sampler_free(slot.sampler)
        if rest := job.reply.finish():
            job.out.put(rest)
        job.out.put(Completion(job.reply.text, finish, len(job.tokens), job.written))

    def _fail(self, error: EngineError) -> None:
        """Tell everybody who waits, and forget what the context holds: after an error it cannot be trusted."""
        with self._wake:
            jobs = [slot.job for slot in self.slots if slot.job] + list(self._waiting)
            self._waiting.clear()
        for slot in self.slots:
            if isinstance(slot.job, WriteJob):
                llama.llama_sampler_free(slot.sampler)
            slot.job = None
            slot.pending.clear()
            self._rewind(slot, 0)
        for job in jobs:
            job.out.put(error)

    def _piece(self, token: int) -> bytes:
        if token not in self._pieces:
            buffer = ctypes.create_string_buffer(256)
            size = llama.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, False)
            self._pieces[token] = buffer.raw[: max(size, 0)]
        return self._pieces[token]


def make_sampler(sampling: Sampling) -> ctypes.c_void_p:
    """A native sampler chain; it must be freed with `llama_sampler_free`."""
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    if sampling.temperature <= 0:
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_greedy())
        return chain
    for link in (
        llama.llama_sampler_init_top_k(sampling.top_k),
        llama.llama_sampler_init_top_p(sampling.top_p, 1),
        llama.llama_sampler_init_min_p(sampling.min_p, 1),
        llama.llama_sampler_init_temp(sampling.temperature),
        llama.llama_sampler_init_dist(sampling.seed),
    ):
        llama.llama_sampler_chain_add(chain, link)
    return chain
