"""Every setting of the runtime, with its one default.

Order of precedence: an argument given in code or by a command-line flag, then the environment (`SOLILOQUY_...`), then
`config.toml`, then the default written here. `SOLILOQUY_HOME` moves everything the product writes to one folder.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

import tomlkit
from platformdirs import PlatformDirs
from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from tomlkit.exceptions import ParseError

from runtime.errors import SoliloquyError
from runtime.files import write_whole
from runtime.types import Depth, Help, Mode, mode_name

SECRETS = ("api_key_served", "password")

_DIRS = PlatformDirs("soliloquy", appauthor=False)


class SettingsError(SoliloquyError):
    """A setting has a value that cannot be used; the text names the setting and the remedy."""


def _home() -> Path:
    moved = os.environ.get("SOLILOQUY_HOME")
    return Path(moved).expanduser() if moved else Path(_DIRS.user_data_dir)


def config_file() -> Path:
    """Where settings are kept between starts; beside everything else once `SOLILOQUY_HOME` is set."""
    moved = os.environ.get("SOLILOQUY_HOME")
    return (Path(moved).expanduser() if moved else Path(_DIRS.user_config_dir)) / "config.toml"


class Settings(BaseSettings):
    """What a person can choose. Immutable: a changed setting is a new object (`with_`)."""

    model_config = SettingsConfigDict(env_prefix="SOLILOQUY_", frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Field(default_factory=_home, description="Folder of the database, the logs and the exports.")
    models: Path | None = Field(None, description="Folder of the model files; `home/models` if not set.")
    model: str | None = Field(None, description="Name or path of the model to use; chosen by free memory if not set.")
    server: str | None = Field(
        None,
        description="Address of an OpenAI-compatible server that runs the model, such as http://localhost:8000/v1.",
    )
    mode: Mode = Field(
        "critic",
        description="How a problem is solved: by the actor alone (direct), with a critic (best), or by self-talk.",
    )
    help: Help = Field(
        "steps", description="How much of a solution the page shows: hints, one step at a time (steps), or full."
    )
    depth: Depth = Field(
        "quick", description="How steps are judged: quick (one reading) or deep (a vote, more evidence)."
    )
    rounds: int = Field(2, ge=0, le=10, description="How many refinements the critic may ask for.")
    temperature: float = Field(0.0, ge=0, le=2, description="Sampling temperature of the actor; 0 is greedy.")
    seed: int = Field(0, ge=0, description="Seed of every sampled word.")
    max_tokens: int = Field(512, ge=16, le=8192, description="Longest attempt, in tokens.")
    context: int = Field(4096, ge=512, le=131072, description="Context of one conversation, in tokens.")
    threads: int | None = Field(None, ge=1, description="CPU threads; measured when the model is loaded if not set.")
    language: Literal["en", "zh-CN"] | None = Field(None, description="Language of the page; the browser's if not set.")
    log: bool = Field(True, description="Keep sessions in the local database.")
    api_key_served: str | None = Field(
        None,
        min_length=8,
        pattern="^[!-~]+$",
        repr=False,
        description="Key that `app.py --api` asks for; one is made at every start if not set.",
    )
    password: str | None = Field(
        None,
        min_length=8,
        repr=False,
        description="What the page asks others on the network for; needed to listen beyond this machine.",
    )

    @field_validator("mode", mode="before")
    @classmethod
    def _mode(cls, name: Any) -> Any:
        return mode_name(name)

    @field_validator("home", "models")
    @classmethod
    def _expand(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else None

    @property
    def models_dir(self) -> Path:
        return self.models or self.home / "models"

    @property
    def database(self) -> Path:
        return self.home / "soliloquy.db"

    def with_(self, **changes: Any) -> Settings:
        """The same settings with the given ones replaced; `None` means "not given" and changes nothing."""
        given = {name: value for name, value in changes.items() if value is not None}
        return load(**{**self.model_dump(), **given})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())


def load(**flags: Any) -> Settings:
    """Settings from flags, environment, config file and defaults. Raises SettingsError."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config_file()} is not valid TOML ({error}). Mend or delete that file.") from error
    except ValidationError as error:
        wrong = "; ".join(map(_told, error.errors()))
        raise SettingsError(
            f"Unusable setting: {wrong}. Settings come from flags, SOLILOQUY_* variables and {config_file()}."
        ) from error


def _told(error: ErrorDetails) -> str:
    """What is wrong with one setting; a secret is not shown."""
    name = ".".join(map(str, error["loc"]))
    given = "" if name in SECRETS else f" (got {error['input']!r})"
    return f"{name}: {error['msg']}{given}"


def remember(**changes: Any) -> None:
    """Write settings into the config file; a value of None removes one. Raises SettingsError."""
    path = config_file()
    try:
        kept = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
        kept.update({name: value for name, value in changes.items() if value is not None})
        for name in (name for name, value in changes.items() if value is None):
            kept.pop(name, None)
        write_whole(path, tomlkit.dumps(kept))
    except (OSError, ParseError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} could not be written ({error}). Set SOLILOQUY_HOME to a folder you can write to."
        ) from error
