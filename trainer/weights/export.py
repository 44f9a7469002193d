"""Export of a peft adapter folder as a GGUF adapter, a file of a few MiB used beside its base.

`parity` measures that llama.cpp then computes the same as peft; `merge` writes base and adapter into one file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from peft import LoraConfig, PeftConfig
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoConfig, PretrainedConfig

from runtime.engines.hf.gguf_files import Reader
from runtime.errors import SoliloquyError
from runtime.files import sha256_of
from runtime.models.adapter_cards import BASE_KEY
from trainer.weights.base import source_of

NumberType = Literal["f16", "f32", "q8_0"]

PAIRED = {"llama": True, "qwen2": False, "qwen3": False}
"""Whether llama.cpp rotates neighbouring rows of queries and keys for this architecture, where transformers rotates two
halves. A wrong entry raises no error and makes every token wrong, so unknown architectures are refused."""
ARCHITECTURES = {"mistral": "llama"}
"""GGUF's architecture names that differ from transformers'."""
BASE_NAME = "soliloquy.base.name"
ALPHA, INVOCATION = "adapter.lora.alpha", "adapter.alora.invocation_tokens"


class ExportError(SoliloquyError):
    """A peft adapter cannot become a GGUF adapter, or one cannot be merged."""


# From peft to GGUF


@dataclass(frozen=True)
class Shape:
    """The sizes of a base that determine names and row order of its adapters' tensors."""

    architecture: str
    """In GGUF's naming."""
    blocks: int
    heads: int
    key_heads: int


def to_gguf_adapter(adapter_folder: Path, out: Path, base_gguf: Path | None = None, type: str = "f16") -> None:
    """Write a LoRA adapter of peft, plain or activated, as a GGUF adapter that llama.cpp loads beside its base.

    With `base_gguf` the adapter is checked against that file and records its SHA-256; otherwise against the folder it
    was trained on, which may record its GGUF file. Raises ExportError.
    """
    if type not in get_args(NumberType):
        raise ExportError(
            f"{type!r} is no number type of a GGUF adapter. Choose one of {', '.join(get_args(NumberType))}."
        )
    config, weights = _read_adapter(adapter_folder)
    base = open_gguf(base_gguf) if base_gguf else None
    shape = _shape_of_file(base, base_gguf) if base and base_gguf else _shape_of_folder(config)
    tensors = _gguf_tensors(config, weights, shape)
    if base and base_gguf:
        require_fitting(tensors, base, adapter_folder.name, base_gguf.name)
    with finished(out) as unfinished:
        writer = GGUFWriter(unfinished, shape.architecture)
        writer.add_type("adapter")
        writer.add_name(out.stem)
        writer.add_string("adapter.type", "lora")
        writer.add_float32(ALPHA, config.lora_alpha)
        if invocation := getattr(config, "alora_invocation_tokens", None):
            writer.add_key_value(INVOCATION, list(invocation), GGUFValueType.ARRAY, GGUFValueType.UINT32)
        for key, value in _base_named(config, base_gguf).items():
            writer.add_string(key, value)
        for name, value in tensors.items():
            kind = fitting(GGMLQuantizationType[type.upper()], value, GGMLQuantizationType.F16)
            writer.add_tensor(name, gguf.quantize(value, kind), raw_dtype=kind)
        write_file(writer)


def _read_adapter(folder: Path) -> tuple[LoraConfig, dict[str, np.ndarray]]:
    try:
        config = PeftConfig.from_pretrained(str(folder))
        weights = load_file(folder / "adapter_model.safetensors")
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise ExportError(
            f"{folder} is not an adapter of peft: its adapter_config.json or adapter_model.safetensors is missing or "
            "damaged. Name the folder that the training wrote."
        ) from error
    if not isinstance(config, LoraConfig) or config.rank_pattern or config.alpha_pattern:
        raise ExportError(f"{folder} is no plain LoRA with one rank and one alpha. Train such an adapter.")
    return config, {key: weight.float().numpy() for key, weight in weights.items()}


def _shape_of_file(base: GGUFReader, path: Path) -> Shape:
    architecture = metadata(base, "general.architecture")
    heads = metadata(base, f"{architecture}.attention.head_count")
    key_heads = metadata(base, f"{architecture}.attention.head_count_kv") or heads
    return _known(Shape(architecture, metadata(base, f"{architecture}.block_count"), heads, key_heads), path.name)


def _shape_of_folder(config: LoraConfig) -> Shape:
    name = str(config.base_model_name_or_path)
    try:
        base = AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ExportError(f"The base {name!r} of this adapter is missing. Name its GGUF file with --base.") from error
    return shape_of(base, name)


def shape_of(config: PretrainedConfig, name: str) -> Shape:
    """The shape of a transformers model. Raises ExportError if its architecture is unknown."""
    heads = config.num_attention_heads
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    architecture = ARCHITECTURES.get(config.model_type, config.model_type)
    return _known(Shape(architecture, config.num_hidden_layers, heads, key_heads), name)


def _known(shape: Shape, name: str) -> Shape:
    if shape.architecture not in PAIRED:
        raise ExportError(
            f"{name} has the architecture {shape.architecture!r}, whose export has not been compared with peft. "
            f"Supported are {', '.join(PAIRED)}; to add one, extend PAIRED in trainer/weights/export.py and check "
            "its parity."
        )
    return shape


def _gguf_tensors(config: LoraConfig, weights: dict[str, np.ndarray], shape: Shape) -> dict[str, np.ndarray]:
    """The matrices by GGUF's names, each A before its B, in the order of llama.cpp's multiplication."""
    names, tensors = names_of(shape), {}
    for key, value in sorted(weights.items()):
        module, _, side = key.removeprefix("base_model.model.").removesuffix(".weight").rpartition(".")
        name = names.get_name(module)
        if name is None or side not in ("lora_A", "lora_B"):
            raise ExportError(
                f"The adapter holds {key}, which a GGUF adapter cannot carry. Train LoRA on linear layers only, "
                "without DoRA, biases, or modules saved whole."
            )
        if side == "lora_B":
            # llama.cpp scales by alpha / rank; rank-stabilised LoRA is trained with alpha / sqrt(rank).
            value = rotary(value, module, shape) * (config.r**0.5 if config.use_rslora else 1.0)
        tensors[f"{name}.weight.{side.lower()}"] = np.ascontiguousarray(value, np.float32)
    return tensors


def names_of(shape: Shape) -> gguf.TensorNameMap:
    """A map from transformers' modules to GGUF's tensors."""
    architecture = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == shape.architecture)
    return gguf.get_tensor_name_map(architecture, shape.blocks)


def rotary(value: np.ndarray, module: str, shape: Shape) -> np.ndarray:
    """Rows of queries and keys in llama.cpp's rotary order: neighbouring pairs instead of two halves."""
    return _reordered(value, module, shape, lambda rows: (2, rows // 2))


def halves_of(value: np.ndarray, module: str, shape: Shape) -> np.ndarray:
    """The inverse of `rotary`."""
    return _reordered(value, module, shape, lambda rows: (rows // 2, 2))


def _reordered(value: np.ndarray, module: str, shape: Shape, read: Callable[[int], tuple[int, int]]) -> np.ndarray:
    """Swap the two axes of each head's rows; `read` gives their sizes from the number of rows."""
    heads = {"q_proj": shape.heads, "k_proj": shape.key_heads}.get(module.rpartition(".")[2])
    if heads is None or not PAIRED[shape.architecture]:
        return value
    laid_out = value.reshape(heads, *read(len(value) // heads), -1)
    return laid_out.swapaxes(1, 2).reshape(value.shape)


def _base_named(config: LoraConfig, base_gguf: Path | None) -> dict[str, str]:
    """Metadata that identify the base, as far as it is known."""
    if base_gguf:
        return {BASE_NAME: base_gguf.stem, BASE_KEY: sha256_of(base_gguf)}
    folder = Path(config.base_model_name_or_path or "")
    made_from = source_of(folder)
    if made_from:
        return {BASE_NAME: Path(made_from.file).stem, BASE_KEY: made_from.sha256}
    return {BASE_NAME: folder.name}


def require_fitting(tensors: dict[str, np.ndarray], base: GGUFReader, adapter: str, base_name: str) -> None:
    """Raises ExportError unless each pair of matrices has a weight of its shape in the base."""
    shapes = {tensor.name: tuple(tensor.shape) for tensor in base.tensors}  # (in, out)
    for name, value in tensors.items():
        weight, _, side = name.rpartition(".")
        found = shapes.get(weight)
        if found is None or value.shape[1 if side == "lora_a" else 0] != found[0 if side == "lora_a" else 1]:
            raise ExportError(
                f"{adapter} does not fit {base_name}: {weight} is missing there or has another shape. "
                "Name the base that the adapter was trained on."
            )


# Files


def fitting(kind: GGMLQuantizationType, value: np.ndarray, other: GGMLQuantizationType) -> GGMLQuantizationType:
    """The number type, or `other` if rows do not fit its block size."""
    return kind if value.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0] == 0 else other


def open_gguf(path: Path) -> GGUFReader:
    """Raises ExportError if the file is missing or not GGUF."""
    try:
        return Reader(path)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ExportError(f"{path} cannot be read as a GGUF file ({error}). Choose another file.") from error


def metadata(reader: GGUFReader, key: str) -> Any:
    """The value of a key, or None."""
    field = reader.get_field(key)
    return None if field is None else field.contents()


@contextmanager
def finished(out: Path) -> Generator[Path]:
    """Yields a temporary path; the file is moved to `out` when complete. Raises ExportError if it cannot be written."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=out.parent) as workshop:
            unfinished = Path(workshop) / out.name
            yield unfinished
            unfinished.replace(out)
    except OSError as error:
        raise ExportError(f"{out} cannot be written ({error}). Choose a folder that you can write to.") from error


def write_file(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
