"""Which trained voices a model has: GGUF adapters with cards, several versions of each, one of them in use or none.

    <root>/<base>/<voice>/<version>.gguf, <version>.json (the card), <version>.md (the card to read), current.json

There are two roots: `data/models/voices` ships with the product and is only read here, `voices` in the models folder is
a person's own and goes first. A version may have peft's form of the same adapter beside it, in the folder `<version>`,
for the engine of transformers. A damaged voice is named and left out: the untrained base then answers.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runtime.files import ROOT, sha256_of
from runtime.models import catalogue
from runtime.models.adapter_cards import VoiceCard, VoiceError, first_line, read_card, save
from runtime.models.download.files import marker_of
from runtime.models.machine import copies_dir
from runtime.settings import Settings
from runtime.types import Value

logger = logging.getLogger(__name__)

SHIPPED = ROOT / "data" / "models" / "voices"


class Current(Value):
    """Which version is in use (None: the untrained base), and which were before it, the last one last."""

    version: str | None
    before: tuple[str | None, ...] = ()


class Voice(Value):
    """A version whose bytes are those of its card."""

    name: str
    path: Path
    card: VoiceCard

    @property
    def folder(self) -> Path | None:
        """The same adapter in peft's form, if it was kept."""
        folder = self.path.with_suffix("")
        return folder if (folder / "adapter_config.json").is_file() else None


class BaseModel(Value):
    """What voices belong to."""

    name: str
    sha256: str


# Bases


def base_of(model: Path | str, settings: Settings) -> BaseModel | None:
    """The base of a name, a file, a copy of it in another format, or a folder that was made of it; None if it is
    unknown. A file is known by its name and size or by the marker beside it: nothing is hashed for this."""
    path = Path(model)
    if path.parent == copies_dir(settings):
        return _pinned(_hash_of_original(path, settings), settings)
    for entry in catalogue.installed(settings):
        if entry.name == model or entry.path == path:
            return _pinned(entry.sha256, settings)
    if base := next((base for base in catalogue.catalogue() if base.name == model), None):
        return _pinned(base.sha256, settings)
    if path.is_dir():
        return _pinned(_origin(path), settings)
    return _pinned(_catalogue_hash(path), settings) if path.is_file() else None


def _hash_of_original(copy: Path, settings: Settings) -> str | None:
    """What `tuning` keeps is `<stem of the original>.<format>.gguf`: the same weights."""
    stem = copy.name.removesuffix(".gguf").rpartition(".")[0]
    own = [(entry.path.stem, entry.sha256) for entry in catalogue.installed(settings)]
    return dict([(Path(base.file).stem, base.sha256) for base in catalogue.catalogue()] + own).get(stem)


def _origin(folder: Path) -> str | None:
    """The hash of the GGUF file that a folder of transformers' was made of."""
    try:
        return json.loads((folder / "source.json").read_bytes())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _catalogue_hash(path: Path) -> str | None:
    marker = marker_of(path)
    marked = marker.read_text("utf-8", errors="replace") if marker.is_file() else ""
    size = path.stat().st_size
    for base in catalogue.catalogue():
        if size == base.bytes and (path.name == base.file or base.sha256 in marked):
            return base.sha256
    return None


def _pinned(sha256: str | None, settings: Settings) -> BaseModel | None:
    """The base with this hash; its name in the catalogue wins over what a person calls it."""
    for entry in (*catalogue.catalogue(), *catalogue.installed(settings)):
        if entry.sha256 == sha256:
            return BaseModel(name=entry.name, sha256=entry.sha256)
    return None


# What a model has


def voices_of(model: Path | str, settings: Settings) -> dict[str, Voice]:
    """The voices in use with a model, whole ones only; a damaged one is named in the log."""
    found = in_use(model, settings)
    for name, voice in found.items():
        if isinstance(voice, VoiceError):
            logger.warning("The voice %r is left out, the untrained base answers for it: %s", name, voice)
    return {name: voice for name, voice in found.items() if isinstance(voice, Voice)}


def in_use(model: Path | str, settings: Settings) -> dict[str, Voice | VoiceError]:
    """The voices in use with a model, each as it is found: whole, or what is wrong with it."""
    base = base_of(model, settings)
    names = sorted({name for known, name in _folders(settings) if base and known == base.name})
    found = {name: _found(base, name, settings) for name in names}
    return {name: voice for name, voice in found.items() if voice}


def _found(base: BaseModel, voice: str, settings: Settings) -> Voice | VoiceError | None:
    try:
        version = current(base.name, voice, settings).version
        return open_voice(base, voice, version, settings) if version else None
    except VoiceError as error:
        return error


def open_voice(base: BaseModel, voice: str, version: str, settings: Settings) -> Voice:
    """A version, checked against its card. Raises VoiceError."""
    folder = next((f for f in _places(base.name, voice, settings) if (f / f"{version}.json").is_file()), None)
    if folder is None:
        known = ", ".join(versions(base.name, voice, settings)) or "none"
        raise VoiceError(f"{base.name} has no version {version!r} of the voice {voice!r}; there are: {known}.")
    card, path = read_card(folder / f"{version}.json"), folder / f"{version}.gguf"
    if card.base_sha256 != base.sha256:
        raise VoiceError(f"{path} was trained on other weights than {base.name} has. {_remedy(base.name, voice)}")
    if not path.is_file() or sha256_of(path) != card.sha256:
        raise VoiceError(f"{path} is damaged or missing: its card names another SHA-256. {_remedy(base.name, voice)}")
    return Voice(name=voice, path=path, card=card)


def _remedy(base: str, voice: str) -> str:
    return f"Fetch it again, or go back: `python -m runtime models voice-back {base} {voice}`."


# Versions


def listed(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every (base, voice) that has a version, shipped or own."""
    yield from sorted(set(_folders(settings)))


def versions(base: str, voice: str, settings: Settings) -> list[str]:
    """The versions of a voice, oldest first; a damaged card comes first of all."""
    files = [file for folder in _places(base, voice, settings) for file in _cards(folder)]
    return list(dict.fromkeys(file.stem for file in sorted(files, key=_age)))


def _cards(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.glob("*.json") if path.stem != "current" and not path.name.startswith("."))


def version_names(folder: Path) -> list[str]:
    """The versions in one folder, in no order."""
    return [card.stem for card in _cards(folder)]


def state(base: str, voice: str, settings: Settings) -> dict[str, Any]:
    """The versions of a voice, which one is in use, and what is wrong with that one."""
    chosen, fault = None, None
    try:
        if chosen := current(base, voice, settings).version:
            open_voice(named_base(base, settings), voice, chosen, settings)
    except VoiceError as error:
        fault = str(error)
    return {"versions": versions(base, voice, settings), "current": chosen, "fault": fault}


def current(base: str, voice: str, settings: Settings) -> Current:
    """Which version is in use: the person's choice, else what ships. Raises VoiceError."""
    for folder in _places(base, voice, settings):
        if (folder / "current.json").is_file():
            return read_current(folder)
    return Current(version=None)


def use(base: str, voice: str, version: str | None, settings: Settings) -> Current:
    """Make a version (None: the untrained base) the one that is used from now on. Raises VoiceError."""
    _require_usable(base, voice, version, settings)
    before = current(base, voice, settings)
    if before.version == version:
        return before
    chosen = Current(version=version, before=(*before.before, before.version))
    return write_current(own_root(settings) / base / voice, chosen)


def back(base: str, voice: str, settings: Settings) -> Current:
    """Use again what was used before. Raises VoiceError if there is nothing to go back to."""
    here = versions(base, voice, settings)
    before = [version for version in current(base, voice, settings).before if version is None or version in here]
    if not before:
        raise VoiceError(
            f"{voice} of {base} has no earlier version to go back to."
            f" `python -m runtime models voice-use {base} {voice} none` takes the untrained base."
        )
    *earlier, version = before
    _require_usable(base, voice, version, settings)
    return write_current(own_root(settings) / base / voice, Current(version=version, before=tuple(earlier)))


def own_root(settings: Settings) -> Path:
    """Where a person's own voices lie, and which versions the person chose."""
    return settings.models_dir / "voices"


def read_current(folder: Path) -> Current:
    """Raises VoiceError."""
    path = folder / "current.json"
    try:
        return Current.model_validate_json(path.read_bytes()) if path.is_file() else Current(version=None)
    except (OSError, ValidationError) as error:
        raise VoiceError(f"{path} cannot be read: {first_line(error)}. Delete it, then choose again.") from error


def write_current(folder: Path, chosen: Current) -> Current:
    """Raises VoiceError."""
    save(folder / "current.json", chosen.model_dump_json(indent=1).encode())
    return chosen


def named_base(name: str, settings: Settings) -> BaseModel:
    """Raises VoiceError if the name is unknown."""
    if base := base_of(name, settings):
        return base
    known = ", ".join(base.name for base in catalogue.catalogue())
    raise VoiceError(f"{name!r} is neither a base of the catalogue ({known}) nor a model that was added.")


def _require_usable(base: str, voice: str, version: str | None, settings: Settings) -> None:
    known = list(listed(settings))
    if (base, voice) not in known:
        names = ", ".join(f"{name} {voice}" for name, voice in known) or "none"
        raise VoiceError(f"{base} has no voice {voice!r}. There are: {names}.")
    if version is not None:
        open_voice(named_base(base, settings), voice, version, settings)


def _places(base: str, voice: str, settings: Settings) -> list[Path]:
    return [root / base / voice for root in (own_root(settings), SHIPPED)]


def _folders(settings: Settings) -> Iterator[tuple[str, str]]:
    for root in (own_root(settings), SHIPPED):
        for folder in root.glob("*/*"):
            if any(_cards(folder)):
                yield folder.parent.name, folder.name


def _age(card: Path) -> tuple[str, str]:
    try:
        return read_card(card).created, card.stem
    except VoiceError:
        return "", card.stem
