"""The outcome of a talk, from an attempt and a critique of it."""

from __future__ import annotations

from runtime.checks.claims import is_unsupported, lacks_data, shows_work
from runtime.critic.evidence import SOURCES
from runtime.types import Critique, Outcome, Status, Trajectory

_COMPARED = {"reference", *(source.name for source in SOURCES if source.compares_answers)}
"""Evidence on an attempt's answer, which is checked then even if no step shows where it comes from."""


def outcome_of(attempt: Trajectory, critique: Critique | None = None, note: str = "", stopped: bool = False) -> Outcome:
    """The outcome of a talk that ended with this attempt and, if there is a critic, with this critique of it."""
    status = "stopped" if stopped or attempt.finish == "cancelled" else _status(attempt, critique)
    answer = None if status == "unanswerable" else attempt.answer
    return Outcome(status=status, answer=answer, trajectory_id=attempt.id, note=note)


def _status(attempt: Trajectory, critique: Critique | None) -> Status:
    if critique and critique.first_error is not None:
        return "unsettled"
    if attempt.origin == "student":
        return "settled" if shows_work(attempt) or _is_compared(critique) else "unchecked"
    if lacks_data(attempt):
        return "unanswerable"
    if attempt.answer is None:
        return "unsettled"
    return "unchecked" if is_unsupported(attempt) and not _is_compared(critique) else "settled"


def _is_compared(critique: Critique | None) -> bool:
    """Whether other solutions reach the same answer."""
    evidence = [one for verdict in critique.verdicts for one in verdict.evidence] if critique else []
    return any(one.by in _COMPARED and one.verdict == "correct" for one in evidence)
