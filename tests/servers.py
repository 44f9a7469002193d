"""Servers for the tests of the OpenAI engine."""

import sys
from contextlib import contextmanager

from trainer.benchmarks.peers import serving


@contextmanager
def llama_cpp_server(model, context, threads):
    """The server of llama-cpp-python, one conversation at a time; a later request waits and does not end the running
    one. Yields the server's address. Raises ServerError."""
    command = [sys.executable, "-m", "llama_cpp.server", "--model", model, "--n_ctx", context, "--model_alias"]
    command += [model.stem, "--interrupt_requests", "false", "--n_threads", threads, "--n_threads_batch", threads]
    with serving(command) as url:
        yield url
