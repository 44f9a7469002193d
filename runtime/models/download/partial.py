"""The unfinished file of a download, locked so that only one process writes to it.

Each part is written at its final place, and its own hash shows whether it is right. So the file is its own record of
progress, whenever the process ends. `hub.py` and `index.py` provide the bytes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from runtime.files import sha256_of
from runtime.models.download.files import CHUNK, ModelError, Progress, RemoteFile, Slot, damaged_slots, mark, size_text

MARGIN = 64 << 20
"""Bytes of the disk to leave free."""


class Unavailable(Exception):
    """One source does not have the file; the text is the reason, for the ModelError if all sources fail."""


class Partial:
    """The unfinished file; `todo` holds the parts that are missing or wrong."""

    def __init__(self, wanted: RemoteFile, folder: Path, progress: Progress) -> None:
        self.wanted, self.final = wanted, folder / wanted.file
        self.path, self.wheels = _leftovers(wanted, folder)
        self._progress, self._reported = progress, 0
        self.path.touch()
        # Of a damaged finished file, only the wrong parts are downloaded.
        if self.final.is_file() and self.final.stat().st_size >= self.size:
            self.final.replace(self.path)
        os.truncate(self.path, min(self.size, wanted.bytes))
        # An incomplete last part counts as missing, but its bytes are kept.
        self.todo = damaged_slots(self.path, wanted)
        self.report(self.todo[0].start if self.todo else wanted.bytes)

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def report(self, done: int) -> None:
        self._reported = max(self._reported, min(done, self.wanted.bytes))
        self._progress(self._reported, self.wanted.bytes)

    def require_room(self, extra: int = 0) -> None:
        needed = self.wanted.bytes - self.size + extra + MARGIN
        free = shutil.disk_usage(self.path.parent).free
        if free < needed:
            raise ModelError(
                f"{self.final.parent} has too little space for {self.wanted.file}: {size_text(needed)} is needed,"
                f" {size_text(free)} is free, {needed - free:,} bytes are missing."
                " Free some space, or set SOLILOQUY_MODELS to a folder on another disk."
            )

    def continue_at(self, slot: Slot) -> int:
        """The offset of the next byte of a missing part: after the bytes of an earlier attempt, if any."""
        return self.size if slot.start <= self.size < slot.end else slot.start

    def write(self, slot: Slot, chunks: Iterable[bytes], at: int) -> None:
        """Fill a part from the offset `at`. Raises Unavailable if its bytes are wrong, and discards them."""
        digest = hashlib.sha256()
        with self.path.open("r+b") as file:
            file.seek(slot.start)
            while file.tell() < at:
                digest.update(file.read(min(CHUNK, at - file.tell())))
            for chunk in chunks:
                if at + len(chunk) > slot.end:
                    break
                file.write(chunk)
                digest.update(chunk)
                at += len(chunk)
                self.report(at)
        if at != slot.end or digest.hexdigest() != slot.part.sha256:
            found = f"SHA-256 {digest.hexdigest()[:12]}… instead of {slot.part.sha256[:12]}…"
            raise self.refusal(slot, f"has the wrong bytes ({found})")
        self.todo.remove(slot)

    def refusal(self, slot: Slot, fault: str) -> Unavailable:
        """Discard a part; returns the error to raise."""
        # A wrong part that is not the last stays in the file: its hash shows that it is wrong.
        if slot.start < self.size <= slot.end:
            os.truncate(self.path, slot.start)
        name = self.wanted.file
        if self.wanted.carriers:
            origin = f"{slot.part.distribution}=={self.wanted.carriers.version}"
            name = f"part {slot.number} of {len(self.wanted.slots)} ({origin})"
        return Unavailable(f"{name} {fault} and was deleted")

    def finish(self) -> None:
        """Verify the whole file and give it its final name. Raises ModelError."""
        found = sha256_of(self.path)
        if found != self.wanted.sha256:
            self.path.unlink()
            raise ModelError(
                f"{self.wanted.file} has the SHA-256 {found} instead of the catalogue's {self.wanted.sha256}, and was"
                " deleted. Pull it again. If this happens again, the catalogue is wrong: update Soliloquy."
            )
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())
        self.path.replace(self.final)
        mark(self.final, self.wanted)
        self.report(self.wanted.bytes)


@contextmanager
def growing(wanted: RemoteFile, folder: Path, progress: Progress) -> Generator[Partial]:
    """The unfinished file, locked for this process. Raises ModelError."""
    scratch = folder / ".part"
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        # The system releases the lock when the process ends.
        with FileLock(scratch / f"{wanted.file}.lock", timeout=0):
            yield Partial(wanted, folder, progress)
    except Timeout as error:
        raise ModelError(f"{wanted.file} is being downloaded by another process. Wait for it, or stop it.") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            remedy = "Free some space, then pull again: what was downloaded is kept"
        else:
            remedy = "Set SOLILOQUY_MODELS to a folder that you can write to"
        raise ModelError(f"{folder} cannot be written to ({error.strerror or error}). {remedy}.") from error


def forget_partial(wanted: RemoteFile, folder: Path) -> None:
    """Delete the files of an unfinished download."""
    path, wheels = _leftovers(wanted, folder)
    path.unlink(missing_ok=True)
    shutil.rmtree(wheels, ignore_errors=True)


def _leftovers(wanted: RemoteFile, folder: Path) -> tuple[Path, Path]:
    """The unfinished file, and the folder of the wheels it is joined from."""
    return folder / ".part" / f"{wanted.file}.part", folder / ".part" / f"{wanted.file}.wheels"
