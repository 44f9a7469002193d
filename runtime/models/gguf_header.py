"""Reads the header of a GGUF file: architecture, name, chat template, context length and expected file size.

Only the header is read, which takes milliseconds, so that a truncated download is refused before llama.cpp loads it.
The `gguf` package is not used, as only the trainer installs it.
"""

from __future__ import annotations

import mmap
import struct
from math import prod
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runtime.errors import SoliloquyError
from runtime.files import open_regular
from runtime.types import Value

# Numbers of the GGUF specification: struct formats of the value types, and "type:values:bytes" of one block of each
# tensor type.
_FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 8: "", 9: "", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_PLAIN = "0:1:4 1:1:2 24:1:1 25:1:2 26:1:4 27:1:8 28:1:8 30:1:2 2:32:18 3:32:20 6:32:22 7:32:24 8:32:34 9:32:36"
_K_AND_I = """10:256:84 11:256:110 12:256:144 13:256:176 14:256:210 15:256:292 16:256:66 17:256:74 18:256:98 19:256:50
    20:32:18 21:256:110 22:256:82 23:256:136 29:256:56 34:256:54 35:256:66 39:32:17 40:64:36 41:128:18"""
_BLOCKS = {kind: block for kind, *block in (map(int, row.split(":")) for row in f"{_PLAIN} {_K_AND_I}".split())}


class BadGGUF(SoliloquyError):
    """The file is not a GGUF file, or is truncated or damaged."""


class Header(Value):
    architecture: str
    name: str | None = None
    chat_template: str | None = None
    parameters_bytes_needed: int
    """Bytes that the file must have for its last tensor to be complete."""


def read_header(path: Path) -> Header:
    """The header of a GGUF file. Raises BadGGUF if it is not GGUF, cannot be read, or is truncated."""
    try:
        with open_regular(Path(path)) as file:
            if (magic := file.read(4)) != b"GGUF":
                raise BadGGUF(f"{path} is not a GGUF file: it begins with {magic!r}. Choose another file.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                header, size = _Head(data).read(), len(data)
    except OSError as error:
        raise BadGGUF(f"{path} cannot be read ({error.strerror}). Choose another file.") from error
    except (struct.error, OverflowError) as error:
        raise BadGGUF(f"{path} is cut short: it ends within its header. Download or copy it again.") from error
    except (KeyError, TypeError, ZeroDivisionError, ValidationError) as error:
        raise BadGGUF(f"{path} is damaged or of an unknown kind ({error!r}). Choose another file.") from error
    if header.parameters_bytes_needed > size:
        missing = header.parameters_bytes_needed - size
        raise BadGGUF(f"{path} is cut short: its last {missing:,} bytes are missing. Download or copy it again.")
    return header


class _Head:
    """Reads little-endian values one after another. Raises struct.error beyond the end of the file."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 4

    def read(self) -> Header:
        _version, tensors, entries = self.scalars("IQQ")
        found = {self.string(): self.value(*self.scalars("I")) for _ in range(entries)}
        last_end = max((self.tensor_end() for _ in range(tensors)), default=0)
        alignment, architecture = found.get("general.alignment", 32), found["general.architecture"]
        return Header(
            architecture=architecture,
            name=found.get("general.name"),
            chat_template=found.get("tokenizer.chat_template"),
            parameters_bytes_needed=-(-self.at // alignment) * alignment + last_end,
        )

    def tensor_end(self) -> int:
        """End of a tensor in bytes from the start of the tensor data. A type that is not in the table counts as empty,
        so that a newer file is not refused."""
        self.string()
        shape, (kind, offset) = self.scalars(f"{self.scalars('I')[0]}Q"), self.scalars("IQ")
        values, size = _BLOCKS.get(kind, (1, 0))
        return offset + prod(shape) // values * size

    def scalars(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return values

    def string(self) -> str:
        (length,) = self.scalars("Q")
        self.at += length
        return self.data[self.at - length : self.at].decode("utf-8", errors="replace")

    def value(self, kind: int) -> Any:
        """A metadata value; None for an array, which is skipped."""
        if kind != _ARRAY:
            return self.string() if kind == _STRING else self.scalars(_FORMS[kind])[0]
        kind, count = self.scalars("IQ")
        self.at += count * struct.calcsize(f"<{_FORMS[kind]}")
        length = struct.Struct("<Q").unpack_from
        # A vocabulary has several hundred thousand strings, so this loop takes nearly all of the time.
        for _ in range(count if kind == _STRING else 0):
            self.at += 8 + length(self.data, self.at)[0]
        return None
