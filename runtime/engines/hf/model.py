"""The weights with their adapters, and the memory of the last conversation. One forward pass at a time, under a
lock."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, cast

import torch
from peft import LoraModel, PeftModel
from transformers import DynamicCache

from runtime.engines.base import EngineError
from runtime.engines.hf.loading import first_line, load_adapters, load_base

READ_AT_ONCE = 512
"""Most prompt tokens of one forward pass; cancelling waits for one pass."""
ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<end_of_turn>")
"""Tokens that end a reply in addition to those of the model's files, as in llama.cpp."""

Keys = list[tuple[int, str | None]]
"""Tokens, each with the adapter that reads it."""


@dataclass(eq=False)
class Reading:
    """A prompt that was read: its keys, its key-value cache, and the requested logits (marks, vocabulary)."""

    keys: Keys
    cache: DynamicCache
    logits: torch.Tensor | None


class Model:
    """A loaded base with its adapters, for any thread. Raises EngineError if it cannot be loaded."""

    def __init__(self, path: Path, adapters: Mapping[str, Path], four_bit: bool | None, dtype: str | None) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer, self._base = load_base(path, self.device, four_bit, dtype)
        self._with_adapters: PeftModel | None = load_adapters(self._base, adapters)
        self._active = next(iter(adapters), None)
        configs = self._with_adapters.peft_config if self._with_adapters else {}
        # The tokens from which on an adapter acts; none if it acts on all.
        self._called = {name: list(getattr(c, "alora_invocation_tokens", None) or []) for name, c in configs.items()}
        self.ends = self._end_tokens()
        self._lock = RLock()
        self._closed = False
        self._last = Reading([], DynamicCache(), None)

    def _end_tokens(self) -> set[int]:
        named = self._base.generation_config.eos_token_id
        known = self.tokenizer.get_vocab()
        texts = [known[text] for text in ENDS if text in known]
        return {*(named if isinstance(named, list) else [named]), self.tokenizer.eos_token_id, *texts} - {None}

    def read(
        self,
        tokens: Sequence[int],
        adapter: str | None,
        marks: Sequence[int],
        go_on: Callable[[], bool] = lambda: True,
    ) -> Reading:
        """Read a prompt, from where it differs from the last one, and return the logits after the tokens at `marks`.
        Ends early, without logits, when `go_on` returns False."""
        keys, last = self._keys(tokens, adapter), self._last
        if last.keys == keys and last.logits is not None and marks == [len(tokens) - 1]:
            return Reading(keys, forked(last.cache, len(keys)), last.logits)
        kept = min(common(last.keys, keys), marks[0])
        cache, rows = forked(last.cache, kept), []
        for begin in range(kept, len(tokens), READ_AT_ONCE):
            if not go_on():
                return Reading(keys, cache, None)
            part = keys[begin : begin + READ_AT_ONCE]
            wanted = [mark - begin for mark in marks if begin <= mark < begin + len(part)]
            logits = self._forward(
                adapter,
                adapted=[sum(reader is not None for _, reader in part)],
                input_ids=self._tensor([[token for token, _ in part]]),
                logits_to_keep=self._tensor(wanted),
                past_key_values=cache,
            )
            rows.append(logits[0])
        logits = torch.cat(rows)
        self._keep(keys, cache, logits[-1:] if marks[-1] == len(tokens) - 1 else None)
        return Reading(keys, cache, logits)

    def decode(self, tokens: Sequence[int], cache: DynamicCache, adapter: str | None) -> torch.Tensor:
        """Read the next token of each row of a cache; returns the logits after it, shape (rows, vocabulary)."""
        rows = self._tensor(tokens)[:, None]
        return self._forward(adapter, adapted=[1] * len(tokens), input_ids=rows, past_key_values=cache)[:, -1]

    def remember(self, tokens: list[int], read: list[int], cache: DynamicCache, adapter: str | None) -> None:
        """Keep the cache of a prompt and of the part of its reply that was read."""
        self._keep(self._keys(tokens, adapter) + [(token, adapter) for token in read], cache, None)

    def _keep(self, keys: Keys, cache: DynamicCache, logits: torch.Tensor | None) -> None:
        with self._lock:
            if not self._closed:
                self._last = Reading(keys, forked(cache, len(keys)), logits)

    def _keys(self, tokens: Sequence[int], adapter: str | None) -> Keys:
        """Each token with the adapter that reads it. An activated adapter (aLoRA, arXiv 2504.12397) reads from the last
        occurrence of its invocation on; the base reads the tokens before. Raises EngineError if there is none, as the
        adapter would silently do nothing."""
        called, start = self._called.get(adapter, []) if adapter else [], 0
        if called:
            places = (at for at in range(len(tokens) - len(called), -1, -1) if tokens[at : at + len(called)] == called)
            start = next(places, None)
            if start is None:
                raise EngineError(
                    f"The adapter {adapter!r} cannot act: its invocation is not in the prompt. Use its training prompt."
                )
        return [(token, adapter if at >= start else None) for at, token in enumerate(tokens)]

    def _forward(self, adapter: str | None, adapted: list[int], **inputs: Any) -> torch.Tensor:
        """The logits of one pass; in each row, an activated adapter reads the last `adapted` tokens."""
        with self._lock, torch.inference_mode():
            self.require_open()
            self._switch(adapter)
            if adapter and self._called.get(adapter):
                inputs["alora_offsets"] = adapted
            model = self._with_adapters if adapter and self._with_adapters else self._base
            try:
                return model(**inputs, use_cache=True).logits
            except (torch.OutOfMemoryError, MemoryError) as error:
                raise EngineError(
                    "There is not enough memory for these conversations. Set SOLILOQUY_CONTEXT to a smaller number, "
                    "decode fewer at once, or use a smaller model."
                ) from error
            except RuntimeError as error:
                raise EngineError(
                    f"The model stopped in the middle of a reply ({first_line(error)}). Try again."
                ) from error

    def _switch(self, adapter: str | None) -> None:
        if adapter == self._active or self._with_adapters is None:
            return
        if adapter is None:
            cast(LoraModel, self._with_adapters.base_model).disable_adapter_layers()
        else:
            cast(LoraModel, self._with_adapters.base_model).enable_adapter_layers()
            self._with_adapters.set_adapter(adapter, inference_mode=True)
        self._active = adapter

    def _tensor(self, numbers: Sequence) -> torch.Tensor:
        return torch.tensor(numbers, dtype=torch.long, device=self.device)

    def require_open(self) -> None:
        if self._closed:
            raise EngineError("The model was unloaded. Load it again.", "model.unloaded")

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            del self._base, self._with_adapters
            self._last = Reading([], DynamicCache(), None)
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()


def common(first: Keys, second: Keys) -> int:
    """Length of the common prefix."""
    pairs = zip(first, second, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def forked(cache: DynamicCache, length: int) -> DynamicCache:
    """A new cache with the first `length` tokens of a cache; nothing is copied until it grows."""
    fork = DynamicCache()
    if length:
        fork.layers = [copy.copy(layer) for layer in cache.layers]
        fork.crop(length - cache.get_seq_length())
    return fork
