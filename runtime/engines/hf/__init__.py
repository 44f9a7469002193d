"""transformers behind the Engine protocol: a model folder, a GGUF file or a hub's model, on a GPU or a processor.

Replies are decoded together: a finished row leaves its batch at once and the next one takes its place. This is an own
loop and not `generate` or `generate_batch`, which have no seed for every row and no end for a single one.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from threading import Event

from runtime.engines.base import Cancelled, Completion, ContextOverflow, Enough, Message, Messages, Sampling
from runtime.engines.hf.batch import Batch, Request, Row, choose, joined
from runtime.engines.hf.chat import Chat
from runtime.engines.hf.model import Model
from runtime.engines.reply import Reply

logger = logging.getLogger(__name__)


class HfEngine:
    """A model of transformers, several conversations at once.

    `parallel` is how many are decoded together, `context` the length of each in tokens, `adapters` are folders of peft
    adapters by name. `four_bit` (NF4) is the default on a GPU; `dtype`, such as "float32", is measured if not given.
    Raises EngineError if files are missing or do not fit each other, if there is no chat template, or if memory is
    short.
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
        adapter = self._known(adapter)
        row = self._row(self._prompt(messages, sampling), sampling, sampling.seed, stop, cancel)
        if batch := self._begin(row, adapter):
            try:
                while not row.finish:
                    (piece,) = self._write(batch, sampling)
                    if piece:
                        yield piece
                    if not row.finish:
                        self._model.decode(batch, adapter)
            finally:
                self._model.remember(batch, adapter)
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
    ) -> Iterator[list[Completion]]:
        adapter = self._known(adapter)
        opened: deque[Request] = deque()
        rows = self._rows(requests, sampling, n, stop, cancel, opened)
        under_way: list[Batch] = []  # one at most
        while True:
            free = self.parallel - sum(len(batch.rows) for batch in under_way)
            # However long the first reply takes, only so many later ones are held back.
            drawn = list(islice(rows, free if len(opened) < 8 * self.parallel else 0))
            batches = under_way + [batch for row in drawn if (batch := self._begin(row, adapter))]
            if not drawn and not batches:
                return
            under_way = self._go_on(joined(batches), sampling, adapter, opened, enough) if batches else []
            while opened and opened[0].done:
                yield [row.completion for row in opened.popleft().rows]

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

    def _rows(
        self,
        requests: Iterable[Messages],
        sampling: Sampling,
        n: int,
        stop: Sequence[str],
        cancel: Event | None,
        opened: deque[Request],
    ) -> Iterator[Row]:
        """The replies to be written, request by request, each with a seed of its own."""
        for number, messages in enumerate(requests):
            tokens, request = self._prompt(messages, sampling), Request(n)
            opened.append(request)
            while len(request.rows) < request.size:
                seed = sampling.seed + number * n + len(request.rows)
                request.rows.append(self._row(tokens, sampling, seed, stop, cancel))
                yield request.rows[-1]

    def _row(self, tokens: list[int], sampling: Sampling, seed: int, stop: Sequence[str], cancel: Event | None) -> Row:
        room = min(sampling.max_tokens, self.limit - len(tokens) - 1)
        return Row(tokens, room, Reply(stop), Random(seed), cancel)

    def _begin(self, row: Row, adapter: str | None) -> Batch | None:
        """Read a row's prompt; None if it was cancelled meanwhile."""
        reading = self._model.read(row.tokens, adapter, [len(row.tokens) - 1], lambda: not row.cancelled)
        if reading.logits is None:
            row.end("cancelled")
            return None
        return Batch([row], reading.cache, [len(row.tokens)], reading.logits)

    def _go_on(
        self, batch: Batch, sampling: Sampling, adapter: str | None, opened: Iterable[Request], enough: Enough | None
    ) -> list[Batch]:
        """Write a token of each row; read it for the rows that are still under way."""
        self._write(batch, sampling)
        if enough:
            for request in opened:
                request.settle(enough)
        batch = batch.under_way()
        if not batch.rows:
            return []
        self._model.decode(batch, adapter)
        return [batch]

    def _write(self, batch: Batch, sampling: Sampling) -> list[str]:
        """The next token of each row; what became certain of each text."""
        tokens = choose(batch.logits, sampling, [row.random.random() for row in batch.rows])
        return [self._take(row, token) for row, token in zip(batch.rows, tokens, strict=True)]

    def _take(self, row: Row, token: int) -> str:
        if row.cancelled:
            return row.end("cancelled")
        return row.end("stop") if token in self._model.ends else row.write(token, self._chat.tokenizer)

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
        """An adapter that this engine does not hold is answered by the base, and that is said once."""
        if adapter is None or adapter in self.adapters:
            return adapter
        if adapter not in self._missed_adapters:
            self._missed_adapters.add(adapter)
            logger.warning("%s has no adapter %r; the untrained base answers.", self.model, adapter)
        return None
