"""The jobs of the decoder: tokens to read, and what to do after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event

from runtime.engines.base import Sampling
from runtime.engines.llamacpp.drafts import PromptLookup
from runtime.engines.llamacpp.sampling import Sampler
from runtime.engines.reply import Reply

ADAPTER_SHIFT = 32
"""A key is a token with the number of the adapter that reads it: `token | number << ADAPTER_SHIFT`; the base is 0. A
sequence is described by keys, as the same tokens read by two adapters have different memory."""


def keyed(tokens: Sequence[int], adapter: int, begins_at: int = 0) -> list[int]:
    """The keys of tokens: the base reads those before `begins_at`, the adapter the others."""
    return [*tokens[:begins_at], *(token | adapter << ADAPTER_SHIFT for token in tokens[begins_at:])]


def token_of(key: int) -> int:
    return key & ((1 << ADAPTER_SHIFT) - 1)


@dataclass(eq=False)
class Job:
    """A prompt, and the queue for the results."""

    keys: list[int]
    adapter: int = 0
    """The adapter of the reply; it also reads what follows the prompt."""
    adapter_begins: int = 0
    """Index of the first key that the adapter reads."""
    out: SimpleQueue = field(default_factory=SimpleQueue)
    """Receives pairs (job, item). Items are pieces of text and then a Completion, or rows of log-probabilities, or an
    exception."""
    cancel: Event = field(default_factory=Event)
    also_cancel: Event | None = None
    """A second cancel flag, the caller's own."""
    settled: Event | None = None
    """Set when the result is not needed any more; nobody waits for the end of the job."""
    lasting: bool = True
    """Whether the conversation may continue, so that its memory is worth keeping."""

    @property
    def urgent(self) -> bool:
        """Whether a caller waits for a cancelled job to end."""
        return self.cancel.is_set() or (self.also_cancel is not None and self.also_cancel.is_set())

    @property
    def cancelled(self) -> bool:
        return self.urgent or (self.settled is not None and self.settled.is_set())

    def send(self, item: object) -> None:
        self.out.put((self, item))


@dataclass(eq=False)
class WriteJob(Job):
    """Write a reply; `live` jobs send every piece of it."""

    sampling: Sampling = field(default_factory=Sampling)
    reply: Reply = field(default_factory=Reply)
    live: bool = True
    written: int = 0
    token_ids: list[int] = field(default_factory=list)
    sampler: Sampler | None = None
    drafts: PromptLookup | None = None


@dataclass(eq=False)
class ScoreJob(Job):
    """Score choices at marked positions."""

    marks: Sequence[int] = ()
    """Indices into `keys`, ascending; the choices are scored as the next token after each."""
    choices: Sequence[int] = ()
    rows: list[list[float]] = field(default_factory=list)
