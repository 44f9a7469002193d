"""A base with an adapter to train, and batches of rows as base and adapter read them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model, load_peft_weights, set_peft_model_state_dict
from safetensors import SafetensorError
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from runtime.engines.base import EngineError
from runtime.engines.hf.loading import fastest_dtype, first_line, nf4
from runtime.files import saved_by_library
from trainer.data.rows import PairExample, Tokens
from trainer.training.recipe import AdapterRecipe, RecipeError

E = TypeVar("E", bound=Tokens)
Kept = tuple[tuple[torch.Tensor, torch.Tensor], ...]
"""Keys and values of a prefix per layer, each of shape (B, heads, T, width)."""


def open_for_tuning(folder: str, recipe: AdapterRecipe, device: str, invocation: Sequence[int] = ()) -> PeftModel:
    """The frozen base with a trainable adapter: a new one, or that of `recipe.init`. With `invocation` PEFT activates
    it from those tokens on; otherwise it acts on all tokens. Raises EngineError, RecipeError."""
    dtype = getattr(torch, recipe.dtype) if recipe.dtype else fastest_dtype(device)
    quantized = {"quantization_config": nf4(dtype)} if recipe.four_bit else {}
    try:
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, device_map={"": device}, **quantized)
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, SafetensorError) as error:
        raise EngineError(
            f"{folder} could not be loaded for training ({first_line(error)}). "
            "Name a transformers folder, a model of the catalogue, or a model of a reachable hub."
        ) from error
    if recipe.four_bit:
        _keep_differentiable(base)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,  # pyrefly: ignore[bad-argument-type]
        target_modules=recipe.targets if isinstance(recipe.targets, str) else list(recipe.targets),
        task_type="CAUSAL_LM",
        bias="none",
        alora_invocation_tokens=list(invocation) or None,
    )
    torch.manual_seed(recipe.seed)
    model = get_peft_model(base, config, autocast_adapter_dtype=False)
    for parameter in learned_parameters(model):
        parameter.data = parameter.data.to(dtype)  # beside 4-bit weights they are created in float32
    if recipe.init:
        load_adapter(model, recipe.init)
    return model


def _keep_differentiable(base: PreTrainedModel) -> None:
    """On CPUs with AVX-512 bitsandbytes repacks a layer for good once it is used in eval mode, and packed layers pass
    no gradient: after one validation almost nothing would be learned."""
    from bitsandbytes.nn import Linear4bit

    for module in base.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def learned_parameters(model: PeftModel) -> list[torch.nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def load_adapter(model: PeftModel, adapter: Path) -> None:
    """Load the adapter's weights from a folder. Raises RecipeError if they do not match."""
    try:
        result = set_peft_model_state_dict(model, load_peft_weights(str(adapter), device="cpu"))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise RecipeError(
            f"The adapter {adapter} cannot be loaded ({first_line(error)}). "
            "As `init`, name one with the same base, rank and targets."
        ) from error
    missing = [key for key in result.missing_keys if "lora_" in key]
    if missing or result.unexpected_keys:
        raise RecipeError(
            f"The adapter {adapter} lacks the matrices of this recipe "
            f"({len(missing)} missing, {len(result.unexpected_keys)} unknown). "
            "As `init`, name one with the same base, rank and targets."
        )


def save_adapter(model: PeftModel, folder: Path, invocation: Sequence[int]) -> None:
    """Write the adapter for PEFT atomically, activated by `invocation` if given."""
    unfinished = folder.with_name(f".unfinished-{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    config = cast(LoraConfig, model.peft_config["default"])
    config.alora_invocation_tokens = list(invocation) or None
    with saved_by_library(unfinished):
        model.save_pretrained(str(unfinished), save_embedding_layers=False)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.replace(folder)


def pad_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The padding token; any token will do, as it is masked."""
    return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id


@dataclass(frozen=True)
class Batch(Generic[E]):
    """Rows as padded tensors: prefixes (B, P) padded on the left, suffixes (B, T) on the right, so that they meet."""

    examples: Sequence[E]
    prefix: torch.Tensor
    suffix: torch.Tensor
    prefix_mask: torch.Tensor
    suffix_mask: torch.Tensor

    @property
    def tokens(self) -> int:
        return int(self.prefix_mask.sum() + self.suffix_mask.sum())


Loss = Callable[[PeftModel, Batch, Kept], torch.Tensor]
"""What a run minimises: a scalar, averaged over the rows of a batch."""


def collate(examples: Sequence[E], pad: int, device: str) -> Batch[E]:
    def padded(rows: list[list[int]], fill: int, left: bool) -> torch.Tensor:
        side = "left" if left else "right"
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, fill, side).to(device)

    prefixes, suffixes = [list(e.prefix) for e in examples], [list(e.suffix) for e in examples]
    return Batch(
        examples,
        prefix=padded(prefixes, pad, left=True),
        suffix=padded(suffixes, pad, left=False),
        prefix_mask=padded([[1] * len(row) for row in prefixes], 0, left=True),
        suffix_mask=padded([[1] * len(row) for row in suffixes], 0, left=False),
    )


def _inner(model: PeftModel) -> Any:
    """The base inside, a causal LM with `model` and `lm_head`; torch declares neither."""
    return model.base_model.model


def output_layer(model: PeftModel) -> torch.Tensor:
    """The frozen matrix (vocabulary, width) that makes logits of final states."""
    return _inner(model).lm_head.weight


@torch.no_grad()
def read_prefix(model: PeftModel, batch: Batch) -> Kept:
    """The base's keys and values of the prefix, computed without gradients."""
    if not batch.prefix.shape[1]:
        return ()
    positions = (batch.prefix_mask.cumsum(1) - 1).clamp(min=0)
    with model.disable_adapter():
        read = _inner(model).model
        cache = read(
            input_ids=batch.prefix, attention_mask=batch.prefix_mask, position_ids=positions, use_cache=True
        ).past_key_values
    return tuple((layer.keys, layer.values) for layer in cache.layers)


def read_suffix(model: PeftModel, batch: Batch, kept: Kept) -> torch.Tensor:
    """The final states (B, T, width) of the suffix, read by the adapter after the prefix."""
    mask = torch.cat([batch.prefix_mask, batch.suffix_mask], 1) if kept else batch.suffix_mask
    steps = torch.arange(batch.suffix.shape[1], device=mask.device)
    return _read(model, batch, kept, mask, steps)


def read_branches(model: PeftModel, batch: Batch[PairExample], kept: Kept) -> torch.Tensor:
    """As `read_suffix`, but the tokens of the rejected one follow what both share, and do not see the chosen one: each
    token sees the prefix, what is shared, and those before it in its own branch."""
    length, device = batch.suffix.shape[1], batch.suffix.device
    branch = torch.zeros_like(batch.suffix)
    steps = torch.arange(length, device=device).repeat(len(branch), 1)
    for row, example in enumerate(batch.examples):
        second = example.shared + example.chosen
        branch[row, example.shared : second] = 1
        branch[row, second:] = 2
        steps[row, second:] -= example.chosen
    own = (branch[:, :, None] == branch[:, None, :]) | (branch[:, None, :] == 0)
    seen = own & torch.ones(length, length, dtype=torch.bool, device=device).tril() & batch.suffix_mask[:, None].bool()
    if kept:
        seen = torch.cat([batch.prefix_mask[:, None].bool().expand(-1, length, -1), seen], 2)
    hidden = torch.zeros(seen.shape, dtype=model.dtype, device=device).masked_fill(~seen, torch.finfo(model.dtype).min)
    return _read(model, batch, kept, hidden[:, None], steps)


def _read(model: PeftModel, batch: Batch, kept: Kept, mask: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The final states of the suffix, whose tokens stand `steps` after the prefix. The mask is of rows, or of pairs of
    tokens as in attention: (B, 1, T, P + T), added to the scores."""
    options: dict[str, Any] = {"use_cache": False}
    if kept:
        # A new cache each time, because reading the suffix extends it.
        options = {"past_key_values": DynamicCache(kept), "use_cache": True}
    positions = batch.prefix_mask.sum(1, keepdim=True) + steps
    read = _inner(model).model
    return read(input_ids=batch.suffix, attention_mask=mask, position_ids=positions, **options).last_hidden_state
