"""The folder of a training run, and what every run finds out about its base.

The folder, `adapters/<hash>` in the settings' home, is named by a hash of everything that determines the adapter: the
recipe, the contents of its files, the base. It holds `config.json`, `progress.jsonl` (one line per step), the
checkpoint, and at the end `adapter/` in PEFT's format and `run.json`.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic

import torch
from transformers import PreTrainedTokenizerBase

from runtime.engines.hf.chat import Chat
from runtime.engines.hf.loading import fastest_dtype, first_line, load_tokenizer
from runtime.files import folder_of, sha256_of, write_whole
from runtime.settings import Settings
from runtime.types import content_hash
from trainer.data.rows import Encoder
from trainer.training.recipe import AdapterRecipe, R, RecipeError
from trainer.weights.base import base_folder, source_of

LIBRARIES = ("torch", "transformers", "peft", "trl", "accelerate", "bitsandbytes")
INCIDENTAL = {"role", "base", "data", "init", "minutes", "save_every"}
"""Entries without influence on the adapter, or identified otherwise: files by their contents, the role by its former
name."""


class AdapterRun(ABC, Generic[R]):
    """A recipe on this machine. Raises RecipeError, EngineError, BaseError, ModelError."""

    def __init__(self, recipe: R, settings: Settings) -> None:
        self.recipe, self.base = recipe, _base(recipe, settings)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        decides = {**self.decides, **self._contents()}
        self.folder = folder_of(settings.home, "adapters", once="voices") / content_hash(
            json.dumps(decides, sort_keys=True)
        )
        self.recipe = recipe.model_copy(update={"dtype": self._dtype()})

    @property
    @abstractmethod
    def decides(self) -> dict[str, Any]:
        """What determines the adapter beside its base and files."""

    @property
    def files(self) -> list[Path]:
        """The files that determine the adapter by their contents."""
        init = self.recipe.init
        return [*self.recipe.data, *([init / "adapter_model.safetensors"] if init else [])]

    def _contents(self) -> dict[str, Any]:
        made_from = source_of(self.base)
        try:
            hashes = [sha256_of(file) for file in self.files]
        except OSError as error:
            raise RecipeError(
                f"{error.filename} cannot be read ({error.strerror}). Name its folder with --data."
            ) from error
        return {"base": made_from.sha256 if made_from else self.base.as_posix(), "files": hashes}

    def _dtype(self) -> str:
        """Number type of the computation. A resumed run keeps the one measured at its start."""
        config = self.folder / "config.json"
        earlier = json.loads(config.read_text("utf-8"))["dtype"] if config.exists() else None
        measured = self.recipe.dtype or earlier or str(fastest_dtype(self.device)).removeprefix("torch.")
        # float16, the fastest on GPUs without bfloat16, loses small gradients.
        return "float32" if measured == "float16" else measured

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        try:
            return load_tokenizer(self.base)
        except (OSError, ValueError) as error:
            raise RecipeError(
                f"base: {self.recipe.base} has no readable tokenizer ({first_line(error)}). "
                "Name a model of the catalogue, a transformers folder, or a model of a reachable hub."
            ) from error

    @cached_property
    def encoder(self) -> Encoder:
        return Encoder(Chat(self.tokenizer, self.recipe.base), self.recipe.form)

    @property
    def summary(self) -> dict[str, Any] | None:
        """The content of `run.json`, or None before there is an adapter."""
        path = self.folder / "run.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else None

    def begin(self) -> None:
        """Make the folder, with a copy of the recipe."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "config.json", self.recipe.model_dump_json(indent=2))

    def end(self, figures: dict[str, Any]) -> dict[str, Any]:
        """Write `run.json` with these figures; return its content."""
        summary = {
            "recipe": self.recipe.model_dump(mode="json"),
            "base": self.base.as_posix(),
            "adapter": self.adapter.as_posix(),
            **figures,
            "dtype": self.recipe.dtype,
            "device": self.device,
            "versions": {name: version(name) for name in LIBRARIES},
        }
        write_whole(self.folder / "run.json", json.dumps(summary, indent=1, ensure_ascii=False))
        return summary


def _base(recipe: AdapterRecipe, settings: Settings) -> Path:
    is_hub_id = re.fullmatch(r"[\w.-]+/[\w.-]+", recipe.base) and not Path(recipe.base).exists()
    return Path(recipe.base) if is_hub_id else base_folder(recipe.base, settings)
