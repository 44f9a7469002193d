"""llama.cpp behind the Engine protocol: a GGUF file on this processor (or GPU, if llama.cpp was built for one).

This file loads the model, applies its chat template and speaks tokens; `decoder` owns the context and its thread.
Verified calls and measured designs: llama-cpp-python 0.3.36, low-level API.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock
from typing import Any

import llama_cpp as llama
import psutil
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from runtime.engines.base import Completion, ContextOverflow, EngineError, Message, Messages, Sampling
from runtime.engines.llamacpp.decoder import READ_AT_ONCE, Decoder, Job, ScoreJob, WriteJob
from runtime.engines.reply import Reply
from runtime.gguf_header import BadGGUF, read_header

logger = logging.getLogger(__name__)

GIB = 1 << 30
ERROR_LEVEL = 4  # ggml_log_level


@llama.llama_log_callback
def _silence(level: int, text: bytes, user_data: ctypes.c_void_p) -> None:
    if level == ERROR_LEVEL:
        logger.debug("llama.cpp: %s", text.decode("utf-8", "replace").strip())


class LlamaCppEngine:
    """A GGUF model, several conversations at once.

    `context` is the length of each conversation in tokens, `parallel` how many are decoded together. Raises
    EngineError if the file is damaged or has no chat template, or if memory is short.
    """

    name = "llamacpp"

    def __init__(self, path: Path, context: int = 4096, parallel: int = 2, threads: int | None = None) -> None:
        self.path, self.model, self.parallel = path, path.stem, parallel
        self.limit = context
        self._closed = False
        self._missed_voices: set[str] = set()
        self._close_lock = Lock()
        self._check(path)
        llama.llama_log_set(_silence, ctypes.c_void_p(0))
        llama.llama_backend_init()
        self._model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
        if not self._model:
            raise EngineError(
                f"{path.name} could not be loaded: the file is damaged or llama.cpp does not know its kind."
            )
        self._vocab = llama.llama_model_get_vocab(self._model)
        self._template, self._controls = self._read_template(), self._control_tokens()
        self._context = self._make_context(context, parallel)
        self.threads = threads or fastest_threads(self._context, self._vocab)
        llama.llama_set_n_threads(self._context, self.threads, self.threads)
        self._decoder = Decoder(self._model, self._context, parallel)

    @staticmethod
    def _check(path: Path) -> None:
        try:
            header = read_header(path)
        except (BadGGUF, OSError) as error:
            raise EngineError(str(error)) from error
        if header.chat_template is None:
            raise EngineError(
                f"{path.name} has no chat template, so it would be spoken to in the wrong format. "
                "Use an instruct or chat version of this model."
            )
        needed, free = path.stat().st_size + GIB // 4, psutil.virtual_memory().available
        if needed > free:
            raise EngineError(
                f"{path.name} needs about {needed / GIB:.1f} GiB of memory, and {free / GIB:.1f} GiB are "
                "free. Close other programs or use a smaller model."
            )

    def _make_context(self, length: int, parallel: int) -> int:
        params = llama.llama_context_default_params()
        params.n_ctx = length * parallel
        params.n_seq_max = parallel
        params.n_batch = params.n_ubatch = READ_AT_ONCE + parallel
        params.kv_unified = False  # one buffer per sequence: measured fastest for batches
        params.flash_attn_type = 1
        params.no_perf = True
        context = llama.llama_init_from_model(self._model, params)
        if not context:
            llama.llama_model_free(self._model)
            raise EngineError(
                f"Not enough memory for {parallel} conversations of {length} tokens with {self.path.name}. "
                "Set SOLILOQUY_CONTEXT to a smaller number."
            )
        return context

    def _read_template(self) -> Jinja2ChatFormatter:
        source = llama.llama_model_chat_template(self._model, None).decode("utf-8")
        special = {
            name: self._special(token)
            for name, token in (
                ("bos", llama.llama_vocab_bos(self._vocab)),
                ("eos", llama.llama_vocab_eos(self._vocab)),
            )
        }
        self._bos = special["bos"]
        return Jinja2ChatFormatter(source, eos_token=special["eos"], bos_token=special["bos"])

    def _special(self, token: int) -> str:
        text = llama.llama_vocab_get_text(self._vocab, token) if token >= 0 else None
        return text.decode("utf-8") if text else ""

    # Text to tokens

    def _prompt(self, messages: Messages) -> str:
        """The conversation in the model's own format, open for the assistant's next word."""
        spoken = [{**message, "content": self._defused(message["content"])} for message in messages]
        unfinished = spoken.pop()["content"] if spoken[-1]["role"] == "assistant" else ""
        return self._template(messages=spoken).prompt + unfinished

    def _defused(self, content: str) -> str:
        """A person's text must not close its own turn: what would be read as a control token is broken up."""
        return self._controls.sub(lambda found: f"{found[0][0]} {found[0][1:]}", content)

    def _control_tokens(self) -> re.Pattern[str]:
        size = llama.llama_vocab_n_tokens(self._vocab)
        texts = (self._special(token) for token in range(size) if llama.llama_vocab_is_control(self._vocab, token))
        return re.compile("|".join(re.escape(text) for text in texts if len(text) > 1) or r"(?!)")

    def _tokens(self, text: str, special: bool = False) -> list[int]:
        data = text.encode("utf-8")
        add_bos = special and llama.llama_vocab_get_add_bos(self._vocab) and not text.startswith(self._bos)
        buffer = (llama.llama_token * (len(data) + 8))()
        size = llama.llama_tokenize(self._vocab, data, len(data), buffer, len(buffer), add_bos, special)
        return list(buffer[:size])

    def _read(self, messages: Messages, room: int) -> list[int]:
        self._require_open()
        tokens = self._tokens(self._prompt(messages), special=True)
        if len(tokens) + room > self.limit:
            raise ContextOverflow(
                f"This is too long for the model ({len(tokens)} tokens of at most "
                f"{self.limit - room}). Shorten the text, or set SOLILOQUY_CONTEXT higher."
            )
        return tokens

    def _require_open(self) -> None:
        if self._closed:
            raise EngineError("The model was unloaded. Load it again to go on.")

    def count(self, messages: Messages) -> int:
        self._require_open()
        return len(self._tokens(self._prompt(messages), special=True))

    # The protocol

    def stream(
        self,
        messages: Messages,
        sampling: Sampling,
        voice: str | None = None,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
    ) -> Generator[str, None, Completion]:
        self._note(voice)
        job = self._write_job(messages, sampling, stop, cancel)
        self._decoder.submit(job)
        try:
            while not isinstance(item := result(job), Completion):
                yield item
            return item
        finally:
            job.cancel.set()

    def sample(
        self,
        requests: Iterable[Messages],
        sampling: Sampling,
        voice: str | None = None,
        n: int = 1,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
    ) -> Iterator[list[Completion]]:
        self._note(voice)
        under_way: deque[list[WriteJob]] = deque()
        try:
            for number, messages in enumerate(requests):
                seeds = range(sampling.seed + number * n, sampling.seed + (number + 1) * n)
                jobs = [self._write_job(messages, replace(sampling, seed=seed), stop, cancel) for seed in seeds]
                for job in jobs:
                    self._decoder.submit(job)
                under_way.append(jobs)
                # Enough to fill every slot when one request ends; a million prompts never sit in memory.
                if len(under_way) * n >= 2 * self.parallel:
                    yield [completion(job) for job in under_way.popleft()]
            while under_way:
                yield [completion(job) for job in under_way.popleft()]
        finally:
            for job in (job for jobs in under_way for job in jobs):
                job.cancel.set()

    def choice_logprobs(
        self, messages: Messages, parts: Sequence[str], choices: Sequence[str], voice: str | None = None
    ) -> list[list[float]]:
        self._note(voice)
        tokens = self._read([*messages, Message(role="assistant", content="")], room=1)
        marks = []
        for part in parts:
            tokens += self._tokens(part)
            marks.append(len(tokens) - 1)
        if not marks:
            return []
        if len(tokens) >= self.limit:
            raise ContextOverflow(
                f"This is too long for the model ({len(tokens)} tokens of at most {self.limit}). "
                "Shorten the text, or set SOLILOQUY_CONTEXT higher."
            )
        places = sorted(set(marks))  # an empty part ends where the one before it does
        job = ScoreJob(tokens, marks=places, choices=[self._tokens(choice)[0] for choice in choices])
        self._decoder.submit(job)
        rows = dict(zip(places, result(job), strict=True))
        return [rows[mark] for mark in marks]

    def close(self) -> None:
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
        self._decoder.close()
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)

    def _note(self, voice: str | None) -> None:
        """A voice that this engine does not hold is answered by the base, and that is said once."""
        if voice and voice not in self._missed_voices:
            self._missed_voices.add(voice)
            logger.warning("%s has no voice %r; the untrained base answers.", self.model, voice)

    def _write_job(self, messages: Messages, sampling: Sampling, stop: Sequence[str], cancel: Event | None) -> WriteJob:
        room = min(sampling.max_tokens, 16)
        tokens = self._read(messages, room)
        fits = min(sampling.max_tokens, self.limit - len(tokens) - 1)
        return WriteJob(tokens, also_cancel=cancel, sampling=replace(sampling, max_tokens=fits), reply=Reply(stop))


def result(job: Job) -> Any:
    """The next thing a job has to say. Raises what went wrong with it."""
    item = job.out.get()
    if isinstance(item, Exception):
        raise item
    return item


def completion(job: WriteJob) -> Completion:
    """The end of a job, its pieces skipped."""
    while not isinstance(item := result(job), Completion):
        pass
    return item


def fastest_threads(context: int, vocab: int) -> int:
    """Threads that read a short batch fastest. On a busy machine one thread too many can cost a factor of 80, so the
    number is measured, never taken from the number of cores; a passing load must not halve the speed of a whole
    session either, so the candidates take turns and each is judged by its best time."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    candidates = sorted({1, max(1, cores // 2), max(1, cores - 1), cores})
    tokens = (llama.llama_token * 16)(*[max(llama.llama_vocab_nl(vocab), 0)] * 16)

    def seconds(threads: int) -> float:
        llama.llama_set_n_threads(context, threads, threads)
        started = time.perf_counter()
        llama.llama_decode(context, llama.llama_batch_get_one(tokens, len(tokens)))
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        return time.perf_counter() - started

    seconds(cores)  # the first reading of the weights from disk is not the processor's speed
    best = {threads: seconds(threads) for threads in candidates}
    for _ in range(3):
        for threads in candidates:
            if best[threads] < 2 * min(best.values()):  # a hopeless one is not tried again
                best[threads] = min(best[threads], seconds(threads))
    return min(best, key=best.__getitem__)
