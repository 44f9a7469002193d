"""The state of one open page: its session, its language, and the run that each tab shows.

The widgets only show what this class returns. It is independent of Gradio; a view is a plain dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from html import escape
from threading import Event, Lock
from typing import Any

from runtime.errors import SoliloquyError
from runtime.log.run import Run
from runtime.log.store import SessionLog, StoreError
from runtime.page.exercise import Exercise
from runtime.page.past import LISTED
from runtime.session.comparison import Comparison, kept_comparison
from runtime.session.follower import Follower
from runtime.session.loader import Loading
from runtime.session.session import Progress, Session
from runtime.settings import Settings
from runtime.studio.reviewing import Reviewing
from runtime.studio.training import Trainable
from runtime.text import Language, UnreadableError
from runtime.tutoring import disclosure
from runtime.tutoring.disclosure import Wish
from runtime.types import Depth, Feedback, Help, Trajectory
from runtime.view import guided
from runtime.view.words import explained, not_stored, texts, word

KINDS = ("solve", "check")
COMPARE = "compare"
MAX_ANSWER = 200
SCRIPT_TEXTS = ("rate.", "give.", "mine.", "why.button", "again.", "mend.", "vote.")
"""Prefixes of the texts that the step list's script uses."""


Entered = Mapping[str, Any]
"""A label as the page sends it: number, rating, and if given reason and correction."""
Store = Callable[[str, Entered], None]
"""Stores one label of a step id."""


class BusyError(SoliloquyError):
    """Something that is running must end first."""


class Desk:
    """The desk of an open page. `kept_session`, `exercise`, `kept_item` and `kept_comparison` are the session, the
    exercise, the attempt in review and the comparison that this browser had before, if any. Without a log nothing is
    stored."""

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
        """The error of a log that cannot be used, if so."""
        try:
            self.session = Session(settings, model, log, kept_session)
        except StoreError as error:
            self.session, self.log_error = Session(settings, model, None, kept_session), error
        self.log, self.wanted = self.session.log, log
        """The log in use, and the one to use as soon as it can be opened."""
        self.exercise = exercise or Exercise()
        self.search = ""
        """The search text of the list of earlier runs."""
        self.listed = LISTED
        """The number of entries in that list."""
        self.trained: Trainable = "critic"
        """What the Train tab is to train."""
        self._kept_item, self._kept_comparison = kept_item, kept_comparison
        self._followers: dict[str, Follower] = {}
        self._unbegun: set[str] = set()
        """The kinds whose last run was stopped before it had begun."""
        # A run that is stored as running, but has no follower, was interrupted, such as by a crash.
        self._shown: dict[str, Run] = {kind: run.halted() for kind in KINDS if (run := self.session.latest(kind))}
        self._labels: dict[str, Feedback] = {}
        self._labelling = Lock()
        self._latest: dict[tuple[str, str], float] = {}
        """The number of the last stored label of a tab and a step."""
        self._own_answer: tuple[str, int] | None = None
        """The student's last own answer to the shown problem, and the number of answers so far."""
        self._unsaved: dict[str, StoreError] = {}
        self._failures = 0

    @cached_property
    def reviewing(self) -> Reviewing | None:
        """This person's review queue; None if nothing is stored."""
        return Reviewing(self.log, self._kept_item) if self.log else None

    @cached_property
    def comparison(self) -> Comparison | None:
        """The comparison shown in Compare, if any."""
        return kept_comparison(self.settings, self.model, self.log, self._kept_comparison)

    @property
    def running(self) -> bool:
        return bool(self._followers)

    # Runs

    def begin(self, kind: str, *asked: str, depth: Depth | None = None, help: Help = "full") -> None:
        """Prepare to solve (problem, mode) with this much help, or to check (problem, steps); `follow` runs it. Raises
        UnreadableError for an empty text, BusyError while another run of that kind is running."""
        for name, text in zip(("problem", "steps" if kind == "check" else "mode"), asked, strict=True):
            if not (text or "").strip():
                raise UnreadableError(word(f"error.empty.{name}", self.language))
        self._refuse_while(kind)
        self.try_to_keep()
        text, other = asked

        def act(cancel: Event) -> Generator[Progress]:
            if kind == "solve":
                return self.session.solve(text, other, depth=depth, cancel=cancel, help=help)
            return self.session.check(text, other, depth=depth, cancel=cancel)

        self._shown.pop(kind, None)
        self._unsaved.pop(kind, None)
        self._own_answer = None
        self._prepare(kind, act)

    def again(self, step: str, depth: Depth | None = None) -> None:
        """Prepare to solve again from a step of the shown solution on; does nothing if that is not possible."""
        run = self._shown.get("solve")
        if run is None or "solve" in self._followers or step not in disclosure.can_be_tried_again(run):
            return
        position = disclosure.can_be_tried_again(run).index(step)
        self._prepare("solve", lambda cancel: self.session.again(run, position, depth, cancel))

    def vote(self, kind: str) -> None:
        """Prepare a vote of further solutions on the shown run; does nothing if that is not possible."""
        run = self._shown.get(kind)
        if run and kind not in self._followers and disclosure.can_be_voted_on(run):
            self._prepare(kind, lambda cancel: self.session.vote(run, cancel))

    def _prepare(self, kind: str, act: Callable[[Event], Generator[Progress]]) -> None:
        self._unbegun.discard(kind)
        self._followers[kind] = Follower(act)

    def follow(self, kind: str) -> Iterator[dict[str, Any] | None]:
        """Run what was prepared: yields the view while it runs when that has changed, else None. After a stop it yields
        None until the model is free. Raises what the session raises."""
        yield None  # a run may be stopped before it is followed, and Gradio clears the outputs of an empty generator
        follower = self._followers.get(kind)
        if follower is None:
            return
        try:
            shown = None
            for progress in follower:
                if self._followers.get(kind) is not follower:
                    yield None
                elif progress:
                    self._shown[kind] = progress.run
                    self._unsaved |= {kind: progress.unsaved} if progress.unsaved else {}
                    yield self.view(kind)
                elif kind not in self._shown and shown != self.model.readiness.state:
                    shown = self.model.readiness.state
                    yield self.view(kind, status=self._before_first_word())
                else:
                    yield None
        finally:
            if self._followers.get(kind) is follower:
                del self._followers[kind]
            if kind in self._shown and kind not in self._followers:
                self._shown[kind] = self._shown[kind].halted()

    def stop(self, kind: str) -> dict[str, Any]:
        """Stop a run; returns the view, with what was written so far."""
        if follower := self._followers.pop(kind, None):
            if run := follower.stop():
                self._shown[kind] = run
            else:
                self._unbegun.add(kind)
        return self.view(kind)

    def leave(self) -> None:
        """Stop all runs, as the page was closed."""
        while self._followers:
            _, follower = self._followers.popitem()
            follower.cancel.set()

    # Comparing all modes

    def begin_comparison(self, problem: str, depth: Depth | None = None) -> Comparison:
        """Prepare to solve a problem in all modes. Raises UnreadableError for an empty one, BusyError, StoreError."""
        if not (problem or "").strip():
            raise UnreadableError(word("error.empty.problem", self.language))
        self._refuse_while(COMPARE)
        self.try_to_keep()
        self.comparison = comparison = Comparison(self.settings, self.model, self.log)
        self._prepare(COMPARE, lambda cancel: comparison.solve(problem, depth, cancel))
        return comparison

    def follow_comparison(self) -> Iterator[bool]:
        """Run it: yields True when something has changed, else False; as in `follow`, the end is not shown. Raises what
        the session raises."""
        yield False  # as in `follow`
        follower = self._followers.get(COMPARE)
        if follower is None:
            return
        try:
            for progress in follower:
                yield progress is not None and self._followers.get(COMPARE) is follower
        finally:
            if self._followers.get(COMPARE) is follower:
                del self._followers[COMPARE]

    def stop_comparison(self) -> None:
        """Stop the comparison; what was written stays."""
        if follower := self._followers.pop(COMPARE, None):
            follower.stop()
            if self.comparison:
                self.comparison.stop()

    @property
    def comparing(self) -> bool:
        return COMPARE in self._followers

    # Help with a solution

    def give(self, wish: Wish) -> None:
        """Show the next hint or step of the shown solution, or all the rest."""
        if run := self._shown.get("solve"):
            self._own_answer = None  # the box may hold another answer by now
            self._shown["solve"], unsaved = self.session.give(run, wish)
            self._unsaved |= {"solve": unsaved} if unsaved else {}

    def compare(self, answer: str) -> None:
        """Compare a student's answer with that of the shown solution; the view has the result."""
        if "solve" in self._shown:
            _, tries = self._own_answer or ("", 0)
            self._own_answer = answer[:MAX_ANSWER], tries + 1

    # Earlier runs

    def keep_in(self, log: SessionLog | None) -> None:
        """Store in this log from now on (None: nowhere); a comparison that was started is then not stored further."""
        self.session.keep_in(log)
        self.log, self.wanted, self.log_error = log, log, None
        self.__dict__.pop("reviewing", None)
        if log is None and self.comparison:
            self.comparison.session.keep_in(None)

    def try_to_keep(self) -> None:
        """Try again to open a log that could not be opened."""
        if self.wanted and not self.log:
            with suppress(StoreError):
                self.keep_in(self.wanted)

    def reopen(self, run: Run) -> str:
        """Show a stored run again; returns its kind. Raises BusyError while another run of that kind is running."""
        self._refuse_while(run.kind)
        self._shown[run.kind] = run.halted()
        self._unbegun.discard(run.kind)
        self._unsaved.pop(run.kind, None)
        self._own_answer = None
        # The log has its latest labels, from this page or another.
        self._labels = {step: label for step, label in self._labels.items() if not step.startswith(run.id)}
        return run.kind

    def reopen_comparison(self, session: str) -> str:
        """Show a stored comparison again; returns `COMPARE`. Raises BusyError while another one is running."""
        self._refuse_while(COMPARE)
        self.comparison = kept_comparison(self.settings, self.model, self.log, session)
        return COMPARE

    def _refuse_while(self, kind: str) -> None:
        if kind in self._followers:
            raise BusyError(word("error.busy", self.language))

    def is_writing(self, run_id: str) -> bool:
        """Whether this run is running here or prepared, so that it would be stored again."""
        going_on = [f.latest.run.id for f in self._followers.values() if f.latest]
        return run_id in [*going_on, *(run.id for kind, run in self._shown.items() if kind in self._followers)]

    def forget(self, run_id: str) -> None:
        """Remove a deleted run from all tabs."""
        for kind in [kind for kind, run in self._shown.items() if run.id == run_id]:
            del self._shown[kind]
        self.exercise.forget(run_id)
        if self.comparison and any(run.id == run_id for run in self.comparison.runs.values()):
            self.comparison = None
        if reviewing := self.__dict__.get("reviewing"):
            reviewing.keep_up()

    # Labels

    @contextmanager
    def storing(self, kind: str) -> Generator[None]:
        """Wraps the storing of what a person entered on a tab. Raises StoreError; the next view then has the reason,
        and shows what is really stored."""
        try:
            yield
        except StoreError as error:
            self._unsaved[kind] = error
            self._failures += 1
            raise
        self._unsaved.pop(kind, None)

    def trouble(self, kind: str) -> dict[str, Any]:
        """The part of a view on what could not be stored; `epoch` makes the browser take the stored state again."""
        return {"unsaved": not_stored(self._unsaved.get(kind), self.language), "epoch": self._failures}

    def store_labels(self, kind: str, step: str, labels: Iterable[Entered], store: Store) -> None:
        """Store labels of a step, which the page numbers in the order in which they were given, except those that an
        earlier request brought. The requests of a page run side by side, so one may overtake another; therefore each
        brings the step's earlier labels too. Raises StoreError."""
        with self._labelling, self.storing(kind):
            for label in labels:
                if label["number"] > self._latest.get((kind, step), 0):
                    store(step, label)
                    self._latest[kind, step] = label["number"]

    def rate(self, kind: str, step: str, labels: Iterable[Entered], consent: bool) -> None:
        """Store labels as `store_labels` does, and show the last one. Raises StoreError."""

        def store(step: str, label: Entered) -> None:
            rating, correction = label["rating"], label.get("correction") or None
            run_id = step.split(":")[0]
            self._labels[step] = self.session.rate(run_id, step, rating, correction=correction, consent=consent)

        self.store_labels(kind, step, labels, store)

    # Views

    def view(self, kind: str, status: str | None = None) -> dict[str, Any]:
        """The data of a tab's step list."""
        run = self._shown.get(kind)
        status = status or (word("status.unbegun", self.language) if kind in self._unbegun else None)
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
            "words": texts(SCRIPT_TEXTS, self.language),
            "busy": kind in self._followers,
            "rateable": self.log is not None,
        }

    def model_line(self) -> str:
        """HTML of the model's state, and what to do if there is none."""
        state, name, error = self.model.readiness.state, self.model.readiness.text, self.model.readiness.error
        head = word(f"model.{state}", self.language, name=name)
        reason = explained(error or name, self.language)
        more = word("model.missing.do", self.language, reason=reason) if state == "missing" else ""
        return f'<div class="{state}"><b>{escape(head)}</b>{escape(more)}</div>'

    def texts(self, kind: str) -> list[str]:
        """The texts of the shown run, to fill the form again."""
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
