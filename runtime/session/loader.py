"""An engine that loads while the page is already up: one per process, shared by every tab.

`Loading` is itself what a `Session` calls for its engine. A load that failed is tried again at the next call, so a
model that was fetched meanwhile is found without a restart. Whatever goes wrong, the page has a sentence for it.
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
    """Where loading stands; `text` is the model's name, or why there is none."""

    state: Literal["loading", "ready", "missing"]
    text: str = ""
    error: SoliloquyError | None = None


class Loading:
    """Calls `load` once it is needed; every caller waits for the same engine. Raises SoliloquyError if it fails, and
    then `tell` is called with the sentence, once for each."""

    def __init__(self, load: Callable[[], Engine], tell: Callable[[str], None] = lambda sentence: None) -> None:
        self._load, self._engine = load, None
        self._tell, self._told = tell, ""
        self._lock = Lock()
        self.readiness = Readiness("loading")

    def start(self) -> None:
        """Begin to load; returns at once."""
        Thread(target=self._try, name="load-model", daemon=True).start()

    def _try(self) -> None:
        try:
            self()
        except SoliloquyError:
            return  # `readiness` says why, and the next call tries again.

    def __call__(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self.readiness = Readiness("loading")
                try:
                    self._engine = self._load()
                except SoliloquyError as error:
                    self._missing(error)
                    raise
                except Exception as error:  # a library or a file of somebody else: anything may be raised
                    logger.exception("The model could not be loaded.")
                    what = f"{type(error).__name__}: {error}".rstrip(":. ")
                    sentence = f"The model could not be loaded ({what}). Use another one, or fetch it again."
                    failed = EngineError(sentence)
                    self._missing(failed)
                    raise failed from error
            self.readiness = Readiness("ready", self._engine.model)
            return self._engine

    def _missing(self, error: SoliloquyError) -> None:
        sentence = str(error)
        self.readiness = Readiness("missing", sentence, error)
        if sentence != self._told:
            self._told = sentence
            self._tell(sentence)

    def reload(self, load: Callable[[], Engine] | None = None) -> None:
        """Let the engine go and load it anew, with the adapters that are in use by now, or another one from now on;
        returns at once."""
        self.close()
        self._load = load or self._load
        self.start()

    def close(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.close()
                self._engine = None
            self.readiness = Readiness("loading")
