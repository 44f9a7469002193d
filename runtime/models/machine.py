"""Measurements of models on this machine, stored in `tuning.json` of the home, and the choices made from them.

A measurement is valid for one processor, number of cores, version of llama.cpp and file. `engines.llamacpp.measure` and
`engines.llamacpp.tune` measure; no model is loaded here. If the file cannot be read or written, the next start measures
again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from pydantic import Field, TypeAdapter, ValidationError

from runtime.files import write_whole
from runtime.models import processor
from runtime.settings import Settings
from runtime.types import Value

BUSY = 0.1
"""Share of the processor used by other programs above which a measurement is not stored."""
MEMORY_RESERVE = 1 << 28
"""Bytes of memory that a loaded file needs besides its own size."""


FILE = "file"
"""Name for the file's own format."""


class FormatSpeed(Value):
    """The speed of one weight format and buffer type in tokens per second, or the reason why it was not measured."""

    format: str
    extra_buffers: bool = False
    """Whether the weights are repacked for this processor's instructions."""
    prompt: float | None = None
    """Speed of reading a prompt."""
    speeds: dict[int, float] = Field(default_factory=dict)
    """Speed of generation by batch size."""
    alone: float | None = None
    """Speed-up for reading and one reply over the file loaded as usual, measured alternately."""
    ratio: float | None = None
    """The same for reading and batches."""
    same: float | None = None
    """Share of the confidently predicted tokens that are the same as the file's."""
    finding: str
    """Result in words, or why it was not measured."""


class Buffers(Value):
    """Whether a file is loaded into llama.cpp's extra buffers (repacked weights); None if not measured."""

    alone: bool | None = None
    """For one reply at a time."""
    batches: bool | None = None


class Copy(Value):
    """A faster copy of a file, in `copies_dir`. Modification times (nanoseconds) are stored too, as another model may
    have the same name and size."""

    format: str
    file: str
    bytes: int
    modified: int
    original_modified: int
    extra_buffers: bool | None = None


class Tuning(Value):
    """Measurements of one file on this machine; the quick measurement at first use gives only the threads."""

    threads: int | None = Field(ge=1)
    """None if the machine was too busy to measure; the next start measures again."""
    width: int | None = Field(default=None, ge=1)
    """Fastest batch size."""
    speeds: dict[int, float] = Field(default_factory=dict)
    """Tokens per second of the file itself by batch size."""
    formats: tuple[FormatSpeed, ...] = ()
    """Measured formats; the first is the file's own (`FILE`)."""
    buffers: Buffers = Buffers()
    copy_kept: Copy | None = None
    measured_at: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    llama_cpp: str = Field(default_factory=lambda: llama_cpp_version())
    others: float
    """Share of the processor that other programs used during the measurement."""


_MEMORY = TypeAdapter(dict[str, Tuning])


# The machine


def cores() -> int:
    """The number of physical cores that this process may use."""
    process = psutil.Process()
    usable = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or usable, usable))


def llama_cpp_version() -> str:
    try:
        return version("llama-cpp-python")
    except PackageNotFoundError:
        return "none"


def watch_others() -> Callable[[], float]:
    """Start watching; the returned function gives the share of all cores that other programs have used since then."""
    process, started = psutil.Process(), time.perf_counter()

    def others() -> float:
        all_of_it, own = psutil.cpu_times(), process.cpu_times()
        busy = sum(getattr(all_of_it, kind, 0.0) for kind in ("user", "nice", "system", "steal"))
        return busy - own.user - own.system

    before = others()

    def share() -> float:
        seconds = max(time.perf_counter() - started, 1e-3)
        return min(1.0, max(0.0, (others() - before) / (seconds * (psutil.cpu_count() or 1))))

    return share


# Storage


def _file(settings: Settings) -> Path:
    return settings.home / "tuning.json"


def _key(path: Path) -> str:
    return " | ".join((processor.name(), f"{cores()} cores", llama_cpp_version(), path.name, str(path.stat().st_size)))


def _read(settings: Settings) -> dict[str, Tuning]:
    try:
        return _MEMORY.validate_json(_file(settings).read_bytes())
    except (OSError, ValidationError):
        return {}


def recall(path: Path, settings: Settings) -> Tuning | None:
    """The stored measurements of a file on this machine, if any."""
    return _read(settings).get(_key(path)) if path.is_file() else None


def remember(path: Path, settings: Settings, tuning: Tuning) -> None:
    """Store the measurements of a file."""
    file = _file(settings)
    with suppress(OSError):  # then the next start measures again
        write_whole(file, _MEMORY.dump_json(_read(settings) | {_key(path): tuning}, indent=1))


# Choices


def threads_for(
    path: Path,
    settings: Settings,
    measure: Callable[[], int],
    watch: Callable[[], Callable[[], float]] = watch_others,
) -> int:
    """The number of threads: as set, else as stored, else as `measure` finds; that is then stored. If the machine was
    busy during the measurement, every core is used and nothing is stored."""
    if settings.threads:
        return settings.threads
    stored = recall(path, settings)
    if stored and stored.threads:
        return stored.threads
    share_of_others = watch()
    threads = measure()
    if (others := share_of_others()) > BUSY:
        return cores()
    found = stored.model_copy(update={"threads": threads}) if stored else Tuning(threads=threads, others=others)
    remember(path, settings, found)
    return threads


def batch_width(path: Path, settings: Settings, default: int = 16) -> int:
    """The fastest batch size; `default` if it was not measured."""
    stored = recall(path, settings)
    return stored.width if stored and stored.width else default


def extra_buffers(path: Path, settings: Settings, batches: bool = False) -> bool | None:
    """Whether extra buffers were faster for a file (or its copy, for batches); None if not measured."""
    stored = recall(path, settings)
    if stored is None:
        return None
    if batches and stored.copy_kept and batch_file(path, settings) != path:
        return stored.copy_kept.extra_buffers
    return stored.buffers.batches if batches else stored.buffers.alone


def copies_dir(settings: Settings) -> Path:
    """The folder of the copies in faster formats."""
    return settings.models_dir / "tuned"


def batch_file(path: Path, settings: Settings) -> Path:
    """The file to use for batches: its faster copy if that is complete, up to date and fits into the free memory; else
    the file itself."""
    stored = recall(path, settings)
    if stored is None or stored.copy_kept is None:
        return path
    kept, copy = stored.copy_kept, copies_dir(settings) / stored.copy_kept.file
    if not copy.is_file() or path.stat().st_mtime_ns != kept.original_modified:
        return path
    found = copy.stat()
    fits = kept.bytes + MEMORY_RESERVE <= psutil.virtual_memory().available
    return copy if fits and (found.st_size, found.st_mtime_ns) == (kept.bytes, kept.modified) else path
