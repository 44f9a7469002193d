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
    """What the list shows: the newest runs, or those in which some words stand. Raises StoreError."""
    rows = log.runs(SHOWN, search) if log else []
    empty = "past.none" if search.strip() else "past.empty"
    return {
        "language": language,
        "search": search,
        "rows": [_row(row, language) for row in rows],
        "empty": "" if rows else word(empty, language),
        "words": {key: text for key, text in catalogue(language).items() if key.startswith("past.")},
    }


def document(log: SessionLog | None, run_id: str, format: str, language: Language) -> dict[str, str]:
    """A run as a file: its name, its media type and its text. Raises StoreError where it is not stored."""
    runs = log.runs_of(run_id) if log else []
    if not runs:
        raise StoreError(word("error.past.gone", language))
    write, media = _FORMATS.get(format, _FORMATS["md"])
    name = f"soliloquy-{runs[0].created_at[:10]}-{runs[0].id[-6:].lower()}.{format if format in _FORMATS else 'md'}"
    return {"name": name, "type": media, "text": write(runs, language)}


_FORMATS = {"md": (report.markdown, "text/markdown"), "html": (report.html, "text/html")}


def _row(row: dict[str, Any], language: Language) -> dict[str, str]:
    kind = report.run_kind(row["kind"], row["mode"])
    title = " ".join(row["problem"].split())
    title = title if len(title) <= LONGEST else f"{title[:LONGEST]}…"
    return {"id": row["id"], "title": title, "when": row["created_at"], "kind": word(f"past.{kind}", language)}
