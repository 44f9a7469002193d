"""Whether two mathematical expressions are equal, by math-verify in a process of its own with a deadline.

math-verify may hang, and its own timeout (`signal.alarm`) fails outside the main thread. So it runs as
`python -m runtime.checks.algebra`, with JSON lines on stdin and stdout, and is killed at the deadline. Thread-safe.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from typing import Any, TextIO

from runtime.files import ROOT

DEADLINE = 3.0
START_DEADLINE = 60.0  # importing sympy from a slow disk
MEMORY = 4 << 30


def equal(answer: str, reference: str) -> bool | None:
    """Whether two expressions are equal; None if one of them cannot be read as a whole, or at the deadline.
    Symmetric."""
    return WORKER.ask(answer, reference)


class Worker:
    """The process that runs math-verify: started at the first question, killed at a deadline, and then started again.

    It is started as a module, not with multiprocessing, so that the caller's main module is not run again.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[str] | None = None
        self.replies: queue.Queue[str] = queue.Queue()

    def ask(self, answer: str, reference: str) -> bool | None:
        with self.lock:
            try:
                process = self.process if self.process and self.process.poll() is None else self._start()
                print(json.dumps([answer, reference]), file=process.stdin, flush=True)
                return json.loads(self.replies.get(timeout=DEADLINE))
            except (OSError, queue.Empty, json.JSONDecodeError):  # it died, hangs, or died with an empty line
                self.stop()
                return None

    def stop(self) -> None:
        """Kill the process, even if it hangs, and leave no zombie."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            with contextlib.suppress(OSError):  # an unread question
                if self.process.stdin:
                    self.process.stdin.close()
            self.process = None

    def forget(self) -> None:
        """Start afresh in a forked child, as process and lock belong to the parent."""
        self.__init__()

    def _start(self) -> subprocess.Popen[str]:
        self.stop()
        root = str(ROOT)
        self.replies = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "runtime.checks.algebra"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))},
            start_new_session=True,  # so that Ctrl+C in a terminal reaches only the caller
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        threading.Thread(target=_collect, args=(self.process.stdout, self.replies), daemon=True).start()
        self.replies.get(timeout=START_DEADLINE)
        return self.process


def _collect(stream: TextIO, replies: queue.Queue[str]) -> None:
    """Move lines from the pipe to a queue, which unlike a pipe has a timeout on every system; "" marks the end."""
    with stream:
        for line in stream:
            replies.put(line)
    replies.put("")


WORKER = Worker()
atexit.register(WORKER.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WORKER.forget)


def _serve() -> None:
    """The worker: reads pairs of answers, writes true, false or null."""
    import math_verify  # noqa: F401  # takes half a second, so only the worker imports it

    if sys.platform == "linux":  # other systems have no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # 9^9^9^9 would fill the memory before the deadline
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        if os.name == "posix":
            signal.alarm(int(DEADLINE) + 2)  # ends a hanging worker whose parent has died
        print(json.dumps(_judged(*json.loads(line))), flush=True)


def _judged(first: str, second: str) -> bool | None:
    from math_verify import verify

    a, b = _parsed(first), _parsed(second)
    if not a or not b:
        return None
    if "." not in first + second and (exact := _equal_numbers(a[0], b[0])) is not None:
        return exact
    return verify(a, b, timeout_seconds=None) or verify(b, a, timeout_seconds=None)


def _parsed(text: str) -> list[Any] | None:
    """The expression that math-verify reads; None if it reads only a part of the text, such as the 7 of
    7+\\mathrm{e}."""
    from math_verify import parse

    for written in (f"${text}$", text):
        found = parse(written, parsing_timeout=None)  # pyrefly: ignore[bad-argument-type]
        if len(found) > 1 and _signs(str(found[1])) == _signs(text):
            return found
    return None


def _signs(text: str) -> list[str]:
    """The sorted digits and letters of a text, without LaTeX commands."""
    return sorted(re.findall(r"[0-9a-z]", _COMMAND.sub("", text.lower())))


_COMMAND = re.compile(r"\\[a-z]+|sqrt|frac|pi|sin|cos|tan|log|ln|exp")


def _equal_numbers(a: Any, b: Any) -> bool | None:
    """Compare two numbers to fifty digits, as 1/2^70 and 1/2^71 are equal as floats; None if one is not a number."""
    from sympy import Expr

    if not all(isinstance(one, Expr) and not one.free_symbols and one.is_finite for one in (a, b)):  # pyrefly: ignore[missing-attribute]
        return None
    size, off = abs(a.evalf(60)), abs((a - b).evalf(60))
    return bool(off <= size * 10**-50) if size.is_number and off.is_number and size.is_comparable else None


if __name__ == "__main__":
    _serve()
