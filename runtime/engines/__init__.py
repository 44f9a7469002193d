"""Generation behind one protocol (`base.Engine`); an implementation is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The engine that the settings name, holding `parallel` conversations at once: a server, or a model of this
    machine. With `batches` the weights' format that measured best for many replies at once is taken. `files`
    are adapters to use in the place of those in use. Raises EngineError, ModelError."""
    if settings.server:
        from runtime.engines.openai import OpenAIEngine

        return OpenAIEngine(settings.server, settings.model, parallel)
    path = catalogue.resolve(settings)
    extra_buffers = machine.extra_buffers(path, settings, batches)
    return load(machine.batch_file(path, settings) if batches else path, settings, parallel, files, extra_buffers)


def load(
    path: Path,
    settings: Settings,
    parallel: int = 2,
    files: Mapping[str, Path] | None = None,
    extra_buffers: bool | None = None,
) -> Engine:
    """The engine for a GGUF file (llama.cpp) or a folder of transformers', with the adapters in use. A file that is new
    here is tried in a process of its own first; `extra_buffers` are what measured best (`trial`). Raises EngineError,
    ModelError."""
    in_use = adapters.adapters_of(path, settings) if files is None else {}
    if path.is_dir():
        from runtime.engines.hf import HfEngine

        folders = files or {name: adapter.folder for name, adapter in in_use.items() if adapter.folder}
        return HfEngine(path, parallel, settings.context, folders)
    if not trial.is_known(path, settings, extra_buffers):
        catalogue.require_unchanged(path, settings)
    found = trial.require(path, settings, extra_buffers)  # before llama.cpp comes into this process
    from runtime.engines.llamacpp import LlamaCppEngine, measure

    def threads(model: llama_model_p) -> int:
        return machine.threads_for(path, settings, lambda: measure.fastest_threads(model))

    files = files or {name: adapter.path for name, adapter in in_use.items()}
    return LlamaCppEngine(path, settings.context, parallel, settings.threads or threads, files, found.extra_buffers)
