"""Are two mathematical expressions equal? Decided by math-verify, in a process of its own with a deadline.

math-verify may hang, and guards itself with `signal.alarm`, which fails outside the main thread; so it runs as
`python -m runtime.checks.algebra`, JSON lines in and out, and is ended at the deadline. Safe to call from any thread.
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
    """None: one of the two cannot be read, or not to its end, or it took too long. Symmetric."""
    return WORKER.ask(answer, reference)


class Worker:
    """The process that runs math-verify: started when first asked, ended at the deadline, and then started anew.

    It is a module of its own to Python, so nothing of the caller's main module is run again, whoever the caller is.
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
            except (OSError, queue.Empty, json.JSONDecodeError):  # gone, hanging, or gone with an empty line
                self.stop()
                return None

    def stop(self) -> None:
        """End the process, hanging or not, and leave no zombie."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            with contextlib.suppress(OSError):  # a question that was never read
                if self.process.stdin:
                    self.process.stdin.close()
            self.process = None

    def forget(self) -> None:
        """In a forked child: the process and the lock are the parent's."""
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
            start_new_session=True,  # Ctrl-C in a terminal is for the caller
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        threading.Thread(target=_collect, args=(self.process.stdout, self.replies), daemon=True).start()
        self.replies.get(timeout=START_DEADLINE)
        return self.process


def _collect(stream: TextIO, replies: queue.Queue[str]) -> None:
    """Reading a pipe has no timeout on every system, a queue has. An empty line marks the end."""
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
    import math_verify  # noqa: F401  # half a second; only the worker pays it

    if sys.platform == "linux":  # elsewhere there is no such limit, or it cannot be set
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # 9^9^9^9 would fill the machine before the deadline
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        if os.name == "posix":
            signal.alarm(int(DEADLINE) + 2)  # ends a hanging worker whose parent is gone
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
    """What math-verify reads; None if that is only a part of the text, such as the 7 of 7+\\mathrm{e}."""
    from math_verify import parse

    for written in (f"${text}$", text):
        found = parse(written, parsing_timeout=None)  # pyrefly: ignore[bad-argument-type]
        if len(found) > 1 and _signs(str(found[1])) == _signs(text):
            return found
    return None


def _signs(text: str) -> list[str]:
    """Digits and letters without commands, in any order."""
    return sorted(re.findall(r"[0-9a-z]", _COMMAND.sub("", text.lower())))


_COMMAND = re.compile(r"\\[a-z]+|sqrt|frac|pi|sin|cos|tan|log|ln|exp")


def _equal_numbers(a: Any, b: Any) -> bool | None:
    """Two numbers to fifty digits, as floats hold 1/2^70 and 1/2^71 for the same; None if they are no two numbers."""
    from sympy import Expr

    if not all(isinstance(one, Expr) and not one.free_symbols and one.is_finite for one in (a, b)):  # pyrefly: ignore[missing-attribute]
        return None
    size, off = abs(a.evalf(60)), abs((a - b).evalf(60))
    return bool(off <= size * 10**-50) if size.is_number and off.is_number and size.is_comparable else None


if __name__ == "__main__":
    _serve()
