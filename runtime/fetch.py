"""Brings one large file into a folder: from a model hub, or joined from parts that packages of an index carry.

No byte is used before its SHA-256 is right. The growing file is its own record of progress: a part whose hash is right
is never fetched again, at whatever moment the process ended. A carrier package is never installed or imported: pip only
downloads it, and the bytes of its one member are copied out.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from filelock import FileLock, Timeout

from runtime.types import Value

Progress = Callable[[int, int], None]
"""Called with the bytes that are done and the bytes of the whole file; the first never falls."""

CHUNK = 1 << 20
MARGIN = 64 << 20  # room left on the disk for everything else
HUB_PATIENCE = 6.0  # seconds until a hub that does not answer is given up
BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class ModelError(Exception):
    """A model cannot be chosen, fetched or used; the text names the cause and the remedy."""


class _Unavailable(Exception):
    """One source cannot give the file; the text says why, for the ModelError if no other source can."""


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


class RemoteFile(Value):
    """A file as it must be in the end, and where its bytes can be had."""

    file: str
    bytes: int
    sha256: str
    hub: HubFile | None = None
    carriers: Carriers | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Where each part belongs; the whole file is one part if no package carries it."""
        parts = self.carriers.parts if self.carriers else (Part(bytes=self.bytes, sha256=self.sha256),)
        starts = accumulate((part.bytes for part in parts), initial=0)
        return tuple(
            Slot(number=n, start=start, part=part)
            for n, (start, part) in enumerate(zip(starts, parts, strict=False), start=1)
        )


class Slot(Value):
    number: int
    start: int
    part: Part

    @property
    def end(self) -> int:
        return self.start + self.part.bytes


def fetch(wanted: RemoteFile, folder: Path, progress: Progress) -> Path:
    """The file in the folder, whole and verified; fetches what is missing of it. Raises ModelError."""
    final = folder / wanted.file
    if is_whole(final, wanted):
        progress(wanted.bytes, wanted.bytes)
        return final
    with _clear_errors(folder), _alone(_scratch(folder), wanted):
        growing = _Growing(wanted, _scratch(folder) / f"{wanted.file}.part", progress)
        growing.adopt(final)
        todo = growing.missing()
        failures = _try_sources(growing, todo)
        shutil.rmtree(_wheels(folder, wanted), ignore_errors=True)
        if todo:
            growing.drop_if_empty()
            raise ModelError(_no_source(wanted, failures, kept=wanted.bytes - sum(slot.part.bytes for slot in todo)))
        growing.finish(final)
    return final


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
        _mark(path, wanted)
    return True


def marker_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def forget_partial(wanted: RemoteFile, folder: Path) -> None:
    """Deletes what an unfinished fetch has left behind."""
    (_scratch(folder) / f"{wanted.file}.part").unlink(missing_ok=True)
    shutil.rmtree(_wheels(folder, wanted), ignore_errors=True)


def damaged_slots(path: Path, wanted: RemoteFile, progress: Progress) -> list[Slot]:
    """The parts of the file whose bytes are missing or wrong."""
    bad = []
    size = path.stat().st_size
    for slot in wanted.slots:
        if size < slot.end or sha256_of(path, slot.start, slot.part.bytes) != slot.part.sha256:
            bad.append(slot)
        progress(slot.end, wanted.bytes)
    return bad


def sha256_of(path: Path, start: int = 0, length: int | None = None, progress: Progress | None = None) -> str:
    """Hexadecimal SHA-256 of a file, or of a stretch of it."""
    digest = hashlib.sha256()
    left = total = path.stat().st_size - start if length is None else length
    with path.open("rb") as file:
        file.seek(start)
        while left and (chunk := file.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
            if progress:
                progress(total - left, total)
    return digest.hexdigest()


def size_text(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


# The growing file


class _Growing:
    """The unfinished file. Parts stand where they belong; which of them are right is read from the bytes alone."""

    def __init__(self, wanted: RemoteFile, path: Path, progress: Progress) -> None:
        self.wanted, self.path, self._progress, self._reported = wanted, path, progress, 0
        path.touch()
        if self.size > wanted.bytes:
            os.truncate(path, wanted.bytes)

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def adopt(self, final: Path) -> None:
        """Takes a damaged finished file as the beginning, so that only its wrong parts are fetched."""
        if final.is_file() and final.stat().st_size >= self.size:
            final.replace(self.path)
            os.truncate(self.path, min(self.size, self.wanted.bytes))

    def missing(self) -> list[Slot]:
        """Slots without the right bytes. A piece of a part at the very end counts as missing, but is kept."""
        bad = {slot.number for slot in damaged_slots(self.path, self.wanted, lambda _done, _total: None)}
        todo = [slot for slot in self.wanted.slots if slot.number in bad]
        self.report(todo[0].start if todo else self.wanted.bytes)
        return todo

    def report(self, done: int) -> None:
        self._reported = max(self._reported, min(done, self.wanted.bytes))
        self._progress(self._reported, self.wanted.bytes)

    def continue_at(self, slot: Slot) -> int:
        """Where the next byte of a missing slot belongs: behind the piece that an earlier attempt left, if any."""
        return self.size if slot.start <= self.size < slot.end else slot.start

    def write(self, slot: Slot, chunks: Iterable[bytes], at: int) -> None:
        """Fills a slot from `at` on. Raises _Unavailable, and takes the part back, if its bytes are wrong."""
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
        if at == slot.end and digest.hexdigest() == slot.part.sha256:
            return
        self.take_back(slot)
        raise _Unavailable(
            f"{_part_name(self.wanted, slot)} has the wrong bytes (SHA-256 {digest.hexdigest()[:12]}… instead of"
            f" {slot.part.sha256[:12]}…) and was deleted"
        )

    def take_back(self, slot: Slot) -> None:
        # A wrong part before the end of the file needs no mark: its hash tells.
        if slot.start < self.size <= slot.end:
            os.truncate(self.path, slot.start)

    def drop_if_empty(self) -> None:
        if not self.size:
            self.path.unlink()

    def finish(self, final: Path) -> None:
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
        self.path.replace(final)
        _mark(final, self.wanted)
        self.report(self.wanted.bytes)


def _part_name(wanted: RemoteFile, slot: Slot) -> str:
    if wanted.carriers is None:
        return wanted.file
    return f"part {slot.number} of {len(wanted.slots)} ({slot.part.distribution}=={wanted.carriers.version})"


def _mark(path: Path, wanted: RemoteFile) -> None:
    """In the format of `sha256sum --check`, so that anybody can look again."""
    marker_of(path).write_text(f"{wanted.sha256}  {wanted.file}\n")


# Sources


def _try_sources(growing: _Growing, todo: list[Slot]) -> list[str]:
    """Lets each source take parts off `todo` until nothing is left; what went wrong, source by source."""
    failures = []
    for name, source in (("hub", _from_hub), ("package index", _from_index)):
        if todo:
            try:
                source(growing, todo)
            except _Unavailable as reason:
                failures.append(f"{name}: {reason}")
    return failures


def _from_hub(growing: _Growing, todo: list[Slot]) -> None:
    wanted = growing.wanted
    if wanted.hub is None:
        raise _Unavailable("no copy is known there")
    _require_room(growing)
    endpoint = _hub_endpoint()
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(wanted.hub.repo, wanted.hub.file, endpoint=endpoint)
    there = _ask_hub(lambda: get_hf_file_metadata(url, timeout=HUB_PATIENCE))
    if there.size not in (None, wanted.bytes):
        raise _Unavailable(f"{url} is another version of the file ({there.size:,} bytes)")
    while todo:
        _hub_part(growing, todo[0], url)
        del todo[0]


def _hub_part(growing: _Growing, slot: Slot, url: str) -> None:
    """One slot by ranged requests. A broken connection is taken up again as long as each attempt brings bytes."""
    from huggingface_hub.errors import HTTPError  # the base error of whichever HTTP client this version uses
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    while True:
        at = growing.continue_at(slot)
        # huggingface_hub's own download cannot be continued by another process, and leaves a killed one's bytes behind.
        headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={at}-{slot.end - 1}"}
        try:
            with get_session().stream("GET", url, headers=headers, timeout=30) as response:
                hf_raise_for_status(response)
                if response.status_code != 206:
                    raise _Unavailable(f"{url} cannot be fetched in parts (status {response.status_code})")
                growing.write(slot, response.iter_bytes(CHUNK), at)
            return
        except (HTTPError, ConnectionError) as error:
            if growing.continue_at(slot) <= at:
                raise _Unavailable(_first_line(error)) from error


def find_on_hub(repo: str, quantization: str) -> RemoteFile:
    """The GGUF file of a hub repository that has the given quantization. Raises ModelError."""
    try:
        endpoint = _hub_endpoint()
        from huggingface_hub import HfApi

        info = _ask_hub(lambda: HfApi(endpoint=endpoint).model_info(repo, files_metadata=True, timeout=HUB_PATIENCE))
    except _Unavailable as reason:
        raise ModelError(
            f"{repo} could not be looked up on the hub: {reason}. Connect, set a mirror (HF_ENDPOINT), or add a file."
        ) from reason
    files = [f for f in info.siblings or () if f.rfilename.lower().endswith(".gguf") and f.lfs and f.size]
    fitting = [f for f in files if fnmatchcase(f"-{f.rfilename}".lower(), f"*[-._/]{quantization.lower()}.gguf")]
    if not fitting:
        names = ", ".join(sorted(f.rfilename for f in files)) or "no GGUF file"
        raise ModelError(f"{repo} has no single file of quantization {quantization}; it has: {names}.")
    chosen = min(fitting, key=lambda f: (len(f.rfilename), f.rfilename))
    return RemoteFile(
        file=Path(chosen.rfilename).name,
        bytes=chosen.size,
        sha256=chosen.lfs.sha256,
        hub=HubFile(repo=repo, file=chosen.rfilename),
    )


def _hub_endpoint() -> str | None:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise _Unavailable("switched off by HF_HUB_OFFLINE")
    # Read when the library is imported; else each request would name the programs of this machine.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    if endpoint and not re.match(r"https?://[\w.]", endpoint):
        raise _Unavailable(f"HF_ENDPOINT={endpoint} is no web address")
    return endpoint


def _ask_hub(question: Callable[[], Any]) -> Any:
    """The answer, within HUB_PATIENCE. The library's own timeout counts anew for each address of the hub."""
    from huggingface_hub.errors import HTTPError

    answers: SimpleQueue[Any] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(question())
        except (HTTPError, OSError, ValueError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=HUB_PATIENCE)
    except Empty:
        raise _Unavailable(f"no answer within {HUB_PATIENCE:.0f} seconds") from None
    if isinstance(answer, Exception):
        raise _Unavailable(_first_line(answer)) from answer
    return answer


def _from_index(growing: _Growing, todo: list[Slot]) -> None:
    wanted = growing.wanted
    if wanted.carriers is None:
        raise _Unavailable("no package carries it")
    if importlib.util.find_spec("pip") is None:
        raise _Unavailable("this Python has no pip (`python -m ensurepip` installs it)")
    # While pip finishes a download, the wheel lies in its temporary folder and in ours.
    _require_room(growing, extra=2 * max(slot.part.wheel_bytes for slot in todo))
    folder = _wheels(growing.path.parent.parent, wanted)
    kept = _tidy(folder)
    while todo:
        slot = todo[0]
        requirement = f"{slot.part.distribution}=={wanted.carriers.version}"
        left = kept.pop(requirement.replace("-", "_").replace("==", "-"), None)
        if left is None or not _is_joined(growing, slot, left):
            _join(growing, slot, _download(requirement, slot, folder, growing))
        del todo[0]


def _tidy(folder: Path) -> dict[str, Path]:
    """Wheels that an interrupted fetch had downloaded, by name-version; everything else it left is deleted."""
    folder.mkdir(exist_ok=True)
    for wheel in folder.glob("*/*.whl"):
        wheel.replace(folder / wheel.name)
    for left in folder.glob("*/"):
        shutil.rmtree(left, ignore_errors=True)
    return {"-".join(wheel.name.split("-")[:2]): wheel for wheel in folder.glob("*.whl")}


def _download(requirement: str, slot: Slot, folder: Path, growing: _Growing) -> Path:
    """The wheel, by pip: so the person's own mirrors, proxies and certificates are used."""
    # Each attempt has a folder of its own: the pip of a killed process may still be writing to another.
    own = Path(tempfile.mkdtemp(dir=folder))
    temporary, said = own / "tmp", own / "pip.txt"
    temporary.mkdir()
    # Without the cache, which would keep a second copy of every part for ever.
    flags = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *flags, "--progress-bar=off", "-d", str(own), requirement]
    # pip's own five retries, of 15 seconds each, would make a machine without a network wait for minutes.
    environment = {"PIP_RETRIES": "2", **os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))}
    with said.open("wb") as output:
        pip = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            while pip.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    pip.wait(0.2)
                share = min(1.0, _bytes_below(own) / slot.part.wheel_bytes) if slot.part.wheel_bytes else 0.0
                growing.report(slot.start + int(share * slot.part.bytes))
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    if pip.returncode:
        raise _pip_error(said.read_text("utf-8", errors="replace"))
    (wheel,) = own.glob("*.whl")
    wheel = wheel.replace(folder / wheel.name)
    shutil.rmtree(own, ignore_errors=True)
    return wheel


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        # pip deletes its temporary files while we look.
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _pip_error(output: str) -> Exception:
    if f"[Errno {errno.ENOSPC}]" in output:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if "after connection broken by" in output:
        return _Unavailable("no connection to it")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ") and line != "ERROR: Exception:"]
    return _Unavailable((errors or lines or ["pip failed and said nothing"])[-1].removeprefix("ERROR: "))


def _is_joined(growing: _Growing, slot: Slot, wheel: Path) -> bool:
    """For a wheel that was left behind: it may be half of one, which is no news about the index."""
    try:
        _join(growing, slot, wheel)
    except _Unavailable:
        return False
    return True


def _join(growing: _Growing, slot: Slot, wheel: Path) -> None:
    """Copies the part out of its wheel, then deletes the wheel, good or bad."""
    try:
        growing.write(slot, _member(wheel, growing.wanted.carriers.member), slot.start)
    except BAD_ZIP as error:
        growing.take_back(slot)
        raise _Unavailable(f"{_part_name(growing.wanted, slot)} is damaged ({error}) and was deleted") from error
    finally:
        wheel.unlink(missing_ok=True)


def _member(wheel: Path, pattern: str) -> Iterator[bytes]:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if fnmatchcase(name, pattern)]
        if len(names) != 1:
            raise zipfile.BadZipFile(f"{len(names)} members are called {pattern}")
        with archive.open(names[0]) as member:
            while chunk := member.read(CHUNK):
                yield chunk


# What can go wrong on this machine


def _scratch(folder: Path) -> Path:
    return folder / ".part"


def _wheels(folder: Path, wanted: RemoteFile) -> Path:
    return _scratch(folder) / f"{wanted.file}.wheels"


@contextmanager
def _clear_errors(folder: Path) -> Iterator[None]:
    """Turns an error of the file system into a sentence with its remedy."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            remedy = "Free some room, then pull again: what was fetched is kept"
        else:
            remedy = "Set SOLILOQUY_MODELS to a folder that you can write to"
        raise ModelError(f"{folder} cannot be written to ({error.strerror or error}). {remedy}.") from error


@contextmanager
def _alone(scratch: Path, wanted: RemoteFile) -> Iterator[None]:
    """Two processes would write into one file. The lock ends with the process, however it ends."""
    scratch.mkdir(parents=True, exist_ok=True)
    lock = FileLock(scratch / f"{wanted.file}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise ModelError(f"{wanted.file} is being fetched by another process. Wait for it, or end it.") from error
    try:
        yield
    finally:
        lock.release()


def _require_room(growing: _Growing, extra: int = 0) -> None:
    needed = growing.wanted.bytes - growing.size + extra + MARGIN
    free = shutil.disk_usage(growing.path.parent).free
    if free < needed:
        raise ModelError(
            f"{growing.path.parent.parent} has too little room for {growing.wanted.file}: {size_text(needed)} are"
            f" needed, {size_text(free)} are free, {needed - free:,} bytes are missing."
            " Free some room, or set SOLILOQUY_MODELS to a folder on another disk."
        )


def _no_source(wanted: RemoteFile, failures: list[str], kept: int) -> str:
    going_on = f" {size_text(kept)} are kept, and the next pull goes on from there." if kept else ""
    return (
        f"{wanted.file} could not be fetched ({'; '.join(failures)}). Connect to the internet and pull again, set a"
        " mirror (HF_ENDPOINT for the hub, PIP_INDEX_URL for the package index), or use a file that you have:"
        f" `python -m runtime models add FILE`.{going_on}"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
