"""The real program in a process of its own, for tests that take minutes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app.py"


@dataclass
class Program:
    address: str
    process: subprocess.Popen[str]


@contextmanager
def program(home: Path, models: Path, *flags: str) -> Iterator[Program]:
    """`app.py` with a home of its own, once it is ready; killed at the end."""
    places = {"SOLILOQUY_HOME": str(home), "SOLILOQUY_MODELS": str(models), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, APP, "--no-browser", *flags], env={**os.environ, **places}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said = ""
    try:
        for line in process.stdout:
            said += line
            if ready := re.search(r"ready at (\S+)", line):
                yield Program(ready[1], process)
                return
        pytest.fail(f"the program did not start: {said}")
    finally:
        process.kill()
        process.wait()
