"""One engine in a process of its own, so that none is slowed, starved of memory or ended by another.

A worker loads its engine, warms it up, and then measures what it is asked to. While others work, servers that it
started are suspended.
"""

from __future__ import annotations

import multiprocessing
import os
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

import psutil

from runtime.engines.base import Engine
from runtime.errors import SoliloquyError
from runtime.models.machine import batch_file, batch_width
from runtime.settings import Settings
from trainer.benchmarks import workloads

PARALLEL = 32
"""Conversations that our engine holds, unless the best number was measured."""
SLOTS = 16
PATIENCE = 2 * 3600.0
"""Seconds after which a workload counts as hung."""


class BenchError(SoliloquyError):
    """An engine cannot be measured; the text says why."""


@dataclass(frozen=True)
class Setup:
    """Which engine to load, and how."""

    engine: str
    path: Path
    settings: Settings
    """With threads and context, the same for every engine."""
    dtype: str
    """Of torch: the one whose matrix product was fastest."""
    log: Path
    """Where everything goes that engines print."""


def load(setup: Setup) -> tuple[Engine, Path]:
    """The engine, ours or a peer in its shape, and the file of its weights. Raises SoliloquyError, or whatever a peer
    raises."""
    path, context, threads = setup.path, setup.settings.context, setup.settings.threads
    if setup.engine == "transformers":
        from trainer.benchmarks.generate import Transformers

        return Transformers(path, threads, setup.dtype), path
    if setup.engine.startswith("ours"):
        from runtime import engines

        path = _faster_format(setup) if setup.engine == "ours+format" else path
        return engines.load(path, setup.settings, batch_width(setup.path, setup.settings, PARALLEL)), path
    from trainer.benchmarks.peers import LlamaLoop, Server

    if setup.engine == "loop":
        return LlamaLoop(path, context, threads), path
    from trainer.benchmarks.servers import llama_cpp_server, llama_server

    if setup.engine == "llama-server":
        return Server(setup.engine, llama_server(path, SLOTS, context, threads), path), path
    return Server(setup.engine, llama_cpp_server(path, context, threads), path), path


def _faster_format(setup: Setup) -> Path:
    found = batch_file(setup.path, setup.settings)
    if found == setup.path:
        raise BenchError(f"No faster format is known; `python -m runtime doctor --tune --model {setup.path}` tries.")
    return found


def _serve(setup: Setup, orders: Connection) -> None:
    """The worker's whole life."""
    Thread(target=_end_with_parent, daemon=True).start()
    with setup.log.open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    engine = None
    try:
        engine, path = load(setup)
        workloads.warm_up(engine)
        _suspend(True)
        orders.send({"file": str(path)})
        while order := orders.recv():
            _suspend(False)
            orders.send(workloads.measure(engine=engine, **order))
            _suspend(True)
    except (EOFError, KeyboardInterrupt):
        pass
    except Exception as error:  # noqa: BLE001 - the boundary of this process: whoever waits must hear of it
        orders.send({"error": str(error) if isinstance(error, SoliloquyError) else repr(error)})
    finally:
        _suspend(False)
        if engine:
            engine.close()


def _end_with_parent() -> None:
    """A killed bench must leave nothing behind that slows the next one."""
    multiprocessing.parent_process().join()
    _kill_children(os.getpid())
    os._exit(1)


def _kill_children(pid: int) -> None:
    for process in psutil.Process(pid).children(recursive=True):
        process.kill()


def _suspend(suspended: bool) -> None:
    for process in psutil.Process().children(recursive=True):
        process.suspend() if suspended else process.resume()


class Worker:
    """A running engine. Raises BenchError if it cannot be loaded."""

    def __init__(self, setup: Setup) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._orders, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(setup, theirs), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self.file = Path(self._answer()["file"])
        except BaseException:
            self.close()
            raise

    def measure(self, **order: Any) -> dict[str, Any]:
        """See `workloads.measure`. Raises BenchError if the engine fails."""
        self._orders.send(order)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        try:
            if not self._orders.poll(PATIENCE):
                raise BenchError(f"There was no result within {PATIENCE / 3600:.0f} hours.")
            answer = self._orders.recv()
        except (EOFError, ConnectionResetError) as error:
            raise BenchError("Its process ended.") from error
        if "error" in answer:
            raise BenchError(answer["error"])
        return answer

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self._orders.send(None)
        self._process.join(30)
        if self._process.is_alive():
            _kill_children(self._process.pid)
            self._process.kill()
