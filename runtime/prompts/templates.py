"""The prompts: one text file per language and role.

Placeholders are filled in one pass, as problems contain braces (LaTeX) that must not be filled in again.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import get_args

from runtime.text import Language
from runtime.types import content_hash

FOLDER = Path(__file__).parent
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@cache
def template(name: str, language: Language = "en") -> str:
    return (FOLDER / language / f"{name}.txt").read_text("utf-8").strip("\n")


def fill(name: str, language: Language = "en", **values: str) -> str:
    """A prompt with its placeholders filled in. Raises KeyError for a placeholder without a value."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template(name, language))


def version(name: str, language: Language = "en") -> str:
    """Name and hash of a prompt, stored with everything that was made with it."""
    return f"{language}/{name}@{content_hash(template(name, language))[:8]}"


def all_versions() -> list[str]:
    """The versions of all prompts, for results that depend on them."""
    return [
        version(path.stem, language)
        for language in get_args(Language)
        for path in sorted((FOLDER / language).glob("*.txt"))
    ]
