"""The child process of a trial (`runtime.models.trial`): loads a file, fills in its chat template, reads and writes.

`python -m runtime.engines.llamacpp.trial FILE None|True|False` prints the stages as JSON lines; the last line is that
the file works, or why it is refused. It may die or hang at any moment, and its memory is limited to what is free.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import llama_cpp as llama
import numpy as np
import psutil

from runtime.engines.base import EngineError
from runtime.engines.llamacpp.chat import Chat
from runtime.engines.llamacpp.measure import CHUNK, Bench, Token
from runtime.engines.llamacpp.model import load_model, repacked, safe_extra_buffers, vocab_of
from runtime.engines.template import TRIALS
from runtime.errors import SoliloquyError

try:
    import resource
except ImportError:  # on Windows, where memory is not limited
    resource = None

WRITTEN = 10
"""Number of tokens written one after another."""
AT_ONCE = 8
"""Number of tokens written in one batch, as batches use other kernels."""
TEMPLATE_MEMORY = 1 << 29
"""Most bytes for filling in a template."""
LONGEST_PROMPT = 1 << 14
"""Most tokens of the trial conversation; an ordinary template makes about two hundred."""
SPARE = 1 << 29
"""Bytes of address space for libraries and threads, which reserve more than they use."""

REMEDY = "Use another file of this model."
LONGEST = 900
"""Seconds after which the child ends itself, in case its parent is gone."""


def main(file: str, wanted: str) -> None:
    if hasattr(signal, "alarm"):
        signal.alarm(LONGEST)
    path, extra_buffers = Path(file), {"True": True, "False": False}.get(wanted)
    llama.llama_backend_init()
    report(stage="load", flags=llama.llama_print_system_info().decode().strip(" |"))
    try:
        extra_buffers = safe_extra_buffers(extra_buffers)
        report(extra_buffers=extra_buffers)
        run(path, extra_buffers)
    except SoliloquyError as error:
        report(refused=str(error))
    except MemoryError:
        report(refused=f"{path.name} needs more memory than is free. Close other programs or use a smaller model.")
    else:
        report(works=True)


def report(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def run(path: Path, extra_buffers: bool) -> None:
    """Load the file and run all stages. Raises EngineError."""
    with at_most(path.stat().st_size + psutil.virtual_memory().available + SPARE):
        model = load_model(path, extra_buffers)
        report(stage="template", repacked=repacked())
        chat = render(path.name, model)
        report(stage="decode")
        decode(path.name, model, chat)


@contextmanager
def at_most(more: int) -> Generator[None]:
    """Limit the growth of the address space to so many bytes; not with a GPU, whose driver reserves far more than it
    uses."""
    if resource is None or llama.llama_supports_gpu_offload():
        yield
        return
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + more
    with suppress(OSError, ValueError):  # a lower limit may be set
        resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def render(name: str, model: llama.llama_model_p) -> list[int]:
    """The tokens of the trial conversation. Raises EngineError if the template cannot be used, or if the tokens lack
    the person's text."""
    try:
        with at_most(TEMPLATE_MEMORY):
            chat = Chat(model, name)
            prompts = [short(name, chat.prompt_tokens(messages)) for messages in TRIALS]
    except EngineError:
        raise
    except Exception as error:  # a template is a program and may raise anything
        what = f"{type(error).__name__}: {error}"[:200].strip().rstrip(":.")
        raise EngineError(f"The chat template of {name} cannot be used ({what}). {REMEDY}") from error
    return prompts[0]


def short(name: str, prompt: list[int]) -> list[int]:
    """The prompt. Raises EngineError if it is far too long for a short problem."""
    if len(prompt) > LONGEST_PROMPT:
        raise EngineError(f"The chat template of {name} makes {len(prompt):,} tokens of a short problem. {REMEDY}")
    return prompt


def decode(name: str, model: llama.llama_model_p, prompt: list[int]) -> None:
    """Read a problem and write tokens, singly and in a batch. Raises EngineError if the logits are not finite."""
    with Bench(model, AT_ONCE, len(prompt) + WRITTEN + 2) as bench:
        rows: list[Token] = []
        token = 0
        for start in range(0, len(prompt), CHUNK):
            stretch = prompt[start : start + CHUNK]
            rows = [Token(token, start + i) for i, token in enumerate(stretch)]
            bench.decode(rows)
            token = likeliest(name, model, bench, len(rows))
        for position in range(len(prompt), len(prompt) + WRITTEN):
            bench.decode([Token(token, position)])
            token = likeliest(name, model, bench, 1)
        for sequence in range(1, AT_ONCE):
            llama.llama_memory_seq_cp(bench.memory, 0, sequence, -1, -1)
        bench.decode([Token(token, len(prompt) + WRITTEN, sequence) for sequence in range(AT_ONCE)])
        likeliest(name, model, bench, AT_ONCE)


def likeliest(name: str, model: llama.llama_model_p, bench: Bench, rows: int) -> int:
    """The likeliest token after the last row. Raises EngineError if the logits are not finite."""
    size = llama.llama_vocab_n_tokens(vocab_of(model))
    logits = np.ctypeslib.as_array(llama.llama_get_logits(bench.context), shape=(rows, size))
    if np.isnan(logits).any() or (logits.max(axis=1) == logits.min(axis=1)).any():
        raise EngineError(f"{name} is damaged: its logits are not finite numbers. Download or copy it again.")
    return int(logits[-1].argmax())


if __name__ == "__main__":
    main(*sys.argv[1:])
