"""Export of a transformers model with its tokenizer and chat template as one GGUF file, for models trained here.

Models of a hub exist as GGUF already, and their tokenizers are of many kinds.
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from trainer.weights.export import ExportError, finished, fitting, names_of, rotary, shape_of, write_file

DIGIT_BY_DIGIT = "smollm"
"""llama.cpp's name for a byte-level BPE with GPT-2's pre-tokenisation and single digits."""


def to_gguf(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    out: Path,
    type: GGMLQuantizationType = GGMLQuantizationType.F32,
) -> None:
    """Write a Llama or Qwen model; matrices become `type` if their row length allows it. The tokenizer must be a
    byte-level BPE with single digits. Raises ExportError."""
    shape = shape_of(model.config, str(model.name_or_path))
    names = names_of(shape)
    with finished(out) as unfinished:
        writer = GGUFWriter(unfinished, shape.architecture)
        _add_sizes(writer, model.config)
        _add_tokenizer(writer, tokenizer)
        for key, weight in model.state_dict().items():
            if key == "lm_head.weight" and model.config.tie_word_embeddings:
                continue
            module, _, ending = key.rpartition(".")
            if (name := names.get_name(module)) is None:
                raise ExportError(
                    f"{key} has no name in a GGUF file of a {shape.architecture} model. Export another model."
                )
            value = np.ascontiguousarray(rotary(weight.float().cpu().numpy(), module, shape))
            kind = fitting(type if value.ndim == 2 else GGMLQuantizationType.F32, value, GGMLQuantizationType.F32)
            writer.add_tensor(f"{name}.{ending}", gguf.quantize(value, kind), raw_dtype=kind)
        write_file(writer)


def _add_sizes(writer: GGUFWriter, config: PretrainedConfig) -> None:
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _add_tokenizer(writer: GGUFWriter, tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    control = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(DIGIT_BY_DIGIT)
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL if i in control else TokenType.NORMAL for i in range(len(tokens))])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(str(tokenizer.chat_template))
