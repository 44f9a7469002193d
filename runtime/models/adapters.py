"""The trained adapters of a model: GGUF files with cards. Each role has versions, of which one or none is in use.

    <root>/<base>/<role>/<version>.gguf, <version>.json (the card), <version>.md (the card to read), current.json

There are two roots: `data/models/adapters` ships with the product and is only read; `adapters` in the models folder is
the user's own and has priority. A folder `<version>` beside a version holds the same adapter in peft's format, for the
transformers engine. A damaged adapter is reported and not used; the base model is used in its place.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runtime.files import ROOT, folder_of, sha256_of
from runtime.models import catalogue
from runtime.models.adapter_cards import AdapterCard, AdapterError, first_line, read_card, save
from runtime.models.download.files import marker_of
from runtime.models.machine import copies_dir
from runtime.settings import Settings
from runtime.types import Value

logger = logging.getLogger(__name__)

SHIPPED = ROOT / "data" / "models" / "adapters"


class Current(Value):
    """The version in use (None: the base model alone), and the versions used before it, oldest first."""

    version: str | None
    before: tuple[str | None, ...] = ()


class Adapter(Value):
    """A version whose file matches the checksum of its card."""

    name: str
    path: Path
    card: AdapterCard

    @property
    def folder(self) -> Path | None:
        """The folder of the same adapter in peft's format, if there is one."""
        folder = self.path.with_suffix("")
        return folder if (folder / "adapter_config.json").is_file() else None


class BaseModel(Value):
    """A base model, to which adapters belong."""

    name: str
    sha256: str


# Bases


def base_of(model: Path | str, settings: Settings) -> BaseModel | None:
    """The base of a model given by name, file, a copy in another format, or a folder converted from it; None if it is
    unknown. A file is recognised by name and size, or by the marker beside it; nothing is hashed."""
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
    """The SHA-256 of the file that a copy `<stem>.<format>.gguf` was made of."""
    stem = copy.name.removesuffix(".gguf").rpartition(".")[0]
    own = [(entry.path.stem, entry.sha256) for entry in catalogue.installed(settings)]
    return dict([(Path(base.file).stem, base.sha256) for base in catalogue.catalogue()] + own).get(stem)


def _origin(folder: Path) -> str | None:
    """The SHA-256 of the GGUF file that a transformers folder was converted from."""
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
    """The base with this SHA-256. The catalogue's name has priority over the name of an added file."""
    for entry in (*catalogue.catalogue(), *catalogue.installed(settings)):
        if entry.sha256 == sha256:
            return BaseModel(name=entry.name, sha256=entry.sha256)
    return None


# What a model has


def adapters_of(model: Path | str, settings: Settings) -> dict[str, Adapter]:
    """The intact adapters in use with a model, by role; a warning is logged for a damaged one."""
    found = in_use(model, settings)
    for role, one in found.items():
        if isinstance(one, AdapterError):
            logger.warning("The %s adapter is not used; the base model takes its place: %s", role, one)
    return {role: one for role, one in found.items() if isinstance(one, Adapter)}


def in_use(model: Path | str, settings: Settings) -> dict[str, Adapter | AdapterError]:
    """The adapters in use with a model, by role; for a damaged one, its error."""
    base = base_of(model, settings)
    if base is None:
        return {}
    roles = sorted({role for known, role in _folders(settings) if known == base.name})
    found = {role: _found(base, role, settings) for role in roles}
    return {role: one for role, one in found.items() if one}


def _found(base: BaseModel, role: str, settings: Settings) -> Adapter | AdapterError | None:
    try:
        version = current(base.name, role, settings).version
        return open_adapter(base, role, version, settings) if version else None
    except AdapterError as error:
        return error


def open_adapter(base: BaseModel, role: str, version: str, settings: Settings) -> Adapter:
    """A version, whose file is checked against its card. Raises AdapterError."""
    folder = next((f for f in _places(base.name, role, settings) if (f / f"{version}.json").is_file()), None)
    if folder is None:
        names = ", ".join(versions(base.name, role, settings)) or "none"
        raise AdapterError(f"{base.name} has no version {version!r} of the {role} adapter. Choose one of: {names}.")
    card, path = read_card(folder / f"{version}.json"), folder / f"{version}.gguf"
    if card.base_sha256 != base.sha256:
        raise AdapterError(f"{path} was trained on other weights than those of {base.name}. {_remedy(base.name, role)}")
    if not path.is_file() or sha256_of(path) != card.sha256:
        raise AdapterError(
            f"{path} is damaged or missing: its SHA-256 is not that of its card. {_remedy(base.name, role)}"
        )
    return Adapter(name=role, path=path, card=card)


def _remedy(base: str, role: str) -> str:
    return f"Get it again, or go back to the version before: `python -m runtime models adapter-back {base} {role}`."


# Versions


def listed(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every (base, role) that has a version, shipped or the user's own."""
    yield from sorted(set(_folders(settings)))


def versions(base: str, role: str, settings: Settings) -> list[str]:
    """The versions of an adapter, oldest first; those with a damaged card come first."""
    files = [file for folder in _places(base, role, settings) for file in _cards(folder)]
    return list(dict.fromkeys(file.stem for file in sorted(files, key=_age)))


def _cards(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.glob("*.json") if path.stem != "current" and not path.name.startswith("."))


def version_names(folder: Path) -> list[str]:
    """The versions in one folder, unordered."""
    return [card.stem for card in _cards(folder)]


def state(base: str, role: str, settings: Settings) -> dict[str, Any]:
    """The versions of an adapter, the one in use (`current`), and what is wrong with it (`fault`)."""
    chosen, fault = None, None
    try:
        if chosen := current(base, role, settings).version:
            open_adapter(named_base(base, settings), role, chosen, settings)
    except AdapterError as error:
        fault = str(error)
    return {"versions": versions(base, role, settings), "current": chosen, "fault": fault}


def current(base: str, role: str, settings: Settings) -> Current:
    """The version in use: the user's choice, else the shipped one. Raises AdapterError."""
    for folder in _places(base, role, settings):
        if (folder / "current.json").is_file():
            return read_current(folder)
    return Current(version=None)


def use(base: str, role: str, version: str | None, settings: Settings) -> Current:
    """Use a version (None: the base model alone) from now on. Raises AdapterError."""
    _require_usable(base, role, version, settings)
    before = current(base, role, settings)
    if before.version == version:
        return before
    chosen = Current(version=version, before=(*before.before, before.version))
    return write_current(own_root(settings) / base / role, chosen)


def back(base: str, role: str, settings: Settings) -> Current:
    """Use the version before the present one. Raises AdapterError if there is none."""
    here = versions(base, role, settings)
    before = [version for version in current(base, role, settings).before if version is None or version in here]
    if not before:
        raise AdapterError(
            f"The {role} adapter of {base} has no earlier version to go back to."
            f" `python -m runtime models adapter-use {base} {role} none` uses the base model alone."
        )
    *earlier, version = before
    _require_usable(base, role, version, settings)
    return write_current(own_root(settings) / base / role, Current(version=version, before=tuple(earlier)))


def own_root(settings: Settings) -> Path:
    """The folder of the user's own adapters and choices of versions."""
    return folder_of(settings.models_dir, "adapters", once="voices")


def read_current(folder: Path) -> Current:
    """The choice stored in a folder. Raises AdapterError."""
    path = folder / "current.json"
    try:
        return Current.model_validate_json(path.read_bytes()) if path.is_file() else Current(version=None)
    except (OSError, ValidationError) as error:
        raise AdapterError(f"{path} cannot be read: {first_line(error)}. Delete it, then choose again.") from error


def write_current(folder: Path, chosen: Current) -> Current:
    """Store a choice. Raises AdapterError."""
    save(folder / "current.json", chosen.model_dump_json(indent=1).encode())
    return chosen


def named_base(name: str, settings: Settings) -> BaseModel:
    """The base of a name. Raises AdapterError if it is unknown."""
    if base := base_of(name, settings):
        return base
    names = ", ".join(base.name for base in catalogue.catalogue())
    raise AdapterError(f"{name!r} is neither in the catalogue ({names}) nor an added model. Choose one of those.")


def _require_usable(base: str, role: str, version: str | None, settings: Settings) -> None:
    installed = list(listed(settings))
    if (base, role) not in installed:
        names = ", ".join(f"{name} {role}" for name, role in installed) or "none"
        raise AdapterError(f"{base} has no {role} adapter. Choose one of: {names}.")
    if version is not None:
        open_adapter(named_base(base, settings), role, version, settings)


def _places(base: str, role: str, settings: Settings) -> list[Path]:
    return [root / base / role for root in (own_root(settings), SHIPPED)]


def _folders(settings: Settings) -> Iterator[tuple[str, str]]:
    for root in (own_root(settings), SHIPPED):
        for folder in root.glob("*/*"):
            if any(_cards(folder)):
                yield folder.parent.name, folder.name


def _age(card: Path) -> tuple[str, str]:
    try:
        return read_card(card).created, card.stem
    except AdapterError:
        return "", card.stem
