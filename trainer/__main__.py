"""The trainer's command line: `python -m trainer --help` lists a command per stage."""

from __future__ import annotations

import typer

from runtime.errors import run_command_line
from trainer.commands import making, measuring, tuning

app = typer.Typer(
    help="Soliloquy's trainer: measure critics and actors, make data, tune better ones.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (making, tuning, measuring):
    app.add_typer(group.app)

if __name__ == "__main__":
    run_command_line(app)
