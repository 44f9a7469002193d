"""Sends many requests to one server in parallel. Requests are taken lazily, replies are yielded in order.

If there are enough conversations to keep the server busy, the replies to each are requested one after another, as the
server then still has the prompt in memory. Measured on llama-server with 4 slots, 4 conversations of 115 tokens and 4
replies of 24 tokens to each: 5.2 s one after another, 11.5 s all at once, 4.9 s with the server's own `n`, which does
not count the tokens of single replies and cannot end one. vLLM caches shared prompts; there all three take the same
time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from threading import Event

from runtime.engines.base import Completion, Enough
from runtime.engines.openai.server import result
from runtime.types import Messages

POLL = 0.05
"""Seconds between two checks of `cancel`."""
CANCELLED = Completion("", "cancelled", 0, 0)

Start = Callable[[], "Future[Completion]"]
"""Requests a reply."""


@dataclass
class Group:
    """The replies to one conversation: those still to be requested, and those requested, by seed."""

    waiting: deque[Start]
    works: list[Future[Completion]] = field(default_factory=list)
    busy: int = 0
    settled: bool = False
    """Whether the replies so far are enough."""

    def start(self) -> Future[Completion]:
        self.busy += 1
        self.works.append(self.waiting.popleft()())
        return self.works[-1]

    def take(self, work: Future[Completion], enough: Enough | None) -> None:
        """Take a finished reply. Raises EngineError if it failed."""
        self.busy -= 1
        if not self.settled and result(work) and enough and enough(self.replies()):
            self.settled = True
            self.end()

    def replies(self) -> list[Completion]:
        return [work.result() for work in self.works if work.done() and not work.cancelled()]

    def end(self) -> None:
        self.waiting.clear()
        for work in self.works:
            work.cancel()


def run(
    requests: Iterable[Messages],
    starts: Callable[[int, Messages], Iterable[Start]],
    parallel: int,
    n: int,
    cancel: Event | None,
    enough: Enough | None,
) -> Generator[list[Completion]]:
    """Yields the replies to each request; `starts` returns for a request and its number the functions that request its
    replies. The number of finished replies that wait for an earlier one is limited, so memory is too."""
    numbered = enumerate(requests)
    groups: deque[Group] = deque()
    under_way: dict[Future[Completion], Group] = {}

    def next_group() -> Group | None:
        """The conversation for the next request: the least busy one, or a new one before any has two at once."""
        least = min((group for group in groups if group.waiting), key=lambda group: group.busy, default=None)
        if (least is None or least.busy) and len(groups) < 8 * parallel and (request := next(numbered, None)):
            least = Group(deque(starts(*request)))
            groups.append(least)
        return least

    try:
        while not (cancel and cancel.is_set()):
            while len(under_way) < parallel and (group := next_group()):
                under_way[group.start()] = group
            while groups and not groups[0].waiting and (groups[0].settled or not groups[0].busy):
                yield groups.popleft().replies()
            if not groups:
                return
            for work in wait(under_way, POLL, FIRST_COMPLETED).done:
                under_way.pop(work).take(work, enough)
        for group in groups:
            group.end()
            missing = 0 if group.settled else n - len(group.replies())
            yield group.replies() + [CANCELLED] * missing
        yield from ([CANCELLED] * n for _ in numbered)
    finally:
        for group in groups:
            group.end()
