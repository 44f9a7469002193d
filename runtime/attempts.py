"""Reading a person's attempt from a file: plain text, or JSON.

Text: the problem, a blank line, then one step a line. JSON: an object with `problem` and `steps`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from runtime.text import UnreadableError

LIMIT = 200_000
"""Bytes; nobody's homework is longer."""
_FORMS = 'It must be text (problem, blank line, one step a line) or JSON {"problem": "...", "steps": ["...", ...]}.'


def read_attempt(path: Path) -> tuple[str, list[str]]:
    """Problem and steps. Raises UnreadableError, which names what is wrong with the file."""
    try:
        if path.stat().st_size > LIMIT:
            raise UnreadableError(f"{path} is too long to be an attempt ({path.stat().st_size:,} bytes).")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not text in UTF-8. {_FORMS}") from error
    return _from_json(path, text) if text.lstrip().startswith("{") else _from_text(path, text)


def _from_json(path: Path, text: str) -> tuple[str, list[str]]:
    try:
        row = json.loads(text)
    except RecursionError as error:
        raise UnreadableError(f"{path} is nested too deeply. {_FORMS}") from error
    except json.JSONDecodeError as error:
        raise UnreadableError(f"{path} is not valid JSON (line {error.lineno}: {error.msg}). {_FORMS}") from error
    except ValueError as error:  # Python reads no whole number of more than 4,300 digits
        raise UnreadableError(f"{path} holds a number with too many digits. Write it as text, in quotes.") from error
    problem, steps = row.get("problem"), row.get("steps")
    if not isinstance(problem, str) or not isinstance(steps, list) or not all(isinstance(s, str) for s in steps):
        raise UnreadableError(f"{path} has no `problem` (text) and `steps` (list of texts). {_FORMS}")
    return problem, _not_empty(path, [" ".join(step.split()) for step in steps])


def _from_text(path: Path, text: str) -> tuple[str, list[str]]:
    problem, *rest = re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").strip(), maxsplit=1)
    return problem, _not_empty(path, [line.strip() for line in "".join(rest).splitlines() if line.strip()])


def _not_empty(path: Path, steps: list[str]) -> list[str]:
    if not any(steps):
        raise UnreadableError(f"{path} holds no steps. {_FORMS}")
    return steps
