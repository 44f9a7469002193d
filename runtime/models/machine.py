"""What was measured on this machine, remembered in `tuning.json` of the home, and what follows from it.

A measurement belongs to a processor, a number of cores, a version of llama.cpp and a file, and counts for nothing
elsewhere. Measuring itself is the subject of `engines.llamacpp.measure` and `engines.llamacpp.tune`: nothing here loads
a model. A memory that cannot be read is taken as empty, and one that cannot be written is not missed: then the next
start measures again.
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
"""The share of the processor that others may use while something is measured that is to be remembered."""
MEMORY_RESERVE = 1 << 28
"""Bytes that a loaded file needs besides its own size."""


FILE = "file"
"""The name of a file's own format."""


class FormatSpeed(Value):
    """A format of the weights in one kind of buffers: what it measured, or why it was not measured. Speeds are tokens
    per second."""

    format: str
    extra_buffers: bool = False
    """Repacked for this processor's instructions."""
    prompt: float | None = None
    """Of reading."""
    speeds: dict[int, float] = Field(default_factory=dict)
    """Of writing, by how many replies are written at once."""
    alone: float | None = None
    """How many times as fast as the file loaded as usual, both measured in turns: reading and one reply ..."""
    ratio: float | None = None
    """... and reading and batches."""
    same: float | None = None
    """The share of sure words that are the same as the file's."""
    finding: str


class Buffers(Value):
    """Whether a file is loaded into llama.cpp's extra buffers (repacked weights); None if nobody has measured it."""

    alone: bool | None = None
    """Where one reply at a time is written."""
    batches: bool | None = None


class Copy(Value):
    """A faster copy of a file in the folder of the copies. The times are those of the files, in nanoseconds: another
    model may come to have the same name and size."""

    format: str
    file: str
    bytes: int
    modified: int
    original_modified: int
    extra_buffers: bool | None = None


class Tuning(Value):
    """What is known of one file on this machine; after the quick measurement at first use only the threads."""

    threads: int | None = Field(ge=1)
    """None if the machine was too busy to tell: then they are measured again at the next start."""
    width: int | None = Field(default=None, ge=1)
    """How many replies are best written at once."""
    speeds: dict[int, float] = Field(default_factory=dict)
    """Tokens per second of the file itself by width."""
    formats: tuple[FormatSpeed, ...] = ()
    """The file itself comes first, as `FILE`."""
    buffers: Buffers = Buffers()
    copy_kept: Copy | None = None
    measured_at: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    llama_cpp: str = Field(default_factory=lambda: llama_cpp_version())
    others: float
    """The share of the processor that other programs used meanwhile."""


_MEMORY = TypeAdapter(dict[str, Tuning])


# What the machine is


def cores() -> int:
    """Physical cores that this process may use."""
    process = psutil.Process()
    usable = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or usable, usable))


def llama_cpp_version() -> str:
    try:
        return version("llama-cpp-python")
    except PackageNotFoundError:
        return "none"


def watch_others() -> Callable[[], float]:
    """Call what this returns later, for the share of all cores that other programs used between the two calls."""
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


# The memory


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
    """What is known of this file on this machine."""
    return _read(settings).get(_key(path)) if path.is_file() else None


def remember(path: Path, settings: Settings, tuning: Tuning) -> None:
    file = _file(settings)
    with suppress(OSError):  # only not remembered
        write_whole(file, _MEMORY.dump_json(_read(settings) | {_key(path): tuning}, indent=1))


# What follows from it


def threads_for(
    path: Path,
    settings: Settings,
    measure: Callable[[], int],
    watch: Callable[[], Callable[[], float]] = watch_others,
) -> int:
    """The threads that are set, else those remembered, else those that `measure` finds. On a busy machine what it finds
    is of that moment only: then every core is used, and nothing remembered."""
    if settings.threads:
        return settings.threads
    known = recall(path, settings)
    if known and known.threads:
        return known.threads
    share_of_others = watch()
    threads = measure()
    if (others := share_of_others()) > BUSY:
        return cores()
    found = known.model_copy(update={"threads": threads}) if known else Tuning(threads=threads, others=others)
    remember(path, settings, found)
    return threads


def batch_width(path: Path, settings: Settings, default: int = 16) -> int:
    """How many replies are best written at once; `default` if that was not measured."""
    known = recall(path, settings)
    return known.width if known and known.width else default


def extra_buffers(path: Path, settings: Settings, batches: bool = False) -> bool | None:
    """What measured best for what will be loaded, of a file or its copy for batches; None if that is not known."""
    known = recall(path, settings)
    if known is None:
        return None
    if batches and known.copy_kept and batch_file(path, settings) != path:
        return known.copy_kept.extra_buffers
    return known.buffers.batches if batches else known.buffers.alone


def copies_dir(settings: Settings) -> Path:
    return settings.models_dir / "tuned"


def batch_file(path: Path, settings: Settings) -> Path:
    """The file to write batches with: the copy that was kept for this machine if it is whole, of this very file, and
    fits into the memory that is free now; else the file itself."""
    known = recall(path, settings)
    if known is None or known.copy_kept is None:
        return path
    kept, copy = known.copy_kept, copies_dir(settings) / known.copy_kept.file
    if not copy.is_file() or path.stat().st_mtime_ns != kept.original_modified:
        return path
    found = copy.stat()
    fits = kept.bytes + MEMORY_RESERVE <= psutil.virtual_memory().available
    return copy if fits and (found.st_size, found.st_mtime_ns) == (kept.bytes, kept.modified) else path
