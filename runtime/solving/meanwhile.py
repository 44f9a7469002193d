"""Long work in a thread of its own, so that a generator can report on it meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

Result = TypeVar("Result")
EVERY = 5.0
"""Seconds after which something is yielded at the latest."""


def meanwhile(
    work: Callable[[Callable[[int], None]], Result], cancel: Event, every: float = EVERY
) -> Generator[int, None, Result]:
    """Run `work(report)`, and yield the last number reported whenever there is a new one, and every few seconds. The
    generator's value is the result. Raises what the work raises; closing the generator sets `cancel`."""
    numbers: SimpleQueue[int | None] = SimpleQueue()
    ended: Future[Result] = Future()

    def run() -> None:
        try:
            ended.set_result(work(numbers.put))
        except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread
            ended.set_exception(error)
        numbers.put(None)

    Thread(target=run, name="meanwhile", daemon=True).start()
    last = 0
    try:
        while True:
            number: int | None = last
            with suppress(Empty):
                number = numbers.get(timeout=every)
            if number is None:
                return ended.result()
            yield (last := number)
    except GeneratorExit:
        cancel.set()
        raise
