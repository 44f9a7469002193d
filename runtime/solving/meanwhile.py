"""Long work in a thread of its own, so that a generator can report on it meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

Result = TypeVar("Result")
Tell = Callable[[int], None]
EVERY = 5.0
"""Seconds after which something is yielded at the latest."""


@dataclass(frozen=True)
class _Done(Generic[Result]):
    result: Result


@dataclass(frozen=True)
class _Failed:
    error: BaseException


def meanwhile(work: Callable[[Tell], Result], cancel: Event, every: float = EVERY) -> Generator[int, None, Result]:
    """Do `work(tell)`, and yield the last number told whenever there is a new one, and every few seconds. The
    generator's value is the result. Raises what the work raises; a reader that goes away sets `cancel`."""
    news: SimpleQueue[int | _Done[Result] | _Failed] = SimpleQueue()

    def run() -> None:
        try:
            news.put(_Done(work(news.put)))
        except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread
            news.put(_Failed(error))

    thread = Thread(target=run, name="meanwhile", daemon=True)
    thread.start()
    last = 0
    try:
        while True:
            try:
                item = news.get(timeout=every)
            except Empty:
                yield last
                continue
            if isinstance(item, _Done):
                thread.join()
                return item.result
            if isinstance(item, _Failed):
                thread.join()
                raise item.error
            last = item
            yield last
    except GeneratorExit:
        cancel.set()
        raise
