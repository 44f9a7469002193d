"""Loads a GGUF file into memory."""

from __future__ import annotations

import ctypes
import logging
import os
import re
from importlib.util import find_spec
from pathlib import Path

import llama_cpp as llama
import psutil

from runtime.engines.base import EngineError
from runtime.models.gguf_header import BadGGUF, read_header
from runtime.models.machine import MEMORY_RESERVE

logger = logging.getLogger(__name__)

GIB = 1 << 30
ERROR_LEVEL = 4  # ggml_log_level
_BUFFER = re.compile(rb"(\S+) +model buffer size")
_buffers: set[bytes] = set()
"""Names of the buffers of the last loaded model."""


@llama.llama_log_callback
def _silence(level: int, text: bytes, user_data: ctypes.c_void_p) -> None:
    """Drop llama.cpp's log, except buffer names and errors: it reports every tensor."""
    if found := _BUFFER.search(text):
        _buffers.add(found[1])
    if level == ERROR_LEVEL:
        logger.debug("llama.cpp: %s", text.decode("utf-8", "replace").strip())


def safe_extra_buffers(wanted: bool | None) -> bool:
    """Whether to use llama.cpp's extra buffers, where weights are repacked for this processor's instructions. If it was
    not measured (None): yes, except with AMX, as GCC drops the tile configuration that ggml sets (ggml-org/llama.cpp PR
    26954), and torch replaces it when it uses AMX in the same process."""
    if b"AMX_INT8 = 1" not in llama.llama_print_system_info():
        return wanted is not False
    return wanted is True and find_spec("torch") is None


def repacked() -> bool:
    """Whether any weights of the last loaded model are in extra buffers; many formats cannot be repacked."""
    return bool(_buffers - {b"CPU", b"CPU_Mapped"})


def load_model(path: Path, extra_buffers: bool | None = None) -> llama.llama_model_p:
    """Load a model, which the caller must free with `llama_model_free`; for `extra_buffers` see `safe_extra_buffers`.
    Raises EngineError if the file is damaged, has no chat template, or does not fit into the free memory."""
    try:
        header = read_header(path)
    except (BadGGUF, OSError) as error:
        raise EngineError(str(error)) from error
    if not (header.chat_template or "").strip():
        raise EngineError(
            f"{path.name} has no chat template, so its prompt format is unknown. "
            "Use an instruct or chat version of this model.",
            "model.no_template",
            name=path.name,
        )
    require_memory(path.name, path.stat().st_size)
    llama.llama_log_set(_silence, ctypes.c_void_p(0))
    llama.llama_backend_init()
    params = llama.llama_model_default_params()
    params.use_extra_bufts = safe_extra_buffers(extra_buffers)
    _buffers.clear()
    model = llama.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise EngineError(
            f"{path.name} could not be loaded: the file is damaged, or llama.cpp does not support it. Use another"
            " model, or download it again.",
            "model.damaged",
            name=path.name,
        )
    return model


def make_context(
    model: llama.llama_model_p, sequences: int, length: int, batch: int, threads: int
) -> llama.llama_context_p | None:
    """A context for so many sequences of so many tokens, decoded in batches of so many; None if memory is short."""
    params = llama.llama_context_default_params()
    params.n_ctx, params.n_seq_max = sequences * length, sequences
    params.n_batch = params.n_ubatch = batch
    params.n_threads = params.n_threads_batch = threads
    params.kv_unified = False  # one buffer per sequence: measured fastest for batches
    params.flash_attn_type, params.no_perf = 1, True
    return llama.llama_init_from_model(model, params)


def vocab_of(model: llama.llama_model_p) -> llama.llama_vocab_p:
    """The vocabulary of a loaded model. Raises EngineError if it has none."""
    vocab = llama.llama_model_get_vocab(model)
    if vocab is None:
        raise EngineError("This model has no vocabulary. Download it again, or use another one.")
    return vocab


def require_memory(name: str, size: int) -> None:
    """Raises EngineError if a file of `size` bytes cannot be loaded now."""
    needed, free = size + MEMORY_RESERVE, psutil.virtual_memory().available
    if needed > free:
        raise EngineError(
            f"{name} needs about {needed / GIB:.1f} GiB of memory, but only {free / GIB:.1f} GiB are free. "
            "Close other programs or use a smaller model.",
            "model.memory",
            name=name,
            needed=f"{needed / GIB:.1f}",
            free=f"{free / GIB:.1f}",
        )
