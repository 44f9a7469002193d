"""`python -m runtime doctor`: what this machine has, which model is used and why, and what is missing."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil

from runtime.errors import SoliloquyError
from runtime.log.store import SessionLog
from runtime.models import adapters, catalogue, machine, trial
from runtime.models.machine import Tuning
from runtime.settings import Settings, config_file

GIB = 1 << 30


def examine(settings: Settings) -> dict[str, Any]:
    """Short sentences by name. A SoliloquyError is not raised: its text becomes the sentence."""
    memory = psutil.virtual_memory()
    home = next((folder for folder in (settings.home, *settings.home.parents) if folder.exists()), settings.home)
    return {
        "python": f"{platform.python_version()} on {platform.platform()}",
        "processor": f"{psutil.cpu_count(logical=False)} cores, {psutil.cpu_count()} threads",
        "memory": f"{memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f}",
        "disk": f"{shutil.disk_usage(home).free / GIB:.1f} GiB free in {settings.home}",
        "config": str(config_file()),
        "engine": _package("llama-cpp-python"),
        **_library(settings),
        "model": _or_why_not(lambda: catalogue.choose(settings).reason),
        "model file": _or_why_not(lambda: str(catalogue.resolve(settings))),
        **_tried(settings),
        "adapters": _or_why_not(lambda: _adapters(settings)),
        **_measured(settings),
        "database": _or_why_not(lambda: _database(settings)),
    }


def _library(settings: Settings) -> dict[str, str]:
    """Whether llama.cpp works on this processor (tested again, not remembered), and its build flags."""
    found = trial.library(settings, again=True)
    return {"probe": f"works: {found.text}" if found.works else found.text, "build": found.flags or "not known"}


def _tried(settings: Settings) -> dict[str, str]:
    """Whether the model that would be used works; tested if that is not known yet."""
    if settings.server:
        return {}

    def trial_of_model() -> str:
        path = catalogue.resolve(settings)
        if path.is_dir():
            return "a folder, which llama.cpp does not run"
        found = trial.require(path, settings, machine.extra_buffers(path, settings))
        return f"works: {found.text}, {_BUFFERS[found.extra_buffers]}"

    return {"model trial": _or_why_not(trial_of_model)}


_BUFFERS = {True: "with repacked weights", False: "without repacking"}


def _adapters(settings: Settings) -> str:
    found = adapters.in_use(catalogue.resolve(settings), settings)
    names = [
        f"{name}: {one}" if isinstance(one, adapters.AdapterError) else f"{name} {one.card.version}"
        for name, one in found.items()
    ]
    return "; ".join(names) or "none; the base model is used as it is"


def _measured(settings: Settings) -> dict[str, str]:
    """Stored measurements of the model that would be used; the model is not loaded."""
    try:
        path = catalogue.resolve(settings)
    except SoliloquyError:
        return {}
    if not path.is_file():  # a transformers folder, which llama.cpp does not run
        return {}
    found = machine.recall(path, settings)
    threads = f"{settings.threads}, as set" if settings.threads else _threads(found)
    if found is None or found.width not in found.speeds:
        return {"threads": threads, "batches": "not measured yet: `python -m runtime doctor --tune` takes some minutes"}
    used, one = machine.batch_file(path, settings), found.speeds.get(1, 0.0)
    return {
        "threads": threads,
        "batches": f"{found.speeds[found.width]:.0f} tokens/s with {found.width} replies at once, {one:.0f} with one",
        "format": _format(found, used != path),
        "repacking": _repacking(found),
        "measured": _when(found),
    }


def _threads(found: Tuning | None) -> str:
    if found is None or found.threads is None:
        return "measured when the model is loaded"
    return f"{found.threads}, as measured"


def _format(found: Tuning, used: bool) -> str:
    copy = found.copy_kept
    ours = (copy.format, bool(copy.extra_buffers)) if copy else None
    kept = next((row for row in found.formats if (row.format, row.extra_buffers) == ours), None)
    if kept is None:
        return "the file as it is; no other format was fast enough to keep a copy"
    state = "" if used else ", which cannot be used now: it was deleted, or memory is short"
    return f"batches use a copy in {kept.format}, {kept.ratio:.1f} times as fast{state}"


def _repacking(found: Tuning) -> str:
    words = {True: "yes", False: "no", None: "as usual"}
    batches = found.copy_kept.extra_buffers if found.copy_kept else found.buffers.batches
    return f"{words[found.buffers.alone]} for one reply, {words[batches]} for batches"


def _when(found: Tuning) -> str:
    busy = f", while other programs used {found.others:.0%} of the processor" if found.others > machine.BUSY else ""
    return f"{found.measured_at[:16].replace('T', ' ')} UTC{busy}"


def describe(found: Tuning) -> Iterator[str]:
    """The measurements as a table, line by line."""
    yield f"threads  {found.threads or 'measured when the model is loaded'}"
    yield ""
    yield "at once   tokens/s"
    for width, speed in found.speeds.items():
        yield f"{width:7} {speed:10.1f}{'  best' if width == found.width else ''}"
    yield ""
    yield from _formats(found)
    yield ""
    yield f"measured {_when(found)}"


def _formats(found: Tuning) -> Iterator[str]:
    """A row for each format and buffer type: tokens per second, and the speed-up over the file without changes."""
    widths = sorted({width for row in found.formats for width in row.speeds})
    heads = ["prompt", *("one reply" if width == 1 else f"{width} at once" for width in widths)]
    names = "".join(f"{head:>12}" for head in heads)
    yield f"format  repacked{names}   times: alone  batches   same words"
    for row in found.formats:
        figures = ""
        if row.prompt is not None:
            speeds = "".join(f"{row.speeds.get(width, 0.0):12.1f}" for width in widths)
            figures = f"{row.prompt:12.1f}{speeds}{row.alone:15.2f}{row.ratio:9.2f}{row.same:13.1%}"
        yield f"{row.format:8}{'yes' if row.extra_buffers else 'no':>8}{figures}  {row.finding}"


def _package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} is not installed. Run `make app`."


def _database(settings: Settings) -> str:
    if not settings.database.exists():
        return f"{settings.database} (made at the first run)"
    runs = SessionLog(settings.database).count_runs()
    return f"{settings.database}, {runs} runs"


def _or_why_not(fact: Any) -> str:
    try:
        return fact()
    except SoliloquyError as error:
        return str(error)
