"""Text generation behind one protocol (`base.Engine`). An implementation is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.models import adapters, catalogue, machine, trial

if TYPE_CHECKING:
    from llama_cpp import llama_model_p

    from runtime.engines.base import Engine
    from runtime.settings import Settings


def open_engine(
    settings: Settings, parallel: int = 2, batches: bool = False, files: Mapping[str, Path] | None = None
) -> Engine:
    """The engine of the settings, for `parallel` conversations at once: servers, each for that many, or a model of this
    machine. `batches`
    uses the weight format that measured fastest for batches. `files` are adapter files to use instead of the adapters
    in use. Raises EngineError, ModelError."""
    if settings.server:
        return _served(settings.server.split(","), settings.model, parallel)
    path = catalogue.resolve(settings)
    extra_buffers = machine.extra_buffers(path, settings, batches)
    return load(machine.batch_file(path, settings) if batches else path, settings, parallel, files, extra_buffers)


def _served(addresses: Sequence[str], model: str | None, parallel: int) -> Engine:
    from runtime.engines.openai import OpenAIEngine
    from runtime.engines.spread import SpreadEngine

    servers: list[OpenAIEngine] = []
    with ExitStack() as closing:
        for address in addresses:
            servers.append(OpenAIEngine(address.strip(), model, parallel))
            closing.callback(servers[-1].close)
        engine = servers[0] if len(servers) == 1 else SpreadEngine(servers)
        closing.pop_all()  # all were reached
    return engine


def load(
    path: Path,
    settings: Settings,
    parallel: int = 2,
    files: Mapping[str, Path] | None = None,
    extra_buffers: bool | None = None,
) -> Engine:
    """The engine for a GGUF file (llama.cpp) or a transformers folder, with the adapters in use. A file that is new on
    this machine is first tested in a child process (`models.trial`); `extra_buffers` is what measured fastest. Raises
    EngineError, ModelError."""
    in_use = adapters.adapters_of(path, settings) if files is None else {}
    if path.is_dir():
        from runtime.engines.hf import HfEngine

        folders = files or {name: adapter.folder for name, adapter in in_use.items() if adapter.folder}
        return HfEngine(path, parallel, settings.context, folders)
    if not trial.is_known(path, settings, extra_buffers):
        catalogue.require_unchanged(path, settings)
    found = trial.require(path, settings, extra_buffers)  # before llama.cpp is loaded into this process
    from runtime.engines.llamacpp import LlamaCppEngine, measure

    def threads(model: llama_model_p) -> int:
        return machine.threads_for(path, settings, lambda: measure.fastest_threads(model))

    files = files or {name: adapter.path for name, adapter in in_use.items()}
    return LlamaCppEngine(path, settings.context, parallel, settings.threads or threads, files, found.extra_buffers)
