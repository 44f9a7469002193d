"""What is known of a trained adapter: the facts on its card, which lies beside its file as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, ValidationError, field_validator

from runtime.errors import SoliloquyError
from runtime.files import write_whole
from runtime.types import Value

Role = Literal["actor", "critic", "selftalk"]
BASE_KEY = "soliloquy.base.sha256"
"""The entry of a GGUF adapter that names the file it was trained on."""


class AdapterError(SoliloquyError):
    """An adapter is not there, is damaged, or belongs to another base."""


class Figure(Value):
    """A measured share or mean."""

    value: float
    n: int = Field(ge=1)
    interval: tuple[float, float] | None = None
    """Of 90 %."""


class DataSource(Value):
    """What an adapter was trained on."""

    name: str
    licence: str
    count: int = Field(ge=0)


class AdapterCard(Value):
    """All that is known of one version of an adapter."""

    base: str
    base_sha256: str
    role: Role = Field(validation_alias=AliasChoices("role", "voice"))
    """Cards of earlier releases call it `voice`."""
    version: str = Field(pattern=r"^[A-Za-z0-9][\w.+-]*$")
    """The name of its files: neither `current` nor `none`."""
    created: str
    recipe: dict[str, Any]
    data: tuple[DataSource, ...]
    metrics: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    """By held-out set and metric."""
    base_metrics: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    """The same for the untrained base in this role."""
    seconds: dict[str, float] = Field(default_factory=dict)
    """What took how long, such as training, or a verdict."""
    cannot: tuple[str, ...] = ()
    """What it cannot do, a sentence each."""
    aggregation: dict[str, dict[str, Any]] = Field(
        default_factory=dict, validation_alias=AliasChoices("aggregation", "join")
    )
    """The rule that was fitted on its evidence and on that of the other sources, by depth."""
    gate: tuple[str, ...] = ()
    """Why it was promoted, a sentence each."""
    sha256: str
    """Of the GGUF file."""
    licence: str

    @field_validator("version")
    @classmethod
    def _free(cls, version: str) -> str:
        if version in ("current", "none"):
            raise ValueError("current and none are no names of a version")
        return version


def with_role(entries: dict[str, Any]) -> dict[str, Any]:
    """The entries of a card or a recipe; one of an earlier release says `voice` for `role`."""
    return {"role" if name == "voice" else name: value for name, value in entries.items()}


def read_card(path: Path) -> AdapterCard:
    """Raises AdapterError."""
    try:
        return AdapterCard.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise AdapterError(
            f"{path} is no card of an adapter: {first_line(error)}. Fetch or promote it again."
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
