"""Writes data sets: a folder with `data.jsonl` and `README.md` (the card), a single file, or a zip archive."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import SoliloquyError
from runtime.files import flush_to_disk, whole, write_whole
from runtime.studio.exports.card import card
from runtime.studio.exports.formats import Format, rows_of
from runtime.studio.labelled import LabelledAttempt


class ExportError(SoliloquyError):
    """A data set cannot be written."""


@dataclass(frozen=True)
class Exported:
    folder: Path
    rows: int


def write_dataset(
    folder: Path, name: Format, attempts: Iterable[LabelledAttempt], licence: str, consented_only: bool = True
) -> Exported:
    """Write rows and card into a folder. Raises ExportError."""
    kept = list(attempts)
    rows, about = rows_of(name, kept), folder / "README.md"
    text = card(name, rows, kept, licence, consented_only)
    with _explained(folder), whole(about) as file, whole(folder / "data.jsonl") as data:
        file.write(text.encode())
        data.writelines(map(_line, rows))
        flush_to_disk(file, data)  # if the disk is full, this raises and the earlier data set stays
        # The old card is deleted first, so that new rows never have a card with a consent that they do not have.
        about.unlink(missing_ok=True)
    return Exported(folder, len(rows))


def write_lines(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write all rows as JSON lines; if that fails, the earlier file stays. Raises ExportError."""
    with _explained(file), whole(file) as data:
        data.writelines(map(_line, rows))


def write_text(file: Path, text: str) -> None:
    """Write a text; if that fails, the earlier file stays. Raises ExportError."""
    with _explained(file):
        write_whole(file, text)


def zipped(folder: Path, file: Path) -> Path:
    """Write the files of a folder into a zip archive; returns its path. Raises ExportError."""
    with _explained(file), whole(file) as data, zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in sorted(folder.glob("[!.]*")):
            archive.write(one, f"{folder.name}/{one.name}")
    return file


def _line(row: dict[str, Any]) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode()


@contextmanager
def _explained(place: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(f"{place} cannot be written ({error.strerror}). Choose another place.") from error
