"""The list of earlier runs beside the tabs, and one of them as a file to save. It knows nothing of Gradio."""

from __future__ import annotations

from typing import Any

from runtime.page import report
from runtime.page.words import catalogue, word
from runtime.store import SessionLog, StoreError
from runtime.text import Language

SHOWN = 20
LONGEST = 90
"""Characters of a problem; the page cuts them to what fits."""


def listing(log: SessionLog | None, language: Language, search: str = "") -> dict[str, Any]:
    """What the list shows: the newest runs, or those in which some words stand; why there are none, if there are."""
    empty = word("past.none" if search.strip() else "past.empty", language)
    try:
        rows = log.runs(SHOWN, search) if log else []
    except StoreError as error:  # the page itself must open all the same
        rows, empty = [], str(error)
    return {
        "language": language,
        "search": search,
        "rows": [_row(row, language) for row in rows],
        "empty": "" if rows else empty,
        "words": {key: text for key, text in catalogue(language).items() if key.startswith("past.")},
    }


def document(log: SessionLog | None, run_id: str, form: str, language: Language) -> dict[str, str]:
    """A run as a file: its name, its media type and its text. Raises StoreError where it is not stored."""
    run = log.run(run_id) if log else None
    if run is None or form not in _MEDIA:
        raise StoreError(word("error.past.gone", language))
    name = f"soliloquy-{run.created_at[:10]}-{run.id[-6:].lower()}.{form}"
    return {"name": name, "type": _MEDIA[form], "text": report.FORMATS[form]([run], language)}


_MEDIA = {"md": "text/markdown", "html": "text/html"}


def _row(row: dict[str, Any], language: Language) -> dict[str, str]:
    kind = report.run_kind(row["kind"], row["mode"])
    title = " ".join(row["problem"].split())
    title = title if len(title) <= LONGEST else f"{title[:LONGEST]}…"
    return {"id": row["id"], "title": title, "when": row["created_at"], "kind": word(f"past.{kind}", language)}
