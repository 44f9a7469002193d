"""The engines we compare with: llama-cpp-python's loop, and llama.cpp's server in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from runtime.engines.base import Completion, Sampling
from runtime.engines.llamacpp.chat import Chat
from runtime.engines.llamacpp.model import safe_extra_buffers
from runtime.errors import SoliloquyError
from runtime.files import ROOT
from runtime.types import Messages

SLOTS = 16
"""Conversations of llama.cpp's server at once."""
START_SECONDS = 120.0
"""Enough to load a large model from a slow disk."""
STOP_SECONDS = 10.0
BINARY = ROOT / ".venv" / "llama-server" / "llama-server"


class ServerError(SoliloquyError):
    """A server is missing or did not start. The message ends with its log."""


def plain_llama(path: Path, **options: Any) -> llama_cpp.Llama:
    """llama-cpp-python's class with safe extra buffers (`safe_extra_buffers`). It has no argument for them, so its
    default parameters are replaced while it loads."""
    low_level, usual = llama_cpp.llama_cpp, llama_cpp.llama_cpp.llama_model_default_params

    def safe() -> Any:
        params = usual()
        params.use_extra_bufts = safe_extra_buffers(None)
        return params

    low_level.llama_model_default_params = safe
    try:
        return llama_cpp.Llama(str(path), verbose=False, **options)
    finally:
        low_level.llama_model_default_params = usual


class PlainLoop:
    """`create_completion`, one reply at a time, reusing the common prefix with the last prompt. Implements the part of
    the engine protocol that the workloads use: no adapters, stop strings or cancelling."""

    parallel = 1

    def __init__(self, path: Path, context: int, threads: int) -> None:
        self._llama = plain_llama(path, n_ctx=context, n_threads=threads, n_threads_batch=threads)
        self._chat = Chat(self._llama.model, path.name)

    def stream(self, messages: Messages, sampling: Sampling) -> Generator[str, None, Completion]:
        text, cut = "", False
        for piece in self._create(messages, sampling, sampling.seed, stream=True):
            [choice] = piece["choices"]
            text, cut = text + choice["text"], cut or choice["finish_reason"] == "length"
            yield choice["text"]
        written = sampling.max_tokens if cut else len(self._chat.tokens(text))
        return Completion(text, "length" if cut else "stop", self.count(messages), written)

    def sample(self, requests: Iterable[Messages], sampling: Sampling, n: int = 1) -> Generator[list[Completion]]:
        for number, messages in enumerate(requests):
            seeds = range(sampling.seed + number * n, sampling.seed + (number + 1) * n)
            replies = [self._create(messages, sampling, seed, stream=False) for seed in seeds]
            yield [
                Completion(choice["text"], choice["finish_reason"], usage["prompt_tokens"], usage["completion_tokens"])
                for reply in replies
                for choice, usage in [(reply["choices"][0], reply["usage"])]
            ]

    def _create(self, messages: Messages, sampling: Sampling, seed: int, stream: bool) -> Any:
        options = {name: getattr(sampling, name) for name in ("max_tokens", "temperature", "top_k", "top_p", "min_p")}
        return self._llama.create_completion(self._chat.prompt_tokens(messages), seed=seed, stream=stream, **options)

    def choice_logprobs(self, messages: Messages, parts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        asked, rows = [self._chat.tokens(choice)[0] for choice in choices], []
        for prompt in list(accumulate(map(self._chat.tokens, parts), initial=self._chat.prompt_tokens(messages)))[1:]:
            next(self._llama.generate(prompt, temp=0.0))
            last = llama_cpp.llama_get_logits_ith(self._llama.ctx, -1)
            logits = np.ctypeslib.as_array(last, shape=(self._llama.n_vocab(),)).astype(np.float64)
            rows.append(list(logits[asked] - np.logaddexp.reduce(logits)))
        return rows

    def count(self, messages: Messages) -> int:
        return len(self._chat.prompt_tokens(messages))

    def close(self) -> None:
        self._llama.close()


@contextmanager
def llama_server(model: Path, slots: int, context: int, threads: int) -> Generator[str]:
    """llama.cpp's own server for `slots` conversations of `context` tokens each. Yields a client address such as
    http://127.0.0.1:8080/v1. Raises ServerError."""
    if not BINARY.is_file():
        raise ServerError(f"llama.cpp's server is not at {BINARY}. Build it once: make llama-server")
    command = [BINARY, "--model", model, "--alias", model.stem, "--parallel", slots, "--ctx-size", context * slots]
    command += ["--flash-attn", "on", "--no-ui", "--threads", threads, "--threads-batch", threads]
    with serving(command) as url:
        yield url


@contextmanager
def serving(command: Sequence[object], seconds: float = START_SECONDS) -> Generator[str]:
    """Start a server of the OpenAI protocol on a free port, wait until it answers, and always stop it. Yields its
    address. Raises ServerError."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1"
    words = [*map(str, command), "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_healthy(process, url, seconds, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_healthy(process: subprocess.Popen, url: str, seconds: float, log: Any) -> None:
    """Wait until the server lists its models; llama-server answers 503 until they are loaded."""
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
    raise ServerError(f"llama-server {happened}. The end of its log:\n{last}")
