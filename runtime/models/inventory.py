"""The models to choose from, with size, memory, licence and adapters. Uses no network and loads no model."""

from __future__ import annotations

from typing import Literal

import psutil

from runtime.models import adapters, catalogue
from runtime.models.adapter_cards import AdapterCard, AdapterError
from runtime.settings import Settings
from runtime.types import Value

MARGIN = 1.25
"""Memory that an added model needs, as a multiple of its file size: weights and context."""
Fit = Literal["fits", "tight", "too_large"]
"""fits: into the free memory. tight: only if other programs are closed. too_large: not into this machine's memory."""


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
    """Bytes of memory that it needs, including one conversation."""
    fit: Fit
    licence: str = ""
    adapters: tuple[AdapterInUse, ...] = ()


def entries(settings: Settings, used: str | None) -> list[Entry]:
    """The models of the catalogue, then the added ones. `used` is the loaded model, whose memory counts as free, as it
    would be unloaded. Raises ModelError."""
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
