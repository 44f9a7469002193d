"""The file that is wanted: what it must be in the end, where its bytes can be had, and whether a file here is it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

from runtime.errors import SoliloquyError
from runtime.files import sha256_of
from runtime.types import Value

Progress = Callable[[int, int], None]
"""Called with the bytes that are done and the bytes of the whole file; the first never falls."""

CHUNK = 1 << 20


class ModelError(SoliloquyError):
    """A model cannot be chosen, fetched or used."""


class HubFile(Value):
    repo: str
    file: str


class Part(Value):
    """A stretch of the file with a hash of its own, and the distribution that carries it."""

    bytes: int
    sha256: str
    distribution: str | None = None
    wheel_bytes: int = 0


class Carriers(Value):
    """How packages of an index carry the file: in `member` of each part's distribution, all of one version."""

    version: str
    member: str
    parts: tuple[Part, ...]


class Slot(Value):
    """Where a part belongs in the file."""

    number: int
    start: int
    part: Part

    @property
    def end(self) -> int:
        return self.start + self.part.bytes


class RemoteFile(Value):
    """A file as it must be in the end, and where its bytes can be had."""

    file: str
    bytes: int
    sha256: str
    hub: HubFile | None = None
    carriers: Carriers | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The whole file is one part if no package carries it."""
        parts = self.carriers.parts if self.carriers else (Part(bytes=self.bytes, sha256=self.sha256),)
        starts = accumulate((part.bytes for part in parts), initial=0)
        return tuple(
            Slot(number=n, start=start, part=part)
            for n, (start, part) in enumerate(zip(starts, parts, strict=False), start=1)
        )


def is_whole(path: Path, wanted: RemoteFile) -> bool:
    """Whether the file is there and right. Its hash is computed once, then remembered in a file beside it."""
    if not path.is_file() or path.stat().st_size != wanted.bytes:
        return False
    marker = marker_of(path)
    if marker.is_file() and marker.stat().st_mtime >= path.stat().st_mtime and wanted.sha256 in marker.read_text():
        return True
    if sha256_of(path) != wanted.sha256:
        return False
    # A folder that cannot be written to may still hold good models.
    with suppress(OSError):
        mark(path, wanted)
    return True


def mark(path: Path, wanted: RemoteFile) -> None:
    """Remembers that the file is right, in the format of `sha256sum --check`, so that anybody can look again."""
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
