"""The list of earlier runs beside the tabs, and one of them as a file to save. It knows nothing of Gradio."""

from __future__ import annotations

from typing import Any

from runtime.log.run import Run
from runtime.log.store import SessionLog, StoreError
from runtime.session.comparison import MODES
from runtime.text import Language
from runtime.view import report
from runtime.view.words import explained, texts, word

LISTED = 20
"""Entries at first, and so many more whenever more are asked for."""
LONGEST = 90
"""Characters of a problem; the page cuts them to what fits."""


def listing(
    log: SessionLog | None, language: Language, search: str = "", comparisons: bool = False, shown: int = LISTED
) -> dict[str, Any]:
    """What the list shows: the newest runs, or those in which some words stand, and whether there are more; why there
    are none, if there are none. With `comparisons` the runs of one are one entry, which goes by its session."""
    empty = word("past.none" if search.strip() else "past.empty", language)
    try:
        rows = log.runs(len(MODES) * (shown + 1), search) if log else []
    except StoreError as error:  # the page itself must open all the same
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
    """An entry as a file: its name, its media type and its text. Raises StoreError where it is not stored."""
    runs = runs_of(log, entry, language)
    if form not in _MEDIA:
        raise StoreError(word("error.past.gone", language))
    name = f"soliloquy-{runs[0].created_at[:10]}-{entry[-6:].lower()}.{form}"
    return {"name": name, "type": _MEDIA[form], "text": report.FORMATS[form](runs, language)}


def runs_of(log: SessionLog | None, entry: str, language: Language) -> list[Run]:
    """What an entry stands for: a run, or all of a comparison. Raises StoreError where it is not stored."""
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
    title = title if len(title) <= LONGEST else f"{title[:LONGEST]}…"
    return {"id": entry, "title": title, "when": row["created_at"], "kind": word(f"past.{kind}", language)}
