"""Any server of the OpenAI protocol behind the Engine protocol: llama-server, vLLM, llama_cpp.server and others.

The openai client speaks the protocol, retries and times out; what is written here is what servers differ in: how an
unfinished reply is continued, how tokens are counted, and how the probability of a word is asked for. All requests live
on one event loop in a thread of its own, so ending a reply is cancelling its task, which closes its connection.

| server | continues a reply | counts tokens | choice_logprobs |
| llama-server, vLLM | yes | exactly | yes |
| llama_cpp.server, others | no: EngineError | an estimate | no: EngineError |
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import openai

from runtime.engines.base import Completion, ContextOverflow, EngineError, Enough, Messages, Sampling
from runtime.types import Finish

logger = logging.getLogger(__name__)

POLL = 0.05
"""Seconds between two looks at a caller's `cancel`."""
LLAMA_SERVER, VLLM, LLAMA_CPP_PYTHON = "llamacpp", "vllm", "me"
"""What each kind of server calls itself in its list of models (`owned_by`)."""
TOP = {LLAMA_SERVER: 200, VLLM: 20}
"""How many words' probabilities are asked for; vLLM gives no more unless started with --max-logprobs."""
OVERFLOW = ("exceed_context_size", "context_length_exceeded", "maximum context length")
CLOSED = "The connection to the server was closed. Open it again to go on."
CANCELLED = Completion("", "cancelled", 0, 0)


class OpenAIEngine:
    """One model of a server at `url`, such as http://127.0.0.1:8080/v1; the first that the server lists if none is
    named. At most `parallel` replies are under way at once; n replies are n requests, so that each has a seed and an
    end of its own. A voice is a model that the server lists under this name, as vLLM does with adapters.

    `key` is taken from SOLILOQUY_API_KEY or else OPENAI_API_KEY if not given. `timeout` is the seconds that the server
    may be silent; overload, failures and lost connections are tried again `retries` times, after 0.5 to 8 s or when the
    server says. Raises EngineError if the server cannot be reached or has no such model.
    """

    name = "openai"

    def __init__(
        self,
        url: str,
        model: str | None = None,
        parallel: int = 8,
        key: str | None = None,
        timeout: float = 600.0,
        retries: int = 6,
    ) -> None:
        self.parallel, self._timeout, self._closed = parallel, timeout, False
        self._root = url.rstrip("/").removesuffix("/v1")
        self._host = urlsplit(url).netloc.rpartition("@")[2] or url
        self._key = key or os.environ.get("SOLILOQUY_API_KEY") or os.environ.get("OPENAI_API_KEY")
        self._missed_voices: set[str] = set()
        self._client = openai.AsyncOpenAI(
            api_key=self._key or "none", base_url=url, timeout=timeout, max_retries=retries
        )
        self._gate = asyncio.Semaphore(parallel)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="openai-engine", daemon=True)
        self._thread.start()
        try:
            self._owners = self._ask(self._list_models)
            self.model = model or next(iter(self._owners))
            if self.model not in self._owners:
                raise EngineError(f"{self._host} has no model {model}. Name one of these: {', '.join(self._owners)}.")
        except EngineError:
            self.close()
            raise
        self._kind = self._owners[self.model]

    # The protocol

    def stream(
        self,
        messages: Messages,
        sampling: Sampling,
        voice: str | None = None,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
    ) -> Generator[str, None, Completion]:
        out: SimpleQueue[str] = SimpleQueue()
        work = self._submit(self._write, self._body(messages, sampling, voice, stop), out)
        written: list[str] = []
        try:
            while not (cancel and cancel.is_set()):
                ended = work.done()  # asked first: whatever was written before the end is in the queue by then
                try:
                    written.append(out.get(timeout=0 if ended else POLL))
                except Empty:
                    if ended:
                        break
                else:
                    yield written[-1]
            finish, usage = result(work) if work.done() else ("cancelled", None)
            read, wrote = usage or (self.count(messages), len(written))  # servers send about one piece a token
            return Completion("".join(written), finish, read, wrote)
        finally:
            work.cancel()

    def sample(
        self,
        requests: Iterable[Messages],
        sampling: Sampling,
        voice: str | None = None,
        n: int = 1,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
        enough: Enough | None = None,
    ) -> Iterator[list[Completion]]:
        """As the protocol says; a reply that is cancelled is empty, for servers give such replies whole or not."""
        numbered = enumerate(requests)
        groups: deque[Group] = deque()

        def begin(number: int, messages: Messages) -> Group:
            seeds = range(sampling.seed + number * n, sampling.seed + (number + 1) * n)
            bodies = [self._body(messages, replace(sampling, seed=seed), voice, stop) for seed in seeds]
            return Group([self._submit(self._complete, body) for body in bodies])

        try:
            while not (cancel and cancel.is_set()):
                busy = [work for group in groups for work in group.works if not work.done()]
                while len(busy) < 2 * self.parallel and len(groups) < 8 * self.parallel:
                    if (request := next(numbered, None)) is None:
                        break
                    groups.append(begin(*request))
                    busy += groups[-1].works
                while groups and groups[0].finished:
                    yield groups.popleft().replies()
                if not groups:
                    return
                wait(busy, POLL, FIRST_COMPLETED)
                for group in groups:
                    group.settle(enough)
            for group in groups:
                group.cancel()
                yield [CANCELLED if work.cancelled() else result(work) for work in group.works]
            yield from ([CANCELLED] * n for _ in numbered)
        finally:
            for group in groups:
                group.cancel()

    def choice_logprobs(
        self, messages: Messages, parts: Sequence[str], choices: Sequence[str], voice: str | None = None
    ) -> list[list[float]]:
        """As the protocol says, with one short request per part, of which the server reads only what is new. A choice
        that is not among the most likely words gets the logarithm of the least likely one of these: it has at most
        that. Raises EngineError for a server that gives no probabilities of given tokens."""
        if self._kind not in TOP:
            raise EngineError(f"{self._host} cannot say how likely a given word is. Use llama-server or vLLM instead.")
        return self._ask(self._score, messages, parts, choices, self._voice(voice))

    def count(self, messages: Messages) -> int:
        """Exact where the server tells; else a token for every three bytes and four for every message."""
        if self._kind not in TOP:
            return sum(4 + -(-len(message["content"].encode()) // 3) for message in messages)
        return self._ask(self._count, self._conversation(messages))

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # What a request says

    def _body(self, messages: Messages, sampling: Sampling, voice: str | None, stop: Sequence[str]) -> dict[str, Any]:
        """What these servers know beyond OpenAI's own is sent to them alone: others refuse it. vLLM would take a
        penalty for repetition from the model's files, and so punish a step for naming the same number again."""
        conversation = self._conversation(messages)
        common = ("temperature", "top_p", "max_tokens", "seed")
        more = {"top_k": sampling.top_k, "min_p": sampling.min_p, "repetition_penalty": 1.0}
        return {
            "model": self._voice(voice),
            "messages": conversation.pop("messages"),
            "stop": list(stop) or openai.omit,
            **{name: getattr(sampling, name) for name in common},
            "extra_body": {**conversation, **(more if self._kind in (*TOP, LLAMA_CPP_PYTHON) else {})},
        }

    def _conversation(self, messages: Messages) -> dict[str, Any]:
        *before, last = messages
        if last["role"] != "assistant":
            return {"messages": list(messages)}
        if not last["content"]:
            return {"messages": before}
        if self._kind not in TOP:
            raise EngineError(f"{self._host} cannot continue an unfinished reply. Use llama-server or vLLM instead.")
        return {"messages": list(messages), "continue_final_message": True, "add_generation_prompt": False}

    def _voice(self, voice: str | None) -> str:
        if voice in self._owners:
            return voice
        if voice and voice not in self._missed_voices:
            self._missed_voices.add(voice)
            logger.warning("%s has no voice %r; %s answers.", self._host, voice, self.model)
        return self.model

    # Work on the event loop

    def _submit(self, work: Callable[..., Awaitable[Any]], *arguments: Any) -> Future[Any]:
        async def guarded() -> Any:
            try:
                return await work(*arguments)
            except openai.OpenAIError as error:
                raise self._explained(error) from None  # what is left out may hold the key

        if self._closed:
            raise EngineError(CLOSED)
        return asyncio.run_coroutine_threadsafe(guarded(), self._loop)

    def _ask(self, work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        future = self._submit(work, *arguments)
        try:
            return result(future)
        finally:
            future.cancel()

    async def _post(self, path: str, **body: Any) -> dict[str, Any]:
        return await self._client.post(path, cast_to=object, body=body)

    async def _list_models(self) -> dict[str, str]:
        """The names of the server's models, and who it says owns each."""
        client = self._client.with_options(max_retries=min(2, self._client.max_retries))
        listed = await client.get("/models", cast_to=object)
        models = listed.get("data") if isinstance(listed, dict) else None
        if not models:
            raise EngineError(f"{self._host} lists no models. Give the whole address of its API, such as .../v1.")
        return {each["id"]: each.get("owned_by", "") for each in models}

    async def _complete(self, body: dict[str, Any]) -> Completion:
        async with self._gate:
            reply = await self._client.chat.completions.create(**body)
        choice = reply.choices[0]
        return Completion(choice.message.content or "", finish_of(choice.finish_reason), *usage_of(reply.usage))

    async def _write(self, body: dict[str, Any], out: SimpleQueue[str]) -> tuple[Finish, tuple[int, int] | None]:
        finish = usage = None
        more = {"stream": True, "stream_options": {"include_usage": True}}
        async with self._gate, await self._client.chat.completions.create(**body, **more) as chunks:
            async for chunk in chunks:
                usage = chunk.usage or usage
                for choice in chunk.choices:
                    finish = choice.finish_reason or finish
                    if choice.delta.content:
                        out.put(choice.delta.content)
        if finish is None:
            raise EngineError(f"{self._host} broke off in the middle of a reply. Ask again.")
        return finish_of(finish), usage and usage_of(usage)

    async def _count(self, conversation: dict[str, Any]) -> int:
        if self._kind == VLLM:
            return (await self._post(f"{self._root}/tokenize", model=self.model, **conversation))["count"]
        return (await self._post("/chat/completions/input_tokens", **conversation))["input_tokens"]

    async def _tokens(self, text: str) -> list[int]:
        about = {"prompt": text, "add_special_tokens": False, "model": self.model}
        if self._kind == LLAMA_SERVER:
            about = {"content": text, "parse_special": False}
        return (await self._post(f"{self._root}/tokenize", **about))["tokens"]

    async def _prompt_tokens(self, conversation: dict[str, Any]) -> list[int]:
        if self._kind == VLLM:
            return (await self._post(f"{self._root}/tokenize", model=self.model, **conversation))["tokens"]
        prompt = (await self._post(f"{self._root}/apply-template", **conversation))["prompt"]
        return (await self._post(f"{self._root}/tokenize", content=prompt, add_special=True))["tokens"]

    async def _score(
        self, messages: Messages, parts: Sequence[str], choices: Sequence[str], model: str
    ) -> list[list[float]]:
        prompt = await self._prompt_tokens(self._conversation(messages))
        wanted = [(await self._tokens(choice))[0] for choice in choices]
        rows = []
        for part in parts:
            prompt += await self._tokens(part)
            likely = await self._likely(model, prompt)
            rows.append([likely.get(token, min(likely.values())) for token in wanted])
        return rows

    async def _likely(self, model: str, prompt: list[int]) -> dict[int, float]:
        """Log-probabilities of the tokens that are most likely to follow."""
        asked = {"max_tokens": 1, "temperature": 0, "logprobs": TOP[self._kind], "return_tokens_as_token_ids": True}
        async with self._gate:
            reply = await self._post("/completions", model=model, prompt=prompt, **asked)
        found = reply["choices"][0]["logprobs"]
        if not found:
            raise EngineError(f"{self._host} gave no probabilities. Update it, or start it with them allowed.")
        if self._kind == VLLM:
            return {int(name.removeprefix("token_id:")): value for name, value in found["top_logprobs"][0].items()}
        return {each["id"]: each["logprob"] for each in found["content"][0]["top_logprobs"]}

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()

    def _explained(self, error: openai.OpenAIError) -> EngineError:
        body = getattr(error, "body", None)
        said = str(body.get("message") or body) if isinstance(body, dict) else str(error)
        said = said.replace(self._key, "***") if self._key else said
        if isinstance(error, openai.APIStatusError) and any(sign in f"{body}" for sign in OVERFLOW):
            return ContextOverflow(
                f"This is too long for the model ({said}). Shorten the text or give it more context."
            )
        if isinstance(error, openai.APITimeoutError):
            return EngineError(
                f"{self._host} was silent for {self._timeout:g} s. Ask for less at once, or wait longer."
            )
        if isinstance(error, openai.APIConnectionError):
            return EngineError(f"{self._host} cannot be reached or hung up. Check the address and that it runs.")
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return EngineError(f"{self._host} refused the key ({said}). Set SOLILOQUY_API_KEY to one that it knows.")
        if isinstance(error, openai.RateLimitError):
            return EngineError(f"{self._host} is overloaded ({said}). Try later, or with fewer requests at once.")
        return EngineError(f"{self._host} could not do it: {said}. Its log says more.")


@dataclass
class Group:
    """The requests for the replies to one conversation."""

    works: list[Future[Completion]]
    asked: int = 0
    """With how many replies it was asked whether they are enough."""
    settled: bool = False

    @property
    def finished(self) -> bool:
        return all(work.done() for work in self.works)

    def replies(self) -> list[Completion]:
        """Those that are there, in the order of their seeds. Raises EngineError if one failed."""
        return [result(work) for work in self.works if work.done() and not (self.settled and work.cancelled())]

    def settle(self, enough: Enough | None) -> None:
        """Ask, if there is a new reply, whether the others are still needed."""
        if enough and not self.settled and len(replies := self.replies()) > self.asked:
            self.asked = len(replies)
            if enough(replies):
                self.settled = True
                self.cancel()

    def cancel(self) -> None:
        for work in self.works:
            work.cancel()


def result(work: Future[Any]) -> Any:
    """What a piece of work came to. Raises EngineError."""
    try:
        return work.result()
    except CancelledError:
        raise EngineError(CLOSED) from None


def finish_of(reason: str | None) -> Finish:
    return "length" if reason == "length" else "stop"


def usage_of(usage: openai.types.CompletionUsage | None) -> tuple[int, int]:
    return (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
