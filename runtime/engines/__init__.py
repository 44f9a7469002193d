"""Generation behind one protocol (`base.Engine`); an implementation is imported only when it is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.engines.base import Engine
    from runtime.settings import Settings


def load(path: Path, settings: Settings, parallel: int = 2) -> Engine:
    """The engine for a model file, holding `parallel` conversations at once. Raises EngineError."""
    from runtime.engines.llamacpp import LlamaCppEngine

    return LlamaCppEngine(path, context=settings.context, parallel=parallel, threads=settings.threads)
