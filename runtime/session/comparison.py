"""Solves one problem in every mode, one after another with the same model, for a blind vote: the order of the modes is
random and hidden until the person has voted. Independent of the page."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from contextlib import closing
from threading import Event
from typing import get_args

from runtime.engines.base import Engine, Metered, Usage
from runtime.errors import SoliloquyError
from runtime.events import Token
from runtime.log.run import Run
from runtime.log.store import SessionLog, StoreError
from runtime.session.session import Progress, Session
from runtime.settings import Settings
from runtime.types import Cost, Depth, Mode, Vote

MODES: tuple[Mode, ...] = get_args(Mode)
NAMES = ("A", "B", "C")
"""Names of the solutions before the vote, in the order in which they are made and shown."""
VERDICTS: tuple[Vote, ...] = ("same", "none")
"""Votes for no name: all are equally good, or none is good."""


class CompareError(SoliloquyError):
    """The vote is not possible."""


class Comparison:
    """One comparison. Its runs, costs and vote are stored in a session of its own; `kept` is the id of a stored one.
    Without a log nothing is stored."""

    def __init__(
        self, settings: Settings, engine: Callable[[], Engine], log: SessionLog | None, kept: str | None = None
    ) -> None:
        self._engine = engine
        self._meter: Metered | None = None
        self.session = Session(settings, self._metered, log, kept)
        stored = log.runs_of(self.session.id) if log else []
        self.runs: dict[Mode, Run] = {mode: run.halted() for run in stored for mode in MODES if mode == run.mode}
        self.costs: dict[Mode, Cost] = {}
        if log and stored:
            costs = log.costs(self.session.id)
            self.costs = {mode: costs[run.id] for mode, run in self.runs.items() if run.id in costs}
        self.vote: Vote | None = log.vote(self.session.id) if log and stored else None
        others = [mode for mode in MODES if mode not in self.runs]
        self.modes: tuple[Mode, ...] = (*self.runs, *random.sample(others, len(others)))
        self.unsaved: StoreError | None = None
        """The reason why something could not be stored, if so."""
        self._halted = False

    @property
    def problem(self) -> str:
        return next((run.transcript.talk.problem.text for run in self.runs.values()), "")

    def solve(self, text: str, depth: Depth | None, cancel: Event) -> Generator[Progress]:
        """Solve a problem in every mode, yielding progress. Raises what `Session.solve` raises."""
        for mode in self.modes:
            if not cancel.is_set():
                yield from self._solve(text, mode, depth, cancel)

    def stop(self) -> None:
        """End the running solution at once; the model may take a moment to stop."""
        self._halted = True
        self.runs = {mode: run.halted() for mode, run in self.runs.items()}

    def _solve(self, text: str, mode: Mode, depth: Depth | None, cancel: Event) -> Generator[Progress]:
        first: float | None = None
        with closing(self.session.solve(text, mode, depth=depth, cancel=cancel)) as going:
            for progress in going:
                if self._halted:
                    return
                run = self.runs[mode] = progress.run
                if first is None and isinstance(progress.event, Token):
                    first = run.seconds
                self.unsaved = progress.unsaved or self.unsaved
                if run.status != "running":
                    self._count(mode, run, first)
                yield progress

    def _count(self, mode: Mode, run: Run, first: float | None) -> None:
        usage = self._meter.usage if self._meter else Usage()
        cost = Cost(
            first=first,
            seconds=run.seconds,
            calls=usage.calls,
            prompt_tokens=usage.prompt_tokens,
            tokens=usage.completion_tokens,
        )
        self.costs[mode] = cost
        try:
            if self.session.log:
                self.session.log.add_cost(run.id, cost)
        except StoreError as error:  # the page goes on showing the result
            self.unsaved = error

    def _metered(self) -> Engine:
        """The engine with a new token counter, for one run."""
        self._meter = Metered(self._engine())
        return self._meter

    # The vote

    @property
    def is_whole(self) -> bool:
        """Whether the solution of every mode is finished."""
        ended = [run for run in self.runs.values() if run.status not in ("running", "stopped")]
        return len(ended) == len(MODES)

    @property
    def can_vote(self) -> bool:
        return self.is_whole and self.vote is None

    def cast(self, choice: str) -> None:
        """Vote for a name or for one of `VERDICTS`. Raises CompareError, StoreError."""
        if not self.can_vote:
            raise CompareError("You can vote once, when all three solutions are finished.")
        if choice not in (*NAMES, *VERDICTS):
            raise CompareError(f"There is no vote {choice!r}. Choose one of {', '.join((*NAMES, *VERDICTS))}.")
        vote = choice if choice in VERDICTS else self.modes[NAMES.index(choice)]
        if self.session.log:
            self.session.log.add_vote(self.session.id, vote)
        self.vote = vote

    def chosen(self) -> str | None:
        """The name that was voted for, if one was."""
        return NAMES[self.modes.index(self.vote)] if self.vote in self.modes else None


def kept_comparison(
    settings: Settings, engine: Callable[[], Engine], log: SessionLog | None, kept: str | None
) -> Comparison | None:
    """The comparison stored in the session `kept`, finished or not; None if there is none."""
    if not (log and kept and log.has_session(kept)):
        return None
    try:
        found = Comparison(settings, engine, log, kept)
    except StoreError:  # none of its rows can be read
        return None
    return found if found.runs else None
