"""Tiny models of the Qwen architectures, beside the llama one of `tiny`: no rotary permutation, biases or norms at the
attention, and an output matrix of their own. The tokens are those of the small model."""

from __future__ import annotations

from pathlib import Path

import gguf
import torch
from tiny import HEADS, KEY_HEADS, TinyModel, finish, often, small_file
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM
from transformers.integrations.gguf import read_gguf_metadata

from runtime.engines.hf.loading import load_tokenizer

KINDS = {
    "qwen2": (gguf.MODEL_ARCH.QWEN2, Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (gguf.MODEL_ARCH.QWEN3, Qwen3Config, Qwen3ForCausalLM),
}


def tiny_qwen(folder: Path, architecture: str, seed: int = 0) -> TinyModel:
    made = TinyModel(folder / architecture, folder / f"{architecture}.gguf")
    tokenizer = load_tokenizer(small_file())
    arch, config_class, model_class = KINDS[architecture]
    config = config_class(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_HEADS,
        head_dim=16,
        max_position_embeddings=1024,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = model_class(config).eval()
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if weight.dim() == 2 or name.endswith("bias"):
            torch.nn.init.normal_(weight, std=0.2, generator=generator)
    with torch.no_grad():
        model.lm_head.weight *= often(tokenizer)
    model.save_pretrained(made.hf)
    tokenizer.save_pretrained(made.hf)
    write(model, arch, made.gguf)
    return made


def write(model: PreTrainedModel, arch: gguf.MODEL_ARCH, path: Path) -> None:
    """The weights as F32 GGUF; what belongs to the tokenizer is copied from the small model."""
    config, writer = model.config, gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[arch])
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    metadata, _ = read_gguf_metadata(str(small_file()), ("tokenizer.ggml.tokens", "tokenizer.ggml.merges"))
    for key, value in metadata.items():
        if key.startswith("tokenizer."):
            kind = gguf.GGUFValueType.get_type(value)
            writer.add_key_value(key, value, gguf.GGUFValueType.UINT32 if type(value) is int else kind)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    for key, weight in model.state_dict().items():
        module, _, ending = key.rpartition(".")
        writer.add_tensor(f"{names.get_name(module)}.{ending}", weight.numpy())
    finish(writer)
