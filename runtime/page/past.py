"""The list of earlier runs, and saving one as a file. Independent of Gradio."""

from __future__ import annotations

from typing import Any

from runtime.log.run import Run
from runtime.log.store import SessionLog, StoreError
from runtime.session.comparison import MODES
from runtime.text import Language
from runtime.view import endings, report
from runtime.view.words import explained, texts, word

LISTED = 20
"""Entries listed at first, and added by "Show more"."""
LONGEST = 90
"""Most characters of a title; the page cuts it further to fit."""


def listing(
    log: SessionLog | None, language: Language, search: str = "", comparisons: bool = False, shown: int = LISTED
) -> dict[str, Any]:
    """The data of the list: the newest runs that a search finds, whether there are more, and the reason if there are
    none. With `comparisons`, the runs of a comparison are one entry with the id of their session."""
    empty = word("past.none" if search.strip() else "past.empty", language)
    try:
        rows = log.runs(len(MODES) * (shown + 1), search) if log else []
    except StoreError as error:  # the page must open even if the log cannot be read
        rows, empty = [], explained(error, language)
    entries: dict[str, dict[str, Any]] = {}
    for row in rows:
        together = comparisons and row["compared"]
        entries.setdefault(row["session"] if together else row["id"], row | {"compared": together})
    return {
        "language": language,
        "search": search,
        "rows": [_row(entry, row, language) for entry, row in [*entries.items()][:shown]],
        "more": word("past.newest", language, n=shown) if len(entries) > shown else "",
        "empty": _left_out(log, language) if log and rows else empty,
        "words": texts("past.", language),
    }


def document(log: SessionLog | None, entry: str, form: str, language: Language) -> dict[str, str]:
    """An entry as a file: name, media type and text. Raises StoreError if it is not stored."""
    runs = runs_of(log, entry, language)
    if form not in _MEDIA:
        raise StoreError(word("error.past.gone", language))
    name = f"soliloquy-{runs[0].created_at[:10]}-{entry[-6:].lower()}.{form}"
    return {"name": name, "type": _MEDIA[form], "text": report.FORMATS[form](runs, language)}


def runs_of(log: SessionLog | None, entry: str, language: Language) -> list[Run]:
    """The runs of an entry: one, or all of a comparison. Raises StoreError if it is not stored."""
    runs = log.runs_of(entry) if log else []
    if not runs:
        raise StoreError(word("error.past.gone", language))
    return runs


def _left_out(log: SessionLog, language: Language) -> str:
    return word("past.unreadable", language, n=log.unreadable) if log.unreadable else ""


_MEDIA = {"md": "text/markdown", "html": "text/html"}


def _row(entry: str, row: dict[str, Any], language: Language) -> dict[str, str]:
    kind = "compare" if row["compared"] else report.run_kind(row["kind"], row["mode"])
    title = " ".join(row["problem"].split())
    likely = endings.likely(row["reliability"], language) if kind == "solve" else ""
    title = title if len(title) <= LONGEST else f"{title[:LONGEST]}…"
    return {
        "id": entry,
        "title": title,
        "when": row["created_at"],
        "kind": word(f"past.{kind}", language),
        "likely": likely,
    }
