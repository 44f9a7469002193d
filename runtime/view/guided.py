"""The view of a solution for a student who wants hints, or one step at a time.

What the student has not asked for stays on the server: a hidden step is sent as a stub without its text, and nothing is
sent while the problem is being solved.
"""

from __future__ import annotations

from typing import Any

from runtime.log.run import Run
from runtime.search.self_consistency import CERTAIN
from runtime.text import Language
from runtime.tutoring import disclosure
from runtime.tutoring.hints import Hint, correction_hint, gives_away
from runtime.view import render
from runtime.view.words import word


def view(run: Run, language: Language) -> dict[str, Any]:
    """The data of the step list: the whole run, or the part that the student asked for."""
    further = {"again": disclosure.can_be_tried_again(run), "votable": disclosure.can_be_voted_on(run)}
    whole: dict[str, Any] = {**render.view(run, language), **further}
    if run.kind == "check":
        return {**whole, "steps": [_correctable(row, language) for row in whole["steps"]]}
    if run.help == "full":
        return whole
    if run.status == "running":
        return {**whole, "steps": [], "status": word("status.working", language)}
    keys, texts = disclosure.solution(run)
    rows, seen = {row["id"]: row for row in whole["steps"]}, disclosure.seen(run)
    if is_whole(run):
        return {**whole, "steps": [rows[key] for key in keys if key in rows]}
    answer = run.outcome.answer
    shown = [_careful(rows[key], texts[seen:], answer) for key in keys[:seen]]
    hidden = [_stub(key, number, language) for number, key in enumerate(keys[seen:], seen + 1)]
    hidden[0]["hints"] = [hint_text(hint, language) for hint in disclosure.hints(run)]
    return {
        **whole,
        "steps": shown + hidden,
        "status": _status(run, seen, len(keys), whole["status"], language),
        "answer": "",
        "reliability": "",
        "note": "",
        "help": run.help,
        "comparable": disclosure.has_answer(run),
    }


def is_whole(run: Run) -> bool:
    """Whether no part of a run is hidden."""
    return run.kind == "check" or disclosure.is_open(run)


def compared(run: Run, same: bool | None, tries: int, language: Language) -> dict[str, Any]:
    """The reply to a student's own answer, the `tries`-th one (`disclosure.compare`). It never contains our answer,
    and allows for ours being wrong."""
    kind = {True: "same", False: "other", None: "unclear"}[same]
    vote = run.outcome.vote
    key = f"mine.{kind}"
    if kind != "unclear" and vote:
        key += ".voted" if vote[0] >= CERTAIN else ".divided"
    elif kind == "same" and run.status in ("unsettled", "unchecked"):
        key += ".unsettled"
    elif kind == "other" and tries > 1:
        key += ".again"
    elif kind == "other" and not disclosure.can_be_voted_on(run):
        key += ".hint"
    agree, n = vote or (0, 0)
    return {"kind": kind, "text": word(key, language, agree=agree, n=n), "tries": tries}


def hint_text(hint: Hint, language: Language) -> str:
    """The text of a hint."""
    parts = [*hint.known, *(word("hint.found", language, number=number) for number in hint.found)]
    *first, last = parts or [""]
    listed = ("、" if language == "zh-CN" else ", ").join(first)
    known = word("hint.and", language, first=listed, second=last) if first else last
    return word(f"hint.{hint.rung}.{hint.about}", language, known=known, sum=hint.sum, quote=hint.quote)


def _careful(row: dict[str, Any], hidden: list[str], answer: str | None) -> dict[str, Any]:
    """A row without comments that may reveal hidden steps; only those on false arithmetic are kept."""
    exact = any(badge["kind"] == "arithmetic_wrong" for badge in row["badges"])
    comment = row["comment"] if exact and not gives_away(row["comment"], hidden, answer) else ""
    text = row["comment_text"] if comment else ""
    return {**row, "comment": comment, "comment_text": text, "why": [{**why, "note": ""} for why in row["why"]]}


def _correctable(row: dict[str, Any], language: Language) -> dict[str, Any]:
    """A flagged line of own work: the student can ask for a hint, and then for what is wrong."""
    if row["state"] != "flagged":
        return row
    return {
        **row,
        "comment": "",
        "mend": {"hint": hint_text(correction_hint(row["text"]), language), "show": row["comment"]},
    }


def _stub(key: str, number: int, language: Language) -> dict[str, Any]:
    label = word("step.solve", language, number=number)
    empty = dict.fromkeys(("text", "html", "sign", "comment", "comment_text", "correction", "correction_html"), "")
    stub = {"id": key, "label": label, "word": word("verdict.locked", language), "state": "locked", "lang": language}
    return {**empty, **stub, "badges": [], "why": [], "rating": None}


def _status(run: Run, seen: int, count: int, ended: str, language: Language) -> str:
    if run.transcript.voting or run.status in ("stopped", "failed"):
        return ended
    if seen:
        return word("status.seen", language, seen=seen, count=count)
    return word("status.worked_out" if count > 1 else "status.worked_out.one", language, count=count)
