"""Long work in a thread of its own, so that a generator can report on it meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

Result = TypeVar("Result")
Tell = Callable[[int], None]
EVERY = 5.0
"""Seconds after which something is yielded at the latest."""


class _Ended(Generic[Result]):
    """What came of the work: its result or its error."""

    def __init__(self, result: Result | None = None, error: BaseException | None = None) -> None:
        self.result, self.error = result, error


def meanwhile(work: Callable[[Tell], Result], cancel: Event, every: float = EVERY) -> Generator[int, None, Result]:
    """Do `work(tell)`, and yield the last number told whenever there is a new one, and every few seconds. The
    generator's value is the result. Raises what the work raises; a reader that goes away sets `cancel`."""
    news: SimpleQueue[int | _Ended[Result]] = SimpleQueue()

    def run() -> None:
        try:
            news.put(_Ended(result=work(news.put)))
        except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread
            news.put(_Ended(error=error))

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
            if isinstance(item, _Ended):
                thread.join()
                if item.error:
                    raise item.error
                return item.result
            last = item
            yield last
    except GeneratorExit:
        cancel.set()
        raise
