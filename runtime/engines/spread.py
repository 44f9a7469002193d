"""Several engines with the same model as one, such as servers on several machines.

Each call goes to the engine with the fewest calls under way, so many calls at once use all of them, and the requests of
one call stay together, as they often share a prefix. An engine that fails is not used again. Its call goes on with
another: replies that were given stay, and the missing ones get the seeds that they would have had.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from threading import Event, Lock
from typing import TypeVar

from runtime.engines.base import Cancelled, Completion, ContextOverflow, Engine, EngineError, Enough, Sampling
from runtime.types import Messages

logger = logging.getLogger(__name__)
T = TypeVar("T")


class SpreadEngine:
    """Raises EngineError if the engines hold different models, and when the last one has failed."""

    path: Path | None = None

    def __init__(self, engines: Sequence[Engine]) -> None:
        models = sorted({engine.model for engine in engines})
        if len(models) > 1:
            raise EngineError(f"The servers run different models ({', '.join(models)}). Start the same one on all.")
        self.name, self.model = engines[0].name, engines[0].model
        self.parallel = sum(engine.parallel for engine in engines)
        self.adapters = frozenset.intersection(*(engine.adapters for engine in engines))
        self._engines, self._working = tuple(engines), list(engines)
        self._failure: EngineError | None = None
        self._calls: Counter[int] = Counter()
        self._lock = Lock()

    def stream(
        self,
        messages: Messages,
        sampling: Sampling,
        adapter: str | None = None,
        stop: Sequence[str] = (),
        cancel: Event | None = None,
    ) -> Generator[str, None, Completion]:
        """As in the protocol; the reply of an engine that fails is not begun again by another."""
        with self._least_busy() as engine:
            return (yield from engine.stream(messages, sampling, adapter, stop, cancel))
        raise EngineError(f"A reply was lost: {self._failure}")

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
        unanswered: deque[Messages] = deque()
        answered, rest = 0, iter(requests)

        def taken() -> Iterator[Messages]:
            for messages in rest:
                unanswered.append(messages)
                yield messages

        while True:
            with self._least_busy() as engine:
                later = replace(sampling, seed=sampling.seed + answered * n)
                asked = chain(tuple(unanswered), taken())
                for replies in engine.sample(asked, later, adapter, n, stop, cancel, enough):
                    unanswered.popleft()
                    answered += 1
                    yield replies
                return

    def choice_logprobs(
        self,
        messages: Messages,
        parts: Sequence[str],
        choices: Sequence[str],
        adapter: str | None = None,
        since: int = 0,
        cancel: Event | None = None,
    ) -> list[list[float]]:
        return self._ask(lambda engine: engine.choice_logprobs(messages, parts, choices, adapter, since, cancel))

    def count(self, messages: Messages) -> int:
        return self._ask(lambda engine: engine.count(messages))

    def close(self) -> None:
        with self._lock:
            self._working.clear()
        for engine in self._engines:
            engine.close()

    def _ask(self, question: Callable[[Engine], T]) -> T:
        while True:
            with self._least_busy() as engine:
                return question(engine)

    @contextmanager
    def _least_busy(self) -> Generator[Engine]:
        """The engine with the fewest calls. If it fails, it is given up, and the error ends here."""
        with self._lock:
            if not self._working:
                raise EngineError(f"No server is left. {self._failure or 'The connections were closed.'}")
            engine = min(self._working, key=lambda engine: self._calls[id(engine)])
            self._calls[id(engine)] += 1
        try:
            yield engine
        except (Cancelled, ContextOverflow):
            raise
        except EngineError as error:
            self._give_up(engine, error)
        finally:
            with self._lock:
                self._calls[id(engine)] -= 1

    def _give_up(self, engine: Engine, error: EngineError) -> None:
        with self._lock:
            if engine in self._working:
                self._working.remove(engine)
                self._failure = error
                left, all_of_them = len(self._working), len(self._engines)
                logger.warning("%s %d of %d servers are left.", error, left, all_of_them)
