"""Data sets on disk: `data.jsonl` and `README.md`, the card, in a folder; or all of it in one file to take away."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import SoliloquyError
from runtime.exports.card import card
from runtime.exports.formats import Format, rows_of
from runtime.files import write_whole
from runtime.labelled import LabelledAttempt


class ExportError(SoliloquyError):
    """A data set cannot be written; the text names the place and the remedy."""


@dataclass(frozen=True)
class Exported:
    folder: Path
    rows: int


def write_dataset(
    folder: Path, name: Format, attempts: Iterable[LabelledAttempt], licence: str, consented_only: bool = True
) -> Exported:
    """Rows and card into a folder. Raises ExportError."""
    kept = list(attempts)
    rows = rows_of(name, kept)
    write_lines(folder / "data.jsonl", rows)
    _write(folder / "README.md", card(name, rows, kept, licence, consented_only))
    return Exported(folder, len(rows))


def write_lines(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    """All lines or none: an export that was broken off leaves the file that was there. Raises ExportError."""
    _write(file, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def write_text(file: Path, text: str) -> None:
    """All of it or nothing. Raises ExportError."""
    _write(file, [text])


def zipped(folder: Path, file: Path) -> Path:
    """The files of a folder in one archive. Raises ExportError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for one in sorted(folder.iterdir()):
                archive.write(one, f"{folder.name}/{one.name}")
    except OSError as error:
        raise _explained(file, error) from error
    return file


def _write(file: Path, content: str | Iterable[str]) -> None:
    try:
        write_whole(file, content)
    except OSError as error:
        raise _explained(file, error) from error


def _explained(file: Path, error: OSError) -> ExportError:
    return ExportError(f"{file} cannot be written ({error.strerror}). Choose another place.")
