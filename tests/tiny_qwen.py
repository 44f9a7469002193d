"""Tiny models of the Qwen architectures, beside the llama one of `tiny`: no rotary permutation, biases or norms in the
attention, and a separate output matrix. They use the small model's tokens."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny import HEADS, KEY_HEADS, TinyModel, often, small_file
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from runtime.engines.hf.gguf_files import read_once
from runtime.engines.hf.loading import load_tokenizer
from trainer.weights.to_gguf import to_gguf

KINDS = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}


@read_once()
def tiny_qwen(folder: Path, architecture: str, seed: int = 0) -> TinyModel:
    made = TinyModel(folder / architecture, folder / f"{architecture}.gguf")
    tokenizer = load_tokenizer(small_file())
    config_class, model_class = KINDS[architecture]
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
    to_gguf(model, tokenizer, made.gguf)
    return made
