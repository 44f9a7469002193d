"""The transformers engine: a model folder, a GGUF file or a model of a hub, on a GPU or a processor.

The replies to one prompt are decoded together, one request after another. For many requests on a GPU, use vLLM
(`runtime.engines.openai`). It has its own loop, as `generate` cannot seed each reply or end a single one.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from threading import Event

import torch

from runtime.engines.base import Cancelled, Completion, ContextOverflow, Enough, Sampling
from runtime.engines.hf.chat import Chat
from runtime.engines.hf.model import Model
from runtime.engines.hf.rows import Row, choose
from runtime.engines.reply import Reply
from runtime.types import Message, Messages

logger = logging.getLogger(__name__)


class HfEngine:
    """A model of transformers.

    `parallel` is the number of replies to a prompt that are decoded together, `context` the length of each in tokens,
    `adapters` are folders of peft adapters by name. `four_bit` (NF4) is the default on a GPU; the fastest `dtype`, such
    as "float32", is measured if not given. Raises EngineError if files are missing or do not fit each other, if there
    is no chat template, or if memory is short.
    """

    name = "hf"

    def __init__(
        self,
        path: Path,
        parallel: int = 8,
        context: int = 4096,
        adapters: Mapping[str, Path] | None = None,
        four_bit: bool | None = None,
        dtype: str | None = None,
    ) -> None:
        self.path, self.model, self.parallel = path, path.name.removesuffix(".gguf"), parallel
        self.limit = context
        self.adapters, self._missed_adapters = frozenset(adapters or {}), set()
        self._model = Model(path, adapters or {}, four_bit, dtype)
        self._chat = Chat(self._model.tokenizer, self.model)

    def stream(
        self,
        messages: Messages,
        sampling: Sampling,
        adapter: str | None = None,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
    ) -> Generator[str, None, Completion]:
        tokens, adapter = self._prompt(messages, sampling), self._known(adapter)
        row = self._row(tokens, sampling, sampling.seed, stop, cancel)
        for [piece] in self._written([row], sampling, adapter):
            if piece:
                yield piece
        return row.completion

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
        adapter = self._known(adapter)
        for number, messages in enumerate(requests):
            tokens = self._prompt(messages, sampling)
            seeds = range(sampling.seed + number * n, sampling.seed + (number + 1) * n)
            rows = [self._row(tokens, sampling, seed, stop, cancel) for seed in seeds]
            yield self._replies(rows, sampling, adapter, enough)

    def choice_logprobs(
        self,
        messages: Messages,
        parts: Sequence[str],
        choices: Sequence[str],
        adapter: str | None = None,
        since: int = 0,
        cancel: Event | None = None,
    ) -> list[list[float]]:
        adapter = self._known(adapter)
        tokens, marks = self._tokens([*messages, Message(role="assistant", content="")], room=1), []
        for part in parts:
            tokens += self._chat.plain_tokens(part)
            marks.append(len(tokens) - 1)
        marks = marks[since:]
        if not marks:
            return []
        self._require_room(len(tokens), room=1)
        places = sorted(set(marks))  # an empty part ends where the one before it does
        logits = self._model.read(tokens, adapter, places, lambda: not (cancel and cancel.is_set())).logits
        if logits is None:
            raise Cancelled("The reading was ended.")
        firsts = [self._chat.plain_tokens(choice)[0] for choice in choices]
        rows = dict(zip(places, logits.float().log_softmax(-1)[:, firsts].tolist(), strict=True))
        return [rows[mark] for mark in marks]

    def count(self, messages: Messages) -> int:
        self._model.require_open()
        return len(self._chat.prompt_tokens(messages))

    def close(self) -> None:
        self._model.close()

    # Rows

    def _row(self, tokens: list[int], sampling: Sampling, seed: int, stop: Sequence[str], cancel: Event | None) -> Row:
        room = min(sampling.max_tokens, self.limit - len(tokens) - 1)
        return Row(tokens, room, Reply(stop), Random(seed), cancel)

    def _replies(
        self, rows: list[Row], sampling: Sampling, adapter: str | None, enough: Enough | None
    ) -> list[Completion]:
        """The replies to one prompt, `parallel` at a time; without those that were ended early."""
        asked = 0
        for start in range(0, len(rows), self.parallel):
            for _ in self._written(rows[start : start + self.parallel], sampling, adapter):
                replies = [row.completion for row in rows if row.finish] if enough else []
                if enough and any(enough(replies[:size]) for size in range(asked + 1, len(replies) + 1)):
                    return replies
                asked = len(replies)
        return [row.completion for row in rows]

    def _written(self, rows: list[Row], sampling: Sampling, adapter: str | None) -> Iterator[list[str]]:
        """Write replies to one prompt together, a token of each at a time; yields the new texts. The memory of a single
        reply is kept, as the conversation may continue from it."""
        first, tokens = rows[0], rows[0].tokens
        reading = self._model.read(tokens, adapter, [len(tokens) - 1], lambda: not first.cancelled)
        if reading.logits is None:
            for row in rows:
                row.end("cancelled")
            return
        cache, logits, read, single = reading.cache, reading.logits, 0, len(rows) == 1
        if not single:
            cache.batch_repeat_interleave(len(rows))
            logits = logits.expand(len(rows), -1)
        try:
            while rows:
                drawn = choose(logits, sampling, [row.random.random() for row in rows])
                yield [self._take(row, token) for row, token in zip(rows, drawn, strict=True)]
                kept = [i for i, row in enumerate(rows) if not row.finish]
                if 0 < len(kept) < len(rows):
                    cache.batch_select_indices(torch.tensor(kept))
                rows = [rows[i] for i in kept]
                if rows:
                    logits = self._model.decode([row.written[-1] for row in rows], cache, adapter)
                    read += 1
        finally:
            if single:
                self._model.remember(tokens, first.written[:read], cache, adapter)

    def _take(self, row: Row, token: int) -> str:
        if row.cancelled:
            return row.end("cancelled")
        if token in self._model.ends:
            row.ended_by = (token,)
            return row.end("stop")
        return row.write(token, self._chat.tokenizer)

    # Limits

    def _prompt(self, messages: Messages, sampling: Sampling) -> list[int]:
        return self._tokens(messages, room=min(sampling.max_tokens, 16))

    def _tokens(self, messages: Messages, room: int) -> list[int]:
        self._model.require_open()
        tokens = self._chat.prompt_tokens(messages)
        self._require_room(len(tokens), room)
        return tokens

    def _require_room(self, size: int, room: int) -> None:
        if size + room > self.limit:
            raise ContextOverflow(
                f"This is too long for the model ({size} tokens of at most {self.limit - room}). "
                "Shorten the text, or set SOLILOQUY_CONTEXT higher."
            )

    def _known(self, adapter: str | None) -> str | None:
        """The adapter, or None if this engine does not have it: then the base model is used, and a warning is logged
        once."""
        if adapter is None or adapter in self.adapters:
            return adapter
        if adapter not in self._missed_adapters:
            self._missed_adapters.add(adapter)
            logger.warning("%s has no adapter %r; the base model is used.", self.model, adapter)
        return None
