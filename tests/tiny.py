"""Tiny models for tests: random weights that speak the small model's tokens, for transformers and for llama.cpp.

Both files of a model (or of a voice) hold the same numbers, so what two engines compute can be compared exactly.
The text is without sense, but it is made of whole words, depends on all that was read, and never repeats for long.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import gguf
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from places import CATALOGUE, MODELS, SMALL
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.integrations.gguf import read_gguf_metadata

from runtime.engines.hf.loading import load_tokenizer

HEADS, KEY_HEADS = 4, 2
CONTEXT = 2048
GGUF_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


@dataclass(frozen=True)
class TinyModel:
    """The same weights as a folder of transformers and as an F32 GGUF file."""

    hf: Path
    gguf: Path


@dataclass(frozen=True)
class Voice:
    """The same adapter as a folder of peft and as an F32 GGUF adapter."""

    peft: Path
    gguf: Path


def tiny_model(folder: Path, seed: int = 0) -> TinyModel:
    """Two layers of random weights under the small model's tokenizer and chat template, written to `folder`."""
    made = TinyModel(folder / "tiny", folder / "tiny.gguf")
    if not made.gguf.exists():
        tokenizer = load_tokenizer(small_file())
        model = random_llama(tokenizer, seed)
        model.save_pretrained(made.hf)
        tokenizer.save_pretrained(made.hf)
        write_model(model, made.gguf)
    return made


def tiny_voice(model: TinyModel, folder: Path, name: str, activated: str | None = None, seed: int = 0) -> Voice:
    """A random LoRA adapter, strong enough to change every word. With `activated`, such as "<|im_start|>assistant\\n",
    it acts only from the last place on where that text begins."""
    made = Voice(folder / name, folder / f"{name}.gguf")
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
    write_adapter(adapted, config, made.gguf)
    return made


@cache
def small_file() -> Path:
    bases = json.loads(CATALOGUE.read_text("utf-8"))["bases"]
    return MODELS / next(base["file"] for base in bases if base["name"] == SMALL)


def random_llama(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_HEADS,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=0.2, generator=generator)
    with torch.no_grad():
        model.get_input_embeddings().weight *= often(tokenizer)
    return model


def often(tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """Scales of the embeddings, which are the last layer too. Words with their space, which are read again as they
    were written, are written almost always; the end of a reply about once in a hundred words."""
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    scales = [2.0 if re.fullmatch("Ġ[a-z]+", token) else 0.4 for token in tokens]
    scales[tokenizer.eos_token_id] = 3.5
    return torch.tensor(scales)[:, None]


def write_model(model: LlamaForCausalLM, path: Path) -> None:
    """The weights as F32 GGUF; what belongs to the tokenizer is copied from the small model."""
    config, writer = model.config, gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    metadata, _ = read_gguf_metadata(str(small_file()), ("tokenizer.ggml.tokens", "tokenizer.ggml.merges"))
    for key, value in metadata.items():
        if key.startswith("tokenizer."):
            kind = gguf.GGUFValueType.get_type(value)
            # A whole number is a token's id, a list of them the kinds of all tokens: the types that llama.cpp expects.
            writer.add_key_value(key, value, gguf.GGUFValueType.UINT32 if type(value) is int else kind)
    for key, weight in model.state_dict().items():
        if key == "lm_head.weight":
            continue  # tied
        writer.add_tensor(gguf_name(key), rotary(key, weight))
    finish(writer)


def write_adapter(adapted: torch.nn.Module, config: LoraConfig, path: Path) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", config.lora_alpha)
    if config.alora_invocation_tokens:
        tokens = [int(token) for token in config.alora_invocation_tokens]
        writer.add_key_value(
            "adapter.alora.invocation_tokens", tokens, gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.UINT32
        )
    for key, weight in adapted.named_parameters():
        if "lora_" in key:
            side = "lora_a" if "lora_A" in key else "lora_b"
            value = rotary(key, weight) if side == "lora_b" else weight.detach().numpy()
            writer.add_tensor(f"{gguf_name(key)}.{side}", value)
    finish(writer)


def gguf_name(key: str) -> str:
    """A weight of transformers or peft -> the name of its tensor in a GGUF file."""
    if found := re.search(r"layers\.(\d+)\.(\w+\.\w+_proj|\w+norm)", key):
        return f"blk.{found[1]}.{GGUF_NAMES[found[2]]}.weight"
    return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[key]


def rotary(key: str, weight: torch.Tensor) -> np.ndarray:
    """Rows in the order in which llama.cpp turns them: pairs side by side, where transformers has two halves."""
    value = weight.detach().numpy()
    heads = HEADS if "q_proj" in key else KEY_HEADS if "k_proj" in key else None
    if heads is None:
        return value
    halves = value.reshape(heads, 2, len(value) // heads // 2, -1)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(value.shape))


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
