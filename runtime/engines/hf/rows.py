"""A reply while it is written, and sampling its next token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from threading import Event

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from runtime.engines.base import Completion, Sampling
from runtime.engines.reply import Reply
from runtime.types import Finish


@dataclass(eq=False)
class Row:
    """A reply while it is written."""

    tokens: list[int]
    """The prompt."""
    room: int
    """Most tokens to write."""
    reply: Reply
    random: Random
    cancel: Event | None = None
    written: list[int] = field(default_factory=list)
    finish: Finish | None = None
    ended_by: tuple[int, ...] = ()
    """The token that ended the turn, if there was one."""

    def __post_init__(self) -> None:
        self._text = DecodeStream(ids=self.tokens, skip_special_tokens=True)

    @property
    def cancelled(self) -> bool:
        return self.cancel is not None and self.cancel.is_set()

    def write(self, token: int, tokenizer: Tokenizer) -> str:
        """Add a token; returns the text that became certain."""
        self.written.append(token)
        piece = self.reply.push((self._text.step(tokenizer, token) or "").encode())
        if self.reply.stopped:
            return piece + self.end("stop")
        return piece + self.end("length") if len(self.written) >= self.room else piece

    def end(self, finish: Finish) -> str:
        """End the reply; returns the text that was held back."""
        self.finish = finish
        return self.reply.finish()

    @property
    def completion(self) -> Completion:
        token_ids = (*self.written, *self.ended_by)
        return Completion(self.reply.text, self.finish or "cancelled", len(self.tokens), len(self.written), token_ids)


def choose(logits: torch.Tensor, sampling: Sampling, draws: Sequence[float]) -> list[int]:
    """The next token of each row. `draws` has a random number from 0 to 1 for each row, so that a row's tokens do not
    depend on the other rows. The filters are llama.cpp's, in its order."""
    if sampling.temperature <= 0:
        return logits.argmax(-1).tolist()
    size = logits.shape[-1]
    values, tokens = logits.float().topk(min(sampling.top_k, size) if sampling.top_k > 0 else size)
    likely = values.softmax(-1)
    kept = (likely.cumsum(-1) - likely < sampling.top_p) & (likely >= sampling.min_p * likely[:, :1])
    kept[:, 0] = True
    below = (values / sampling.temperature).masked_fill(~kept, -torch.inf).softmax(-1).cumsum(-1)
    place = (below <= torch.tensor(draws, device=below.device)[:, None]).sum(-1)
    place = place.minimum(kept.sum(-1) - 1)  # the sum of the probabilities may be slightly below 1
    return tokens.gather(-1, place[:, None])[:, 0].tolist()
