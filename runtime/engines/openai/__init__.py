"""The engine for servers of the OpenAI protocol: llama-server, vLLM, llama_cpp.server and others.

`server` makes the requests and handles the differences between servers, `rollouts` runs many requests at once.

| server | continues an unfinished reply | counts tokens | choice_logprobs |
| llama-server, vLLM | yes | exactly | yes |
| llama_cpp.server, others | no: EngineError | by an estimate | no: EngineError |
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from queue import Empty, SimpleQueue
from threading import Event

from runtime.engines.base import Completion, Enough, Sampling
from runtime.engines.openai import rollouts
from runtime.engines.openai.server import Options, Server, length, result
from runtime.types import Messages

logger = logging.getLogger(__name__)


class OpenAIEngine:
    """A model of the server at `url`, such as http://127.0.0.1:8080/v1; by default the first that the server lists. At
    most `parallel` replies are requested at once. An adapter is a model that the server lists under the adapter's name,
    as vLLM does.

    `key` is by default that in SOLILOQUY_API_KEY. `timeout` is the longest silence of the server in seconds. Overload,
    failures and lost connections are retried `retries` times, after 0.5 to 8 s or as the server requests. Raises
    EngineError if the server cannot be reached or does not have the model.
    """

    name = "openai"
    path: Path | None = None

    def __init__(
        self,
        url: str,
        model: str | None = None,
        parallel: int = 8,
        key: str | None = None,
        timeout: float = 600.0,
        retries: int = 6,
    ) -> None:
        self.parallel = parallel
        self._missed_adapters: set[str] = set()
        self._server = Server(url, model, parallel, key, timeout, retries)
        served = self._server.model.name
        self.adapters = frozenset(self._server.models) - {served}
        # llama-server by default names a model by its path, which has no meaning on another computer.
        self.model = PurePath(served).stem if served.endswith(".gguf") else served

    def stream(
        self,
        messages: Messages,
        sampling: Sampling,
        adapter: str | None = None,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
    ) -> Generator[str, None, Completion]:
        out: SimpleQueue[str] = SimpleQueue()
        prompt = self._server.submit(self._server.prompt, messages)
        work = self._server.submit(self._server.write, prompt, self._options(sampling, adapter, stop), out)
        written: list[str] = []
        try:
            while not (cancel and cancel.is_set()):
                ended = work.done()  # before reading the queue, which then has everything that was written
                try:
                    written.append(out.get(timeout=0 if ended else rollouts.POLL))
                except Empty:
                    if ended:
                        break
                else:
                    yield written[-1]
            if work.done():
                return result(work)
            return Completion("".join(written), "cancelled", self.count(messages), len(written))
        finally:
            work.cancel()

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
        """As in the protocol; a cancelled reply has no text."""

        def starts(number: int, messages: Messages) -> list[rollouts.Start]:
            prompt = self._server.submit(self._server.prompt, messages)
            seeds = range(sampling.seed + number * n, sampling.seed + (number + 1) * n)
            options = [self._options(replace(sampling, seed=seed), adapter, stop) for seed in seeds]
            return [lambda each=each: self._server.submit(self._server.complete, prompt, each) for each in options]

        return rollouts.run(requests, starts, self.parallel, n, cancel, enough)

    def choice_logprobs(
        self,
        messages: Messages,
        parts: Sequence[str],
        choices: Sequence[str],
        adapter: str | None = None,
        since: int = 0,
        cancel: Event | None = None,
    ) -> list[list[float]]:
        """As in the protocol, with a short request for each part, of which the server reads only the new tokens.
        llama-server returns only the thousand likeliest tokens; a choice that is not among them gets the value of the
        last, an upper bound. Raises EngineError for a server without log-probabilities."""
        return self._server.ask(self._server.score, messages, parts, choices, self._model(adapter), since, cancel)

    def count(self, messages: Messages) -> int:
        """Exact if the server counts tokens; else an estimate of a token for three bytes and four for each message."""
        return length(self._server.ask(self._server.prompt, messages))

    def close(self) -> None:
        self._server.close()

    def _options(self, sampling: Sampling, adapter: str | None, stop: Sequence[str]) -> Options:
        return Options(sampling, self._model(adapter), tuple(stop))

    def _model(self, adapter: str | None) -> str:
        if adapter and adapter in self._server.models:
            return adapter
        if adapter and adapter not in self._missed_adapters:
            self._missed_adapters.add(adapter)
            logger.warning("The server of %s has no adapter %r; the base model is used.", self.model, adapter)
        return self._server.model.name
