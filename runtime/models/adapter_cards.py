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


class Reliability(Value):
    """The probability that a chosen answer is right: a logistic function of the solutions that reach it, fitted on
    development problems (`runtime.search.reliability` evaluates it)."""

    constant: float
    votes: float = 0.0
    """Weight of the log-odds of the share of solutions that reach it."""
    scores: float = 0.0
    """Weight of the log-odds of the sum of their scores among as many perfect ones."""


class Choosing(Value):
    """How the scores of a verifier are used on several solutions, as measured on development problems."""

    aggregate: Literal["min", "product", "last", "mean"] = "min"
    """From the scores of the steps to that of a solution (`runtime.search.verifier.AGGREGATES`)."""
    votes: Literal["majority", "weighted"] = "majority"
    """weighted: each vote counts as much as its score, which the gate has measured to be better."""
    alone: Reliability | None = None
    """Of the answer of a single solution."""
    voted: Reliability | None = None
    """Of the answer that a second opinion chooses."""


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
    beside: str | None = None
    """The version of the critic with which a verifier's rule was fitted; without that critic the rule is not used."""
    choosing: Choosing | None = None
    """How a verifier's scores choose among solutions; None for other roles, and where that was not measured."""
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
