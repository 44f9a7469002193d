"""The trainer's command line: `python -m trainer --help` lists a command per stage."""

from __future__ import annotations

from runtime.errors import exit_on_interrupt, run_command_line

exit_on_interrupt()

import logging
import warnings

import typer

from trainer.cli import experiments, judging, labelling, making, shipping, solving, tuning
from trainer.cli.former import Group

app = typer.Typer(
    cls=Group,
    help="Soliloquy's trainer: make data, train adapters, measure solvers and critics.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (making, labelling, tuning, shipping, solving, judging, experiments):
    app.add_typer(group.app)


@app.callback()
def begin() -> None:
    """Silences two library warnings on which a user cannot act."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # about a kernel on a hub, which is not fetched
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)  # peft still reads it


if __name__ == "__main__":
    run_command_line(app)
