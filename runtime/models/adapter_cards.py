"""The card of a trained adapter: data, recipe, metrics and checksum, as JSON beside its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, ValidationError, field_validator

from runtime.errors import SoliloquyError
from runtime.files import write_whole
from runtime.types import Value

Role = Literal["actor", "critic", "selftalk", "verifier"]
BASE_KEY = "soliloquy.base.sha256"
"""Metadata key of a GGUF adapter: the SHA-256 of the base file it was trained on."""


class AdapterError(SoliloquyError):
    """An adapter is missing, is damaged, or belongs to another base."""


class Figure(Value):
    """A measured share or mean of n values."""

    value: float
    n: int = Field(ge=1)
    interval: tuple[float, float] | None = None
    """90 % confidence interval."""


class DataSource(Value):
    """A data set that an adapter was trained on; `count` is its number of rows."""

    name: str
    licence: str
    count: int = Field(ge=0)


class AdapterCard(Value):
    """The facts about one version of an adapter."""

    base: str
    base_sha256: str
    role: Role = Field(validation_alias=AliasChoices("role", "voice"))
    """Called `voice` in the cards of earlier releases."""
    version: str = Field(pattern=r"^[A-Za-z0-9][\w.+-]*$")
    """Also the name of its files; `current` and `none` are reserved."""
    created: str
    recipe: dict[str, Any]
    data: tuple[DataSource, ...]
    metrics: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    """Figures by held-out set and metric."""
    base_metrics: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    """The same figures for the untrained base in this role."""
    seconds: dict[str, float] = Field(default_factory=dict)
    """Durations, such as those of training and of one verdict."""
    cannot: tuple[str, ...] = ()
    """Known limitations, a sentence each."""
    aggregation: dict[str, dict[str, Any]] = Field(
        default_factory=dict, validation_alias=AliasChoices("aggregation", "join")
    )
    """The fitted rule that combines its evidence with that of the other sources, by depth."""
    gate: tuple[str, ...] = ()
    """The reasons for promoting it, a sentence each."""
    sha256: str
    """SHA-256 of the GGUF file."""
    licence: str

    @field_validator("version")
    @classmethod
    def _free(cls, version: str) -> str:
        if version in ("current", "none"):
            raise ValueError("a version cannot be called current or none")
        return version


def with_role(entries: dict[str, Any]) -> dict[str, Any]:
    """Rename the entry `voice` of a card or recipe of an earlier release to `role`."""
    return {"role" if name == "voice" else name: value for name, value in entries.items()}


def read_card(path: Path) -> AdapterCard:
    """The card in a file. Raises AdapterError."""
    try:
        return AdapterCard.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise AdapterError(
            f"{path} is not a valid adapter card: {first_line(error)}. Get or promote the adapter again."
        ) from error


def save(path: Path, data: bytes) -> None:
    """Write a file of an adapter. Raises AdapterError."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise AdapterError(
            f"{path} cannot be written ({error.strerror}). Set SOLILOQUY_MODELS to a folder that you can write to."
        ) from error


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".:")
