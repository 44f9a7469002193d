"""A recipe: everything that decides what a tuning run makes, in one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from runtime.errors import SoliloquyError
from runtime.models.adapter_cards import with_role
from runtime.types import Value


class RecipeError(SoliloquyError):
    """A recipe cannot be used; the text names the entry and the remedy."""


class Recipe(Value):
    """How an adapter is tuned."""

    base: str
    """Name of a model of the catalogue, a folder of transformers, a GGUF file, or a hub's model."""
    role: str
    """What the adapter is for: "critic", "actor", "selftalk"."""
    data: tuple[Path, ...] = Field(min_length=1)
    """Files of rows (`trainer.data.rows`), from the folder of the data."""
    dev: Path | None = None
    """Rows whose loss is looked at at each checkpoint; nothing is learned from them."""
    init: Path | None = None
    """Folder of an adapter to start from, of the same base, rank and targets."""
    limit: int | None = Field(default=None, ge=1)
    """Only the first rows, all files counted together."""
    loop: Literal["prefix", "trl"] = "prefix"
    form: Literal["activated", "plain"] = "activated"
    packing: bool = False
    """Put the rows of a batch behind each other and not side by side: saves padding, and pays with flash attention
    only. For plain adapters in TRL's loop: an activated one is looked for once a sequence."""
    four_bit: bool = False
    """Hold the base in NF4 with double quantization while it is tuned: needed where memory is short."""
    dtype: Literal["float32", "bfloat16"] | None = None
    """What is computed in; the faster one of this machine, by measurement, if not set."""
    rank: int = Field(default=16, ge=1, le=256)
    alpha: float = Field(default=32, gt=0)
    targets: str | tuple[str, ...] = "all-linear"
    learning_rate: float = Field(default=4e-4, gt=0)
    warm_up: int = Field(default=20, ge=0)
    """Steps."""
    epochs: int = Field(default=1, ge=1)
    batch: int = Field(default=8, ge=1)
    """Rows a step."""
    longest: int = Field(default=768, ge=32)
    """Tokens; longer rows are left out, and counted."""
    minutes: float | None = Field(default=None, gt=0)
    """Stop after this time, over all stretches of a run, at a checkpoint; with more minutes it goes on. The learning
    rate then follows the clock where that is ahead of the steps, so that it ends at zero: no such run is repeatable."""
    keep_prefixes: bool = False
    """Keep what the base read for the later epochs: faster, and about 12 KiB (0.5B) or 28 KiB (1.5B) a token."""
    save_every: int = Field(default=50, ge=1)
    """Steps between two checkpoints."""
    seed: int = 0

    @field_validator("loop", mode="before")
    @classmethod
    def _loop(cls, name: Any) -> Any:
        """Recipes of earlier releases say `prefixed`."""
        return "prefix" if name == "prefixed" else name

    @model_validator(mode="after")
    def _packing_fits(self) -> Recipe:
        if self.packing and (self.form == "activated" or self.loop == "prefix"):
            raise ValueError("packing needs form: plain and loop: trl")
        return self

    def time_share(self, elapsed: float) -> float:
        """How much of `minutes` these seconds are; 0 where no time is set."""
        return elapsed / (60 * self.minutes) if self.minutes else 0.0


def read_recipe(path: Path, data: Path, **changes: object) -> Recipe:
    """The recipe of a file, with the given entries changed; None changes nothing. The files it names are looked for
    from the folder `data` on. Raises RecipeError."""
    try:
        entries = yaml.safe_load(path.read_text("utf-8"))
        given = {name: value for name, value in changes.items() if value is not None}
        recipe = Recipe.model_validate({**with_role(entries), **given})
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{path} cannot be read ({error}). Name a recipe, such as one of trainer/recipes/sft/."
        ) from error
    except (yaml.YAMLError, TypeError, AttributeError) as error:
        raise RecipeError(f"{path} is not a recipe in YAML ({error}). Compare it with trainer/recipes/sft/.") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors())
        raise RecipeError(f"{path}: {wrong}. Compare it with trainer/recipes/sft/.") from error
    return recipe.model_copy(
        update={
            "data": tuple(data / file for file in recipe.data),
            "dev": recipe.dev and data / recipe.dev,
            "init": recipe.init and data / recipe.init,
        }
    )
