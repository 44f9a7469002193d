"""The queue of attempts to review, and storing the reviews. Independent of the page.

The most informative attempts come first: those with a step rated wrong, then those that the critic found wrong or was
not sure of, those with false arithmetic, those without ratings, and last those whose review was started.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, get_args

from runtime.log.store import SessionLog
from runtime.studio.labelled import LabelledAttempt, attempt_of, attempts_of
from runtime.types import Ending, Feedback, Review

Why = Literal["disliked", "disputed", "doubtful", "arithmetic", "new", "begun"]
"""The reason to review an attempt, in the order of the queue."""
JUDGED: frozenset[Why] = frozenset({"disputed", "doubtful", "arithmetic"})
"""Reasons that reveal the critic's verdict."""
Shelf = Literal["open", "done"]
SURE = 0.75
"""An attempt is doubtful if the critic gives a step a lower probability of being right."""
LONGEST = 2000
"""Most runs in a queue; the newest are taken."""


def why(attempt: LabelledAttempt) -> Why:
    """The reason to review this attempt."""
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
    """The keys of the attempts to review ("open") or of the reviewed ones ("done"), in order."""
    found = [
        attempt
        for run in log.ended_runs(LONGEST, search)
        for attempt in attempts_of(run, log.reviews(run.id))
        if (attempt.review is None) == (shelf == "open")
    ]
    order = get_args(Why)
    return [attempt.key for attempt in sorted(found, key=lambda attempt: order.index(why(attempt)))]


class Reviewing:
    """One person's position in the queue; `at` is the attempt shown before the page was reloaded."""

    def __init__(self, log: SessionLog, at: str | None = None) -> None:
        self.log, self.search = log, ""
        self.shelf: Shelf = "open"
        self.revealed = False
        """Whether the reference answer and the critic's verdicts are shown; both would sway the reviewer."""
        self._behind: list[str] = []
        self.look_again()
        if at and at in self.waiting:
            self.waiting.remove(at)
            self.waiting.insert(0, at)

    def look_again(self, search: str | None = None, shelf: Shelf | None = None) -> None:
        """Build the queue again, for a search and a shelf."""
        self.search = self.search if search is None else search
        self.shelf = shelf or self.shelf
        self.waiting = queue(self.log, self.search, self.shelf)
        self._behind, self.revealed = [], False

    def keep_up(self) -> None:
        """Build the queue again, but keep the attempt that is shown."""
        now, behind, revealed = self.waiting[:1], self._behind, self.revealed
        self.look_again()
        if set(now) <= set(self.waiting):
            self.waiting = [*now, *(key for key in self.waiting if key not in now)]
            self._behind, self.revealed = behind, revealed

    @property
    def current(self) -> LabelledAttempt | None:
        """The attempt that is shown, as stored now; None if the queue is empty."""
        return attempt_of(self.log, self.waiting[0]) if self.waiting else None

    @property
    def done_today(self) -> int:
        midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        return self.log.reviewed_since(midnight.astimezone(UTC).isoformat(timespec="milliseconds"))

    @property
    def can_reveal(self) -> bool:
        """Whether the person has judged the attempt, so that the critic's verdicts may be shown."""
        attempt = self.current
        return attempt is not None and (attempt.review is not None or attempt.known.is_judged)

    @property
    def can_go_back(self) -> bool:
        return bool(self._behind)

    def rate(self, step: str, feedback: Feedback) -> None:
        """Store feedback on a step id. Raises StoreError."""
        self.log.add_label(step.split(":")[0], step, feedback)

    def catch_up(self, given: Mapping[str, Feedback]) -> None:
        """Store feedback (by step id) that has not been stored yet: a review may be finished before its last label has
        arrived. Raises StoreError."""
        attempt = self.current
        stored = dict(zip(attempt.step_ids, attempt.labels, strict=True)) if attempt else {}
        for step, feedback in given.items():
            known = stored.get(step)
            if step in stored and not _same(known, feedback):
                self.rate(step, feedback)

    def objection(self, ending: Ending) -> Literal["unrated", "no_error", "has_error"] | None:
        """How the ratings contradict this ending; None if they do not."""
        attempt = self.current
        if attempt is None or ending in ("give_up", "bad_problem"):
            return None
        first_error, has_error = attempt.known.first_error_index, -1 in attempt.ratings
        if ending == "found_error":
            return None if isinstance(first_error, int) else "unrated" if has_error else "no_error"
        return None if first_error is None else "has_error" if has_error else "unrated"

    def finish(self, ending: Ending, explanation: str, seconds: float, consent: bool) -> None:
        """Store the review of the attempt that is shown and go to the next one. Raises StoreError."""
        attempt = self.current
        if attempt is None:
            return
        facts = {"explanation": explanation.strip(), "seconds": round(max(0.0, seconds), 1), "consent": consent}
        self.log.add_review(attempt.run.id, Review(turn=attempt.turn, ending=ending, **facts))
        self._go_on()

    def skip(self) -> None:
        """Move the attempt to the end of the queue."""
        if len(self.waiting) > 1:
            self._go_on(again=True)

    def back(self) -> None:
        """Go back to the attempt that was shown before."""
        if self._behind:
            key = self._behind.pop()
            self.waiting = [key, *(other for other in self.waiting if other != key)]
            self.revealed = False

    def _go_on(self, again: bool = False) -> None:
        done, *rest = self.waiting
        self._behind.append(done)
        self.waiting, self.revealed = [*rest, *([done] if again else [])], False


def _same(known: Feedback | None, given: Feedback) -> bool:
    if known is None:
        return given == Feedback(consent=given.consent)
    return (known.rating, known.reason, known.correction) == (given.rating, given.reason, given.correction)
