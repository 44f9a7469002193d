"""An engine that replays queued replies, so that tests run the real loop, session, log and page without a model.

Replies are taken in order. Verdicts have a queue of their own, as the probability of the first of two choices; more
than two choices get equal probabilities. All calls are kept in `calls`.
"""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from threading import Event, Lock

from runtime.engines.base import Cancelled, Completion, EngineError, Enough, Sampling
from runtime.engines.reply import Reply
from runtime.types import Finish, Messages


class ScriptedEngine:
    """`replies` are texts, or exceptions to raise; `verdicts` are probabilities that a step is right, one per part.
    `delay` is the pause before each word in seconds, to watch a page stream; `adapters` are the names it reports."""

    name = "scripted"
    model = "scripted"
    path: Path | None = None
    parallel = 4

    def __init__(
        self,
        replies: Iterable[str | Exception] = (),
        verdicts: Iterable[float] = (),
        delay: float = 0.0,
        adapters: Iterable[str] = (),
    ) -> None:
        self.adapters = frozenset(adapters)
        self.replies, self.verdicts, self.delay = deque(replies), deque(verdicts), delay
        self.calls: list[Messages] = []
        self._lock = Lock()

    def _next(self, messages: Messages) -> str:
        with self._lock:
            self.calls.append(list(messages))
            if not self.replies:
                raise EngineError("The script has no reply left.")
            reply = self.replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply

    def stream(
        self,
        messages: Messages,
        sampling: Sampling,
        adapter: str | None = None,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
    ) -> Generator[str, None, Completion]:
        reply, written, finish = Reply(stop), 0, "stop"
        for word in re.findall(r"\s*\S+|\s+$", self._next(messages)):
            if ended := _ended(reply, written, sampling, cancel):
                finish = ended
                break
            time.sleep(self.delay)
            written += 1
            if piece := reply.push(word.encode()):
                yield piece
        if rest := reply.finish():
            yield rest
        return Completion(reply.text, finish, self.count(messages), written)

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
        for messages in requests:
            replies: list[Completion] = []
            while len(replies) < n and not (replies and enough and enough(replies)):
                replies.append(self._complete(messages, sampling, stop, cancel))
            yield replies

    def _complete(
        self, messages: Messages, sampling: Sampling, stop: Sequence[str], cancel: Event | None
    ) -> Completion:
        stream = self.stream(messages, sampling, stop=stop, cancel=cancel)
        while True:
            try:
                next(stream)
            except StopIteration as end:
                return end.value

    def choice_logprobs(
        self,
        messages: Messages,
        parts: Sequence[str],
        choices: Sequence[str],
        adapter: str | None = None,
        since: int = 0,
        cancel: Event | None = None,
    ) -> list[list[float]]:
        if cancel and cancel.is_set():
            raise Cancelled("The reading was ended.")
        with self._lock:
            self.calls.append([*messages, {"role": "assistant", "content": "".join(parts)}])
            if len(choices) > 2:
                return [[-math.log(len(choices))] * len(choices) for _ in parts[since:]]
            right = [self.verdicts.popleft() if self.verdicts else 0.99 for _ in parts[since:]]
        certain = 1e-9  # a probability of 0 has no logarithm
        odds = [(max(p, certain), max(1 - p, certain)) for p in right]
        return [[math.log(p), math.log(q)] for p, q in odds]

    def count(self, messages: Messages) -> int:
        return sum(len(message["content"].split()) for message in messages)

    def close(self) -> None:
        self.replies.clear()


def _ended(reply: Reply, written: int, sampling: Sampling, cancel: Event | None) -> Finish | None:
    if cancel and cancel.is_set():
        return "cancelled"
    if reply.stopped:
        return "stop"
    return "length" if written >= sampling.max_tokens else None
