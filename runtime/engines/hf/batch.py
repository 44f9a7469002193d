"""Replies under way and the batches in which they are decoded: one row is one reply, and rows come and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from threading import Event

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from transformers import DynamicCache

from runtime.engines.base import Completion, Enough, Sampling
from runtime.engines.reply import Reply
from runtime.types import Finish


@dataclass(eq=False)
class Row:
    """One reply while it is written."""

    tokens: list[int]
    """The prompt."""
    room: int
    """Tokens that may be written."""
    reply: Reply
    random: Random
    cancel: Event | None = None
    written: list[int] = field(default_factory=list)
    finish: Finish | None = None

    def __post_init__(self) -> None:
        self._text = DecodeStream(ids=self.tokens, skip_special_tokens=True)

    @property
    def cancelled(self) -> bool:
        return self.cancel is not None and self.cancel.is_set()

    def write(self, token: int, tokenizer: Tokenizer) -> str:
        """Take a token; return the text that became certain."""
        self.written.append(token)
        piece = self.reply.push((self._text.step(tokenizer, token) or "").encode())
        if self.reply.stopped:
            return piece + self.end("stop")
        return piece + self.end("length") if len(self.written) >= self.room else piece

    def end(self, finish: Finish) -> str:
        """No more tokens will come: return the text that was held back."""
        self.finish = finish
        return self.reply.finish()

    @property
    def completion(self) -> Completion:
        return Completion(self.reply.text, self.finish, len(self.tokens), len(self.written))


@dataclass(eq=False)
class Request:
    """The replies to one prompt, as far as they were begun."""

    size: int
    """How many there are to be."""
    rows: list[Row] = field(default_factory=list)
    asked: int = 0
    """How many replies there were when it was last asked whether they are enough."""

    @property
    def done(self) -> bool:
        return len(self.rows) == self.size and all(row.finish for row in self.rows)

    def settle(self, enough: Enough) -> None:
        """If the replies so far are enough, drop what is still under way."""
        finished = [row for row in self.rows if row.finish]
        replies = [row.completion for row in finished]
        unasked, self.asked = range(self.asked + 1, len(replies) + 1), len(replies)
        if not self.done and any(enough(replies[:size]) for size in unasked):
            for row in self.rows:
                row.finish = row.finish or "cancelled"
            self.rows, self.size = finished, len(finished)


@dataclass(eq=False)
class Batch:
    """Rows that are decoded together. Their keys and values end at the same place; short ones have empty places at the
    left."""

    rows: list[Row]
    cache: DynamicCache
    lengths: list[int]
    """What each row holds of the cache."""
    logits: torch.Tensor
    """(rows, vocabulary): for the next token of each row."""

    def under_way(self) -> Batch:
        """Without the rows that are finished."""
        kept = [i for i, row in enumerate(self.rows) if not row.finish]
        if len(kept) == len(self.rows):
            return self
        lengths = [self.lengths[i] for i in kept]
        longest = max(lengths, default=0)
        layers = [(layer.keys[kept], layer.values[kept]) for layer in self.cache.layers]
        cache = DynamicCache([(keys[:, :, -longest:], values[:, :, -longest:]) for keys, values in layers])
        return Batch([self.rows[i] for i in kept], cache, lengths, self.logits[kept])


def joined(batches: Sequence[Batch]) -> Batch:
    """One batch of the rows of several."""
    if len(batches) == 1:
        return batches[0]
    longest = max(length for batch in batches for length in batch.lengths)

    def stacked(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
        pad = torch.nn.functional.pad
        return torch.cat([pad(tensor, (0, 0, longest - tensor.shape[-2], 0)) for tensor in tensors])

    layers = list(zip(*(batch.cache.layers for batch in batches), strict=True))
    keys = [stacked(one.keys for one in layer) for layer in layers]
    values = [stacked(one.values for one in layer) for layer in layers]
    return Batch(
        [row for batch in batches for row in batch.rows],
        DynamicCache(list(zip(keys, values, strict=True))),
        [length for batch in batches for length in batch.lengths],
        torch.cat([batch.logits for batch in batches]),
    )


def choose(logits: torch.Tensor, sampling: Sampling, draws: Sequence[float]) -> list[int]:
    """The next token of each row. `draws` are numbers from 0 to 1, one for each row, so that what a row is given does
    not depend on the rows beside it; the filters are llama.cpp's and in its order."""
    if sampling.temperature <= 0:
        return logits.argmax(-1).tolist()
    size = logits.shape[-1]
    values, tokens = logits.float().topk(min(sampling.top_k, size) if sampling.top_k > 0 else size)
    likely = values.softmax(-1)
    kept = (likely.cumsum(-1) - likely < sampling.top_p) & (likely >= sampling.min_p * likely[:, :1])
    kept[:, 0] = True
    below = (values / sampling.temperature).masked_fill(~kept, -torch.inf).softmax(-1).cumsum(-1)
    place = (below <= torch.tensor(draws, device=below.device)[:, None]).sum(-1)
    place = place.minimum(kept.sum(-1) - 1)  # the sum may end a little below 1
    return tokens.gather(-1, place[:, None])[:, 0].tolist()
