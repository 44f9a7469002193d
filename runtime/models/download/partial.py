"""The growing file on this machine's disk, which two processes never write to at once.

Parts stand where they belong, and which of them are right is read from their bytes alone: the file is its own record
of progress, at whatever moment the process ended. Where the bytes come from is the subject of `hub.py` and `index.py`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from runtime.files import sha256_of
from runtime.models.download.files import CHUNK, ModelError, Progress, RemoteFile, Slot, damaged_slots, mark, size_text

MARGIN = 64 << 20  # bytes left on the disk for everything else


class Unavailable(Exception):
    """One source cannot give the file; the text says why, for the ModelError if no other source can."""


class Partial:
    """The unfinished file, and in `todo` the slots whose bytes are not right yet."""

    def __init__(self, wanted: RemoteFile, folder: Path, progress: Progress) -> None:
        self.wanted, self.final = wanted, folder / wanted.file
        self.path, self.wheels = _leftovers(wanted, folder)
        self._progress, self._reported = progress, 0
        self.path.touch()
        # A damaged finished file is a beginning too: only its wrong parts are fetched.
        if self.final.is_file() and self.final.stat().st_size >= self.size:
            self.final.replace(self.path)
        os.truncate(self.path, min(self.size, wanted.bytes))
        # A piece of a part at the very end counts as missing, but is kept.
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
                f"{self.final.parent} has too little room for {self.wanted.file}: {size_text(needed)} are needed,"
                f" {size_text(free)} are free, {needed - free:,} bytes are missing."
                " Free some room, or set SOLILOQUY_MODELS to a folder on another disk."
            )

    def continue_at(self, slot: Slot) -> int:
        """Where the next byte of a missing slot belongs: behind the piece that an earlier attempt left, if any."""
        return self.size if slot.start <= self.size < slot.end else slot.start

    def write(self, slot: Slot, chunks: Iterable[bytes], at: int) -> None:
        """Fills a slot from `at` on. Raises Unavailable, and takes the part back, if its bytes are wrong."""
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
        """Takes the part back; what to raise for it."""
        # A wrong part before the end of the file needs no mark: its hash tells.
        if slot.start < self.size <= slot.end:
            os.truncate(self.path, slot.start)
        name = self.wanted.file
        if self.wanted.carriers:
            origin = f"{slot.part.distribution}=={self.wanted.carriers.version}"
            name = f"part {slot.number} of {len(self.wanted.slots)} ({origin})"
        return Unavailable(f"{name} {fault} and was deleted")

    def finish(self) -> None:
        """Gives the file its name, after a last look at all of it."""
        found = sha256_of(self.path)
        if found != self.wanted.sha256:
            self.path.unlink()
            raise ModelError(
                f"{self.wanted.file} has the SHA-256 {found}, not {self.wanted.sha256} as the catalogue says, and was"
                " deleted. Pull it again; if that ends in the same way, the catalogue is wrong: update Soliloquy."
            )
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())
        self.path.replace(self.final)
        mark(self.final, self.wanted)
        self.report(self.wanted.bytes)


@contextmanager
def growing(wanted: RemoteFile, folder: Path, progress: Progress) -> Iterator[Partial]:
    """The unfinished file, for this process alone. An error of the file system becomes a sentence with its remedy."""
    scratch = folder / ".part"
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        # The lock ends with the process, however it ends.
        with FileLock(scratch / f"{wanted.file}.lock", timeout=0):
            yield Partial(wanted, folder, progress)
    except Timeout as error:
        raise ModelError(f"{wanted.file} is being fetched by another process. Wait for it, or end it.") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            remedy = "Free some room, then pull again: what was fetched is kept"
        else:
            remedy = "Set SOLILOQUY_MODELS to a folder that you can write to"
        raise ModelError(f"{folder} cannot be written to ({error.strerror or error}). {remedy}.") from error


def forget_partial(wanted: RemoteFile, folder: Path) -> None:
    """Deletes what an unfinished fetch has left behind."""
    path, wheels = _leftovers(wanted, folder)
    path.unlink(missing_ok=True)
    shutil.rmtree(wheels, ignore_errors=True)


def _leftovers(wanted: RemoteFile, folder: Path) -> tuple[Path, Path]:
    """The growing file, and the folder of the wheels it is joined from."""
    return folder / ".part" / f"{wanted.file}.part", folder / ".part" / f"{wanted.file}.wheels"
