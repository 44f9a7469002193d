"""The error that a person may see, and the end of every command. Its text names the cause and the remedy.

Every boundary (engine, store, models, settings, text) raises its own subclass of `SoliloquyError`; the command line and
the page catch the base class. `run_command_line` ends every command with an exit code. Ctrl+C, a full disk or a closed
pipe never print a traceback.
"""

from __future__ import annotations

import _thread
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable

from runtime.environment import repair_no_proxy

INTERRUPTED = 130
"""Exit code after Ctrl+C: 128 plus the number of SIGINT, as in shells."""


class SoliloquyError(Exception):
    """An error that a person can understand and act on.

    `kind` is the key `error.<kind>` of the locales, whose text `values` fill in; empty if there is no such key.
    """

    kind = ""

    def __init__(self, text: str = "", kind: str = "", **values: object) -> None:
        super().__init__(text)
        self.kind, self.values = kind or self.kind, values


def run_command_line(app: Callable[[], None]) -> None:
    """Run a command line and exit: code 0, 1 after one sentence on stderr, 130 after Ctrl+C, or the command's own."""
    raise_on_interrupt()
    make_streams_safe()
    repair_no_proxy()
    sys.exit(_code(app))


def exit_on_interrupt() -> None:
    """Let Ctrl+C end the program at once, until `run_command_line`: during an import, a KeyboardInterrupt would print a
    traceback, and some libraries turn it into another error."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_on_interrupt() -> None:
    """Let Ctrl+C raise KeyboardInterrupt. Python drops one that occurs in a callback from C, such as llama.cpp's while
    it loads a model; it is raised again after the callback."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def hook(lost: sys.UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            again = threading.Timer(0.1, _interrupt_main_thread)  # without a delay it would interrupt this function
            again.daemon = True
            again.start()
        else:
            sys.__unraisablehook__(lost)

    sys.unraisablehook = hook


def _interrupt_main_thread() -> None:
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signal.SIGINT)  # also ends a blocking system call
    else:
        _thread.interrupt_main()


def make_streams_safe() -> None:
    """Open closed standard streams on the null device, and escape what a stream cannot encode: the byte 0xE9 of a
    Latin-1 file name is written as \\udce9, also in JSON. On stdin such a byte becomes a lone surrogate, which
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
        sys.stdout.flush()  # here, so that a full disk or a closed pipe raises inside this try
    except SoliloquyError as error:
        code = _failed(str(error))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # such as `| head`
        _discard_output()
        code = 1
    except OSError as error:
        _discard_output()
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


def _discard_output() -> None:
    """Drop buffered output, which Python would otherwise try to write again at exit."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - kept to the end


def os_error_sentence(error: OSError) -> str:
    """A sentence with the reason, the path and the remedy."""
    named = isinstance(error.filename, str | bytes)
    place = f" ({os.fsdecode(error.filename)})" if named else " while writing the output"
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{reason}{place}. Finished work is kept. Free some space, then run the same command again; a command that"
            " can resume does so."
        )
    return f"{reason}{place}. Correct this, then run the same command again."
