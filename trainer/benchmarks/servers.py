"""Real servers of the OpenAI protocol, for measurements and tests: started as processes of their own on a free port of
this computer, waited for until they answer, and always stopped.

What talks to them is `runtime.engines.openai`; the other one who does is the benchmark.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import SoliloquyError
from runtime.files import ROOT

START_SECONDS = 120.0
"""A large model on a slow disk is read in less."""
STOP_SECONDS = 10.0
BINARY = ROOT / ".venv" / "llama-server" / "llama-server"


class ServerError(SoliloquyError):
    """A server is not there or did not start; the text holds the end of its log."""


def llama_server_binary() -> Path:
    """Where `make llama-server` puts llama.cpp's own server. Raises ServerError while it is not there."""
    if not BINARY.is_file():
        raise ServerError(f"llama.cpp's server is not at {BINARY}. Build it once: make llama-server")
    return BINARY


@contextmanager
def llama_server(model: Path, slots: int, context: int, threads: int | None = None) -> Iterator[str]:
    """llama.cpp's own server, `slots` conversations of `context` tokens each at once. Yields the address to give to a
    client, such as http://127.0.0.1:8080/v1. Raises ServerError."""
    command = [llama_server_binary(), "--model", model, "--alias", model.stem, "--parallel", slots]
    command += ["--ctx-size", context * slots, "--flash-attn", "on", "--no-ui"]
    if threads:
        command += ["--threads", threads, "--threads-batch", threads]
    with _serving(command) as url:
        yield url


@contextmanager
def llama_cpp_server(model: Path, context: int, threads: int | None = None) -> Iterator[str]:
    """The server of llama-cpp-python, one conversation at a time; a later request waits instead of ending the one under
    way. Yields the address to give to a client. Raises ServerError."""
    command = [sys.executable, "-m", "llama_cpp.server", "--model", model, "--n_ctx", context]
    command += ["--model_alias", model.stem, "--interrupt_requests", "false"]
    if threads:
        command += ["--n_threads", threads, "--n_threads_batch", threads]
    with _serving(command) as url:
        yield url


@contextmanager
def _serving(command: Sequence[object], seconds: float = START_SECONDS) -> Iterator[str]:
    port = _free_port()
    url = f"http://127.0.0.1:{port}/v1"
    words = [*map(str, command), "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_healthy(process, url, seconds, log)
            yield url
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def _wait_until_healthy(process: subprocess.Popen, url: str, seconds: float, log: tempfile.TemporaryFile) -> None:
    """Both kinds list their models once these are loaded; until then llama-server answers 503 to everything."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/models", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    happened = "did not answer in time" if process.poll() is None else f"ended with code {process.returncode}"
    log.seek(0)
    last = "\n".join(log.read().splitlines()[-12:])
    raise ServerError(f"{Path(process.args[0]).name} {happened}. The end of its log:\n{last}")


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
