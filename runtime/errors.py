"""The one kind of error that a person may see: its text is a sentence that names the cause and the remedy.

Every boundary (engine, store, models, settings, text) raises its own subclass; the command line and the page catch
this one. `run_command_line` is where every command ends: with a sentence and an exit code, never with a traceback for
what a person or a machine did (Ctrl+C, a full disk, a reader that went away).
"""

from __future__ import annotations

import _thread
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable

from runtime.environment import mend_no_proxy

INTERRUPTED = 130
"""The exit code of a command that was ended with Ctrl+C, as shells have it: 128 and the number of SIGINT."""


class SoliloquyError(Exception):
    """Something that a person can understand and act on. `kind` names what it is for a page that says it in another
    language, with `values` to fill in; empty for what the page has no words of its own for."""

    kind = ""

    def __init__(self, text: str = "", kind: str = "", **values: object) -> None:
        super().__init__(text)
        self.kind, self.values = kind or self.kind, values


def run_command_line(app: Callable[[], None]) -> None:
    """Run a command line to its end and leave with its exit code: 0, 1 after one sentence on stderr, 130 after Ctrl+C,
    or whatever code the command chose."""
    answer_interrupts()
    make_streams_safe()
    mend_no_proxy()
    sys.exit(_code(app))


def die_of_interrupts() -> None:
    """Until the command line runs, Ctrl+C ends the program at once: a KeyboardInterrupt in the middle of an import can
    only become a traceback, and some libraries make another error of it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def answer_interrupts() -> None:
    """From now on Ctrl+C is a KeyboardInterrupt. One that hits while C code calls back into Python, as llama.cpp does
    all the time while it loads a model, would be printed and forgotten: it is raised again as soon as that is over."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def hook(lost: sys.UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            again = threading.Timer(0.1, _interrupt_main_thread)  # at once it would hit this very function
            again.daemon = True
            again.start()
        else:
            sys.__unraisablehook__(lost)

    sys.unraisablehook = hook


def _interrupt_main_thread() -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # ends a wait in the system too
    else:
        _thread.interrupt_main()


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
