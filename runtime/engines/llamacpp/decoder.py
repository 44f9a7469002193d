"""Continuous batching over one llama.cpp context. One thread owns the context; other threads submit jobs to it.

A job gets a lane of the context as soon as one is free, starting with the longest prefix of its prompt that is still in
memory. The owner thread decodes one batch at a time, which mixes prompts being read with replies being written; a batch
has one adapter, and adapters take turns. A finished job frees its lane at once.
"""

from __future__ import annotations

import ctypes
from collections import deque
from itertools import islice
from threading import Condition, Thread

import llama_cpp as llama
import numpy as np

from runtime.engines.base import Cancelled, Completion, EngineError
from runtime.engines.llamacpp.adapters import Adapters
from runtime.engines.llamacpp.batch import Batch, Breaker, Part
from runtime.engines.llamacpp.jobs import ADAPTER_SHIFT, Job, ScoreJob, WriteJob
from runtime.engines.llamacpp.memory import Lane, Memory, common_prefix
from runtime.engines.llamacpp.model import vocab_of
from runtime.engines.llamacpp.sampling import Sampler, log_softmax_at
from runtime.types import Finish

READ_AT_ONCE = 128
"""Most prompt tokens in a batch; more are hardly faster."""
WORTH_WAITING = 16
"""A job waits if another one is reading at least so many tokens that it needs too."""
LONG_BATCH = 24
"""Batches with at least so many tokens can be aborted; shorter ones end soon."""
ABORTED = 2  # return value of llama_decode


class Decoder:
    """Owns a llama.cpp context and its thread. `submit` may be called from any thread."""

    def __init__(
        self, model: llama.llama_model_p, context: llama.llama_context_p, lanes: int, adapters: Adapters, room: int
    ) -> None:
        self.context, self.adapters = context, adapters
        self.memory = Memory(context, lanes, room)
        self._vocab = vocab_of(model)
        self._size = llama.llama_vocab_n_tokens(self._vocab)
        self._capacity = READ_AT_ONCE + lanes
        self._batch = Batch(self._capacity)
        self._pieces: dict[int, bytes] = {}
        self._waiting: deque[Job] = deque()
        self._wake = Condition()
        self._closing = False
        self.decoded = 0
        """Number of tokens decoded since the model was loaded."""
        self._step = 0
        self._breaker = Breaker(context, self._somebody_left)
        self._thread = Thread(target=self._run, name="llama.cpp", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        with self._wake:
            if self._closing:
                raise EngineError("The model was unloaded. Load it again.", "model.unloaded")
            self._waiting.append(job)
            self._wake.notify()

    def close(self) -> None:
        """End the thread; running jobs receive an EngineError. The context may be freed afterwards."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._breaker.close()
        self._batch.free()

    def _somebody_left(self) -> bool:
        return self._closing or any(lane.job is not None and lane.job.urgent for lane in self.memory.lanes)

    # The owner thread: everything below runs there.

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                self._drop_cancelled()  # first, so that a job that was stopped and submitted again finds its prefix
                self._admit_waiting()
                self.memory.close_ranks()
                if parts := self._next_batch():
                    self._decode(parts)
            except Exception as error:  # noqa: BLE001 - any error in this thread must reach the waiting callers
                self._fail(EngineError(f"The model stopped in the middle of a reply ({error}). Try again."))
        self._fail(EngineError("The model was unloaded before the reply was finished."))

    def _busy(self) -> list[tuple[Lane, Job]]:
        return [(lane, lane.job) for lane in self.memory.lanes if lane.job]

    def _wait_for_work(self) -> bool:
        with self._wake:
            while not self._closing and not self._waiting and not self._busy():
                self._wake.wait()
            return not self._closing

    def _drop_cancelled(self) -> None:
        for lane, job in self._busy():
            if job.cancelled:
                self._finish(lane, "cancelled")
        for job in [job for job in list(self._waiting) if job.cancelled]:
            self._waiting.remove(job)
            self._answer(job, "cancelled")

    def _admit_waiting(self) -> None:
        for job in list(islice(self._waiting, 4 * len(self.memory.lanes))):
            lane = next((lane for lane in self.memory.lanes if lane.job is None), None)
            if lane is None:
                return
            if not self._is_being_read(job):
                self._waiting.remove(job)
                self._admit(lane, job)

    def _is_being_read(self, job: Job) -> bool:
        """Whether another lane is reading a longer prefix of this job's prompt than is in memory."""
        reading = [other for lane, other in self._busy() if len(lane.keys) < len(other.keys) - 1]
        coming = max((common_prefix(other.keys, job.keys) for other in reading), default=0)
        return coming > WORTH_WAITING and coming > self.memory.cached_prefix(job.keys) + WORTH_WAITING

    def _admit(self, lane: Lane, job: Job) -> None:
        first_needed = job.marks[0] if isinstance(job, ScoreJob) else len(job.keys) - 1
        keep = self.memory.prepare(lane, job.keys, first_needed)
        lane.job, lane.pending, lane.lasting = job, deque(job.keys[keep:]), job.lasting

    def _next_batch(self) -> list[Part]:
        """The parts of the next batch, for the adapter whose turn it is. Replies being written come first, so that a
        long prompt does not stop them. Guesses are only worth their time if one reply is written alone."""
        busy = self._busy()
        if not busy:
            return []
        oldest, _ = min(busy, key=lambda one: one[0].decoded_at)
        adapter = oldest.pending[0] >> ADAPTER_SHIFT
        alike = [(lane, job) for lane, job in busy if lane.pending[0] >> ADAPTER_SHIFT == adapter]
        room, shares = self._capacity, {}
        for lane, job in sorted(alike, key=lambda one: len(one[0].pending)):
            same_adapter = len(lane.pending)
            if len(lane.keys) < job.adapter_begins:
                same_adapter = min(same_adapter, job.adapter_begins - len(lane.keys))
            shares[lane.sequence] = min(room, same_adapter)
            room -= shares[lane.sequence]
        self.adapters.use(self.context, adapter)
        alone = len(busy) == 1
        parts = [self._part(lane, shares[lane.sequence], alone) for lane, _ in alike if shares[lane.sequence]]
        return sorted(parts, key=lambda part: part.lane.sequence)  # llama.cpp needs sequences in order

    def _part(self, lane: Lane, share: int, alone: bool) -> Part:
        start, keys = len(lane.keys), [lane.pending.popleft() for _ in range(share)]
        guesses = self._guesses(lane) if alone and not lane.pending else []
        keys += guesses
        if isinstance(lane.job, ScoreJob):
            wanted = [mark - start for mark in lane.job.marks if start <= mark < start + share]
        else:
            wanted = [] if lane.pending else list(range(share - 1, len(keys)))
        return Part(lane, start, keys, guesses, wanted)

    @staticmethod
    def _guesses(lane: Lane) -> list[int]:
        job = lane.job
        if not isinstance(job, WriteJob) or job.drafts is None or job.written == 0:
            return []
        return [
            token | job.adapter << ADAPTER_SHIFT
            for token in job.drafts.propose(job.sampling.max_tokens - job.written - 1)
        ]

    def _decode(self, parts: list[Part]) -> None:
        self._batch.fill(parts)
        self._step += 1
        for part in parts:
            part.lane.keys += part.keys
            part.lane.decoded_at = self._step
        size = sum(len(part.keys) for part in parts)
        with self._breaker.watching(size >= LONG_BATCH):
            status = llama.llama_decode(self.context, self._batch.raw)
        if status == ABORTED:
            return self._undo(parts)
        self.decoded += size
        if status != 0:
            raise EngineError(f"llama_decode returned {status}")
        if rows := sum(len(part.wanted) for part in parts):
            logits = iter(self._logits(rows))
            for part in parts:
                self._take(part, [row for _, row in zip(part.wanted, logits, strict=False)])
        return None

    def _undo(self, parts: list[Part]) -> None:
        """Undo a batch that was aborted."""
        for part in parts:
            part.lane.pending.extendleft(reversed(part.keys[: len(part.keys) - len(part.guesses)]))
            self.memory.rewind(part.lane, part.start)

    def _logits(self, rows: int) -> np.ndarray:
        """The requested logits, in order: shape (rows, vocabulary); valid until the next batch."""
        first = ctypes.cast(llama.llama_get_logits(self.context), ctypes.c_void_p).value
        if first is None:
            raise EngineError("llama.cpp gave no logits")
        array = (ctypes.c_float * (rows * self._size)).from_address(first)
        return np.frombuffer(memoryview(array), np.float32).reshape(rows, self._size)

    def _take(self, part: Part, logits: list[np.ndarray]) -> None:
        job = part.lane.job
        if isinstance(job, ScoreJob):
            self._score(part.lane, job, logits)
        elif isinstance(job, WriteJob) and logits:
            self._write(part, job, logits)

    def _score(self, lane: Lane, job: ScoreJob, logits: list[np.ndarray]) -> None:
        job.rows += [log_softmax_at(row, job.choices) for row in logits]
        if len(job.rows) == len(job.marks):
            self._finish(lane, "stop")

    def _write(self, part: Part, job: WriteJob, logits: list[np.ndarray]) -> None:
        """Sample a token, and a further one for each guess that is equal to the sampled token."""
        sampler = job.sampler = job.sampler or Sampler(job.sampling)
        finish, key = None, 0
        certain = part.start + len(part.keys) - len(part.guesses)
        for row, guess in zip(logits, [*part.guesses, None], strict=True):
            token = sampler.pick(row)
            finish = self._add(job, token)
            key = token | job.adapter << ADAPTER_SHIFT
            if finish or key != guess:
                break
            certain += 1
        if part.guesses and job.drafts:
            job.drafts.judged(len(part.guesses), certain + len(part.guesses) - part.start - len(part.keys))
        self.memory.rewind(part.lane, certain)
        if finish:
            self._finish(part.lane, finish)
        else:
            part.lane.pending.append(key)

    def _add(self, job: WriteJob, token: int) -> Finish | None:
        """Add a sampled token to the reply; returns why it ends, None if it goes on."""
        job.token_ids.append(token)
        if llama.llama_vocab_is_eog(self._vocab, token):
            return "stop"
        job.written += 1
        if job.drafts is not None:
            job.drafts.append(token)
        if (piece := job.reply.push(self._piece(token))) and job.live:
            job.send(piece)
        if job.reply.stopped:
            return "stop"
        return "length" if job.written >= job.sampling.max_tokens else None

    def _finish(self, lane: Lane, finish: Finish) -> None:
        job, lane.job = lane.job, None
        lane.pending.clear()
        if job:
            self._answer(job, finish)

    def _answer(self, job: Job, finish: Finish) -> None:
        if isinstance(job, ScoreJob):
            job.send(Cancelled("The reading was ended.") if finish == "cancelled" else job.rows)
        elif isinstance(job, WriteJob):
            if job.sampler:
                job.sampler.free()
            if (rest := job.reply.finish()) and job.live:
                job.send(rest)
            job.send(Completion(job.reply.text, finish, len(job.keys), job.written, tuple(job.token_ids)))

    def _fail(self, error: EngineError) -> None:
        """Send the error to all jobs, and forget the content of the context, which is unknown after an error."""
        with self._wake:
            jobs = [job for _, job in self._busy()] + list(self._waiting)
            self._waiting.clear()
        for lane, _ in self._busy():
            lane.job = None
            lane.pending.clear()
        self.memory.forget()
        for job in jobs:
            if isinstance(job, WriteJob) and job.sampler:
                job.sampler.free()
            job.send(error)

    def _piece(self, token: int) -> bytes:
        if token not in self._pieces:
            buffer = ctypes.create_string_buffer(256)
            size = llama.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
            self._pieces[token] = buffer.raw[: max(size, 0)]
        return self._pieces[token]
