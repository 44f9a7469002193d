"""Servers that the tests of the OpenAI engine talk to."""

import sys
from contextlib import contextmanager

from trainer.benchmarks.peers import serving


@contextmanager
def llama_cpp_server(model, context, threads):
    """The server of llama-cpp-python, one conversation at a time; a later request waits instead of ending the one under
    way. Yields the address to give to a client. Raises ServerError."""
    command = [sys.executable, "-m", "llama_cpp.server", "--model", model, "--n_ctx", context, "--model_alias"]
    command += [model.stem, "--interrupt_requests", "false", "--n_threads", threads, "--n_threads_batch", threads]
    with serving(command) as url:
        yield url
