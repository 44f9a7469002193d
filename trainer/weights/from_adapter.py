"""Import of a GGUF adapter as a peft adapter, so that training can continue from the adapter in use."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import torch
from peft import LoraConfig
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from runtime.files import saved_by_library
from trainer.weights.export import (
    ALPHA,
    INVOCATION,
    ExportError,
    finished,
    halves_of,
    metadata,
    names_of,
    open_gguf,
    shape_of,
)

WEIGHTS = "adapter_model.safetensors"


def to_peft(gguf_adapter: Path, base_folder: Path, out: Path) -> LoraConfig:
    """Write the peft adapter that a GGUF adapter was exported from, up to the rounding of the file's number type.
    Returns its configuration. Raises ExportError if the adapter does not belong to this base."""
    base = AutoConfig.from_pretrained(base_folder)
    shape = shape_of(base, base_folder.name)
    modules = _linear_modules(base)
    names = names_of(shape)
    places = {names.get_name(module): module for module in modules}
    reader, weights = open_gguf(gguf_adapter), {}
    made_for = metadata(reader, "general.architecture")
    if made_for != shape.architecture:
        raise ExportError(
            f"{gguf_adapter.name} is for a {made_for} model, unlike {base_folder.name}. Name this adapter's base."
        )
    for tensor in reader.tensors:
        name, _, side = tensor.name.partition(".weight.")
        module = places.get(name)
        if module is None or side not in ("lora_a", "lora_b"):
            raise ExportError(
                f"{gguf_adapter.name} holds {tensor.name}, which {base_folder.name} lacks. Name this adapter's base."
            )
        value = gguf.dequantize(tensor.data, tensor.tensor_type)
        if side == "lora_b":
            value = halves_of(value, module, shape)
        key = f"base_model.model.{module}.lora_{side[-1].upper()}.weight"
        weights[key] = torch.from_numpy(np.array(value, np.float32))
    _require_shapes(weights, modules, gguf_adapter.name, base_folder.name)
    config = LoraConfig(
        base_model_name_or_path=str(base_folder),
        r=next(len(value) for key, value in weights.items() if ".lora_A." in key),
        lora_alpha=metadata(reader, ALPHA),
        target_modules=sorted({key.rpartition(".lora_")[0].rpartition(".")[2] for key in weights}),
        task_type="CAUSAL_LM",
        alora_invocation_tokens=metadata(reader, INVOCATION),
    )
    with finished(out / WEIGHTS) as unfinished, saved_by_library(unfinished):
        save_file(weights, unfinished)
    config.save_pretrained(str(out))
    return config


def _linear_modules(base: PretrainedConfig) -> dict[str, torch.nn.Linear]:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(base)
    return {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}


def _require_shapes(
    weights: dict[str, torch.Tensor], modules: dict[str, torch.nn.Linear], gguf_adapter: str, base: str
) -> None:
    for key, value in weights.items():
        module = modules[key.removeprefix("base_model.model.").rpartition(".lora_")[0]]
        fits = value.shape[1] == module.in_features if ".lora_A." in key else len(value) == module.out_features
        if not fits:
            raise ExportError(
                f"{gguf_adapter} does not fit {base}: {key} has another shape there. Name the base of this adapter."
            )
