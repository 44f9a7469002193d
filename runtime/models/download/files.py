"""Describes a file to download (size, SHA-256, sources), and checks files against that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

from runtime.errors import SoliloquyError
from runtime.files import sha256_of
from runtime.types import Value

Progress = Callable[[int, int], None]
"""Called with the bytes done, which never decrease, and the bytes in all."""

CHUNK = 1 << 20


class ModelError(SoliloquyError):
    """A model cannot be chosen, downloaded or used."""


class HubFile(Value):
    repo: str
    file: str


class Part(Value):
    """A part of the file with its own SHA-256, and the distribution that contains it."""

    bytes: int
    sha256: str
    distribution: str | None = None
    wheel_bytes: int = 0


class Carriers(Value):
    """The packages that contain the file: each part is `member` of its distribution, all of the same version."""

    version: str
    member: str
    parts: tuple[Part, ...]


class Slot(Value):
    """The place of a part in the file, in bytes; numbers start at 1."""

    number: int
    start: int
    part: Part

    @property
    def end(self) -> int:
        return self.start + self.part.bytes


class RemoteFile(Value):
    """A file to download, with its size, SHA-256 and sources."""

    file: str
    bytes: int
    sha256: str
    hub: HubFile | None = None
    carriers: Carriers | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The parts in order; the whole file is one part if no package contains it."""
        parts = self.carriers.parts if self.carriers else (Part(bytes=self.bytes, sha256=self.sha256),)
        starts = accumulate((part.bytes for part in parts), initial=0)
        return tuple(
            Slot(number=n, start=start, part=part)
            for n, (start, part) in enumerate(zip(starts, parts, strict=False), start=1)
        )


def is_whole(path: Path, wanted: RemoteFile) -> bool:
    """Whether the file exists and is right. Its hash is computed once, then stored in a marker file beside it."""
    if not path.is_file() or path.stat().st_size != wanted.bytes:
        return False
    marker = marker_of(path)
    if marker.is_file() and marker.stat().st_mtime >= path.stat().st_mtime and wanted.sha256 in marker.read_text():
        return True
    if sha256_of(path) != wanted.sha256:
        return False
    # The folder may be read-only.
    with suppress(OSError):
        mark(path, wanted)
    return True


def mark(path: Path, wanted: RemoteFile) -> None:
    """Write the marker of a verified file, in the format of `sha256sum --check`."""
    marker_of(path).write_text(f"{wanted.sha256}  {wanted.file}\n")


def marker_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def damaged_slots(path: Path, wanted: RemoteFile, progress: Progress | None = None) -> list[Slot]:
    """The parts of the file whose bytes are missing or wrong."""
    bad = []
    size = path.stat().st_size
    for slot in wanted.slots:
        if size < slot.end or sha256_of(path, slot.start, slot.part.bytes) != slot.part.sha256:
            bad.append(slot)
        if progress:
            progress(slot.end, wanted.bytes)
    return bad


def size_text(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
