"""Reviewing stored attempts: which comes next, and what a person says of it. Nothing here knows of the page.

Those come first from which most can be learned: what somebody rated wrong, what the critic objected to or was not sure
of, what has false arithmetic; then what nobody has rated yet, and last what somebody began to rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, get_args

from runtime.log.store import SessionLog
from runtime.studio.labelled import LabelledAttempt, attempt_of, attempts_of
from runtime.types import Ending, Feedback, Review

Why = Literal["disliked", "disputed", "doubtful", "arithmetic", "new", "begun"]
"""Why an attempt waits for a review, in the order of the queue."""
JUDGED: frozenset[Why] = frozenset({"disputed", "doubtful", "arithmetic"})
"""What the critic said."""
Shelf = Literal["open", "done"]
SURE = 0.75
"""A critic that gives every step at least this probability of being right has no doubt."""
LONGEST = 2000
"""Runs that a queue is made of, the newest ones."""


def why(attempt: LabelledAttempt) -> Why:
    """Why somebody should look at this attempt."""
    verdicts = attempt.critique.verdicts if attempt.critique else ()
    about_run = attempt.run.labels.get(attempt.run.id)
    if -1 in attempt.ratings or (about_run and about_run.rating == -1):
        return "disliked"
    if any(verdict.verdict == "incorrect" for verdict in verdicts):
        return "disputed"
    if attempt.critique and attempt.critique.score < SURE:
        return "doubtful"
    checks = (verdict.evidence_by("arithmetic") for verdict in verdicts)
    if any(check and check.verdict == "incorrect" for check in checks):
        return "arithmetic"
    return "new" if not any(attempt.labels) else "begun"


def queue(log: SessionLog, search: str = "", shelf: Shelf = "open") -> list[str]:
    """The keys of the attempts that wait for a review, or of those that were reviewed."""
    found = [
        attempt
        for run in log.ended_runs(LONGEST, search)
        for attempt in attempts_of(run, log.reviews(run.id))
        if (attempt.review is None) == (shelf == "open")
    ]
    order = get_args(Why)
    return [attempt.key for attempt in sorted(found, key=lambda attempt: order.index(why(attempt)))]


class Reviewing:
    """One person's way through the queue; `at` is the attempt that was on view before the page was opened anew."""

    def __init__(self, log: SessionLog, at: str | None = None) -> None:
        self.log, self.search, self.shelf = log, "", "open"
        self.revealed = False
        """Whether the reference answer and the critic's word are on view: both would sway a person who rates."""
        self._behind: list[str] = []
        self.look_again()
        if at in self.waiting:
            self.waiting.remove(at)
            self.waiting.insert(0, at)

    def look_again(self, search: str | None = None, shelf: Shelf | None = None) -> None:
        """Make the queue anew, of what a search finds."""
        self.search = self.search if search is None else search
        self.shelf = shelf or self.shelf
        self.waiting = queue(self.log, self.search, self.shelf)
        self._behind, self.revealed = [], False

    def keep_up(self) -> None:
        """Take in what was stored meanwhile; what is on view stays on view."""
        now, behind, revealed = self.waiting[:1], self._behind, self.revealed
        self.look_again()
        if set(now) <= set(self.waiting):
            self.waiting = [*now, *(key for key in self.waiting if key not in now)]
            self._behind, self.revealed = behind, revealed

    @property
    def current(self) -> LabelledAttempt | None:
        """The attempt on view, as it is stored now."""
        return attempt_of(self.log, self.waiting[0]) if self.waiting else None

    @property
    def done_today(self) -> int:
        midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        return self.log.reviewed_since(midnight.astimezone(UTC).isoformat(timespec="milliseconds"))

    @property
    def can_reveal(self) -> bool:
        """Whether the attempt on view was judged by the person, whom the critic's word would sway before that."""
        attempt = self.current
        return attempt is not None and (attempt.review is not None or attempt.holds or attempt.first_error is not None)

    @property
    def can_go_back(self) -> bool:
        return bool(self._behind)

    def rate(self, step: str, feedback: Feedback) -> None:
        """Store a word on a step. Raises StoreError."""
        self.log.add_label(step.split(":")[0], step, feedback)

    def catch_up(self, said: Mapping[str, Feedback]) -> None:
        """Store what a person said that has not arrived yet: an attempt may be ended faster than its last label
        travels. Raises StoreError."""
        attempt = self.current
        stored = dict(zip(attempt.step_ids, attempt.labels, strict=True)) if attempt else {}
        for step, feedback in said.items():
            known = stored.get(step)
            if step in stored and not _same(known, feedback):
                self.rate(step, feedback)

    def objection(self, ending: Ending) -> Literal["unrated", "no_error", "has_error"] | None:
        """What contradicts this ending, if anything does."""
        attempt = self.current
        if attempt is None or ending in ("give_up", "bad_problem"):
            return None
        if ending == "found_error":
            return None if attempt.first_error is not None else "unrated" if -1 in attempt.ratings else "no_error"
        return None if attempt.holds else "has_error" if -1 in attempt.ratings else "unrated"

    def finish(self, ending: Ending, explanation: str, seconds: float, consent: bool) -> None:
        """End the review of the attempt on view and go on to the next. Raises StoreError."""
        attempt = self.current
        if attempt is None:
            return
        told = {"explanation": explanation.strip(), "seconds": round(max(0.0, seconds), 1), "consent": consent}
        self.log.add_review(attempt.run.id, Review(turn=attempt.turn, ending=ending, **told))
        self._go_on()

    def skip(self) -> None:
        """Leave it for later: it comes again after all others."""
        if len(self.waiting) > 1:
            self._go_on(again=True)

    def back(self) -> None:
        """To the attempt that was on view before."""
        if self._behind:
            key = self._behind.pop()
            self.waiting = [key, *(other for other in self.waiting if other != key)]
            self.revealed = False

    def _go_on(self, again: bool = False) -> None:
        done, *rest = self.waiting
        self._behind.append(done)
        self.waiting, self.revealed = [*rest, *([done] if again else [])], False


def _same(known: Feedback | None, said: Feedback) -> bool:
    if known is None:
        return said == Feedback(consent=said.consent)
    return (known.rating, known.reason, known.correction) == (said.rating, said.reason, said.correction)
