"""`python -m runtime`: the command line; its commands are in `runtime/cli`."""

from __future__ import annotations

from runtime.errors import exit_on_interrupt, run_command_line

exit_on_interrupt()

from runtime.cli.main import app

if __name__ == "__main__":
    run_command_line(app)
