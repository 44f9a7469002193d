"""What one open page works on: its session, its language, and the run that each tab shows.

The page's widgets only carry what this class gives them. It knows nothing of Gradio; a view is a plain dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property, partial
from html import escape
from typing import Any

from runtime.errors import SoliloquyError
from runtime.log.run import Run
from runtime.log.store import SessionLog, StoreError
from runtime.page.exercise import Exercise
from runtime.page.past import LISTED
from runtime.session.comparison import Comparison, kept_comparison
from runtime.session.follower import Follower
from runtime.session.loader import Loading
from runtime.session.session import Session
from runtime.settings import Settings
from runtime.studio.reviewing import Reviewing
from runtime.text import Language, UnreadableError
from runtime.tutoring import disclosure
from runtime.tutoring.disclosure import Wish
from runtime.types import Depth, Feedback, Help, Trajectory
from runtime.view import guided
from runtime.view.words import catalogue, explained, word

KINDS = ("solve", "check")
COMPARE = "compare"
MAX_ANSWER = 200
SAID_BY_SCRIPT = ("rate.", "give.", "mine.", "why.button", "again.", "mend.", "vote.")
"""Which words the step list's own script puts into buttons and labels."""


class BusyError(SoliloquyError):
    """Something must end first; the text says what."""


class Desk:
    """`kept_session` is the session that this browser had before, if it had one; `exercise` what it practised,
    `kept_item` what it reviewed, `kept_comparison` what it compared. Without a log nothing is kept."""

    def __init__(
        self,
        settings: Settings,
        model: Loading,
        log: SessionLog | None,
        language: Language,
        kept_session: str | None = None,
        exercise: Exercise | None = None,
        kept_item: str | None = None,
        kept_comparison: str | None = None,
    ) -> None:
        self.settings, self.model, self.language = settings, model, language
        self.log_error: StoreError | None = None
        """Why nothing is kept although it should be, if that is so."""
        try:
            self.session = Session(settings, model, log, kept_session)
        except StoreError as error:
            self.session, self.log_error = Session(settings, model, None, kept_session), error
        self.log, self.wanted = self.session.log, log
        """Where things are stored, and where they shall be as soon as that can be opened."""
        self.exercise = exercise or Exercise()
        self.search = ""
        """What the list of earlier runs is searched for."""
        self.listed = LISTED
        """How many of them are listed."""
        self._kept_item, self._kept_comparison = kept_item, kept_comparison
        self._followers: dict[str, Follower] = {}
        # What goes on in no follower was broken off, as by a crash.
        self._shown: dict[str, Run] = {kind: run.halted() for kind in KINDS if (run := self.session.latest(kind))}
        self._labels: dict[str, Feedback] = {}
        self._own_answer: tuple[str, int] | None = None
        """What a student compared with the solution on view last, and how often they did."""
        self._unsaved: dict[str, StoreError] = {}
        self._failures = 0

    @cached_property
    def reviewing(self) -> Reviewing | None:
        """This person's way through the attempts to review; None where nothing is stored."""
        return Reviewing(self.log, self._kept_item) if self.log else None

    @cached_property
    def comparison(self) -> Comparison | None:
        """One problem in all ways, on view in Compare."""
        return kept_comparison(self.settings, self.model, self.log, self._kept_comparison)

    @property
    def running(self) -> bool:
        return bool(self._followers)

    # Runs

    def begin(self, kind: str, *asked: str, depth: Depth | None = None, help: Help = "full") -> None:
        """Get ready to solve (problem, mode), showing as much as `help` says, or to check (problem, steps). Raises
        UnreadableError for empty ones, BusyError while another of that kind goes on."""
        for name, text in zip(("problem", "steps" if kind == "check" else "mode"), asked, strict=True):
            if not (text or "").strip():
                raise UnreadableError(word(f"error.empty.{name}", self.language))
        self._refuse_while(kind)
        self.try_to_keep()
        act = partial(self.session.solve, help=help) if kind == "solve" else self.session.check
        self._shown.pop(kind, None)
        self._unsaved.pop(kind, None)
        self._own_answer = None
        self._followers[kind] = Follower(lambda cancel: act(*asked, depth=depth, cancel=cancel))

    def again(self, step: str, depth: Depth | None = None) -> None:
        """Get ready to write the solution on view anew from one of its steps on. Nothing happens for any other step."""
        run = self._shown.get("solve")
        if run is None or "solve" in self._followers or step not in disclosure.can_be_tried_again(run):
            return
        position = disclosure.can_be_tried_again(run).index(step)
        self._followers["solve"] = Follower(lambda cancel: self.session.again(run, position, depth, cancel))

    def vote(self, kind: str) -> None:
        """Get ready to let more solutions vote on what is on view. Nothing happens where they can say nothing new."""
        run = self._shown.get(kind)
        if run and kind not in self._followers and disclosure.can_be_voted_on(run):
            self._followers[kind] = Follower(lambda cancel: self.session.vote(run, cancel))

    def follow(self, kind: str) -> Iterator[dict[str, Any] | None]:
        """The view whenever there is something new, None as a heartbeat. Raises what the session raises."""
        yield None  # a run may be stopped before it is followed, and Gradio empties a page that it hears nothing for
        follower = self._followers.get(kind)
        if follower is None:
            return
        try:
            told = None
            for progress in follower:
                if progress:
                    self._shown[kind] = progress.run
                    self._unsaved |= {kind: progress.unsaved} if progress.unsaved else {}
                    yield self.view(kind)
                elif kind not in self._shown and told != self.model.readiness.state:
                    told = self.model.readiness.state
                    yield self.view(kind, status=self._before_first_word())
                else:
                    yield None
        finally:
            if self._followers.get(kind) is follower:
                del self._followers[kind]
                if kind in self._shown:
                    self._shown[kind] = self._shown[kind].halted()
        yield self.view(kind)

    def stop(self, kind: str) -> dict[str, Any]:
        """End a run; what was written stays on view, which is the value."""
        follower = self._followers.pop(kind, None)
        run = follower.stop() if follower else None
        if run:
            self._shown[kind] = run
        return self.view(kind, word("status.unbegun", self.language) if follower and not run else None)

    def leave(self) -> None:
        """Nobody looks any more: let the model go."""
        for follower in self._followers.values():
            follower.cancel.set()

    # All ways at once

    def begin_comparison(self, problem: str, depth: Depth | None = None) -> None:
        """Get ready to solve a problem in all ways. Raises UnreadableError for an empty one, BusyError, StoreError."""
        if not (problem or "").strip():
            raise UnreadableError(word("error.empty.problem", self.language))
        self._refuse_while(COMPARE)
        self.try_to_keep()
        self.comparison = begun = Comparison(self.settings, self.model, self.log)
        self._followers[COMPARE] = Follower(lambda cancel: begun.solve(problem, depth, cancel))

    def follow_comparison(self) -> Iterator[bool]:
        """True whenever there is something new, False as a heartbeat. Raises what the session raises."""
        yield False  # as above
        follower = self._followers.get(COMPARE)
        if follower is None:
            return
        try:
            for progress in follower:
                yield progress is not None
        finally:
            if self._followers.get(COMPARE) is follower:
                del self._followers[COMPARE]
        yield True

    def stop_comparison(self) -> None:
        """End it; what was written stays on view."""
        if follower := self._followers.pop(COMPARE, None):
            follower.stop()
            self.comparison.stop()

    @property
    def comparing(self) -> bool:
        return COMPARE in self._followers

    # Help with a solution

    def give(self, wish: Wish) -> None:
        """Show the next hint or step of the solution on view, or all that is left."""
        if run := self._shown.get("solve"):
            self._own_answer = None  # the answer may have been changed since
            self._shown["solve"], unsaved = self.session.give(run, wish)
            self._unsaved |= {"solve": unsaved} if unsaved else {}

    def compare(self, answer: str) -> None:
        """Say whether a student's answer is that of the solution on view."""
        if "solve" in self._shown:
            _, tries = self._own_answer or ("", 0)
            self._own_answer = answer[:MAX_ANSWER], tries + 1

    # Earlier runs

    def keep_in(self, log: SessionLog | None) -> None:
        """From now on store in this log, or nowhere; a comparison that was begun is not taken up again."""
        self.session.keep_in(log)
        self.log, self.wanted, self.log_error = log, log, None
        self.__dict__.pop("reviewing", None)
        if log is None and self.comparison:
            self.comparison.session.keep_in(None)

    def try_to_keep(self) -> None:
        """A log that could not be opened is tried again whenever there is something to store."""
        if self.wanted and not self.log:
            with suppress(StoreError):
                self.keep_in(self.wanted)

    def reopen(self, run: Run) -> str:
        """Show a stored run again; the value is its kind. Raises BusyError while another of that kind goes on."""
        self._refuse_while(run.kind)
        self._shown[run.kind] = run.halted()
        self._unsaved.pop(run.kind, None)
        self._own_answer = None
        # The log knows what was said of it, here or elsewhere.
        self._labels = {step: said for step, said in self._labels.items() if not step.startswith(run.id)}
        return run.kind

    def reopen_comparison(self, session: str) -> str:
        """Show a stored comparison again; the value is `COMPARE`. Raises BusyError while another one goes on."""
        self._refuse_while(COMPARE)
        self.comparison = kept_comparison(self.settings, self.model, self.log, session)
        return COMPARE

    def _refuse_while(self, kind: str) -> None:
        if kind in self._followers:
            raise BusyError(word("error.busy", self.language))

    def is_writing(self, run_id: str) -> bool:
        """Whether this run goes on here, or is about to, so that it would be stored again."""
        going_on = [f.latest.run.id for f in self._followers.values() if f.latest]
        return run_id in [*going_on, *(run.id for kind, run in self._shown.items() if kind in self._followers)]

    def forget(self, run_id: str) -> None:
        """A run was deleted: show it no longer."""
        for kind in [kind for kind, run in self._shown.items() if run.id == run_id]:
            del self._shown[kind]
        self.exercise.forget(run_id)
        if self.comparison and any(run.id == run_id for run in self.comparison.runs.values()):
            self.comparison = None
        if reviewing := self.__dict__.get("reviewing"):
            reviewing.keep_up()

    # Labels

    @contextmanager
    def storing(self, kind: str) -> Iterator[None]:
        """What a person says on a tab is stored in here. Raises StoreError; the next view then says why, and shows what
        is really stored."""
        try:
            yield
        except StoreError as error:
            self._unsaved[kind] = error
            self._failures += 1
            raise
        self._unsaved.pop(kind, None)

    def trouble(self, kind: str) -> dict[str, Any]:
        """What a view says of things that could not be stored."""
        unsaved = self._unsaved.get(kind)
        return {
            "unsaved": word("unsaved", self.language, reason=explained(unsaved, self.language)) if unsaved else "",
            "epoch": self._failures,
        }

    def rate(self, kind: str, step: str, rating: int | None, correction: str | None, consent: bool) -> None:
        """Store a label. Raises as `storing` does."""
        with self.storing(kind):
            run_id = step.split(":")[0]
            self._labels[step] = self.session.rate(run_id, step, rating, correction=correction or None, consent=consent)

    # Views

    def view(self, kind: str, status: str | None = None) -> dict[str, Any]:
        """All that a tab's step list shows."""
        run = self._shown.get(kind)
        shown = guided.view(replace(run, labels=run.labels | self._labels), self.language) if run else {}
        if run and kind == "solve" and self._own_answer and run.transcript.talk.outcome:
            answer, tries = self._own_answer
            shown["compared"] = guided.compared(run, disclosure.compare(run, answer), tries, self.language)
        return {
            **shown,
            **self.trouble(kind),
            **({"status": status} if status else {}),
            "language": self.language,
            "title": word(f"steps.{kind}", self.language),
            "empty": word(f"steps.empty.{kind}", self.language),
            "words": {key: text for key, text in catalogue(self.language).items() if key.startswith(SAID_BY_SCRIPT)},
            "busy": kind in self._followers,
            "rateable": self.log is not None,
        }

    def model_line(self) -> str:
        """HTML that says whether the model is ready, and what to do if there is none."""
        state, name, error = self.model.readiness.state, self.model.readiness.text, self.model.readiness.error
        head = word(f"model.{state}", self.language, name=name)
        reason = explained(error or name, self.language)
        more = word("model.missing.do", self.language, reason=reason) if state == "missing" else ""
        return f'<div class="{state}"><b>{escape(head)}</b>{escape(more)}</div>'

    def texts(self, kind: str) -> list[str]:
        """What was asked in the run on view, to fill the form again."""
        run = self._shown.get(kind)
        if run is None:
            return []
        talk = run.transcript.talk
        if kind == "solve":
            return [talk.problem.text]
        own = next((turn for turn in talk.turns if isinstance(turn, Trajectory)), None)
        return [talk.problem.text, "\n".join(step.text for step in own.steps) if own else ""]

    def _before_first_word(self) -> str:
        loading = self.model.readiness.state == "loading"
        return word("model.loading" if loading else "status.thinking", self.language)
