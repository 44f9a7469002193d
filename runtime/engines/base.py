"""The one interface through which everything generates, and the values that cross it.

`messages` are chat messages; a last message of the assistant is unfinished and is continued. That one rule gives
step-by-step generation, refinement from a correct prefix, and Monte Carlo labels.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from runtime.errors import SoliloquyError
from runtime.types import Finish, Message, Messages, Provenance


class EngineError(SoliloquyError):
    """An engine cannot do what was asked; the text names the cause and the remedy."""


class ContextOverflow(EngineError):
    """The conversation does not fit the context; raised before any work starts."""

    kind = "too_long"


class Cancelled(EngineError):
    """Somebody ended a reading before it was done."""


@dataclass(frozen=True)
class Sampling:
    """How words are drawn. A temperature of 0 is greedy, and the rest is then without meaning."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    max_tokens: int = 512
    seed: int = 0


@dataclass(frozen=True)
class Completion:
    """A finished reply: its text without the stop string, why it ended, and what it cost in tokens."""

    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int


Enough = Callable[[Sequence[Completion]], bool]
"""Asked with the replies that a request has so far, after each: True ends those still under way."""


class Engine(Protocol):
    """A loaded model. Every method may be called from any thread."""

    @property
    def name(self) -> str:
        """Which implementation this is, such as "llamacpp"."""

    @property
    def model(self) -> str:
        """Which weights it holds, as a person would name them."""

    @property
    def path(self) -> Path | None:
        """Where the weights lie on this machine; None where a server has them."""

    @property
    def parallel(self) -> int:
        """How many conversations it decodes at once."""

    @property
    def adapters(self) -> frozenset[str]:
        """The trained adapters it has; for any other the base answers."""

    def stream(
        self,
        messages: Messages,
        sampling: Sampling,
        adapter: str | None = None,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
    ) -> Generator[str, None, Completion]:
        """The reply piece by piece; the generator's return value is the whole. Setting `cancel`, or closing the
        generator, ends it within one decoding step. Raises ContextOverflow, EngineError."""

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
        """`n` replies to every request, decoded in parallel, in the order of the requests; each reply has a seed of
        its own. What requests share at their beginnings is read once. With `enough` a request whose replies settle it
        gets no more of them, so its list may be shorter than `n`. Setting `cancel`, or closing the iterator, ends what
        is under way."""

    def choice_logprobs(
        self,
        messages: Messages,
        parts: Sequence[str],
        choices: Sequence[str],
        adapter: str | None = None,
        since: int = 0,
        cancel: Event | None = None,
    ) -> list[list[float]]:
        """Log-probabilities of each choice's first token after each part of a given reply, the parts following each
        other: shape (len(parts) - since, len(choices)), as nothing is asked of the first `since` parts. One reading of
        the whole reply. Setting `cancel` ends it with Cancelled. Raises ContextOverflow, EngineError."""

    def count(self, messages: Messages) -> int:
        """Tokens of a conversation as this model reads it."""

    def close(self) -> None:
        """Free the model. Replies still under way end with EngineError."""


def provenance(engine: Engine, prompt: str, sampling: Sampling | None = None, adapter: str | None = None) -> Provenance:
    """What made something: enough to make it again. `prompt` is the name and hash of the prompt
    (`runtime.prompts.templates.version`). An adapter that the engine does not have is left out."""
    return Provenance(
        engine=engine.name,
        model=engine.model,
        adapter=adapter if adapter in engine.adapters else None,
        prompt=prompt,
        temperature=sampling.temperature if sampling else 0.0,
        seed=sampling.seed if sampling else 0,
    )


@dataclass
class Usage:
    """What an engine did: calls, tokens it was given and tokens it wrote."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Metered:
    """An engine that counts what passes through it, for figures per problem; two may count together."""

    def __init__(self, engine: Engine, usage: Usage | None = None) -> None:
        self.engine, self.usage = engine, usage or Usage()
        self.name, self.model, self.parallel = engine.name, engine.model, engine.parallel
        self.path, self.adapters = engine.path, engine.adapters

    def _add(self, prompt_tokens: int, completion_tokens: int) -> None:
        self.usage.calls += 1
        self.usage.prompt_tokens += prompt_tokens
        self.usage.completion_tokens += completion_tokens

    def stream(
        self,
        messages: Messages,
        sampling: Sampling,
        adapter: str | None = None,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
    ) -> Generator[str, None, Completion]:
        completion = yield from self.engine.stream(messages, sampling, adapter, stop, cancel)
        self._add(completion.prompt_tokens, completion.completion_tokens)
        return completion

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
        for completions in self.engine.sample(requests, sampling, adapter, n, stop, cancel, enough):
            for completion in completions:
                self._add(completion.prompt_tokens, completion.completion_tokens)
            yield completions

    def choice_logprobs(
        self,
        messages: Messages,
        parts: Sequence[str],
        choices: Sequence[str],
        adapter: str | None = None,
        since: int = 0,
        cancel: Event | None = None,
    ) -> list[list[float]]:
        reply: Message = {"role": "assistant", "content": "".join(parts)}
        self._add(self.engine.count([*messages, reply]), 0)
        return self.engine.choice_logprobs(messages, parts, choices, adapter, since, cancel)

    def count(self, messages: Messages) -> int:
        return self.engine.count(messages)

    def close(self) -> None:
        self.engine.close()
