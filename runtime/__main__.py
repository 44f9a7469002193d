"""`python -m runtime`: the command line, whose commands are in `runtime.cli`."""

from __future__ import annotations

from runtime.errors import die_of_interrupts, run_command_line

die_of_interrupts()

from runtime.cli.main import app

if __name__ == "__main__":
    run_command_line(app)
