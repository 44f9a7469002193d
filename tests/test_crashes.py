"""`make test` ends, and names the test, when a process that runs tests dies or hangs."""

import os
import re
import subprocess
import sys
import time

import pytest
from places import ROOT
from tables import rest

LAST_WORDS = """
import ctypes, os, time
import pytest

@pytest.mark.parametrize("number", range(20))
def test_before(number):
    pass

def test_that_dies():
    {deed}

@pytest.mark.parametrize("number", range(20))
def test_after(number):
    time.sleep(0.05)
"""


def options():
    """The pytest options of `make test`."""
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    (given,) = re.findall(r"^PYTEST := .* pytest (--numprocesses .*)", makefile, re.MULTILINE)
    return given.replace("$(JOBS)", "2").replace("timeout=600", "timeout=5").split()


@pytest.mark.parametrize(
    "deed",
    [
        "os.abort()",
        *rest("ctypes.PyDLL(None).sleep(60)"),  # holds the interpreter lock, so that signals are not handled
    ],
)
def test_a_worker_that_dies_or_hangs_ends_the_run_with_its_name_and_its_test(deed, tmp_path):
    (tmp_path / "test_dying.py").write_text(LAST_WORDS.format(deed=deed))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "crashes", *options()],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 1
    assert re.search(r"worker 'gw[01]' crashed while running 'test_dying\.py::test_that_dies'", ended.stdout)
    assert time.monotonic() - began < 30
