"""The texts of the page in its languages.

The catalogues are `locales/*.json`, flat and with the same keys; `word` looks up a text and fills its placeholders.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from runtime.errors import SoliloquyError
from runtime.text import Language, language_of

LOCALES = Path(__file__).parent / "locales"
LANGUAGES: tuple[Language, ...] = ("en", "zh-CN")


@cache
def catalogue(language: Language) -> dict[str, str]:
    return json.loads((LOCALES / f"{language}.json").read_text("utf-8"))


def word(key: str, language: Language, **values: object) -> str:
    """A text of the page with its placeholders filled. Raises KeyError for an unknown key or a missing value."""
    return catalogue(language)[key].format(**values)


def texts(beginnings: str | tuple[str, ...], language: Language) -> dict[str, str]:
    """The texts whose keys begin with one of these, by their keys."""
    return {key: text for key, text in catalogue(language).items() if key.startswith(beginnings)}


def not_stored(error: Exception | None, language: Language) -> str:
    """That something could not be stored, and why; empty if it could."""
    return word("unsaved", language, reason=explained(error, language)) if error else ""


def explained(error: Exception | str, language: Language) -> str:
    """The text of an error in this language. An error without a translation stays as it is, with a note in Chinese that
    it is English."""
    text = str(error)
    if isinstance(error, SoliloquyError) and f"error.{error.kind}" in catalogue(language):
        return word(f"error.{error.kind}", language, **error.values)
    is_foreign = language == "zh-CN" and bool(text) and language_of(text) == "en"
    return word("error.other", language, text=text) if is_foreign else text


def understood(tag: str | None) -> Language:
    """The page's language for a tag such as "zh-TW", or for an Accept-Language header."""
    first = (tag or "").split(",")[0].strip().lower()
    return "zh-CN" if first.startswith("zh") else "en"
