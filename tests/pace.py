"""Processor time measured in units of a fixed piece of Python, so that limits hold on slow and busy machines too."""

import time
from collections.abc import Callable

SOON = 40
"""A limit in units, half a second on a laptop. The heaviest work tested takes seventeen; work that grows with the
square of its input takes hundreds."""


def units(work: Callable[[], object], rounds: int = 3) -> float:
    """The processor time of `work` in this thread, in units of about ten milliseconds: the least of several rounds."""
    return min(_seconds(work) / _seconds(_unit) for _ in range(rounds))


def _unit() -> None:
    sum(number * number for number in range(150_000))


def _seconds(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began
