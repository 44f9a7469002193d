"""Damaged and malicious model files, made from the small model that ships with Soliloquy."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from runtime.models.trial import KNOWN_GOOD

PLAIN = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

REFUSED_TEMPLATES = {
    "syntax error": ("{% for message in messages %}", "cannot be used"),
    "unknown tag": ("{% shell 'true' %}" + PLAIN, "cannot be used"),
    "unknown function": ("{{ launch(messages) }}", "cannot be used"),
    "a division by zero": ("{{ 1 // 0 }}" + PLAIN, "cannot be used"),
    "raises at once": ("{{ raise_exception('not today') }}", "not today"),
    "reaches for Python's insides": (
        "{{ messages.__class__.__mro__ }}{{ ''.__class__.__base__.__subclasses__() }}",
        "",
    ),
    "calls itself for ever": ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}" + PLAIN, "cannot be"),
    "huge by repetition": ("{{ 'x' * 10000000000 }}" + PLAIN, "cannot be used"),
    "huge in pieces": ("{% for a in range(300) %}" + "{{ 'word ' * 2000 }}" * 2 + "{% endfor %}" + PLAIN, "template"),
    "a long preamble": ("{% for a in range(9000) %}{{ a }} {% endfor %}" + PLAIN, "tokens of a short problem"),
    "blank": (" \n", "no chat template"),
    "empty": ("", "no chat template"),
    "the word chatml": ("chatml", "drops the problem"),
    "content as parts only": (
        "{% for m in messages %}{% if m.content is not string %}{{ m.content[0].text }}{% endif %}{% endfor %}",
        "drops the problem",
    ),
    "the system's words only": ("{% for m in messages if m.role == 'system' %}{{ m.content }}{% endfor %}", "drops"),
    "the first question only": ("{{ (messages | selectattr('role', 'eq', 'user') | first).content }}", "drops"),
    "the roles only": ("{% for message in messages %}{{ message.role }}{% endfor %}", "drops the problem"),
    "no second turn": (
        "{% if messages | length > 2 %}{{ raise_exception('once is enough') }}{% endif %}" + PLAIN,
        "once is enough",
    ),
}
ENDLESS_TEMPLATES = {
    "loops for ever": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}" + PLAIN,
    "counts for ever": "{{ 9 ** (9 ** 9) }}" + PLAIN,
}
WORKING_TEMPLATES = {
    "plain": PLAIN,
    "long but finite": "{% for a in range(300) %}{{ a }} {% endfor %}" + PLAIN,
    "another's words": PLAIN.replace("<|im_start|>", "<<").replace("<|im_end|>", ">>"),
}


@cache
def good() -> bytes:
    return KNOWN_GOOD.read_bytes()


@cache
def data_start() -> int:
    return min(tensor.data_offset for tensor in GGUFReader(KNOWN_GOOD).tensors)


def with_template(path: Path, template: str) -> Path:
    return rewritten(path, {"tokenizer.chat_template": template})


def rewritten(path: Path, changes: dict[str, object]) -> Path:
    """The small model with other metadata; a value of None removes an entry."""
    reader = GGUFReader(KNOWN_GOOD)
    writer = GGUFWriter(path, "llama")
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value = changes.get(name, field.contents())
        if value is None:
            continue
        kind, inner = field.types[0], field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(name, value, kind, inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def damaged() -> Iterator[tuple[str, bytes]]:
    """Files by what is wrong with them. Some can be used nevertheless."""
    whole, head = good(), data_start()
    for cut in (3, 4, 12, 23, 24, 31, 200, 4_000, head // 2, head - 1, head, head + 1, len(whole) // 2, len(whole) - 1):
        yield f"cut at {cut}", whole[:cut]
    for start, size in ((8, 8), (16, 8), (24, 64), (head // 2, 4096), (head - 4096, 4096), (head, 1 << 20)):
        yield f"zeros at {start}", whole[:start] + bytes(size) + whole[start + size :]
    yield "no weights", whole[:head] + bytes(len(whole) - head)
    rng = np.random.default_rng(0)
    for seed in range(2):
        yield f"random weights {seed}", whole[:head] + rng.bytes(len(whole) - head)
    for seed in range(3):
        noisy = bytearray(whole)
        for place in rng.integers(24, head, 40):
            noisy[place] ^= int(rng.integers(1, 256))
        yield f"flipped bytes in the head {seed}", bytes(noisy)
    yield "weights that are no numbers", whole[:head] + b"\xff\x7e" * ((len(whole) - head) // 2)
    yield "infinite weights", whole[:head] + b"\x00\x7c" * ((len(whole) - head) // 2)
    for name, place, form, number in (
        ("tensors", 8, "<Q", 1 << 60),
        ("entries", 16, "<Q", 1 << 60),
        ("version", 4, "<I", 99),
        ("key", 24, "<Q", 1 << 62),
    ):
        yield f"absurd {name}", whole[:place] + struct.pack(form, number) + whole[place + struct.calcsize(form) :]


ABSURD = {
    "heads": {"llama.attention.head_count": 3},
    "no heads": {"llama.attention.head_count": 0},
    "layers": {"llama.block_count": 4_000_000_000},
    "no layers": {"llama.block_count": 0},
    "embedding": {"llama.embedding_length": 1 << 31},
    "no tokens": {"tokenizer.ggml.tokens": ["a"]},
    "end token": {"tokenizer.ggml.eos_token_id": 4_000_000_000},
    "context": {"llama.context_length": 4_294_967_295},
    "an unknown tokenizer": {"tokenizer.ggml.model": "none of them"},
    "a rope of no size": {"llama.rope.dimension_count": 0},
    "a key of another size": {"llama.attention.key_length": 1 << 30},
}
