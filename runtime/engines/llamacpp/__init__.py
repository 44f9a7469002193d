"""The llama.cpp engine: a GGUF file on this processor (or GPU, if llama.cpp was built for one).

This file loads the model and implements the protocol. `chat` tokenises conversations, `decoder` owns the context and
its thread, `memory` manages what was read before, `adapters` the adapters, and `rollouts` runs many requests at once.
Tested and measured with the low-level API of llama-cpp-python 0.3.36.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock
from typing import Any, TypedDict

# llama.cpp's threads spin while they wait for each other, by default for milliseconds, even if the other thread has no
# core. With a short spin and both cores busy: 56 ms a token; with the default: 40 to 430 ms. So all threads are used on
# a busy machine too, where two are 1.7 to 3 times as fast as one (135M and 0.5B).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import llama_cpp as llama

from runtime.engines.base import Completion, ContextOverflow, EngineError, Enough, Sampling
from runtime.engines.llamacpp import measure, rollouts
from runtime.engines.llamacpp.adapters import Adapters
from runtime.engines.llamacpp.chat import Chat
from runtime.engines.llamacpp.decoder import READ_AT_ONCE, Decoder
from runtime.engines.llamacpp.drafts import PromptLookup
from runtime.engines.llamacpp.jobs import Job, ScoreJob, WriteJob, keyed, token_of
from runtime.engines.llamacpp.model import load_model, make_context
from runtime.engines.reply import Reply
from runtime.types import Message, Messages

logger = logging.getLogger(__name__)

SHELF = 1 << 28
"""Bytes for conversations kept outside the context: about thirty for the largest base."""


class Prompt(TypedDict):
    """What a job has to know of its prompt; see `Job`."""

    keys: list[int]
    adapter: int
    adapter_begins: int


class LlamaCppEngine:
    """A GGUF model, several conversations at once.

    `context` is the length of each conversation in tokens, `parallel` the number decoded together, `threads` a number
    or a function that finds the best one for a loaded model, `adapters` are adapter files by name; for `extra_buffers`
    see `load_model`. Raises EngineError if a file is damaged, has no chat template or does not fit the base, or if
    memory is short.
    """

    name = "llamacpp"

    def __init__(
        self,
        path: Path,
        context: int = 4096,
        parallel: int = 2,
        threads: int | Callable[[llama.llama_model_p], int] = measure.fastest_threads,
        adapters: Mapping[str, Path] | None = None,
        extra_buffers: bool | None = None,
    ) -> None:
        self.path, self.model, self.parallel = path, path.stem, parallel
        self.limit, self.adapters = context, frozenset(adapters or {})
        self._closed = False
        self._missed_adapters: set[str] = set()
        self._close_lock = Lock()
        with ExitStack() as unloading:
            self._model = load_model(path, extra_buffers)
            unloading.callback(llama.llama_model_free, self._model)
            self._chat = Chat(self._model, path.name)
            self.threads = threads if isinstance(threads, int) else threads(self._model)
            made = make_context(self._model, parallel, context, READ_AT_ONCE + parallel, self.threads)
            if not made:
                raise EngineError(
                    f"Not enough memory for {parallel} conversations of {context} tokens with {path.name}. "
                    "Set SOLILOQUY_CONTEXT to a smaller number."
                )
            self._context = made
            unloading.callback(llama.llama_free, made)
            self._adapters = Adapters(self._model, adapters or {})
            unloading.pop_all()  # all of it was loaded
        self._decoder = Decoder(self._model, self._context, parallel, self._adapters, SHELF)

    # The protocol

    def stream(
        self,
        messages: Messages,
        sampling: Sampling,
        adapter: str | None = None,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
    ) -> Generator[str, None, Completion]:
        prompt = self._read(messages, adapter, room=min(sampling.max_tokens, 16))
        drafts = PromptLookup(map(token_of, prompt["keys"])) if refines(messages) else None
        job = WriteJob(
            **prompt, also_cancel=cancel, sampling=self._fitting(sampling, prompt), reply=Reply(stop), drafts=drafts
        )
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
        adapter: str | None = None,
        n: int = 1,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
        enough: Enough | None = None,
    ) -> Generator[list[Completion]]:
        def jobs(number: int, messages: Messages, out: SimpleQueue, settled: Event) -> list[WriteJob]:
            prompt = self._read(messages, adapter, room=min(sampling.max_tokens, 16))
            fitting = self._fitting(sampling, prompt)
            seeds = range(sampling.seed + number * n, sampling.seed + (number + 1) * n)
            return [
                WriteJob(
                    **prompt,
                    out=out,
                    settled=settled,
                    also_cancel=cancel,
                    live=False,
                    lasting=False,
                    sampling=replace(fitting, seed=seed),
                    reply=Reply(stop),
                )
                for seed in seeds
            ]

        return rollouts.run(requests, jobs, self._decoder.submit, self.parallel, enough)

    def choice_logprobs(
        self,
        messages: Messages,
        parts: Sequence[str],
        choices: Sequence[str],
        adapter: str | None = None,
        since: int = 0,
        cancel: Event | None = None,
    ) -> list[list[float]]:
        self._require_open()
        tokens = self._chat.prompt_tokens([*messages, Message(role="assistant", content="")])
        marks = []
        for part in parts:
            tokens += self._chat.tokens(part)
            marks.append(len(tokens) - 1)
        marks = marks[since:]
        prompt = self._prompt(tokens, adapter, room=1)
        if not marks:
            return []
        places = sorted(set(marks))  # an empty part ends where the one before it does
        firsts = [self._chat.tokens(choice)[0] for choice in choices]
        job = ScoreJob(**prompt, also_cancel=cancel, marks=places, choices=firsts)
        self._decoder.submit(job)
        rows = dict(zip(places, result(job), strict=True))
        return [rows[mark] for mark in marks]

    def count(self, messages: Messages) -> int:
        self._require_open()
        return len(self._chat.prompt_tokens(messages))

    def close(self) -> None:
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
        self._decoder.close()
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)

    # Prompts

    def _require_open(self) -> None:
        if self._closed:
            raise EngineError("The model was unloaded. Load it again.", "model.unloaded")

    def _read(self, messages: Messages, adapter: str | None, room: int) -> Prompt:
        self._require_open()
        return self._prompt(self._chat.prompt_tokens(messages), adapter, room)

    def _prompt(self, tokens: list[int], adapter: str | None, room: int) -> Prompt:
        """The fields of a job for its prompt. Raises ContextOverflow if it leaves less room (in tokens) than this."""
        if len(tokens) + room > self.limit:
            raise ContextOverflow(
                f"This is too long for the model ({len(tokens)} tokens of at most "
                f"{self.limit - room}). Shorten the text, or set SOLILOQUY_CONTEXT higher."
            )
        found = self._adapters.get(adapter)
        if found is None:
            self._note(adapter)
            return {"keys": tokens, "adapter": 0, "adapter_begins": len(tokens)}
        begins = found.begins_at(tokens)
        return {"keys": keyed(tokens, found.number, begins), "adapter": found.number, "adapter_begins": begins}

    def _fitting(self, sampling: Sampling, prompt: Prompt) -> Sampling:
        return replace(sampling, max_tokens=min(sampling.max_tokens, self.limit - len(prompt["keys"]) - 1))

    def _note(self, adapter: str | None) -> None:
        """Log a warning, once, for an adapter that this engine does not have; the base model is used."""
        if adapter and adapter not in self._missed_adapters:
            self._missed_adapters.add(adapter)
            logger.warning("%s has no adapter %r; the base model is used.", self.model, adapter)


def refines(messages: Messages) -> bool:
    """Whether the conversation has an earlier reply that the new one may repeat."""
    return any(message["role"] == "assistant" for message in messages[:-1])


def result(job: Job) -> Any:
    """The next item of a job. Raises it if it is an exception."""
    _, item = job.out.get()
    if isinstance(item, Exception):
        raise item
    return item
