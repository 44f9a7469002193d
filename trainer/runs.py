"""Run directories: a run's configuration, and every result as soon as it exists, so that a killed run resumes.

The directory is named by a hash of everything that determines the results, so the same command finds its own run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from runtime.engines.base import Engine
from runtime.errors import SoliloquyError
from runtime.files import append, sha256_of, write_whole
from runtime.types import Value, content_hash

T = TypeVar("T")
V = TypeVar("V", bound=Value)


class ResultsError(SoliloquyError):
    """Results cannot be stored. The message names the file and the remedy."""


class ResultFile:
    """Results as JSON lines, each with a `key`. A line truncated by a crash is dropped and made again."""

    def __init__(self, folder: Path, name: str, config: dict[str, Any]) -> None:
        digest = content_hash(json.dumps(config, sort_keys=True, ensure_ascii=False))
        self.folder = folder / f"{name}-{digest}"
        with _explained(self.folder):
            write_whole(self.folder / "config.json", json.dumps(config, indent=2, ensure_ascii=False))
        self.path = self.folder / "results.jsonl"
        self.rows: dict[Hashable, dict[str, Any]] = {row["key"]: row for row in self._read()}
        self._lock = Lock()

    def _read(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(self.path, len(whole))
        rows = []
        for line in whole.split(b"\n")[:-1]:
            with suppress(ValueError):  # lines damaged by a crash or another process are redone
                rows.append(json.loads(line))
        return [row for row in rows if isinstance(row, dict) and "key" in row]

    def forget(self, hopeless: Callable[[dict[str, Any]], bool]) -> None:
        """Drop results that are to be made again; of two rows with the same key the later one counts."""
        self.rows = {key: row for key, row in self.rows.items() if not hopeless(row)}

    def add(self, row: dict[str, Any]) -> None:
        """Append one result durably. On a full disk no part of it stays. Raises ResultsError."""
        with self._lock:
            with _explained(self.path):
                append(self.path, json.dumps(row, ensure_ascii=False) + "\n")
            self.rows[row["key"]] = row


@contextmanager
def _explained(place: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"{place} cannot be written ({error.strerror}). Check space and permissions, and give the same command "
            "again; it resumes from here."
        ) from error


def model_of(engine: Engine) -> dict[str, str | None]:
    """The engine's model for the name of a run. Files are identified by hash, as two may have the same name."""
    path = engine.path
    return {"model": engine.model, "model_sha256": sha256_of(path) if path and path.is_file() else None}


def run_missing(
    work: Iterable[tuple[str, T]], do: Callable[[T], dict[str, Any]], results: ResultFile, workers: int
) -> Iterator[str]:
    """Do the work without a result, `workers` items at a time; yields each key once its result exists."""
    missing: dict[str, T] = {}
    for key, item in work:
        if key in results.rows:
            yield key
        else:
            missing[key] = item
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(do, item): key for key, item in missing.items()}
        try:
            for future in as_completed(futures):
                results.add({"key": futures[future], **future.result()})
                yield futures[future]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def kept(path: Path, kind: type[V], make: Callable[[], Iterable[V]]) -> list[V]:
    """The values of a file. If it is missing, `make` produces them first, and it appears only when complete."""
    if not path.exists():
        write_whole(path, (f"{value.model_dump_json()}\n" for value in make()))
    return [kind.model_validate_json(line) for line in path.read_text("utf-8").split("\n")[:-1]]
