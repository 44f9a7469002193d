"""Loads weights and adapters, and chooses the number type."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from peft import PeftModel
from safetensors import SafetensorError
from tokenizers import pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.integrations.gguf import read_gguf_metadata

from runtime.engines.base import EngineError
from runtime.engines.hf.gguf_files import read_once

GIB = 1 << 30


@read_once()
def load_base(
    path: Path, device: str, four_bit: bool | None, dtype: str | None
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Load tokenizer and weights of a folder, a GGUF file or a model of a hub. Raises EngineError."""
    is_file = path.suffix == ".gguf"
    if not path.exists() and (is_file or path.is_absolute()):
        raise EngineError(f"There is no {'file' if is_file else 'folder'} {path}. Choose another model.")
    check_memory(path, device)
    kind = getattr(torch, dtype) if dtype else fastest_dtype(device)
    options: dict[str, Any] = {"dtype": kind, "device_map": {"": device}}
    # transformers reads a GGUF file as full weights, and does not quantise them again.
    if four_bit or (four_bit is None and device == "cuda" and not is_file):
        options["quantization_config"] = nf4(kind)
    try:
        return load_tokenizer(path), AutoModelForCausalLM.from_pretrained(**source(path), **options).eval()
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise EngineError(
            f"{path.name} does not fit into memory. Close other programs or use a smaller model."
        ) from error
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, SafetensorError) as error:
        raise EngineError(
            f"{path} could not be loaded by transformers ({first_line(error)}). "
            "Use a folder with config, weights and tokenizer, a GGUF file, or a model of a hub that can be reached."
        ) from error


def load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder, a GGUF file or a model of a hub. Raises what transformers raises."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(**source(path))  # pyrefly: ignore[bad-assignment]
    if path.suffix == ".gguf" and read_gguf_metadata(str(path))[0].get("tokenizer.ggml.pre") == "smollm":
        # transformers 5.23 does not restore that this tokenizer splits digits, which changes the tokens of " ²".
        digits, rest = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, rest])
    return tokenizer


def source(path: Path) -> dict[str, Any]:
    """The arguments of `from_pretrained` for a model's path."""
    if path.suffix == ".gguf":
        return {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    return {"pretrained_model_name_or_path": path.as_posix()}


def load_adapters(base: PreTrainedModel, folders: Mapping[str, Path]) -> PeftModel | None:
    """The base with all adapters loaded, the first one active; None without adapters. Raises EngineError."""
    model = None
    for name, folder in folders.items():
        if not (folder / "adapter_config.json").is_file():
            raise EngineError(f"The adapter {name!r} is not in {folder}: adapter_config.json is missing. Get it again.")
        try:
            if model is None:
                model = PeftModel.from_pretrained(base, folder, adapter_name=name)
            else:
                model.load_adapter(folder, adapter_name=name)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise EngineError(
                f"The adapter {name!r} in {folder} does not fit this model ({first_line(error)}). "
                "Use the model that it was trained on."
            ) from error
    return model.eval() if model else None


def nf4(compute: torch.dtype) -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def check_memory(path: Path, device: str) -> None:
    """Raises EngineError if a model does not fit into the memory of a processor: the system would kill the program."""
    files = [path] if path.is_file() else [*path.glob("*.safetensors"), *path.glob("*.bin")]
    needed, free = sum(file.stat().st_size for file in files), psutil.virtual_memory().available
    if device == "cpu" and needed > free:
        raise EngineError(
            f"{path.name} needs more than {needed / GIB:.1f} GiB of memory, but only {free / GIB:.1f} GiB are free. "
            "Close other programs or use a smaller model."
        )


def fastest_dtype(device: str) -> torch.dtype:
    """The number type that multiplies matrices fastest here. It is measured on processors, as bfloat16 is 90 times
    slower than float32 on some and 5 times faster on others."""
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16

    def seconds(dtype: torch.dtype) -> float:
        matrix, times = torch.ones(256, 256, dtype=dtype), []
        for _ in range(4):
            started = time.perf_counter()
            matrix @ matrix
            times.append(time.perf_counter() - started)
        return min(times)

    return min((torch.float32, torch.bfloat16), key=seconds)


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
