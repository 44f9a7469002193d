"""The peers, driven as their users drive them, behind the same protocol as ours.

`LlamaLoop` is llama-cpp-python's `create_completion`, one at a time, its own reuse of the last prefix left on; `Server`
is any OpenAI-compatible server under plain concurrent requests; transformers is in `generate.py`. They take what the
workloads use of the protocol: no adapters, no stop strings, no cancelling.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import accumulate
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from runtime.engines.base import Completion, Messages, Sampling
from runtime.engines.llamacpp.model import safe_extra_buffers

IN_FLIGHT = 16


class Text:
    """Conversations as prompts and tokens, in the format that the model file names."""

    def __init__(self, model: llama_cpp.Llama) -> None:
        self.model = model
        eos, bos = (self.text([token], True) for token in (model.token_eos(), model.token_bos()))
        self._template = Jinja2ChatFormatter(model.metadata["tokenizer.chat_template"], eos, bos)

    def prompt(self, messages: Messages) -> str:
        open_reply = messages[-1]["role"] == "assistant"
        begun = messages[-1]["content"] if open_reply else ""
        return self._template(messages=list(messages[:-1] if open_reply else messages)).prompt + begun

    def tokens(self, messages: Messages) -> list[int]:
        return self.model.tokenize(self.prompt(messages).encode(), add_bos=False, special=True)

    def part(self, text: str) -> list[int]:
        return self.model.tokenize(text.encode(), add_bos=False, special=False)

    def text(self, tokens: Sequence[int], special: bool = False) -> str:
        return self.model.detokenize(list(tokens), special=special).decode("utf-8", "replace")

    def completion(self, text: str, prompt: int, limit: int, cut: bool) -> Completion:
        """A reply whose tokens were not counted by whoever wrote it."""
        return Completion(text, "length" if cut else "stop", prompt, limit if cut else len(self.part(text)))

    def prefixes(self, messages: Messages, parts: Sequence[str]) -> list[list[int]]:
        """One prompt per part: everything up to its end."""
        return list(accumulate(map(self.part, parts), initial=self.tokens(messages)))[1:]


def plain_llama(path: Path, **options: Any) -> llama_cpp.Llama:
    """llama-cpp-python's own class. It has no argument for extra buffers, which are dangerous on some processors
    (`safe_extra_buffers`), so the defaults that it asks for are changed."""
    low_level, usual = llama_cpp.llama_cpp, llama_cpp.llama_cpp.llama_model_default_params

    def safe() -> Any:
        params = usual()
        params.use_extra_bufts = safe_extra_buffers(None)
        return params

    low_level.llama_model_default_params = safe
    try:
        return llama_cpp.Llama(str(path), verbose=False, **options)
    finally:
        low_level.llama_model_default_params = usual


class Peer:
    name: str
    parallel = 1

    def __init__(self, path: Path, model: llama_cpp.Llama | None = None) -> None:
        self.model = path.stem
        self.words = Text(model or plain_llama(path, vocab_only=True))

    def count(self, messages: Messages) -> int:
        return len(self.words.tokens(messages))

    def close(self) -> None:
        """The process ends soon, and everything with it."""


class LlamaLoop(Peer):
    name = "loop"

    def __init__(self, path: Path, context: int, threads: int) -> None:
        self._llama = plain_llama(path, n_ctx=context, n_threads=threads, n_threads_batch=threads)
        super().__init__(path, self._llama)

    def _create(self, messages: Messages, sampling: Sampling, seed: int, stream: bool) -> tuple[int, Any]:
        tokens = self.words.tokens(messages)
        options = {name: getattr(sampling, name) for name in ("max_tokens", "temperature", "top_k", "top_p", "min_p")}
        return len(tokens), self._llama.create_completion(tokens, seed=seed, stream=stream, **options)

    def stream(self, messages: Messages, sampling: Sampling) -> Generator[str, None, Completion]:
        read, pieces = self._create(messages, sampling, sampling.seed, stream=True)
        text, cut = "", False
        for piece in pieces:
            [choice] = piece["choices"]
            text, cut = text + choice["text"], cut or choice["finish_reason"] == "length"
            yield choice["text"]
        return self.words.completion(text, read, sampling.max_tokens, cut)

    def sample(self, requests: Iterable[Messages], sampling: Sampling, n: int = 1) -> Iterator[list[Completion]]:
        for number, messages in enumerate(requests):
            replies = []
            for seed in range(sampling.seed + number * n, sampling.seed + (number + 1) * n):
                _, reply = self._create(messages, sampling, seed, stream=False)
                choice, usage = reply["choices"][0], reply["usage"]
                replies.append(Completion(choice["text"], choice["finish_reason"], *_counts(usage)))
            yield replies

    def choice_logprobs(self, messages: Messages, parts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        asked, rows = [self.words.part(choice)[0] for choice in choices], []
        for prompt in self.words.prefixes(messages, parts):
            next(self._llama.generate(prompt, temp=0.0))
            last = llama_cpp.llama_get_logits_ith(self._llama.ctx, -1)
            logits = np.ctypeslib.as_array(last, shape=(self._llama.n_vocab(),)).astype(np.float64)
            rows.append(list(logits[asked] - np.logaddexp.reduce(logits)))
        return rows


class Server(Peer):
    parallel = IN_FLIGHT

    def __init__(self, name: str, server: AbstractContextManager[str], path: Path) -> None:
        import httpx

        super().__init__(path)
        self.name, self._server = name, server
        # No connection is used twice: servers close idle ones at moments that a client cannot know.
        limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=0)
        self._client = httpx.Client(base_url=server.__enter__(), timeout=None, limits=limits)

    def _body(self, messages: Messages, sampling: Sampling, **more: Any) -> dict[str, Any]:
        options = {name: getattr(sampling, name) for name in ("max_tokens", "temperature", "top_k", "top_p", "min_p")}
        # One server punishes repeated words unless it is told not to.
        return {"prompt": self.words.prompt(messages), "seed": sampling.seed, "repeat_penalty": 1.0, **options, **more}

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._client.post("/completions", json=body).raise_for_status().json()

    def stream(self, messages: Messages, sampling: Sampling) -> Generator[str, None, Completion]:
        text, cut = "", False
        with self._client.stream("POST", "/completions", json=self._body(messages, sampling, stream=True)) as reply:
            reply.raise_for_status()
            for line in reply.iter_lines():
                if not line.startswith("data: {"):
                    continue
                for choice in json.loads(line[6:])["choices"]:
                    text, cut = text + choice["text"], cut or choice["finish_reason"] == "length"
                    yield choice["text"]
        return self.words.completion(text, self.count(messages), sampling.max_tokens, cut)

    def sample(self, requests: Iterable[Messages], sampling: Sampling, n: int = 1) -> Iterator[list[Completion]]:
        bodies = [self._body(messages, sampling) for messages in requests for _ in range(n)]
        for number, body in enumerate(bodies):
            body["seed"] += number
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            replies = pool.map(self._complete, bodies)
            for _ in range(len(bodies) // n):
                yield [next(replies) for _ in range(n)]

    def _complete(self, body: dict[str, Any]) -> Completion:
        reply = self._post(body)
        choice = reply["choices"][0]
        return Completion(choice["text"], choice["finish_reason"], *_counts(reply["usage"]))

    def choice_logprobs(self, messages: Messages, parts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        first, rows = [self.words.text(self.words.part(choice)[:1]) for choice in choices], []
        for begun in accumulate(parts):
            asked = [*messages, {"role": "assistant", "content": begun}]
            reply = self._post(self._body(asked, Sampling(max_tokens=1), logprobs=20))
            found = _top_logprobs(reply["choices"][0]["logprobs"])
            rows.append([found.get(word, float("nan")) for word in first])
        return rows

    def close(self) -> None:
        self._client.close()
        self._server.__exit__(None, None, None)


def _counts(usage: dict[str, int]) -> tuple[int, int]:
    return usage["prompt_tokens"], usage["completion_tokens"]


def _top_logprobs(found: dict[str, Any]) -> dict[str, float]:
    """Of the reply's one token; llama-server answers in the form of chats, llama_cpp.server in that of completions."""
    if "content" in found:
        return {each["token"]: each["logprob"] for each in found["content"][0]["top_logprobs"]}
    return found["top_logprobs"][0]
