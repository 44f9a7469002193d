"""The real program in a child process."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch
from urllib.parse import parse_qsl, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest
from places import ROOT

APP = ROOT / "app.py"
BARE = {"PATH": os.defpath, "HOME": os.environ.get("HOME", "/")}
"""Neither a display nor a browser, and no settings."""


def get(address: str, **headers: str) -> str:
    """The page a browser ends up with at this address: it keeps the cookie and follows the redirect."""
    browser = build_opener(ProxyHandler({}), HTTPCookieProcessor())
    for _ in range(2):
        with browser.open(Request(address, headers=headers), timeout=30) as answered:
            body = answered.read().decode()
        led_on = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', body)
        if not led_on:
            break
        address = urljoin(address, led_on[1])
    return body


def cookie(address: str) -> dict[str, str]:
    """The header by which the page recognises a browser that has opened this address."""
    opened = urlsplit(address)
    return {"Cookie": f"soliloquy-{opened.port}={dict(parse_qsl(opened.query))['token']}"}


@dataclass
class Program:
    address: str
    process: subprocess.Popen[str]
    output: str
    """The output until it was ready; the rest is still to be read from the process."""


@contextmanager
def program(
    home: Path, models: Path, *flags: str, environment: Mapping[str, str] = os.environ, cwd: Path | None = None
) -> Iterator[Program]:
    """`app.py` with its own home, once it reports that it is ready; killed at the end."""
    places = {"SOLILOQUY_HOME": str(home), "SOLILOQUY_MODELS": str(models), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, APP, *flags], env={**environment, **places}, cwd=cwd, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a background process of a shell ignores it
    )  # fmt: skip
    output = ""
    try:
        for line in process.stdout:
            output += line
            if ready := re.search(r"ready at (\S+)", line):
                yield Program(ready[1], process, output)
                return
        pytest.fail(f"the program did not start: {output}")
    finally:
        process.kill()
        process.wait()


def run(*arguments, module="runtime", **environment):
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def called(*arguments, module="runtime", **environment):
    """Like `run`, but in this process, for tests that do not depend on the process; saves a second."""
    from runtime.cli.main import app as runtime
    from runtime.errors import run_command_line
    from trainer.__main__ import app as trainer

    app = {"runtime": runtime, "trainer": trainer}[module]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        patch.dict(os.environ, environment),
        patch.object(sys, "unraisablehook", sys.unraisablehook),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        run_command_line(lambda: app([str(argument) for argument in arguments]))
    outputs = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess(arguments, end.value.code, *outputs)


def refused(finished, *words):
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr.startswith("Error: ")
    assert finished.stderr.count("\n") == 1
    for word in words:
        assert word in finished.stderr
