"""Reads GGUF files faster than the `gguf` package does, and only once."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

import gguf
import numpy as np
from gguf import GGUFReader


class Reader(GGUFReader):
    """The package's reader on a plain array. Slicing numpy's memory-mapped arrays is several times as slow, and a
    vocabulary needs hundreds of thousands of slices."""

    @property
    def data(self) -> np.ndarray:  # pyrefly: ignore[bad-override-mutable-attribute]
        return self._data

    @data.setter
    def data(self, mapped: np.memmap) -> None:
        self._data = mapped.view(np.ndarray)


@contextmanager
def read_once() -> Generator[None]:
    """Make transformers read each GGUF file once, instead of for config, tokenizer and weights, which takes seconds
    each time. Files must not change meanwhile."""
    gguf.GGUFReader = cache(Reader)  # pyrefly: ignore[bad-assignment]
    try:
        yield
    finally:
        gguf.GGUFReader = GGUFReader
