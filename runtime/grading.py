"""Is this answer equal to that one? Numbers are decided here exactly, the rest by math-verify in a worker process.

math-verify may hang, and guards itself with `signal.alarm`, which fails outside the main thread; so it runs in a
process of its own (`python -m runtime.grading`, JSON lines) that is ended at a deadline. Safe to call from any thread.
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
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, TextIO

from runtime import numerals
from runtime.types import Problem

DEADLINE = 3.0
START_DEADLINE = 60.0  # importing sympy from a slow disk
MEMORY = 4 << 30
MAX_CHARACTERS = 1000
WRAPPER = re.compile(
    r"^.*####\s*|^.*(?:\banswer|答案)\s*(?:is|:|=|是|为)+\s*|^(?:so|thus|therefore|hence|about)\b,?\s*|^\\?[a-z]\w{0,9}\s*=\s*",
    re.IGNORECASE | re.DOTALL,
)
BOXED = re.compile(r".*\\boxed\s*\{(.*)\}\W*", re.DOTALL)
CHOICE = re.compile(r"\(?([A-Za-z])[).]?")
TIME_OF_DAY = re.compile(r"\d:\d|\d\s*[ap]\.?m\b", re.IGNORECASE)
MATHS = re.compile(r"[\d\\^_=<>{}]|\b[a-zA-Z]\b")


class Quantity(NamedTuple):
    value: Fraction
    percent: bool
    decimals: int
    unit: tuple[tuple[str, ...], Fraction] | None
    """Dimension and size; None if there is no unit that we know."""


def grade(answer: str | None, problem: Problem) -> bool | None:
    """Whether an answer is the reference answer. None: there is none, or one of the two cannot be read."""
    if not answer or not problem.answer:
        return None
    return equal(answer, problem.answer)


def equal(a: str, b: str) -> bool | None:
    """Whether two answers say the same; None if that cannot be judged."""
    if max(len(a), len(b)) > MAX_CHARACTERS:
        return None
    a, b = _unwrap(a), _unwrap(b)
    if not a or not b:
        return None
    return decided if (decided := _decide(a, b)) is not None else _decide_parts(a, b)


def _decide(a: str, b: str) -> bool | None:
    """The everyday cases: the same words, letters of a choice, times of day, numbers with units."""
    if _plain(a) == _plain(b):
        return True
    first, second = CHOICE.fullmatch(a), CHOICE.fullmatch(b)
    if first and second:
        return first[1].lower() == second[1].lower()
    if TIME_OF_DAY.search(a) or TIME_OF_DAY.search(b):
        return False
    one, other = _quantity(a), _quantity(b)
    if one and other:
        return _same_quantity(one, other)
    return None if MATHS.search(a) or MATHS.search(b) else False


def _decide_parts(a: str, b: str) -> bool | None:
    """Lists in order, and everything that needs algebra."""
    first, second = (re.split(r"\s*[,;，；]\s*", text.strip("()[]{}")) for text in (a, b))
    if len(first) == len(second) > 1 and all(map(_decide, first, second)):
        return True
    if not MATHS.search(a) or not MATHS.search(b):
        return None  # "twelve" and 12
    return _WORKER.ask(a, b)


def _unwrap(text: str) -> str:
    """The answer without the words, the box and the marks around it."""
    text = text.translate(numerals.PLAIN).replace("**", "").strip()
    for pattern in (BOXED, WRAPPER, WRAPPER, BOXED):
        boxed = BOXED.fullmatch(text) if pattern is BOXED else None
        text = boxed[1] if boxed else WRAPPER.sub("", text) if pattern is WRAPPER else text
    return text.strip().rstrip(".。").strip()


def _plain(text: str) -> str:
    text = re.sub(r"\\(?:text|mathrm|textbf)\s?\{([^{}]*)\}", r"\1", text).casefold()
    return re.sub(r"[\s\"'“”$]+", " ", re.sub(r"^(?:an?|the)\s+", "", text)).strip()


def _quantity(text: str) -> Quantity | None:
    """The number that a text is, with its unit; None for anything else, such as sums and lists."""
    tokens = numerals.tokenize(text)
    reading = numerals.expression(tokens, 0) if tokens else None
    if reading is None or not set(reading.ops) <= {"/", "*", "^"}:
        return None
    behind = tokens[reading.end :]
    if any(token.kind not in ("word", "/", "cur", "sup", "^", "num") for token in behind):
        return None
    if any(token.kind == "num" and behind[i - 1].kind != "^" for i, token in enumerate(behind)):
        return None  # 3 hours 20 minutes
    try:
        value = numerals.evaluate(reading.node, Fraction(1))
    except (ZeroDivisionError, numerals.Unreadable):
        return None
    decimals = 0 if reading.ops else max(leaf.decimals for leaf in numerals.leaves(reading.node))
    names = [token.text for token in behind if token.kind != "/" and token.text != "per"] or reading.units
    scale = numerals.unit_of(names[0]) if names else None
    if scale and scale[0] == "count":
        return Quantity(value * scale[1], False, 0, None)
    return Quantity(value, numerals.has_percent(reading.node), decimals, _unit(names))


def _unit(names: list[str]) -> tuple[tuple[str, ...], Fraction] | None:
    """km and h give the unit of km/h."""
    known = [unit for unit in map(numerals.unit_of, names) if unit]
    if not names or len(known) < len(names):
        return None
    size = known[0][1]
    for _, divisor in known[1:]:
        size /= divisor
    return tuple(dimension for dimension, _ in known), size


def _same_quantity(a: Quantity, b: Quantity) -> bool:
    if a.unit and b.unit and a.unit != b.unit:
        return a.unit[0] == b.unit[0] and a.value * a.unit[1] == b.value * b.unit[1]
    if a.percent == b.percent:
        return _same_number(a, b)
    percent, plain = (a, b) if a.percent else (b, a)
    part = percent._replace(value=percent.value / 100, decimals=percent.decimals + 2 if percent.decimals else 0)
    return _same_number(percent, plain) or _same_number(part, plain)


def _same_number(a: Quantity, b: Quantity) -> bool:
    """Equal, or one is the other rounded to at least two decimals."""
    half_units = [Fraction(1, 2 * 10**quantity.decimals) for quantity in (a, b) if quantity.decimals >= 2]
    return abs(a.value - b.value) <= max(half_units, default=0)


class _Worker:
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
                process.stdin.write(json.dumps([answer, reference]) + "\n")
                process.stdin.flush()
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
                self.process.stdin.close()
            self.process = None

    def forget(self) -> None:
        """In a forked child: the process and the lock are the parent's."""
        self.__init__()

    def _start(self) -> subprocess.Popen[str]:
        self.stop()
        root = str(Path(__file__).resolve().parent.parent)
        self.replies = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "runtime.grading"],
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


_WORKER = _Worker()
atexit.register(_WORKER.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_WORKER.forget)


def _serve() -> None:
    """The worker: reads pairs of answers, writes true, false or null."""
    from math_verify import parse, verify  # half a second; only the worker pays it

    if sys.platform == "linux":  # elsewhere there is no such limit, or it cannot be set
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # 9^9^9^9 would fill the machine before the deadline
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        if os.name == "posix":
            signal.alarm(int(DEADLINE) + 2)  # ends a hanging worker whose parent is gone
        answer, reference = (
            parse(f"${t}$", parsing_timeout=None) or parse(t, parsing_timeout=None) for t in json.loads(line)
        )
        judged = bool(verify(reference, answer, timeout_seconds=None)) if answer and reference else None
        print(json.dumps(judged), flush=True)


if __name__ == "__main__":
    _serve()
