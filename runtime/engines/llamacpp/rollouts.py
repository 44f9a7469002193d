"""Runs many requests through one decoder in parallel. Requests are taken lazily, replies are yielded in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from queue import SimpleQueue
from threading import Event
from typing import Any

from runtime.engines.base import Completion, Enough
from runtime.engines.llamacpp.jobs import Job, WriteJob
from runtime.types import Messages

MakeJobs = Callable[[int, Messages, SimpleQueue, Event], list[WriteJob]]
"""Makes the jobs of a request from its number, its messages, the queue for replies, and the event that ends them."""


class Group:
    """The jobs of one request and their replies so far."""

    def __init__(self, jobs: list[WriteJob], settled: Event) -> None:
        self.jobs, self.settled = jobs, settled
        self._replies: dict[Job, Completion] = {}

    @property
    def finished(self) -> bool:
        return len(self._replies) == len(self.jobs)

    def take(self, job: Job, reply: Completion, enough: Enough | None) -> None:
        self._replies[job] = reply
        if enough and not self.settled.is_set() and reply.finish != "cancelled" and enough(self.replies()):
            self.settled.set()

    def replies(self) -> list[Completion]:
        """The replies in the order of their seeds, without those that were ended early."""
        given = (self._replies[job] for job in self.jobs if job in self._replies)
        return [reply for reply in given if reply.finish != "cancelled" or not self.settled.is_set()]


def run(
    requests: Iterable[Messages], make: MakeJobs, submit: Callable[[Job], None], width: int, enough: Enough | None
) -> Generator[list[Completion]]:
    """Yields the replies to each request. Twice as many jobs as lanes are submitted, so that no lane waits. The number
    of finished replies that wait for an earlier one is limited, so memory is too."""
    numbered = enumerate(requests)
    finished: SimpleQueue[tuple[Job, Any]] = SimpleQueue()
    groups: deque[Group] = deque()
    home: dict[Job, Group] = {}
    try:
        while True:
            while len(home) < 2 * width and len(groups) < 8 * width and (request := next(numbered, None)):
                settled = Event()
                group = Group(make(*request, finished, settled), settled)
                groups.append(group)
                for job in group.jobs:
                    home[job] = group
                    submit(job)
            while groups and groups[0].finished:
                yield groups.popleft().replies()
            if not groups:
                return
            job, item = finished.get()
            if isinstance(item, Exception):
                raise item
            home.pop(job).take(job, item, enough)
    finally:
        for job in home:
            job.cancel.set()
