"""The protocol of all engines, and its values.

`messages` are chat messages. If the last one is the assistant's, it is unfinished and is continued: this gives
step-by-step generation, refinement from a correct prefix, and Monte Carlo labels.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Protocol

from runtime.errors import SoliloquyError
from runtime.types import Finish, Message, Messages, Provenance


class EngineError(SoliloquyError):
    """An engine cannot do what was requested."""


class ContextOverflow(EngineError):
    """The conversation does not fit into the context; raised before any work starts."""

    kind = "too_long"


class Cancelled(EngineError):
    """The caller cancelled a reading."""


@dataclass(frozen=True)
class Sampling:
    """Sampling parameters. A temperature of 0 is greedy; the others then have no effect."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    max_tokens: int = 512
    seed: int = 0

    def unfiltered(self) -> Sampling:
        """The same without top_k, top_p and min_p."""
        return replace(self, top_k=0, top_p=1.0, min_p=0.0)

    def full(self) -> Sampling:
        """The same from the model's own distribution: temperature 1, unfiltered. Rates that are estimated from samples,
        such as Monte Carlo labels, need it: on a filtered set of tokens no temperature restores it."""
        return replace(self.unfiltered(), temperature=1.0)


@dataclass(frozen=True)
class Completion:
    """A finished reply: its text without the stop string, why it ended, the numbers of tokens, and the tokens."""

    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    token_ids: tuple[int, ...] = ()
    """The tokens as they were sampled, with the one that ended the turn if there is one; tokenising the text can give
    others. Empty where the engine does not know them, as with a server."""


Enough = Callable[[Sequence[Completion]], bool]
"""Called after each reply with all replies of a request so far; True ends the others."""


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
        """Yields a reply in pieces and returns the Completion. Setting `cancel`, or closing the generator, ends it
        within one decoding step. Raises ContextOverflow, EngineError."""

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
        """Yields a list of `n` replies for each request, in order, decoded in parallel; each reply has its own seed.
        Common prefixes of requests are read once. When `enough` is true for a request, no more replies are sampled, so
        its list may be shorter. Setting `cancel`, or closing the iterator, ends the running replies."""

    def choice_logprobs(
        self,
        messages: Messages,
        parts: Sequence[str],
        choices: Sequence[str],
        adapter: str | None = None,
        since: int = 0,
        cancel: Event | None = None,
    ) -> list[list[float]]:
        """Log-probabilities of each choice's first token after each part of a given reply, which is the parts joined:
        shape (len(parts) - since, len(choices)), as the first `since` parts are not scored. The reply is read once.
        Setting `cancel` ends it. Raises Cancelled, ContextOverflow, EngineError."""

    def count(self, messages: Messages) -> int:
        """Number of tokens of a conversation in this model's format."""

    def close(self) -> None:
        """Free the model. Running replies end with EngineError."""


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
    """Numbers of calls, of prompt tokens and of generated tokens."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Metered:
    """An engine that counts its usage, for figures per problem; two can share one count."""

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
