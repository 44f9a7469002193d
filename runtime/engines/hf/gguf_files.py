"""GGUF files as Python reads them: their vocabularies are long, so quickly, and once."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

import gguf
import numpy as np
from gguf import GGUFReader


class Reader(GGUFReader):
    """The package's reader on a plain array: numpy's memory-mapped ones are several times as slow to cut, and a
    vocabulary is hundreds of thousands of cuts."""

    @property
    def data(self) -> np.ndarray:  # pyrefly: ignore[bad-override-mutable-attribute]
        return self._data

    @data.setter
    def data(self, mapped: np.memmap) -> None:
        self._data = mapped.view(np.ndarray)


@contextmanager
def read_once() -> Generator[None]:
    """Within this, transformers reads each GGUF file once; it asks for it anew for the config, the tokenizer and the
    weights, and takes seconds each time. Files must not change meanwhile."""
    gguf.GGUFReader = cache(Reader)  # pyrefly: ignore[bad-assignment]
    try:
        yield
    finally:
        gguf.GGUFReader = GGUFReader
