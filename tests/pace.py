"""How long work takes beside a fixed piece of Python: a limit that a slow or busy machine keeps as a fast one does."""

import time
from collections.abc import Callable

SOON = 40
"""Units that nobody waits for: half a second on a laptop. The heaviest work that is held to it takes seventeen; what
grows with the square of its input takes hundreds."""


def units(work: Callable[[], object], rounds: int = 3) -> float:
    """The processor time of `work` in this thread, in units of some ten milliseconds, the least of so many rounds."""
    return min(_seconds(work) / _seconds(_unit) for _ in range(rounds))


def _unit() -> None:
    sum(number * number for number in range(150_000))


def _seconds(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began
