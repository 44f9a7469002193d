"""Views of the Review tab: plain values for the step list, HTML for the problem above it."""

from __future__ import annotations

from html import escape
from typing import Any

from runtime.studio.labelled import LabelledAttempt
from runtime.studio.reviewing import JUDGED, Reviewing, Why, why
from runtime.text import Language
from runtime.view import render
from runtime.view.display import answer_to_display, to_display
from runtime.view.words import texts, word

REASONS = ("arithmetic", "idea", "unclear", "skips", "off_topic", "format")
_SHOWN = {
    "correct": ("verdict.ok", "ok", "✓"),
    "unsure": ("verdict.unsure", "unsure", "?"),
    "incorrect": ("verdict.flagged.solve", "flagged", "✗"),
}


def view(reviewing: Reviewing | None, language: Language) -> dict[str, Any]:
    """The data of the step list."""
    attempt = reviewing.current if reviewing else None
    words = texts(("rate.", "review."), language)
    shared = {
        "language": language,
        "title": word("review.title", language),
        "empty": empty(reviewing, language),
        "words": words | {"rate.unsure": words["review.neutral"], "rate.keys": words["review.keys"]},
        "rateable": True,
        "advances": True,
        "reasons": {name: word(f"review.reason.{name}", language) for name in REASONS},
    }
    if reviewing is None or attempt is None:
        return shared
    return shared | {
        "item": attempt.key,
        "steps": _steps(attempt, reviewing.revealed, language),
        "ending": attempt.review.ending if attempt.review else "",
        "explanation": attempt.review.explanation if attempt.review else "",
        "revealed": reviewing.revealed,
        "can_reveal": bool(attempt.critique or attempt.problem.answer),
        "can_go_back": reviewing.can_go_back,
        "can_skip": len(reviewing.waiting) > 1,
    }


def empty(reviewing: Reviewing | None, language: Language) -> str:
    """The text shown if there is no attempt to review."""
    if reviewing is None:
        return word("review.not_kept", language)
    if reviewing.search:
        return word("review.empty.search", language)
    if reviewing.shelf == "done":
        return word("review.empty.done", language)
    return word("review.empty.all" if reviewing.log.count_runs() else "review.empty", language)


def _steps(attempt: LabelledAttempt, revealed: bool, language: Language) -> list[dict[str, Any]]:
    rows = {row["id"]: row for row in render.steps(attempt.run, language)}
    shown = []
    for number, (key, label) in enumerate(zip(attempt.step_ids, attempt.labels, strict=True), 1):
        row = {**rows[key], "label": word("step.solve", language, number=number)}
        row["reason"] = (label.reason or "") if label else ""
        shown.append(
            row | (_judged(attempt, number - 1, language) if revealed else {"state": "plain", **render.UNJUDGED})
        )
    return shown


def _judged(attempt: LabelledAttempt, position: int, language: Language) -> dict[str, str]:
    """The critic's verdict on a step of this attempt, even if a later attempt replaced the step."""
    verdicts = attempt.critique.verdicts if attempt.critique else ()
    if position >= len(verdicts) or not verdicts[position].evidence:
        return {"state": "plain", "sign": "", "word": ""}
    key, state, sign = _SHOWN[verdicts[position].verdict]
    return {"state": state, "sign": sign, "word": word(key, language)}


def head(reviewing: Reviewing | None, language: Language) -> str:
    """HTML of the progress, the reason to review this attempt, the problem, and the reference answer if revealed."""
    attempt = reviewing.current if reviewing else None
    if reviewing is None or attempt is None:
        return ""
    left, today = len(reviewing.waiting), reviewing.done_today
    key = "review.progress" if reviewing.shelf == "open" else "review.progress.done"
    reason = _reason(reviewing, why(attempt), language)
    reason = f"<span>{escape(reason)}</span>" if reason else ""
    return (
        f'<div class="sq-review"><p class="sq-progress"><b>{escape(word(key, language, left=left, today=today))}</b>'
        f'{reason}</p><p class="sq-problem">{to_display(attempt.problem.text)}</p>'
        f"{_reference(attempt, language) if reviewing.revealed else ''}</div>"
    )


def _reason(reviewing: Reviewing, reason: Why, language: Language) -> str:
    """The reason to review an attempt; empty if it would reveal the critic's verdict."""
    if reviewing.shelf == "done" or (reason in JUDGED and not reviewing.revealed):
        return ""
    return word(f"review.why.{reason}", language)


def _reference(attempt: LabelledAttempt, language: Language) -> str:
    facts = [("review.reference", attempt.problem.answer), ("review.stated", attempt.trajectory.answer)]
    rows = [f"<dt>{escape(word(key, language))}</dt><dd>{answer_to_display(text)}</dd>" for key, text in facts if text]
    return f'<dl class="sq-reference">{"".join(rows)}</dl>' if rows else ""


def guide(language: Language) -> str:
    """HTML of the explanation of the ratings, folded."""
    rows = "".join(
        f'<li><b class="sq-{name}">{sign} {escape(word(f"review.guide.{name}.name", language))}</b> '
        f"{escape(word(f'review.guide.{name}', language))}</li>"
        for name, sign in (("right", "✓"), ("unsure", "?"), ("wrong", "✗"))
    )
    return (
        f'<details class="sq-guide"><summary>{escape(word("review.guide.title", language))}</summary><ul>{rows}</ul>'
        f"<p>{escape(word('review.guide.order', language))}</p><p>{escape(word('review.guide.keys', language))}</p>"
        "</details>"
    )
