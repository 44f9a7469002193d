"""The measurements of `doctor --tune`: threads, batch size, extra buffers, and whether another weight format is faster.

Formats with few bits need less memory bandwidth, which limits a single reply. Batches are limited by arithmetic: there
BF16 or F16 may be twice as fast, or half as fast on a processor without instructions for them. Weights repacked into
extra buffers read a prompt twice as fast on one processor and half as fast on another. So the file is measured with and
without extra buffers, and so are copies in other formats, alternating with the file as it is usually loaded. A copy is
kept only if it is much faster and makes the same choices.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import llama_cpp as llama

from runtime.engines.base import EngineError
from runtime.engines.llamacpp import measure
from runtime.engines.llamacpp.compare import TEXT, Choice, greedy_choices, same_answers
from runtime.engines.llamacpp.measure import Pace
from runtime.engines.llamacpp.model import require_memory
from runtime.errors import SoliloquyError
from runtime.models import trial
from runtime.models.machine import BUSY, FILE, Buffers, Copy, FormatSpeed, Tuning, copies_dir, remember, watch_others
from runtime.models.trial import Finding
from runtime.settings import Settings

Progress = Callable[[int, int, str], None]
"""Called with the number of measurements done, the number in all, and the name of the next."""

FORMATS = {
    "BF16": (llama.LLAMA_FTYPE_MOSTLY_BF16, 16),
    "F16": (llama.LLAMA_FTYPE_MOSTLY_F16, 16),
    "Q4_0": (llama.LLAMA_FTYPE_MOSTLY_Q4_0, 5),
}
"""llama.cpp's number of each format, and its bits per weight, rounded up."""
COMPARED = (16, 32)
"""Batch sizes at which formats are compared, besides one reply."""
BETTER = 1.05
"""Smallest speed-up for which unusual buffers are used."""
WORTH_IT = 1.3
"""Smallest speed-up for which a copy is kept."""
SAME = 0.99
"""Smallest share of equal choices for which a copy is kept (`compare.same_answers`)."""
ROUNDS = 3
"""Number of alternating measurements."""
SECONDS = 1.0
"""Duration of one measurement, besides reading its prompt."""
GIB = 1 << 30
DISK_RESERVE = GIB
"""Bytes of disk to leave free."""


@dataclass(frozen=True)
class _Original:
    """The file as it is usually loaded, with which everything is compared."""

    path: Path
    model: llama.llama_model_p
    extra_buffers: bool
    threads: int
    widths: list[int]
    choices: list[Choice]

    def pace_of(self, model: llama.llama_model_p) -> Pace:
        return measure.pace(model, self.widths, self.threads, SECONDS)


def tune(path: Path, settings: Settings, progress: Progress) -> Tuning:
    """Measure everything, store the results, and keep a faster copy that makes the same choices, if there is one.

    Raises EngineError or ModelError if the file itself cannot be loaded. For formats that cannot be measured, the
    reason is stored."""
    share_of_others = watch_others()
    usual = trial.require(path, settings).extra_buffers
    with measure.loaded(path, usual) as model:
        widths = measure.widths_that_fit(model, settings.context)
        total = 2 + 2 * len(widths) + len(FORMATS)
        progress(0, total, "threads")
        threads = settings.threads or measure.fastest_threads(model, seconds=2.0)
        speeds = dict.fromkeys(widths, 0.0)
        for done, width in enumerate(widths * 2, 1):  # twice, at different times, as the machine may be shared
            progress(done, total, f"{width} at once")
            speeds[width] = max(speeds[width], measure.decode_speed(model, width, threads, seconds=SECONDS))
        compared = [width for width in COMPARED if width in widths] or widths[:1]
        original = _Original(path, model, usual, threads, compared, greedy_choices(model, TEXT, threads))
        progress(1 + 2 * len(widths), total, "buffers")
        own = _measure_buffers(original, settings)
        buffers = Buffers(alone=_best_buffers(own, "alone"), batches=_best_buffers(own, "ratio"))
        copies, kept = _try_formats(
            original,
            settings,
            max((row.ratio for row in own if row.extra_buffers == buffers.batches and row.ratio), default=1.0),
            lambda number, name: progress(2 + 2 * len(widths) + number, total, name),
        )
    progress(total, total, "done")
    others = share_of_others()
    found = Tuning(
        threads=threads if others <= BUSY and not settings.threads else None,
        width=measure.best_width(speeds),
        speeds=speeds,
        formats=(*_reported(own, buffers, kept), *copies),
        buffers=buffers,
        copy_kept=kept,
        others=others,
    )
    remember(path, settings, found)
    return found


# The file itself


def _measure_buffers(original: _Original, settings: Settings) -> list[FormatSpeed]:
    """Rows for the file as it is usually loaded, and with the other buffer type if that works here."""
    other = not original.extra_buffers
    if original.extra_buffers and not trial.examine(original.path, settings, True).repacked:
        return [_row(FILE, True, [original.pace_of(original.model) for _ in range(ROUNDS)])]
    tried = trial.examine(original.path, settings, other)
    if tried.works and tried.extra_buffers == other:
        with measure.loaded(original.path, other) as model:
            return _compare(FILE, original, model, other)
    why = tried.text if not tried.works else "not tried: with AMX, torch in the same process would break it"
    alone = _row(FILE, original.extra_buffers, [original.pace_of(original.model) for _ in range(ROUNDS)])
    return [alone, FormatSpeed(format=FILE, extra_buffers=other, finding=why)]


def _compare(name: str, original: _Original, model: llama.llama_model_p, extra_buffers: bool) -> list[FormatSpeed]:
    """A row for the file as usual and one for the compared model, measured alternately."""
    turns = [(original.pace_of(original.model), original.pace_of(model)) for _ in range(ROUNDS)]
    own, others = zip(*turns, strict=True)
    return [
        _row(FILE, original.extra_buffers, own),
        _row(
            name,
            extra_buffers,
            others,
            alone=median(other.alone / usual.alone for usual, other in turns),
            ratio=median(other.batches / usual.batches for usual, other in turns),
        ),
    ]


def _row(name: str, extra_buffers: bool, paces: Sequence[Pace], alone: float = 1.0, ratio: float = 1.0) -> FormatSpeed:
    return FormatSpeed(
        format=name,
        extra_buffers=extra_buffers,
        prompt=max(pace.prompt for pace in paces),
        speeds={width: max(pace.speeds[width] for pace in paces) for width in paces[0].speeds},
        alone=alone,
        ratio=ratio,
        same=1.0,
        finding="",
    )


def _best_buffers(rows: list[FormatSpeed], figure: str) -> bool:
    """The buffer type of the fastest row; that of the first row, the usual one, if no other is clearly faster."""
    usual, *others = rows
    better = [row for row in others if (getattr(row, figure) or 0.0) >= BETTER]
    return max(better, key=lambda row: getattr(row, figure)).extra_buffers if better else usual.extra_buffers


def _reported(rows: list[FormatSpeed], buffers: Buffers, kept: Copy | None) -> Iterator[FormatSpeed]:
    """The rows of the file itself, each with its use as the finding."""
    for row in rows:
        uses = [
            use
            for use, chosen in (("one reply", buffers.alone), ("batches", buffers.batches if kept is None else None))
            if chosen == row.extra_buffers
        ]
        yield row.model_copy(update={"finding": row.finding or f"used for {' and '.join(uses) or 'nothing'}"})


# Copies


def _try_formats(
    original: _Original, settings: Settings, to_beat: float, progress: Callable[[int, str], None]
) -> tuple[list[FormatSpeed], Copy | None]:
    """The rows of all other formats, and the copy that was kept. `to_beat` is the speed-up of the file itself for
    batches with its best buffers."""
    folder, results = copies_dir(settings), []
    try:
        with _workshop(folder) as workshop:
            best: FormatSpeed | None = None
            for number, name in enumerate(FORMATS):
                progress(number, name)
                copy = workshop / _file_name(original.path, name)
                rows = _try(name, original, copy, settings, to_beat)
                results += rows
                for row in rows:
                    if row.finding == KEPT and (best is None or (row.ratio or 0.0) > (best.ratio or 0.0)):
                        best = row
                if best is None or best.format != name:
                    copy.unlink(missing_ok=True)
            beaten = {"finding": "not used: another one is faster"}
            results = [r.model_copy(update=beaten) if r.finding == KEPT and r is not best else r for r in results]
            return results, _keep(best, original.path, workshop, folder)
    except OSError as error:
        why = f"not tried: {folder} cannot be written ({error.strerror})"
        return [FormatSpeed(format=name, finding=why) for name in FORMATS], None


@contextmanager
def _workshop(folder: Path) -> Generator[Path]:
    """A folder for unfinished copies, emptied before and after, as they are large and a program may be killed."""
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
    """Move the best copy to its place, and delete earlier copies."""
    for name in FORMATS:
        (folder / _file_name(path, name)).unlink(missing_ok=True)
    if best is None:
        return None
    kept = (workshop / _file_name(path, best.format)).replace(folder / _file_name(path, best.format))
    found = kept.stat()
    return Copy(
        extra_buffers=best.extra_buffers,
        format=best.format,
        file=kept.name,
        bytes=found.st_size,
        modified=found.st_mtime_ns,
        original_modified=path.stat().st_mtime_ns,
    )


def _try(name: str, original: _Original, copy: Path, settings: Settings, to_beat: float) -> list[FormatSpeed]:
    """Make a copy in this format and measure it with each buffer type, alternating with the original."""
    try:
        _make(name, original, copy)
        return [_try_buffers(name, original, copy, tried, to_beat) for tried in _trials(copy, settings)]
    except SoliloquyError as error:
        return [FormatSpeed(format=name, finding=f"not tried: {error}")]


def _trials(copy: Path, settings: Settings) -> list[Finding]:
    """The trials of a copy with and without extra buffers; only one if it cannot have them."""
    tried = trial.examine(copy, settings, True)
    same = tried.works and not tried.repacked
    return [tried] if same else [tried, trial.examine(copy, settings, False)]


def _try_buffers(name: str, original: _Original, copy: Path, tried: Finding, to_beat: float) -> FormatSpeed:
    if not tried.works:
        return FormatSpeed(format=name, extra_buffers=tried.extra_buffers, finding=f"not used: {tried.text}")
    with measure.loaded(copy, tried.repacked) as model:
        _, row = _compare(name, original, model, tried.repacked)
        same = same_answers(original.choices, greedy_choices(model, TEXT, original.threads))
    return row.model_copy(update={"same": same, "finding": verdict((row.ratio or 0.0) / to_beat, same)})


KEPT = "kept for batches"


def verdict(ratio: float, same: float) -> str:
    """A format's figures in words."""
    if same < SAME:
        return f"not used: {1 - same:.0%} of its choices differ"
    return KEPT if ratio >= WORTH_IT else f"not used: it is not {WORTH_IT} times as fast"


def _make(name: str, original: _Original, copy: Path) -> None:
    """Make a copy in this format. Raises EngineError if space is short, or the file has or cannot have this format."""
    number, bits = FORMATS[name]
    own = ctypes.create_string_buffer(16)
    key = b"general.file_type"
    llama.llama_model_meta_val_str(original.model, key, own, len(own))  # pyrefly: ignore[bad-argument-type]
    if own.value == str(number).encode():
        raise EngineError("the file itself has this format")
    size, free = llama.llama_model_n_params(original.model) * bits // 8, shutil.disk_usage(copy.parent).free
    if size + DISK_RESERVE > free:
        raise EngineError(f"the copy needs {size / GIB:.1f} GiB of disk, and {free / GIB:.1f} GiB are free")
    require_memory(f"the copy in {name}", size)
    params = llama.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.allow_requantize = number, original.threads, True
    source, target = os.fsencode(original.path), os.fsencode(copy)
    if llama.llama_model_quantize(source, target, ctypes.pointer(params)) != 0:
        raise EngineError("llama.cpp cannot convert this file")
