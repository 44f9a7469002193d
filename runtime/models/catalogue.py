"""The models of the catalogue, those on this machine, and the one to use.

The catalogue (`data/models/catalogue.json`) lists every base with size and SHA-256, best first. Files that the user
added are listed in `added.json` of the models folder. `download/` fetches files; no model is loaded here.
"""

from __future__ import annotations

import glob
import os
import re
from functools import cache
from pathlib import Path

import psutil
from pydantic import Field, TypeAdapter, ValidationError

from runtime.files import ROOT, sha256_of, write_whole
from runtime.models import trial
from runtime.models.download import fetch
from runtime.models.download.files import (
    ModelError,
    Progress,
    RemoteFile,
    damaged_slots,
    is_whole,
    marker_of,
    size_text,
)
from runtime.models.download.hub import find_on_hub
from runtime.models.download.partial import forget_partial
from runtime.models.gguf_header import BadGGUF, read_header
from runtime.models.machine import copies_dir
from runtime.settings import Settings, remember
from runtime.types import Value

CATALOGUE = ROOT / "data" / "models" / "catalogue.json"
OWN_FILE = "file"
HUB_REFERENCE = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+?)(:(?P<quantization>[\w.-]+))?")


class Base(RemoteFile):
    """A model of the catalogue."""

    name: str
    licence: str
    parameters: int
    architecture: str
    memory: int
    """Bytes of free memory that the model and one conversation need."""
    program_voters: int = Field(default=0, ge=0)
    """How many of the solutions that vote on an answer are short programs (`runtime.search.self_consistency`)."""


class Installed(Value):
    """A model file on this machine."""

    name: str
    path: Path
    bytes: int
    origin: str
    """`catalogue`, `file` (the user's own file, used where it is), or the hub reference it was downloaded from."""
    sha256: str
    """The expected SHA-256: the catalogue's, or that of the file when it was added."""


class Choice(Value):
    """The model to use, its path (None: not downloaded yet), and the reason for the choice."""

    name: str
    path: Path | None
    reason: str


_ADDED = TypeAdapter(tuple[Installed, ...])


class _Catalogue(Value):
    bases: tuple[Base, ...]


def catalogue() -> tuple[Base, ...]:
    """The bases, best first. Raises ModelError."""
    return _read_catalogue(CATALOGUE)


def program_voters(model: str) -> int:
    """`Base.program_voters` of the model that an engine names: a base's file, without its ending, or a copy of it in
    another format. 0 for every other model."""
    return next((base.program_voters for base in catalogue() if model.startswith(Path(base.file).stem)), 0)


@cache
def _read_catalogue(path: Path) -> tuple[Base, ...]:
    try:
        return _Catalogue.model_validate_json(path.read_bytes()).bases
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else _first_fault(error)
        raise ModelError(
            f"The catalogue of models cannot be read ({why}). Restore {path}: run `git checkout {path.name}` in its"
            " folder, or unpack Soliloquy again."
        ) from error


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"


def installed(settings: Settings) -> list[Installed]:
    """Models whose file is here, bases first. Only sizes are compared; `verify` reads the files."""
    found = [
        Installed(name=base.name, path=path, bytes=base.bytes, origin="catalogue", sha256=base.sha256)
        for base in catalogue()
        if (path := settings.models_dir / base.file).is_file() and path.stat().st_size == base.bytes
    ]
    return found + [entry for entry in _added(settings) if entry.path.is_file()]


# Choosing


def suggested() -> Base:
    """The best base that fits into the free memory; the smallest one if none does."""
    free = psutil.virtual_memory().available
    return next((base for base in catalogue() if base.memory <= free), catalogue()[-1])


def choose(settings: Settings) -> Choice:
    """The model of the settings, else the best one for this machine. Raises ModelError for an unknown name."""
    return _named(settings.model, settings) if settings.model else _by_memory(settings)


def resolve(settings: Settings) -> Path:
    """The file of the model to use. Raises ModelError if it is not here."""
    choice = choose(settings)
    if choice.path is None:
        raise ModelError(
            f"There is no model yet. Run `python -m runtime models pull {choice.name}`, or"
            " `python -m runtime models add FILE` for a GGUF file that you have.",
            "model.none",
            name=choice.name,
        )
    return choice.path


def _named(model: str, settings: Settings) -> Choice:
    here = {entry.name: entry for entry in installed(settings)}
    if model in here:
        return Choice(name=model, path=here[model].path, reason=f"{model} is set.")
    if model in {base.name for base in catalogue()}:
        return Choice(name=model, path=None, reason=f"{model} is set, but not downloaded yet.")
    path = Path(model).expanduser()
    _require_utf8(path)
    if path.is_file() or (path / "config.json").is_file():
        return Choice(name=path.stem, path=path.absolute(), reason=f"{path} is set.")
    names = ", ".join(dict.fromkeys([base.name for base in catalogue()] + list(here)))
    raise ModelError(
        f"The model {model!r} is neither a known name ({names}) nor a file. Choose another one, or add it.",
        "model.unknown",
        name=model,
    )


def _by_memory(settings: Settings) -> Choice:
    free = psutil.virtual_memory().available
    here = {entry.name: entry.path for entry in installed(settings)}
    ideal = suggested()
    free_text = f"{size_text(free)} of memory is free"
    if ideal.name in here or not here:
        tight = "" if ideal.memory <= free else " It may be slow, as no model fits into the free memory."
        reason = f"{free_text}, and {ideal.name} needs {size_text(ideal.memory)}.{tight}"
        return Choice(name=ideal.name, path=here.get(ideal.name), reason=reason)
    fitting = [base.name for base in catalogue() if base.name in here and base.memory <= free]
    # Models that are too large come last, smallest first: slow is better than nothing.
    large = [base.name for base in reversed(catalogue()) if base.name in here and base.memory > free]
    name = next(iter([*fitting, *large, *here]))
    slow = ", but may be slow, as it needs more" if name in large else ""
    return Choice(
        name=name,
        path=here[name],
        reason=f"{free_text}; {name} is here{slow}. `python -m runtime models pull {ideal.name}` gets a better one.",
    )


def use(name: str, settings: Settings) -> None:
    """Use a model (a name, or the path of a GGUF file) from now on. Raises ModelError."""
    choice = _named(name, settings)
    if choice.path is None:
        raise ModelError(f"{name} is not downloaded yet. Run `python -m runtime models pull {name}` first.")
    _require_chat_model(choice.path)
    is_name = any(entry.name == name for entry in installed(settings))
    remember(model=name if is_name else str(choice.path))


# Getting and removing


def pull(name: str, settings: Settings, progress: Progress) -> Path:
    """Download a base of the catalogue, or its missing parts. Raises ModelError."""
    return fetch(_base(name), settings.models_dir, progress)


def add(reference: str, settings: Settings, progress: Progress) -> Installed:
    """Add a GGUF file of this machine, used where it is, or download and add `org/name-GGUF:Q4_K_M` from the hub.
    Raises ModelError."""
    path = Path(reference).expanduser()
    match = HUB_REFERENCE.fullmatch(reference)
    if not match or path.exists() or reference.lower().endswith(".gguf"):
        return _record(path.absolute(), OWN_FILE, settings, progress)
    remote = find_on_hub(match["repo"], match["quantization"] or "Q4_K_M")
    for base in catalogue():
        if base.sha256 == remote.sha256:
            path = pull(base.name, settings, progress)
            return Installed(name=base.name, path=path, bytes=base.bytes, origin="catalogue", sha256=base.sha256)
    path = settings.models_dir / remote.file
    _require_free_name(path, settings)
    known = any(entry.path == path for entry in _added(settings))
    if path.exists() and not known and not is_whole(path, remote):
        raise ModelError(f"{path} exists already. Move it, or add that file itself.")
    fetched = fetch(remote, settings.models_dir, progress)
    try:
        return _record(fetched, reference, settings, progress)
    except ModelError:
        if not known:  # a file that is not listed could not be removed later
            _delete(fetched)
        raise


def remove(name: str, settings: Settings) -> str:
    """Delete a downloaded model, or unregister the user's own file; returns a sentence. Raises ModelError."""
    if settings.model == name:
        remember(model=None)
    entry = next((entry for entry in _added(settings) if entry.name == name), None)
    if entry is not None:
        _write_added(settings, [other for other in _added(settings) if other != entry])
        if entry.origin == OWN_FILE:
            return f"{name} was removed from the list. Your file {entry.path} stays."
        _delete(entry.path)
        _delete_copies(entry.path, settings)
        return f"{entry.path} was deleted."
    base = _base(name)
    path = settings.models_dir / base.file
    was_here = path.exists()
    _delete(path)
    _delete_copies(path, settings)
    forget_partial(base, settings.models_dir)
    return f"{path} was deleted." if was_here else f"{name} was not here. Unfinished downloads of it were deleted."


def _delete_copies(path: Path, settings: Settings) -> None:
    """Delete the copies of a model in faster formats (`machine.Copy`)."""
    for copy in copies_dir(settings).glob(f"{glob.escape(path.stem)}.*.gguf"):
        _delete(copy)


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        marker_of(path).unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be deleted ({error.strerror}). Close programs that use it and try again."
        ) from error


# Verifying


def verify(name: str | None, settings: Settings, progress: Progress) -> list[tuple[str, bool, str]]:
    """Verify one model, or all that are here (None): (name, whether it is right, a sentence). Raises ModelError."""
    here = [entry for entry in installed(settings) if name in (None, entry.name)]
    if name is not None and not here:
        raise ModelError(f"{name} is not on this machine. `python -m runtime models list` lists the models.")
    return [(entry.name, *_verify_one(entry, settings, progress)) for entry in here]


def require_unchanged(path: Path, settings: Settings) -> None:
    """Raises ModelError if a listed file does not have its expected SHA-256. Reads the whole file."""
    entry = next((entry for entry in installed(settings) if entry.path == path), None)
    if entry is None or (entry.origin == "catalogue" and is_whole(path, _base(entry.name))):
        return
    right, finding = _verify_one(entry, settings, lambda _done, _total: None)
    if not right:
        raise ModelError(finding)


def _verify_one(entry: Installed, settings: Settings, progress: Progress) -> tuple[bool, str]:
    if entry.origin != "catalogue":
        if sha256_of(entry.path, progress=progress) == entry.sha256:
            return True, f"{entry.path} has not changed since it was added."
        return False, f"{entry.path} has changed since it was added. Remove it, then add it again."
    base = _base(entry.name)
    bad = damaged_slots(entry.path, base, progress)
    if not bad:
        return True, f"{entry.path} has the SHA-256 of the catalogue."
    # Without its marker, the next pull checks the file again.
    marker_of(entry.path).unlink(missing_ok=True)
    numbers = ", ".join(str(slot.number) for slot in bad)
    return False, (
        f"{entry.path} is damaged in part {numbers} of {len(base.slots)}."
        f" `python -m runtime models pull {base.name}` downloads only that again."
    )


# Files of one's own


def _added(settings: Settings) -> tuple[Installed, ...]:
    path = settings.models_dir / "added.json"
    try:
        return _ADDED.validate_json(path.read_bytes()) if path.exists() else ()
    except (OSError, ValidationError) as error:
        raise ModelError(f"{path} cannot be read. Delete it, then add your files again.") from error


def _write_added(settings: Settings, entries: list[Installed]) -> None:
    path = settings.models_dir / "added.json"
    try:
        write_whole(path, _ADDED.dump_json(tuple(entries), indent=1))
    except OSError as error:
        raise ModelError(
            f"{path} cannot be written ({error.strerror}). Set SOLILOQUY_MODELS to a folder that you can write to."
        ) from error


def _record(path: Path, origin: str, settings: Settings, progress: Progress) -> Installed:
    _require_utf8(path)
    _require_chat_model(path)
    _require_free_name(path, settings)
    trial.require(path, settings)
    size = path.stat().st_size
    pinned = sha256_of(path, progress=progress)
    entry = Installed(name=path.stem, path=path, bytes=size, origin=origin, sha256=pinned)
    _write_added(settings, [other for other in _added(settings) if other.name != entry.name] + [entry])
    return entry


def _require_free_name(path: Path, settings: Settings) -> None:
    taken = {base.name: settings.models_dir / base.file for base in catalogue()}
    taken |= {entry.name: entry.path for entry in _added(settings)}
    if taken.get(path.stem, path) != path:
        raise ModelError(f"{path.stem} is already the name of {taken[path.stem]}. Rename the file, then add it.")


def _require_utf8(path: Path) -> None:
    """Raises ModelError for a path that is not UTF-8, as the page and the log need Unicode names."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise ModelError(f"The name of {name} is not UTF-8. Rename the file or folder, then try again.") from error


def _require_chat_model(path: Path) -> None:
    try:
        header = read_header(path)
    except BadGGUF as error:
        raise ModelError(str(error)) from error
    if not (header.chat_template or "").strip():
        raise ModelError(f"{path} has no chat template. Choose an instruct or chat model.")


def _base(name: str) -> Base:
    for base in catalogue():
        if base.name == name:
            return base
    names = ", ".join(base.name for base in catalogue())
    raise ModelError(f"{name!r} is not in the catalogue. Choose one of: {names}.")
