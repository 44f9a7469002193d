"""A connection to a server of the OpenAI protocol: requests, errors, and the differences between servers.

The openai client handles the protocol, retries and timeouts. All requests run on one event loop in a thread of its own;
cancelling the task of a reply closes its connection, which ends the work on the server.

llama-server and vLLM tokenise conversations. Replies are requested with these tokens, so that an unfinished reply is
continued exactly (llama-server's chat would repeat its beginning) and its length is known.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import urlsplit

import openai

from runtime.engines.base import Cancelled, Completion, ContextOverflow, EngineError, Sampling
from runtime.types import Messages

logger = logging.getLogger(__name__)

LLAMA_SERVER, VLLM, LLAMA_CPP_PYTHON = "llamacpp", "vllm", "me"
"""The value of `owned_by` in each server's list of models."""
GIVES_TOKENS = (LLAMA_SERVER, VLLM)
LIKELIEST = 1000
"""Number of probabilities requested from llama-server. It takes 8 ms with a vocabulary of 49,000 and 20 ms with
152,000; all probabilities would take 0.3 and 1.7 s."""
OVERFLOW = ("exceed_context_size", "context_length_exceeded", "maximum context length")
WHOLE_ADDRESS = "Give the whole address of its API, such as http://127.0.0.1:8080/v1."
PLAIN = {"stream": False, "stream_options": openai.omit, "max_tokens": 1}
CLOSED = "The connection to the server was closed. Open it again."

Prompt = dict[str, Any]
"""The prompt of a request: its tokens (`prompt`), or `messages`."""


class BrokenOff(EngineError):
    """The connection was lost in the middle of a reply."""


@dataclass(frozen=True)
class Model:
    name: str
    kind: str
    limit: int | None
    """Most tokens of one conversation, if the server reports it."""


@dataclass(frozen=True)
class Options:
    """The options of a request."""

    sampling: Sampling
    model: str
    stop: tuple[str, ...]


class Server:
    """The server at `url`. Run its coroutines with `submit` and `ask`, which may be called from any thread and raise
    EngineError."""

    def __init__(
        self, url: str, model: str | None, parallel: int, key: str | None, timeout: float, retries: int
    ) -> None:
        self._timeout, self._closed = timeout, False
        self._pauses = [min(0.5 * 2**attempt, 8.0) for attempt in range(retries)]
        self._root = url.rstrip("/").removesuffix("/v1")
        self._host = urlsplit(url).netloc.rpartition("@")[2] or url
        # Not OPENAI_API_KEY, which is the key of another server.
        self._key = key or os.environ.get("SOLILOQUY_API_KEY")
        if self._key and _is_unencrypted(url):
            logger.warning(
                "The key in SOLILOQUY_API_KEY is sent to %s unencrypted: others on the network can read it. Use https.",
                self._host,
            )
        try:
            self._client = openai.AsyncOpenAI(
                api_key=self._key or "none",
                base_url=url,
                timeout=timeout,
                max_retries=retries,
                default_headers={
                    "OpenAI-Organization": openai.omit,  # pyrefly: ignore[bad-assignment]
                    "OpenAI-Project": openai.omit,  # pyrefly: ignore[bad-assignment]
                },
            )
        except Exception as error:
            raise EngineError(
                f"The proxies of this environment cannot be used ({error}). Unset ALL_PROXY, HTTP_PROXY, HTTPS_PROXY"
                " and NO_PROXY, or correct them."
            ) from error
        self._close_lock = Lock()
        self._gate = asyncio.Semaphore(parallel)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="openai-engine", daemon=True)
        self._thread.start()
        try:
            self.models = self.ask(self._list_models)
            self.model = self.models.get(model) if model else next(iter(self.models.values()))
            if not self.model:
                raise EngineError(f"{self._host} has no model {model}. Choose one of: {', '.join(self.models)}.")
        except EngineError:
            self.close()
            raise

    # From other threads

    def submit(self, work: Callable[..., Awaitable[Any]], *arguments: Any) -> Future[Any]:
        async def guarded() -> Any:
            try:
                return await work(*arguments)
            except openai.OpenAIError as error:
                raise self._explained(error) from None  # the original error may contain the key

        with self._close_lock:
            if self._closed:
                raise EngineError(CLOSED)
            return asyncio.run_coroutine_threadsafe(guarded(), self._loop)

    def ask(self, work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        future = self.submit(work, *arguments)
        try:
            return result(future)
        finally:
            future.cancel()

    def close(self) -> None:
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # Conversations

    async def prompt(self, messages: Messages) -> Prompt:
        """The prompt of a conversation. A last message of the assistant is left open; an empty one is left out."""
        unfinished = messages[-1]["role"] == "assistant" and messages[-1]["content"]
        turns = messages if unfinished or messages[-1]["role"] != "assistant" else messages[:-1]
        asked: dict[str, Any] = {"messages": list(turns)}
        if self.model.kind not in GIVES_TOKENS:
            if unfinished:
                raise EngineError(f"{self._host} cannot continue an unfinished reply. Use llama-server or vLLM.")
            return asked
        if unfinished:
            asked |= {"continue_final_message": True, "add_generation_prompt": False}
        if self.model.kind == VLLM:
            return {"prompt": (await self._post("/tokenize", model=self.model.name, **asked))["tokens"]}
        text = (await self._post("/apply-template", **asked))["prompt"]
        return {"prompt": (await self._post("/tokenize", content=text, add_special=True))["tokens"]}

    async def tokens(self, text: str) -> list[int]:
        """The tokens of a text inside a reply."""
        asked = {"content": text, "parse_special": False}
        if self.model.kind == VLLM:
            asked = {"prompt": text, "add_special_tokens": False, "model": self.model.name}
        return (await self._post("/tokenize", **asked))["tokens"]

    # Replies

    async def complete(self, prompt: Future[Prompt], options: Options) -> Completion:
        """A whole reply; requested again if the connection is lost in the middle."""
        for seconds in self._pauses:
            try:
                return await self.write(prompt, options)
            except BrokenOff:
                await asyncio.sleep(seconds)
        return await self.write(prompt, options)

    async def write(self, prompt: Future[Prompt], options: Options, live: SimpleQueue[str] | None = None) -> Completion:
        """A reply; its pieces are put into `live` as they arrive. It is always streamed, as a server notices a closed
        connection late if it sends the reply as a whole."""
        given = await asyncio.wrap_future(prompt)
        asked = self._request(given, options, live is not None)
        pieces, finish, usage = [], None, None
        async with self._gate, await self._endpoint(asked).create(**asked) as chunks:
            with suppress(openai.APIConnectionError):
                async for chunk in chunks:
                    usage = chunk.usage or usage
                    for choice in chunk.choices:
                        finish = choice.finish_reason or finish
                        if text := choice.text if "prompt" in given else choice.delta.content:
                            pieces.append(text)
                            if live:
                                live.put(text)
        if finish is None:
            if not pieces:  # llama_cpp.server: only a request without streaming returns the error
                await self._endpoint(asked).create(**{**asked, **PLAIN})
            raise BrokenOff(f"{self._host} ended the connection in the middle of a reply. Try again.")
        read, wrote = (usage.prompt_tokens, usage.completion_tokens) if usage else (length(given), len(pieces))
        return Completion("".join(pieces), "length" if finish == "length" else "stop", read, wrote)

    async def score(
        self,
        messages: Messages,
        parts: Sequence[str],
        choices: Sequence[str],
        model: str,
        since: int,
        cancel: Event | None,
    ) -> list[list[float]]:
        """As `Engine.choice_logprobs`."""
        if self.model.kind not in GIVES_TOKENS:
            raise EngineError(f"{self._host} does not return probabilities of tokens. Use llama-server or vLLM.")
        tokens = (await self.prompt(messages))["prompt"]
        wanted = [(await self.tokens(choice))[0] for choice in choices]
        rows = []
        for number, part in enumerate(parts):
            tokens += await self.tokens(part)
            if cancel and cancel.is_set():
                raise Cancelled("The reading was ended.")
            if number >= since:
                likely = await self._likely(tokens, wanted, model)
                rows.append([likely.get(token, min(likely.values())) for token in wanted])
        return rows

    async def _likely(self, tokens: list[int], wanted: list[int], model: str) -> dict[int, float]:
        """Log-probabilities of next tokens. vLLM returns those of the wanted tokens, or of the likeliest 20 if it is
        old, and token ids only on request."""
        asked = {"model": model, "prompt": tokens, "max_tokens": 1, "temperature": 0, "logprobs": LIKELIEST}
        if self.model.kind == VLLM:
            asked |= {"logprobs": 20, "logprob_token_ids": wanted, "return_tokens_as_token_ids": True}
        async with self._gate:
            reply = await self._post("/v1/completions", **asked)
        found = reply["choices"][0].get("logprobs")
        if not found:
            raise EngineError(
                f"{self._host} returns no probabilities of tokens. Turn them on at its start, or update it."
            )
        if self.model.kind == VLLM:
            return {int(name.removeprefix("token_id:")): value for name, value in found["top_logprobs"][0].items()}
        return {each["id"]: each["logprob"] for each in found["content"][0]["top_logprobs"]}

    def _request(self, prompt: Prompt, options: Options, live: bool) -> dict[str, Any]:
        """The body of a request. Options beyond OpenAI's are sent only to the servers that have them, as others refuse
        them. For vLLM, the repetition penalty of the model's files is turned off, as it would penalise a number that is
        named again; and tokens are sent in larger chunks unless the reply is shown live."""
        sampling, room = options.sampling, options.sampling.max_tokens
        if "prompt" in prompt and self.model.limit:
            room = min(room, self.model.limit - len(prompt["prompt"]))
            if room < min(sampling.max_tokens, 16):
                raise ContextOverflow(
                    f"This is too long for the model ({len(prompt['prompt'])} tokens of at most {self.model.limit}). "
                    "Shorten the text, or start the server with a longer context."
                )
        more = {"top_k": sampling.top_k, "min_p": sampling.min_p, "repetition_penalty": 1.0}
        more["stream_interval"] = 1 if live else 16
        return {
            **prompt,
            "model": options.model,
            "max_tokens": room,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "stop": list(options.stop) or openai.omit,
            "stream": True,
            "stream_options": {"include_usage": True},
            "extra_body": more if self.model.kind in (*GIVES_TOKENS, LLAMA_CPP_PYTHON) else {},
        }

    def _endpoint(self, asked: dict[str, Any]) -> Any:
        return self._client.completions if "prompt" in asked else self._client.chat.completions

    async def _post(self, path: str, **asked: Any) -> dict[str, Any]:
        reply = await self._client.post(self._root + path, cast_to=object, body=asked)
        if not isinstance(reply, dict):
            raise EngineError(f"{self._host} does not answer {path} as these servers do. {WHOLE_ADDRESS}")
        return reply

    async def _list_models(self) -> dict[str, Model]:
        client = self._client.with_options(max_retries=min(2, self._client.max_retries))
        listed = await client.get("/models", cast_to=object)
        found = listed.get("data") if isinstance(listed, dict) else None
        if not found:
            raise EngineError(f"{self._host} lists no models. {WHOLE_ADDRESS}")
        return {
            each["id"]: Model(
                name=each["id"],
                kind=each.get("owned_by", ""),
                limit=each.get("max_model_len") or (each.get("meta") or {}).get("n_ctx"),
            )
            for each in found
        }

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()

    def _explained(self, error: openai.OpenAIError) -> EngineError:
        body = getattr(error, "body", None)
        detail = str(body.get("message") or body) if isinstance(body, dict) else str(error)
        detail = (detail.replace(self._key, "***") if self._key else detail)[:300]
        if isinstance(error, openai.APIStatusError) and any(sign in str(body) for sign in OVERFLOW):
            return ContextOverflow(f"This is too long for the model ({detail}). Shorten the text.")
        if isinstance(error, openai.APITimeoutError):
            return EngineError(
                f"{self._host} did not respond for {self._timeout:g} s. Send fewer requests at once, or try later."
            )
        if isinstance(error, openai.APIConnectionError):
            return EngineError(
                f"{self._host} cannot be reached or closed the connection. Check the address, and that it is running."
            )
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return EngineError(f"{self._host} refused the key ({detail}). Set SOLILOQUY_API_KEY to a valid one.")
        if isinstance(error, openai.NotFoundError):
            return EngineError(f"{self._host} does not have this ({detail}). {WHOLE_ADDRESS}")
        if isinstance(error, openai.RateLimitError):
            return EngineError(f"{self._host} is overloaded ({detail}). Try later, or with fewer requests at once.")
        return EngineError(f"{self._host} failed: {detail}. See its log.")


def _is_unencrypted(url: str) -> bool:
    """Whether requests to this address leave this machine unencrypted."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    try:
        local = ip_address(name).is_loopback
    except ValueError:
        local = name == "localhost" or name.endswith(".localhost")
    return parts.scheme.lower() != "https" and not local


def result(work: Future[Any]) -> Any:
    """The result of a task. Raises EngineError."""
    try:
        return work.result()
    except CancelledError:
        raise EngineError(CLOSED) from None


def length(prompt: Prompt) -> int:
    """Length of a prompt in tokens; estimated as in `OpenAIEngine.count` if the tokens are unknown."""
    if "prompt" in prompt:
        return len(prompt["prompt"])
    return sum(4 + -(-len(message["content"].encode()) // 3) for message in prompt["messages"])
