"""Tiny models for tests: random weights with the small model's tokenizer, for transformers and for llama.cpp.

Both files of a model (or of an adapter) hold the same numbers, so the results of two engines can be compared exactly.
The text makes no sense, but it consists of whole words, depends on everything read, and does not repeat for long.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from places import CATALOGUE, MODELS, SMALL
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from runtime.engines.hf.gguf_files import read_once
from runtime.engines.hf.loading import load_tokenizer
from trainer.weights.export import to_gguf_adapter
from trainer.weights.to_gguf import to_gguf

torch.set_num_threads(1)  # other work runs beside the tests

ARCHITECTURES = {
    "llama": (LlamaConfig, LlamaForCausalLM, {"rms_norm_eps": 1e-5, "tie_word_embeddings": True}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {"rms_norm_eps": 1e-6, "tie_word_embeddings": False}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"rms_norm_eps": 1e-6, "tie_word_embeddings": False, "head_dim": 16}),
}
"""Tiny Qwen models: no rotary permutation, biases or norms in the attention, and a separate output matrix."""


@dataclass(frozen=True)
class TinyModel:
    """The same weights as a transformers folder and as an F32 GGUF file."""

    hf: Path
    gguf: Path


@dataclass(frozen=True)
class Adapter:
    """The same adapter as a peft folder and as an F32 GGUF adapter."""

    peft: Path
    gguf: Path


@read_once()
def tiny_model(folder: Path, architecture: str = "llama", seed: int = 0) -> TinyModel:
    """Write two layers of random weights with the small model's tokenizer and chat template to `folder`."""
    name = "tiny" if architecture == "llama" else architecture
    made = TinyModel(folder / name, folder / f"{name}.gguf")
    if not made.gguf.exists():
        tokenizer = load_tokenizer(small_file())
        model = random_model(tokenizer, architecture, seed)
        model.save_pretrained(made.hf)
        tokenizer.save_pretrained(made.hf)
        to_gguf(model, tokenizer, made.gguf)
    return made


def tiny_adapter(model: TinyModel, folder: Path, name: str, activated: str | None = None, seed: int = 0) -> Adapter:
    """A random LoRA adapter, strong enough to change every word. With `activated`, such as
    "<|im_start|>assistant\\n", it acts only from the last place at which that text begins."""
    made = Adapter(folder / name, folder / f"{name}.gguf")
    base = AutoModelForCausalLM.from_pretrained(model.hf, dtype=torch.float32)
    invocation = activated and AutoTokenizer.from_pretrained(model.hf).encode(activated, add_special_tokens=False)
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", alora_invocation_tokens=invocation
    )
    adapted = get_peft_model(base, config)
    generator = torch.Generator().manual_seed(seed)
    for key, weight in adapted.named_parameters():
        if "lora_" in key:
            torch.nn.init.normal_(weight, std=0.2, generator=generator)
    adapted.save_pretrained(made.peft)
    to_gguf_adapter(made.peft, made.gguf, type="f32")
    return made


@cache
def small_file() -> Path:
    bases = json.loads(CATALOGUE.read_text("utf-8"))["bases"]
    return MODELS / next(base["file"] for base in bases if base["name"] == SMALL)


def random_model(tokenizer: PreTrainedTokenizerFast, architecture: str, seed: int) -> PreTrainedModel:
    config_class, model_class, of_its_own = ARCHITECTURES[architecture]
    config = config_class(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **of_its_own,
    )
    model = model_class(config).eval()
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if weight.dim() == 2 or name.endswith("bias"):
            torch.nn.init.normal_(weight, std=0.2, generator=generator)
    with torch.no_grad():
        model.get_output_embeddings().weight *= often(tokenizer)
    return model


def often(tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """Scales of the embeddings, which are also the output layer. Words with their space, which tokenise the same way
    when read again, are written almost always; the end of a reply about once in a hundred words."""
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    scales = [2.0 if re.fullmatch("Ġ[a-z]+", token) else 0.4 for token in tokens]
    scales[tokenizer.eos_token_id] = 3.5
    return torch.tensor(scales)[:, None]
