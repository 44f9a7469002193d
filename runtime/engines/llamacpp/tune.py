"""The thorough minute of `doctor --tune`: threads, width, and whether another format of the weights is faster.

A format of few bits is read quickly, which helps a single reply; batches are limited by arithmetic, and there BF16 or
F16 may be twice as fast, or half as fast on a processor without instructions for them. So copies are made, measured in
turns with the file itself, and the best is kept only if it is worth its disk space and says the same.
"""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import llama_cpp as llama

from runtime.engines.base import EngineError
from runtime.engines.llamacpp import measure
from runtime.engines.llamacpp.compare import TEXT, Choice, greedy_choices, same_answers
from runtime.engines.llamacpp.model import require_memory
from runtime.settings import Settings
from runtime.tuning import BUSY, Copy, FormatSpeed, Tuning, copies_dir, remember, watch_others

Progress = Callable[[int, int, str], None]
"""Called with the measurements that are done, how many there are in all, and what comes next."""

FORMATS = {
    "BF16": (llama.LLAMA_FTYPE_MOSTLY_BF16, 16),
    "F16": (llama.LLAMA_FTYPE_MOSTLY_F16, 16),
    "Q4_0": (llama.LLAMA_FTYPE_MOSTLY_Q4_0, 5),
}
"""llama.cpp's number of each format, and bits per weight with some room."""
WORTH_IT = 1.3
"""A copy is kept if it is at least so many times as fast as the file itself ..."""
SAME = 0.99
"""... and chooses the same word at this share of the places where the file is sure."""
ROUNDS = 3
"""Turns of a copy and the file itself."""
SECONDS = 1.0
"""How long one measurement of a speed takes, besides reading its prompt."""
GIB = 1 << 30
DISK_RESERVE = GIB
"""Bytes of disk that a copy leaves free."""


@dataclass(frozen=True)
class _Original:
    """The loaded file that copies are compared with."""

    path: Path
    model: int
    threads: int
    width: int
    choices: list[Choice]

    def speed_of(self, model: int) -> float:
        return measure.decode_speed(model, self.width, self.threads, seconds=SECONDS)


def tune(path: Path, settings: Settings, progress: Progress) -> Tuning:
    """Measure everything, remember it, and keep a faster copy if there is one that says the same.

    Raises EngineError if the file itself cannot be loaded; a format that cannot be tried is only said so."""
    share_of_others = watch_others()
    with measure.loaded(path) as model:
        widths = measure.widths_that_fit(model, settings.context)
        total = 1 + 2 * len(widths) + len(FORMATS)
        progress(0, total, "threads")
        threads = settings.threads or measure.fastest_threads(model, seconds=2.0)
        speeds = dict.fromkeys(widths, 0.0)
        for done, width in enumerate(widths * 2, 1):  # twice, at different moments of a machine that is shared
            progress(done, total, f"{width} at once")
            speeds[width] = max(speeds[width], measure.decode_speed(model, width, threads, seconds=SECONDS))
        width = measure.best_width(speeds)
        original = _Original(path, model, threads, width, greedy_choices(model, TEXT, threads))
        formats, kept = _try_formats(
            original, settings, lambda number, name: progress(1 + 2 * len(widths) + number, total, name)
        )
    progress(total, total, "done")
    others = share_of_others()
    found = Tuning(
        threads=threads if others <= BUSY and not settings.threads else None,
        width=width,
        speeds=speeds,
        formats=formats,
        copy_kept=kept,
        others=others,
    )
    remember(path, settings, found)
    return found


def _try_formats(
    original: _Original, settings: Settings, progress: Callable[[int, str], None]
) -> tuple[list[FormatSpeed], Copy | None]:
    """What every format measured, and the copy that was kept."""
    folder, results = copies_dir(settings), []
    try:
        with _workshop(folder) as workshop:
            best: FormatSpeed | None = None
            for number, name in enumerate(FORMATS):
                progress(number, name)
                result = _try(name, original, workshop / _file_name(original.path, name))
                results.append(result)
                better = result.finding == KEPT and (best is None or result.ratio > best.ratio)
                worse, best = (best, result) if better else (result, best)
                if worse:
                    (workshop / _file_name(original.path, worse.format)).unlink(missing_ok=True)
            beaten = {"finding": "not used: another one is faster"}
            results = [r.model_copy(update=beaten) if r.finding == KEPT and r is not best else r for r in results]
            return results, _keep(best, original.path, workshop, folder)
    except OSError as error:
        why = f"not tried: {folder} cannot be written ({error.strerror})"
        return [FormatSpeed(format=name, finding=why) for name in FORMATS], None


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """A place for unfinished copies, emptied before and after: they are large, and a program may be killed."""
    workshop = folder / ".unfinished"
    shutil.rmtree(workshop, ignore_errors=True)
    workshop.mkdir(parents=True)
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _file_name(path: Path, name: str) -> str:
    return f"{path.stem}.{name}.gguf"


def _keep(best: FormatSpeed | None, path: Path, workshop: Path, folder: Path) -> Copy | None:
    """Moves the best copy to where it stays, and deletes those of an earlier time."""
    for name in FORMATS:
        (folder / _file_name(path, name)).unlink(missing_ok=True)
    if best is None:
        return None
    kept = (workshop / _file_name(path, best.format)).replace(folder / _file_name(path, best.format))
    found = kept.stat()
    return Copy(
        format=best.format,
        file=kept.name,
        bytes=found.st_size,
        modified=found.st_mtime_ns,
        original_modified=path.stat().st_mtime_ns,
    )


def _try(name: str, original: _Original, copy: Path) -> FormatSpeed:
    """Make a copy in this format and measure it in turns with the original."""
    try:
        _make(name, original, copy)
        with measure.loaded(copy) as model:
            turns = [(original.speed_of(original.model), original.speed_of(model)) for _ in range(ROUNDS)]
            choices = greedy_choices(model, TEXT, original.threads)
    except EngineError as error:
        return FormatSpeed(format=name, finding=f"not tried: {error}")
    speed, ratio = max(other for _, other in turns), median(other / own for own, other in turns)
    same = same_answers(original.choices, choices)
    return FormatSpeed(format=name, speed=speed, ratio=ratio, same=same, finding=verdict(ratio, same))


KEPT = "kept for batches"


def verdict(ratio: float, same: float) -> str:
    """What a format's figures mean, in words."""
    if same < SAME:
        return f"not used: it chooses other words at {1 - same:.0%} of the places"
    return KEPT if ratio >= WORTH_IT else f"not used: it is not {WORTH_IT} times as fast"


def _make(name: str, original: _Original, copy: Path) -> None:
    """Raises EngineError if there is no room, no need, or no way."""
    number, bits = FORMATS[name]
    own = ctypes.create_string_buffer(16)
    llama.llama_model_meta_val_str(original.model, b"general.file_type", own, len(own))
    if own.value == str(number).encode():
        raise EngineError("the file itself has this format")
    size, free = llama.llama_model_n_params(original.model) * bits // 8, shutil.disk_usage(copy.parent).free
    if size + DISK_RESERVE > free:
        raise EngineError(f"the copy needs {size / GIB:.1f} GiB of disk, and {free / GIB:.1f} GiB are free")
    require_memory(f"the copy in {name}", size)
    params = llama.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.allow_requantize = number, original.threads, True
    source, target = str(original.path).encode(), str(copy).encode()
    if llama.llama_model_quantize(source, target, ctypes.byref(params)) != 0:
        raise EngineError("llama.cpp cannot convert this file")
