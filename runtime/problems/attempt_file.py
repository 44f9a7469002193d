"""Reads a person's attempt from a text or JSON file.

Text: the problem, a blank line, then one step a line. JSON: an object with `problem` and `steps`.
"""

from __future__ import annotations

import re
from pathlib import Path

from runtime.files import open_regular
from runtime.problems import json_rows
from runtime.text import UnreadableError

LIMIT = 200_000
"""Most bytes of a file."""
_FORMS = 'It must be text (problem, blank line, one step a line) or JSON {"problem": "...", "steps": ["...", ...]}.'


def read_attempt(path: Path) -> tuple[str, list[str]]:
    """The problem and the steps. Raises UnreadableError, which names the fault of the file."""
    try:
        with open_regular(path) as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read ({error.strerror}). Choose another file.") from error
    if len(data) > LIMIT:
        raise UnreadableError(f"{path} is too long for one attempt (more than {LIMIT:,} bytes). Shorten it.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not text in UTF-8. {_FORMS}") from error
    return _from_json(path, text) if text.lstrip().startswith("{") or _is_array(text) else _from_text(path, text)


def _is_array(text: str) -> bool:
    """Whether a text is a JSON array; "[Problem 3] Tom has ..." is not."""
    try:
        return text.lstrip().startswith("[") and isinstance(json_rows.parse(text), list)
    except ValueError:
        return False


def _from_json(path: Path, text: str) -> tuple[str, list[str]]:
    try:
        row = json_rows.parse(text)
        if not isinstance(row, dict):
            raise ValueError("it is a JSON array, but one attempt is checked at a time")
        problem, steps = json_rows.question(row), json_rows.steps(row)
    except ValueError as error:
        raise UnreadableError(f"{path} is not an attempt: {error}. {_FORMS}") from error
    return problem, _not_empty(path, [" ".join(step.split()) for step in steps])


def _from_text(path: Path, text: str) -> tuple[str, list[str]]:
    problem, *rest = re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").strip(), maxsplit=1)
    return problem, _not_empty(path, [line.strip() for line in "".join(rest).splitlines() if line.strip()])


def _not_empty(path: Path, steps: list[str]) -> list[str]:
    if not any(steps):
        raise UnreadableError(f"{path} has no steps. {_FORMS}")
    return steps
