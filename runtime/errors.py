"""The one kind of error that a person may see: its text is a sentence that names the cause and the remedy.

Every boundary (engine, store, models, settings, text) raises its own subclass; the command line and the page catch
this one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


class SoliloquyError(Exception):
    """Something that a person can understand and act on. `kind` names what it is for a page that says it in another
    language, with `values` to fill in; empty for what the page has no words of its own for."""

    kind = ""

    def __init__(self, text: str = "", kind: str = "", **values: object) -> None:
        super().__init__(text)
        self.kind, self.values = kind or self.kind, values


def run_command_line(app: Callable[[], None]) -> None:
    """Run a command line; a SoliloquyError becomes one sentence on stderr and exit code 1."""
    try:
        app()
    except SoliloquyError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
