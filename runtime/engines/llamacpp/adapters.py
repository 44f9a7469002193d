"""LoRA adapters on one loaded base, switched between batches.

An activated adapter (aLoRA, arXiv 2504.12397) acts from its invocation tokens on. The tokens before them are read by
the base, so that critic and actor share them. llama.cpp does not do this by itself: the decoder switches at that token.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import llama_cpp as llama

from runtime.engines.base import EngineError


@dataclass(frozen=True)
class Adapter:
    number: int
    """Number of the adapter, from 1; 0 is the base."""
    name: str
    pointer: llama.llama_adapter_lora_p
    """llama.cpp's handle."""
    invocation: tuple[int, ...]
    """The tokens that activate the adapter; empty if it acts on all tokens."""

    def begins_at(self, tokens: Sequence[int]) -> int:
        """Index of the first token that this adapter reads: the last occurrence of its invocation. Raises EngineError
        if there is none, as the adapter would silently do nothing."""
        size = len(self.invocation)
        if not size:
            return 0
        for start in range(len(tokens) - size, -1, -1):
            if tuple(tokens[start : start + size]) == self.invocation:
                return start
        raise EngineError(
            f"The adapter {self.name!r} cannot act: its invocation is not in the prompt. Use its training prompt."
        )


class Adapters:
    """The adapters of a loaded model. Only the thread that owns the context may call `use`."""

    def __init__(self, model: llama.llama_model_p, files: Mapping[str, Path]) -> None:
        self.by_name = {name: _load(model, number, name, path) for number, (name, path) in enumerate(files.items(), 1)}
        self._by_number = {adapter.number: adapter for adapter in self.by_name.values()}
        self._in_use = 0

    def get(self, name: str | None) -> Adapter | None:
        return self.by_name.get(name) if name else None

    def use(self, context: llama.llama_context_p, number: int) -> None:
        """Decode with this adapter from now on; 0 is the base."""
        if number == self._in_use:
            return
        if number == 0:
            llama.llama_set_adapters_lora(context, None, 0, None)
        else:
            pointers = (llama.llama_adapter_lora_p_ctypes * 1)(self._by_number[number].pointer)
            llama.llama_set_adapters_lora(context, pointers, 1, (ctypes.c_float * 1)(1.0))
        self._in_use = number


def _load(model: llama.llama_model_p, number: int, name: str, path: Path) -> Adapter:
    if not path.is_file():
        raise EngineError(f"The adapter {name!r} has no file at {path}. Get it again, or remove it.")
    pointer = llama.llama_adapter_lora_init(model, str(path).encode())
    if not pointer:
        raise EngineError(
            f"{path.name} is not an adapter of this model: it was trained on another base, or is damaged. Get it again."
        )
    size = llama.llama_adapter_get_alora_n_invocation_tokens(pointer)
    invocation = llama.llama_adapter_get_alora_invocation_tokens(pointer)
    return Adapter(number, name, pointer, tuple(invocation[i] for i in range(size)) if invocation else ())
