"""Reads the rows of a file of JSON lines or one JSON array, and the fields that all formats share.

All commands read files here. An error is one sentence with file, line, field and remedy; a file without rows is an
error. The shared fields are `question`, `answer` and `steps`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import ValidationError

from runtime.checks.stated import final_answer
from runtime.errors import SoliloquyError
from runtime.files import open_regular

Row = dict[str, Any]
T = TypeVar("T")

LONGEST_ROW = 1 << 24
"""Most bytes of a line, as a file without line ends is not JSON lines."""
LARGEST_ARRAY = 1 << 28
"""Most bytes of a JSON array, which is parsed as a whole."""


class RowError(SoliloquyError):
    """A file of rows cannot be used; the text names file, line, fault and remedy."""


# Files


def read_rows(path: Path, convert: Callable[[Row], T], needs: str, limit: int | None = None) -> Iterator[tuple[str, T]]:
    """Yields (place, value) for each of the first `limit` rows: the place is such as "line 3", the value is made by
    `convert`, which raises ValueError or SoliloquyError for a wrong row. `needs` is a sentence on what a row must have.
    Raises RowError, also for a file without rows."""
    place = ""
    try:
        with open_regular(path) as file:
            for place, value in islice(_rows(file), limit):
                yield place, _converted(value(), convert)
    except OSError as error:
        raise RowError(f"{path} cannot be read ({error.strerror}). Choose another file.") from error
    except _Unreadable as error:
        raise RowError(f"{path} cannot be read ({error}). {needs}") from error
    except (ValueError, SoliloquyError) as error:
        raise RowError(f"{path}, {place}: {cause(error)}. {needs}") from error
    if not place:
        raise RowError(f"{path} holds no rows. {needs}")


def some(path: Path, values: Iterable[T], what: str) -> Iterator[T]:
    """The values read from a file. Raises RowError if there are none."""
    found = False
    for value in values:
        found = True
        yield value
    if not found:
        raise RowError(f"{path} has no {what}. Check that it is the right file for this option.")


class _Unreadable(Exception):
    """The bytes cannot be read as rows; the text is the reason."""


def _rows(file: BinaryIO) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The place of each non-blank line or element of an array, with a function that parses it."""
    begins = file.read(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    yield from _elements(file) if begins.startswith(b"[") else _lines(file)


def _lines(file: BinaryIO) -> Iterator[tuple[str, Callable[[], Any]]]:
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_ROW + 1), b""), 1):
        if len(line) > LONGEST_ROW:
            raise _Unreadable(f"line {number} is longer than {LONGEST_ROW >> 20} MiB")
        if text := _decoded(line, f"line {number}").strip():
            yield f"line {number}", partial(parse, text)


def _elements(file: BinaryIO) -> Iterator[tuple[str, Callable[[], Any]]]:
    data = file.read(LARGEST_ARRAY + 1)
    if len(data) > LARGEST_ARRAY:
        raise _Unreadable(
            f"it is one JSON array of more than {LARGEST_ARRAY >> 20} MiB; `jq -c '.[]'` makes JSON lines of it"
        )
    try:
        rows = parse(_decoded(data, "it"))
    except ValueError as error:
        raise _Unreadable(f"it begins as a JSON array, but {error}") from error
    yield from ((f"row {number}", partial(lambda row: row, row)) for number, row in enumerate(rows, 1))


def _decoded(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unreadable(f"{what} is not text in UTF-8") from error


def parse(text: str) -> Any:
    """Parse JSON. Raises ValueError with a text for a person."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if "\n" in text else f"character {error.pos + 1}"
        raise ValueError(f"it is not valid JSON ({place}: {error.msg})") from error
    except ValueError as error:  # Python does not parse integers of more than 4,300 digits
        raise ValueError("a number in it has thousands of digits") from error
    if "\\ud" in text.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError("it is not text (it has half of a surrogate pair)") from error
    return value


def _converted(row: Any, convert: Callable[[Row], T]) -> T:
    if not isinstance(row, dict):
        raise ValueError("it is not a JSON object")
    try:
        return convert(row)
    except (ValueError, KeyError, SoliloquyError) as error:
        raise ValueError(cause(error)) from error


def cause(error: Exception) -> str:
    """What is wrong with a row, for a person."""
    if isinstance(error, ValidationError):
        return "; ".join(f"`{'.'.join(map(str, one['loc']))}`: {one['msg']}" for one in error.errors()[:3])
    return f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error).rstrip(".")


# Fields


def question(row: Row) -> str:
    """The text of `question` or `problem`. Raises ValueError."""
    names = [name for name in ("question", "problem") if row.get(name) is not None]
    texts = [row[name].strip() for name in names if isinstance(row[name], str)]
    if not names or len(texts) < len(names) or not any(texts):
        raise ValueError("`question` (text) is missing")
    if len({*texts} - {""}) > 1:
        raise ValueError("`question` and `problem` differ; delete one of them")
    return max(texts)


def steps(row: Row) -> tuple[str, ...]:
    """The texts of `steps`. Raises ValueError."""
    return texts(row, "steps")


def texts(row: Row, name: str) -> tuple[str, ...]:
    """A list of texts. Raises ValueError."""
    found = row.get(name)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"`{name}` (a list of texts) is missing")
    return tuple(found)


def text(row: Row, name: str) -> str:
    """A text that is not empty. Raises ValueError."""
    found = row.get(name)
    if not isinstance(found, str) or not found.strip():
        raise ValueError(f"`{name}` (text) is missing")
    return found.strip()


def flag(row: Row, name: str) -> bool | None:
    """True or false; None if there is neither. Raises ValueError for anything else."""
    found = row.get(name)
    if found is not None and not isinstance(found, bool):
        raise ValueError(f"`{name}` must be true or false; it is {found!r}")
    return found


def correctness(row: Row, name: str) -> bool | None:
    """True or false, also as 1 or 0 or as a word; None if there is none. Raises ValueError for anything else."""
    found = row.get(name)
    if found is None or found == "N/A":
        return None
    known = {"correct": True, "true": True, "1": True, "wrong": False, "incorrect": False, "false": False, "0": False}
    if (word := str(found).strip().lower()) not in known:
        raise ValueError(f"`{name}` must be correct or wrong; it is {found!r}")
    return known[word]


def scalar(row: Row, name: str) -> str | None:
    """A field with a text or a number, as text; None if it is missing. Raises ValueError for other values."""
    value = row.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not isinstance(value, str) and not is_number:
        raise ValueError(f"`{name}` must be a text or a number; it is {json.dumps(value, ensure_ascii=False)[:40]}")
    return str(value).strip() or None


def reference(row: Row) -> str | None:
    """The reference answer of `answer`: the text after "####" as in GSM8K, or the text of the choice in a
    multiple-choice row; None if it is missing. Raises ValueError."""
    answer = scalar(row, "answer")
    choices = next((row[name] for name in ("choices", "options") if row.get(name) is not None), None)
    if answer is None or "####" not in answer:
        return answer if answer is None or choices is None else _chosen(row["answer"], answer, choices)
    if answer.endswith("####"):
        raise ValueError("`answer` ends with #### and nothing after it")
    return final_answer(answer)


def _chosen(given: Any, answer: str, choices: Any) -> str:
    """The text of the choice that `answer` names by index from 0, letter or text. Raises ValueError if it is
    unclear."""
    texts = _choices(choices)
    by_text = [text for text in texts.values() if text == answer]
    is_index = isinstance(given, int) and 0 <= given < len(texts)
    by_name = list(texts.values())[given] if is_index else texts.get(answer.upper().strip("().")) or ""
    found = {*by_text, by_name} - {""}
    if len(found) != 1:
        why = "may be an index or a choice's text" if found else "is none of them"
        raise ValueError(f"`answer` of a multiple-choice row {why} ({answer!r}); put the text of the choice there")
    return found.pop()


def _choices(choices: Any) -> dict[str, str]:
    """The choices by letter, from a list, with or without letters in the texts, or an object. Raises ValueError."""
    if isinstance(choices, dict) and isinstance(choices.get("text"), list):  # ARC: {"text": [...], "label": [...]}
        choices = dict(zip(choices.get("label") or _LETTERS, choices["text"], strict=False))
    if isinstance(choices, list):
        choices = dict(zip(_LETTERS, choices, strict=False))
    if not (isinstance(choices, dict) and choices and all(isinstance(c, str | int | float) for c in choices.values())):
        raise ValueError("`choices` or `options` must be a list of texts, or texts by letter")
    return {str(letter).upper(): _without_letter(str(letter), str(text).strip()) for letter, text in choices.items()}


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _without_letter(letter: str, text: str) -> str:
    """The text of a choice without its letter: 6000 of "B) 6000"."""
    name, sign, rest = text[:1], text[1:2], text[2:].strip()
    return rest if name.upper() == letter.upper() and sign in tuple(").:") and rest else text
