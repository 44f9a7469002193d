"""What a person wants to know of each model before choosing one: its size, whether it fits, its adapters. Nothing is
loaded, and no network is asked."""

from __future__ import annotations

from typing import Literal

import psutil

from runtime.models import adapters, catalogue
from runtime.models.adapter_cards import AdapterCard, AdapterError
from runtime.settings import Settings
from runtime.types import Value

MARGIN = 1.25
"""Memory that a model of a person's own needs, as a multiple of its file: the context comes on top of the weights."""
Fit = Literal["fits", "tight", "too_large"]
"""Into the memory that would be free; only once other programs are closed; not at all."""


class AdapterInUse(Value):
    """An adapter in use with a model: its card, or what is wrong with it."""

    name: str
    card: AdapterCard | None = None
    fault: str = ""


class Entry(Value):
    name: str
    bytes: int
    here: bool
    memory: int
    """Bytes that it needs, the conversation included."""
    fit: Fit
    licence: str = ""
    adapters: tuple[AdapterInUse, ...] = ()


def entries(settings: Settings, used: str | None) -> list[Entry]:
    """The models of the catalogue, then those that were added. `used` is the one that is loaded: its memory would be
    free for another. Raises ModelError."""
    here = {entry.name: entry for entry in catalogue.installed(settings)}
    bases = {base.name: base for base in catalogue.catalogue()}
    memory = {name: bases[name].memory if name in bases else round(MARGIN * here[name].bytes) for name in bases | here}
    system = psutil.virtual_memory()
    free = system.available + (memory.get(used, 0) if used in here else 0)
    return [
        Entry(
            name=name,
            bytes=here[name].bytes if name in here else bases[name].bytes,
            here=name in here,
            memory=needed,
            fit="fits" if needed <= free else "tight" if needed <= system.total else "too_large",
            licence=bases[name].licence if name in bases else "",
            adapters=_adapters(name, settings),
        )
        for name, needed in memory.items()
    ]


def _adapters(name: str, settings: Settings) -> tuple[AdapterInUse, ...]:
    return tuple(
        AdapterInUse(name=role, fault=str(found))
        if isinstance(found, AdapterError)
        else AdapterInUse(name=role, card=found.card)
        for role, found in adapters.in_use(name, settings).items()
    )
