"""Loads the engine in the background while the page is already open: one per process, shared by every tab.

`Loading` is the function that a `Session` calls for its engine. After a failure the next call loads again, so a model
that was downloaded meanwhile is found without a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Literal

from runtime.engines.base import Engine, EngineError
from runtime.errors import SoliloquyError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Readiness:
    """The state of loading; `text` is the model's name, or the reason why there is none."""

    state: Literal["loading", "ready", "missing"]
    text: str = ""
    error: SoliloquyError | None = None


class Loading:
    """Calls `load` when the engine is first needed; all callers wait for the same engine. Raises SoliloquyError if that
    fails, and calls `report` with the sentence, unless it is the same as the last one."""

    def __init__(self, load: Callable[[], Engine], report: Callable[[str], None] = lambda sentence: None) -> None:
        self._load = load
        self._engine: Engine | None = None
        self._report, self._reported = report, ""
        self._lock = Lock()
        self.readiness = Readiness("loading")

    def start(self) -> None:
        """Start loading; returns at once."""
        Thread(target=self._try, name="load-model", daemon=True).start()

    def _try(self) -> None:
        try:
            self()
        except SoliloquyError:
            return  # `readiness` has the reason, and the next call loads again

    def __call__(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self.readiness = Readiness("loading")
                try:
                    self._engine = self._load()
                except SoliloquyError as error:
                    self._missing(error)
                    raise
                except Exception as error:  # a library may raise anything for a bad file
                    logger.exception("The model could not be loaded.")
                    what = f"{type(error).__name__}: {error}".rstrip(":. ")
                    sentence = f"The model could not be loaded ({what}). Use another one, or download it again."
                    failed = EngineError(sentence)
                    self._missing(failed)
                    raise failed from error
            self.readiness = Readiness("ready", self._engine.model)
            return self._engine

    def _missing(self, error: SoliloquyError) -> None:
        sentence = str(error)
        self.readiness = Readiness("missing", sentence, error)
        if sentence != self._reported:
            self._reported = sentence
            self._report(sentence)

    def reload(self, load: Callable[[], Engine] | None = None) -> None:
        """Close the engine and load it again, with the adapters now in use, or with another `load`; returns at once."""
        self.close()
        self._load = load or self._load
        self.start()

    def close(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.close()
                self._engine = None
            self.readiness = Readiness("loading")
