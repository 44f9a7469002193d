"""Every setting of the runtime, with its default.

Order of precedence: an argument in code or a command-line flag, the environment (`SOLILOQUY_...`), `config.toml`, the
default given here. `SOLILOQUY_HOME` moves everything the product writes to one folder.
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
    """A setting has an invalid value, or the config file cannot be read or written."""


def _home() -> Path:
    moved = os.environ.get("SOLILOQUY_HOME")
    return Path(moved).expanduser() if moved else Path(_DIRS.user_data_dir)


def config_file() -> Path:
    """Path of `config.toml`: in `SOLILOQUY_HOME` if that is set, else in the user's config folder."""
    moved = os.environ.get("SOLILOQUY_HOME")
    return (Path(moved).expanduser() if moved else Path(_DIRS.user_config_dir)) / "config.toml"


class Settings(BaseSettings):
    """All settings; immutable (`with_` makes a changed copy)."""

    model_config = SettingsConfigDict(env_prefix="SOLILOQUY_", frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Field(default_factory=_home, description="Folder of the database, the exports and training runs.")
    models: Path | None = Field(default=None, description="Folder of the model files; `home/models` if not set.")
    model: str | None = Field(
        default=None, description="Name or path of the model to use; chosen by free memory if not set."
    )
    server: str | None = Field(
        default=None,
        description="Address of an OpenAI-compatible server that runs the model, such as http://localhost:8000/v1; "
        "several with the same model, comma-separated, share the work.",
    )
    mode: Mode = Field(
        default="critic",
        description="How a problem is solved: direct (the actor alone), critic (most accurate), or selftalk.",
    )
    help: Help = Field(
        default="steps",
        description="How much of a solution the page shows: hints, one step at a time (steps), or full.",
    )
    depth: Depth = Field(
        default="quick", description="How steps are judged: quick (one reading) or deep (also independent solutions)."
    )
    rounds: int = Field(default=2, ge=0, le=10, description="The most refinements of one problem.")
    temperature: float = Field(default=0.0, ge=0, le=2, description="Sampling temperature of the actor; 0 is greedy.")
    seed: int = Field(default=0, ge=0, description="Seed of all sampling.")
    max_tokens: int = Field(default=512, ge=16, le=8192, description="Longest attempt, in tokens.")
    context: int = Field(default=4096, ge=512, le=131072, description="Length of the model's context, in tokens.")
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads; measured when the model is loaded if not set."
    )
    language: Literal["en", "zh-CN"] | None = Field(
        default=None, description="Language of the page; the browser's if not set."
    )
    log: bool = Field(default=True, description="Keep sessions in the local database.")
    api_key_served: str | None = Field(
        default=None,
        min_length=8,
        pattern="^[!-~]+$",
        repr=False,
        description="Key that clients of `app.py --api` must send; a new one is made at every start if not set.",
    )
    password: str | None = Field(
        default=None,
        min_length=8,
        repr=False,
        description="Password of the page for other machines on the network; required to serve them.",
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
        """A copy with the given settings replaced; None changes nothing. Raises SettingsError."""
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
        raise SettingsError(f"{config_file()} is not valid TOML ({error}). Correct or delete that file.") from error
    except ValidationError as error:
        wrong = "; ".join(map(_cause, error.errors()))
        raise SettingsError(
            f"Invalid setting: {wrong}. Change it in the flag, the SOLILOQUY_* variable or {config_file()}."
        ) from error


def _cause(error: ErrorDetails) -> str:
    """What is wrong with one setting; the value of a secret is not shown."""
    name = ".".join(map(str, error["loc"]))
    given = "" if name in SECRETS else f" (got {error['input']!r})"
    return f"{name}: {error['msg']}{given}"


def remember(**changes: Any) -> None:
    """Write settings to the config file; None removes a setting. Raises SettingsError."""
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
