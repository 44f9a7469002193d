"""A student's session: solves problems, checks own work and stores ratings; yields the progress of every run.

Both `python -m runtime` and the page use this class. It is independent of Gradio, SQL and llama.cpp.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from threading import Event

from runtime.critic.critic import open_critic
from runtime.engines.base import Engine
from runtime.events import AttemptDone, CritiqueDone, Failed, Finished, Refining, StepDone, Transcript, begin, fold
from runtime.events import Event as TalkEvent
from runtime.log.run import PRACTISED, Kind, Run
from runtime.log.store import SessionLog, StoreError, new_id, now
from runtime.search.verifier import open_verifier
from runtime.settings import Settings
from runtime.solving.loop import check, converse, converse_again, put_to_vote
from runtime.text import clean, split_attempt
from runtime.tutoring.disclosure import Wish, asked, is_open
from runtime.types import Depth, Feedback, Help, Problem, Rating, SelfTalk

_WORTH_KEEPING = (StepDone, AttemptDone, CritiqueDone, Refining, Finished, Failed)


@dataclass(frozen=True)
class Progress:
    """A run after one more event. `unsaved` is the reason why it could not be stored, if so."""

    run: Run
    event: TalkEvent
    unsaved: StoreError | None = None


class Session:
    """A session. `engine` is called when a model is first needed. Without a log nothing is stored."""

    def __init__(
        self, settings: Settings, engine: Callable[[], Engine], log: SessionLog | None, session_id: str | None = None
    ) -> None:
        self.settings, self._engine = settings, engine
        self.id = session_id or new_id()
        self.keep_in(log)

    def keep_in(self, log: SessionLog | None) -> None:
        """Store in this log from now on (None: nowhere). If the log does not have this session, it gets a new id."""
        if log and not log.has_session(self.id):
            self.id = log.start_session()
        self.log = log

    def solve(
        self,
        text: str,
        mode: str | None = None,
        rounds: int | None = None,
        depth: Depth | None = None,
        cancel: Event | None = None,
        help: Help = "full",
    ) -> Generator[Progress]:
        """Solve a problem, yielding progress; `help` is how much of the solution is shown. Raises UnreadableError for
        an unusable text, SettingsError for an invalid setting, EngineError if there is no model."""
        problem = Problem(text=clean(text))
        settings = self.settings.with_(mode=mode, rounds=rounds, depth=depth)
        engine = self._engine()
        events = converse(problem, engine, settings, cancel or Event())
        run = self._run("solve", settings.mode, engine, problem)
        yield from self._follow(replace(run, help=help), events)

    def check(
        self, text: str, steps: str | Sequence[str], depth: Depth | None = None, cancel: Event | None = None
    ) -> Generator[Progress]:
        """Judge a student's own steps, yielding progress. Raises what `solve` raises."""
        problem = Problem(text=clean(text))
        attempt = split_attempt(clean(steps if isinstance(steps, str) else "\n".join(steps), "solution"))
        engine = self._engine()
        critic = open_critic(engine, self.settings.with_(depth=depth))
        verifier = open_verifier(engine, self.settings)
        events = check(problem, attempt, critic, cancel or Event(), verifier)
        yield from self._follow(self._run("check", "check", engine, problem), events)

    def again(
        self, run: Run, position: int, depth: Depth | None = None, cancel: Event | None = None
    ) -> Generator[Progress]:
        """Continue a finished run with a new version of its solution from the step at `position` on (from 0), yielding
        progress; nothing of it is hidden any more. After a stop or an error, the outcome before it is kept. Raises
        EngineError if there is no model."""
        talk, settings = run.transcript.talk, self.settings.with_(mode=run.mode, depth=depth)
        if talk.chosen is None:
            raise ValueError("a run without an attempt has nothing to be written again")
        engine = self._engine()
        number = len(talk.trajectories)
        events = converse_again(talk.problem, talk.chosen, position, engine, settings, number, cancel or Event())
        unfinished = Transcript(talk.model_copy(update={"outcome": None}), standing=talk.outcome)
        yield from self._follow(replace(run, transcript=unfinished, help="full"), events)

    def vote(self, run: Run, cancel: Event | None = None) -> Generator[Progress]:
        """Continue a finished run with a vote of further solutions on its outcome, yielding progress. The outcome stays
        visible meanwhile, and hidden steps stay hidden. Raises EngineError if there is no model."""
        settings = self.settings.with_(mode=run.mode if run.kind == "solve" else "critic")
        events = put_to_vote(run.transcript.talk, self._engine(), settings, cancel or Event())
        yield from self._follow(replace(run, help="full" if is_open(run) else run.help), events)

    def give(self, run: Run, wish: Wish) -> tuple[Run, StoreError | None]:
        """Give the student the next hint or step of a solution, or all the rest. Returns the run, and the reason why it
        could not be stored, if so."""
        levels = asked(run, wish)
        unsaved = self._stored(lambda log: log.add_hints(run.id, levels)) if levels else None
        return replace(run, hints=run.hints | levels), unsaved

    def rate(
        self,
        run_id: str,
        step: str | None,
        rating: Rating | None = None,
        reason: str | None = None,
        correction: str | None = None,
        consent: bool = False,
    ) -> Feedback:
        """Store a person's feedback on a step (`step` is its id) or on the whole run (None). An earlier reason is kept
        if the rating is the same. Raises StoreError."""
        if self.log is None:
            raise StoreError("Saving is turned off, so a rating cannot be stored. Turn saving on.")
        with self.log.transaction():
            earlier = self.log.labels(run_id).get(step or run_id)
            if reason is None and earlier and earlier.rating == rating:
                reason = earlier.reason
            feedback = Feedback(rating=rating, reason=reason, correction=correction, consent=consent)
            self.log.add_label(run_id, step, feedback)
        return feedback

    def practised(self, talk: SelfTalk, run_id: str | None = None) -> tuple[Run, StoreError | None]:
        """Store work of the Practise tab, which was judged without a model. It replaces the run `run_id` that it
        continues, unless that was rated. Returns the run, and the reason why it could not be stored, if so."""
        run = Run(run_id or new_id(), self.id, "check", PRACTISED, "", Transcript(talk), created_at=now())
        written = True

        def write(log: SessionLog) -> None:
            nonlocal written
            written = log.record_unrated(run)

        unsaved = self._stored(write)
        if not written:
            run = replace(run, id=new_id())
            unsaved = self._record(run)
        return run, unsaved

    def latest(self, kind: str) -> Run | None:
        """The session's last stored run of a kind (solve or check)."""
        return self.log.latest_run(self.id, kind) if self.log else None

    def _run(self, kind: Kind, mode: str, engine: Engine, problem: Problem) -> Run:
        return Run(new_id(), self.id, kind, mode, engine.model, begin(problem), created_at=now())

    def _follow(self, run: Run, events: Generator[TalkEvent]) -> Generator[Progress]:
        started, unsaved = time.monotonic() - run.seconds, None
        try:
            for event in events:
                transcript = fold(run.transcript, event)
                run = replace(run, transcript=transcript, seconds=time.monotonic() - started)
                if isinstance(event, _WORTH_KEEPING):
                    unsaved = self._record(run) or unsaved
                yield Progress(run, event, unsaved)
        finally:
            events.close()
            if run.status == "running":  # the caller stopped iterating
                self._record(run.halted())

    def _record(self, run: Run) -> StoreError | None:
        return self._stored(lambda log: log.record(run))

    def _stored(self, write: Callable[[SessionLog], None]) -> StoreError | None:
        """Store something; returns the error instead of raising it, so that the run goes on if the disk is full."""
        try:
            if self.log:
                write(self.log)
        except StoreError as error:
            return error
        return None
