"""Many requests through one decoder: lazily taken, in parallel, given back in order."""

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
"""The jobs of a request (its number is given), answering into this queue, needless once this event is set."""


class Group:
    """The jobs of one request and the replies they have given."""

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
        """In the order of their seeds; without those that were not needed any more."""
        given = (self._replies[job] for job in self.jobs if job in self._replies)
        return [reply for reply in given if reply.finish != "cancelled" or not self.settled.is_set()]


def run(
    requests: Iterable[Messages], make: MakeJobs, submit: Callable[[Job], None], width: int, enough: Enough | None
) -> Generator[list[Completion]]:
    """The replies to each request. Twice as many jobs as there are lanes are under way, so that no lane waits; however
    long the first reply takes, only so many later ones are held back, so a million requests never sit in memory."""
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
