"""The one kind of error that a person may see: its text is a sentence that names the cause and the remedy.

Every boundary (engine, store, models, settings, text) raises its own subclass; the command line and the page catch
this one. `run_command_line` is where every command ends: with a sentence and an exit code, never with a traceback for
what a person or a machine did (Ctrl+C, a full disk, a reader that went away).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from types import TracebackType

from runtime.environment import mend_no_proxy

INTERRUPTED = 130
"""The exit code of a command that was ended with Ctrl+C, as shells have it: 128 and the number of SIGINT."""


class SoliloquyError(Exception):
    """Something that a person can understand and act on."""


def run_command_line(app: Callable[[], None]) -> None:
    """Run a command line to its end and leave with its exit code: 0, 1 after one sentence on stderr, 130 after Ctrl+C,
    or whatever code the command chose."""
    interrupt_without_traceback()
    make_streams_safe()
    mend_no_proxy()
    sys.exit(_code(app))


def interrupt_without_traceback() -> None:
    """Ctrl+C outside any command, such as while libraries are imported, ends the program without a traceback."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):  # after which Python itself ends with the code of SIGINT
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook


def make_streams_safe() -> None:
    """A closed stream is an empty one, and a character or a path's byte that a stream cannot hold is escaped: the byte
    0xE9 of a Latin-1 name becomes \\udce9, also in JSON. On stdin such a byte stays visible as a lone surrogate, which
    `text.clean` refuses."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - kept to the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape" if name == "stdin" else "backslashreplace")


def _code(app: Callable[[], None]) -> int:
    try:
        code = _run(app)
        sys.stdout.flush()  # now, when a full disk or a gone reader can still be answered
    except SoliloquyError as error:
        code = _failed(str(error))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # `| head` has read enough
        _print_no_more()
        code = 1
    except OSError as error:
        _print_no_more()
        code = _failed(os_error_sentence(error))
    return code


def _run(app: Callable[[], None]) -> int:
    try:
        app()
    except SystemExit as end:
        return _failed(end.code, "") if isinstance(end.code, str) else end.code or 0
    return 0


def _failed(sentence: str, before: str = "Error: ") -> int:
    print(f"{before}{sentence}", file=sys.stderr)
    return 1


def _print_no_more() -> None:
    """What is still buffered cannot be written; Python must not try again when it ends."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - kept to the end


def os_error_sentence(error: OSError) -> str:
    """What the system refused, and what to do about it."""
    named = isinstance(error.filename, str | bytes)
    place = f" ({os.fsdecode(error.filename)})" if named else " where this is written to"
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{reason}{place}: what was finished before is kept. Make room, then give the same command again; one that"
            " can be resumed goes on."
        )
    return f"{reason}{place}. Change that, then give the same command again."
