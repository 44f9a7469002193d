"""The prompts: one text file per language and role, its placeholders filled in one pass.

One pass, because problems contain braces (LaTeX), and what was filled in must never be filled in again.
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
    """A prompt with its placeholders replaced. Raises KeyError for a placeholder without a value."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template(name, language))


def version(name: str, language: Language = "en") -> str:
    """Name and hash of a prompt, kept with everything that was made with it."""
    return f"{language}/{name}@{content_hash(template(name, language))[:8]}"


def all_versions() -> list[str]:
    """Every prompt there is, for what was measured or made with all of them."""
    return [
        version(path.stem, language)
        for language in get_args(Language)
        for path in sorted((FOLDER / language).glob("*.txt"))
    ]
