"""A base and an adapter merged into one GGUF file, for stock llama.cpp, Ollama or LM Studio.

Merged weights are rounded a second time, so an adapter beside its base is closer to the trained one.
"""

from __future__ import annotations

import ctypes
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import gguf
import llama_cpp as llama
import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType

from runtime.models.download.files import size_text
from trainer.weights.export import ALPHA, INVOCATION, ExportError, finished, metadata, open_gguf, require_fitting

Quantization = Literal["Q4_K_M", "Q8_0", "F16", "BF16"]

WHOLE = {
    "F16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    "BF16": (GGMLQuantizationType.BF16, LlamaFileType.MOSTLY_BF16),
}
"""Unquantized formats, which are written directly; llama.cpp makes the others from a file of these."""
QUANTIZED = {"Q4_K_M": llama.LLAMA_FTYPE_MOSTLY_Q4_K_M, "Q8_0": llama.LLAMA_FTYPE_MOSTLY_Q8_0}


@dataclass(frozen=True)
class Delta:
    """The change of one weight by an adapter: scale * b @ a."""

    a: np.ndarray
    b: np.ndarray
    scale: float


def merge(base_gguf: Path, adapter_gguf: Path, out: Path, quantization: str = "Q4_K_M") -> None:
    """Write a base with a plain adapter added to its weights. Tokenizer, chat template and other metadata are copied,
    and so are weights without a change that already have the requested type. Raises ExportError."""
    if quantization not in get_args(Quantization):
        raise ExportError(f"{quantization!r} is no known type. Choose one of {', '.join(get_args(Quantization))}.")
    base, adapter = open_gguf(base_gguf), open_gguf(adapter_gguf)
    _require_mergeable(base, adapter, base_gguf.name, adapter_gguf.name)
    deltas = _deltas(base, adapter, base_gguf.name, adapter_gguf.name)
    with finished(out) as unfinished:
        _require_disk(base, unfinished.parent)
        if quantization in WHOLE:
            _write_merged(base, deltas, unfinished, *WHOLE[quantization])
        else:
            merged = unfinished.with_name(f"{unfinished.name}.whole")  # an unused name
            _write_merged(base, deltas, merged, None, None)
            _quantize(merged, unfinished, QUANTIZED[quantization])


def _require_mergeable(base: GGUFReader, adapter: GGUFReader, base_name: str, adapter_name: str) -> None:
    if metadata(adapter, "general.type") != "adapter":
        raise ExportError(f"{adapter_name} is not an adapter. Name the GGUF file that `trainer export` wrote.")
    if metadata(adapter, INVOCATION):
        raise ExportError(
            f"{adapter_name} is an activated adapter: it acts only from its activation tokens on, which no merged file "
            "can do. Use it beside its base, or train a plain LoRA to merge."
        )
    if not metadata(base, "tokenizer.chat_template"):
        raise ExportError(
            f"{base_name} has no chat template, so the merged file would get prompts in the wrong format. "
            "Use an instruct or chat version of this model."
        )
    if (metadata(base, "split.count") or 1) > 1:
        raise ExportError(f"{base_name} is one part of several. Join them with llama-gguf-split --merge first.")
    own, other = (metadata(reader, "general.architecture") for reader in (base, adapter))
    if own != other:
        raise ExportError(
            f"{adapter_name} is an adapter of a {other} model and {base_name} is {own}. Name its own base."
        )


def _deltas(base: GGUFReader, adapter: GGUFReader, base_name: str, adapter_name: str) -> dict[str, Delta]:
    matrices = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in adapter.tensors}
    require_fitting(matrices, base, adapter_name, base_name)
    alpha, deltas = metadata(adapter, ALPHA), {}
    for name in {name.rpartition(".")[0] for name in matrices}:
        a, b = matrices[f"{name}.lora_a"], matrices[f"{name}.lora_b"]
        deltas[name] = Delta(a, b, alpha / len(a))
    return deltas


def _write_merged(
    base: GGUFReader,
    deltas: dict[str, Delta],
    out: Path,
    whole: GGMLQuantizationType | None,
    file_type: LlamaFileType | None,
) -> None:
    """Write all weights as `whole`, or if it is None the merged ones as F16 and the others unchanged. Holds one weight
    in memory at a time."""
    writer = GGUFWriter(out, metadata(base, "general.architecture"))
    _copy_metadata(base, writer, file_type)
    kinds = {tensor.name: _merged_type(tensor, tensor.name in deltas, whole) for tensor in base.tensors}
    for tensor in base.tensors:
        block, size = gguf.GGML_QUANT_SIZES[kinds[tensor.name]]
        shape, bytes = [int(n) for n in reversed(tensor.shape)], tensor.n_elements // block * size
        writer.add_tensor_info(tensor.name, shape, np.dtype(np.float16), bytes, kinds[tensor.name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in base.tensors:
        value, kind, delta = tensor.data, kinds[tensor.name], deltas.get(tensor.name)
        if delta or kind != tensor.tensor_type:
            weight = gguf.dequantize(value, tensor.tensor_type)
            value = gguf.quantize(weight + (delta.scale * delta.b) @ delta.a if delta else weight, kind)
        writer.write_tensor_data(np.ascontiguousarray(value))
    writer.close()


def _merged_type(tensor: gguf.ReaderTensor, merged: bool, whole: GGMLQuantizationType | None) -> GGMLQuantizationType:
    if len(tensor.shape) == 1:
        return tensor.tensor_type
    return whole or (GGMLQuantizationType.F16 if merged else tensor.tensor_type)


def _copy_metadata(base: GGUFReader, writer: GGUFWriter, file_type: LlamaFileType | None) -> None:
    for name, field in base.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue  # the writer adds these
        if name == "general.file_type" and file_type is not None:
            continue
        kind, value = field.types[0], field.contents()
        if name == "general.alignment":
            writer.data_alignment = value
        if kind != GGUFValueType.ARRAY:
            writer.add_key_value(name, value, kind)
        elif value:  # the writer cannot write an empty list; for readers a missing one is the same
            writer.add_key_value(name, value, kind, field.types[-1])
    if file_type is not None:
        writer.add_file_type(file_type)


def _quantize(source: Path, target: Path, number: int) -> None:
    params = llama.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize = number, True
    if llama.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.pointer(params)) != 0:
        raise ExportError("llama.cpp cannot quantize the merged model. Choose F16, which needs no quantization.")


def _require_disk(base: GGUFReader, folder: Path) -> None:
    """Raises ExportError without room for a 16-bit copy and its quantization."""
    needed = 4 * sum(tensor.n_elements for tensor in base.tensors)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ExportError(f"Merging needs up to {size_text(needed)} of disk, and {size_text(free)} are free.")
