"""A recipe: everything that determines a training run, in one YAML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from runtime.errors import SoliloquyError
from runtime.models.adapter_cards import with_role
from runtime.types import Value
from trainer.data.examples.preference import Kind


class RecipeError(SoliloquyError):
    """A recipe cannot be used. The message names the entry and the remedy."""


class AdapterRecipe(Value):
    """What every training of an adapter needs."""

    base: str
    """Name of a model of the catalogue, a transformers folder, a GGUF file, or a model of a hub."""
    role: str
    """The adapter's role: "critic", "actor", "selftalk", "verifier"."""
    data: tuple[Path, ...] = Field(min_length=1)
    """Files of rows (`trainer.data.rows`), of pairs or of problems, relative to the data folder."""
    init: Path | None = None
    """Folder of an adapter to start from, with the same base, rank and targets. A verifier that starts from one trained
    on written evaluations is MATH-Minos (arXiv 2406.14024)."""
    limit: int | None = Field(default=None, ge=1)
    """Use only the first rows, counted over all files."""
    form: Literal["activated", "plain"] = "activated"
    four_bit: bool = False
    """Keep the base in NF4 with double quantization during training, to save memory."""
    dtype: Literal["float32", "bfloat16"] | None = None
    """Number type of the computation. Default: the faster one on this machine, measured."""
    rank: int = Field(default=16, ge=1, le=256)
    alpha: float = Field(default=32, gt=0)
    targets: str | tuple[str, ...] = "all-linear"
    learning_rate: float = Field(default=4e-4, gt=0)
    warm_up: int = Field(default=20, ge=0)
    """Steps of linear warm-up."""
    epochs: int = Field(default=1, ge=1)
    batch: int = Field(default=8, ge=1)
    """Rows per step."""
    longest: int = Field(default=768, ge=32)
    """Longest row in tokens; longer ones are skipped and counted."""
    minutes: float | None = Field(default=None, gt=0)
    """Time limit over all parts of a run, kept at a checkpoint; with a larger limit the run resumes. The learning rate
    then follows the clock if that is ahead of the steps, so that it ends at zero; such a run is not reproducible."""
    save_every: int = Field(default=50, ge=1)
    """Steps between checkpoints."""
    seed: int = 0

    def time_share(self, elapsed: float) -> float:
        """The share of `minutes` that these seconds are; 0 without a limit."""
        return elapsed / (60 * self.minutes) if self.minutes else 0.0

    def starting_from(self, adapter: Path) -> Self:
        """The same with the form and size of an adapter in PEFT's format, whose folder is where it starts. Raises
        OSError."""
        config = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
        changes = {
            "init": adapter,
            "rank": config["r"],
            "alpha": config["lora_alpha"],
            "targets": tuple(config["target_modules"] or ()),
            "form": "activated" if config.get("alora_invocation_tokens") else "plain",
        }
        return self.model_copy(update=changes)


class Recipe(AdapterRecipe):
    """How an adapter is trained on rows."""

    objective: Literal["sft", "prm", "orm", "preference"] = "sft"
    """What is learned: the words of a turn (`trainer.training.sft`), the score of a verifier at every mark (prm) or at
    the last one (orm; `trainer.training.verifier`), or which of two ways to go on is better
    (`trainer.training.preference`)."""
    kind: Kind = "step"
    """What of a pair is compared (`trainer.data.examples.preference`)."""
    beta: float = Field(default=0.4, gt=0)
    """How strongly preference training is held to the model that it starts from; the paper's value for most models."""
    length_normalised: bool = False
    """Compare means over tokens instead of sums; beta is then about as many times larger as a step has tokens."""
    dev: Path | None = None
    """Validation rows, whose loss is computed at each checkpoint."""
    dev_rows: int = Field(default=64, ge=1)
    """Most of them that are read."""
    loop: Literal["prefix", "trl"] = "prefix"
    packing: bool = False
    """Concatenate the rows of a batch instead of padding them; faster only with flash attention. For plain adapters in
    TRL's loop, because activation is found only once per sequence."""
    keep_prefixes: bool = False
    """Keep the base's keys and values for later epochs: faster, and 12 KiB (0.5B) or 28 KiB (1.5B) per token."""

    @field_validator("loop", mode="before")
    @classmethod
    def _loop(cls, name: Any) -> Any:
        """Read the name `prefixed` of earlier releases."""
        return "prefix" if name == "prefixed" else name

    @model_validator(mode="after")
    def _packing_fits(self) -> Recipe:
        if self.packing and (self.form == "activated" or self.loop == "prefix"):
            raise ValueError("packing needs form: plain and loop: trl")
        return self

    @model_validator(mode="after")
    def _loop_fits(self) -> Recipe:
        if self.objective != "sft" and self.loop == "trl":
            raise ValueError(f"objective: {self.objective} needs loop: prefix")
        return self


class PPORecipe(AdapterRecipe):
    """How an adapter is trained on problems by PPO (`trainer.training.ppo`). `batch` is the number of replies per
    update, `epochs` how often those of a step are learned."""

    steps: int = Field(default=100, ge=1)
    """Each samples replies with the adapter of that moment, and learns them."""
    prompts: int = Field(default=16, ge=1)
    """Problems per step."""
    group: int = Field(default=8, ge=1)
    """Replies to each problem."""
    max_tokens: int = Field(default=256, ge=1)
    """Longest reply."""
    at_once: int = Field(default=8, ge=1)
    """Replies per forward pass; their gradients are added up to those of a batch."""
    step_reward: Literal["none", "verifier", "critic", "arithmetic", "exact"] = "none"
    """Who scores the steps (`trainer.training.rewards`); exact: whoever knows the first errors of these problems, as
    the reproductions do."""
    outcome_reward: Literal["none", "answer", "verifier"] = "answer"
    """What the whole reply is paid for: a right answer, or the verifier's score at its last step (ORM-PPO)."""
    outcome_weight: float = Field(default=1.0, gt=0)
    """What the outcome counts beside the steps."""
    credit: Literal["sum", "centred", "mean", "min"] = "sum"
    """How the steps' scores become rewards (`trainer.training.rewards.credited`)."""
    until_error: bool = False
    """Pay no step after the first with a score below a half."""
    verifier: Path | None = None
    """The verifier's adapter: a GGUF file, or on a GPU the folder that its training wrote."""
    baseline: Literal["value", "group"] = "group"
    """What a return is compared with: a learned value of each token (GAE), or the other replies to the same problem."""
    gamma: float = Field(default=1.0, gt=0, le=1)
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    value_rate: float = Field(default=1e-3, gt=0)
    """Learning rate of the value head."""
    kl: float = Field(default=0.04, ge=0)
    """Cost of leaving the adapter that the training starts from, per nat and token (Math-Shepherd's value)."""
    clip_low: float = Field(default=0.2, gt=0, lt=1)
    clip_high: float = Field(default=0.28, gt=0)
    """How far an update may lower and raise the probability of a token. A wider upper bound keeps rare tokens alive
    (DAPO, arXiv 2503.14476)."""
    save_every: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _is_paid(self) -> PPORecipe:
        if self.step_reward == self.outcome_reward == "none":
            raise ValueError("name a step_reward or an outcome_reward")
        if self.baseline == "group" and self.group < 2:
            raise ValueError("baseline: group needs a group of at least 2")
        if "verifier" in (self.step_reward, self.outcome_reward) and not self.verifier:
            raise ValueError("a reward from a verifier needs its adapter: verifier")
        if self.outcome_reward == "verifier" and self.step_reward not in ("none", "verifier"):
            raise ValueError(f"outcome_reward: verifier does not go with step_reward: {self.step_reward}")
        return self


R = TypeVar("R", bound=AdapterRecipe)


def read_recipe(path: Path, data: Path, **changes: object) -> Recipe:
    """The recipe of a file with the given entries changed; None changes nothing. Its files are relative to `data`.
    Raises RecipeError."""
    return read_recipe_of(Recipe, path, data, **changes)


def read_recipe_of(schema: type[R], path: Path, data: Path, **changes: object) -> R:
    """As `read_recipe`, for a recipe of another kind."""
    try:
        entries = yaml.safe_load(path.read_text("utf-8"))
        given = {name: value for name, value in changes.items() if value is not None}
        recipe = schema.model_validate({**with_role(entries), **given})
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{path} cannot be read ({error}). Name a recipe, such as one of trainer/recipes/."
        ) from error
    except (yaml.YAMLError, TypeError, AttributeError) as error:
        raise RecipeError(f"{path} is not a recipe in YAML ({error}). Compare it with trainer/recipes/.") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors())
        raise RecipeError(f"{path}: {wrong}. Compare it with trainer/recipes/.") from error
    named = {name: file for name in ("dev", "init", "verifier") if (file := getattr(recipe, name, None))}
    return recipe.model_copy(
        update={
            "data": tuple(data / file for file in recipe.data),
            **{name: data / file for name, file in named.items()},
        }
    )
