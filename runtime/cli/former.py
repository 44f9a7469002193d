"""Reads the names of commands and options in earlier releases, and prints today's names."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click.core import Context

Names = Mapping[str, str]
"""Today's name by former name."""


def group_reading(commands: Names, options: Mapping[str, Names]) -> type[TyperGroup]:
    """A group of commands that also accepts former names of its commands, and of the options of each command (by its
    present name)."""

    class Group(TyperGroup):
        def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
            return super().parse_args(ctx, todays(args, commands, options))

    return Group


def todays(args: Sequence[str], commands: Names, options: Mapping[str, Names]) -> list[str]:
    """A command line with former names replaced by today's; prints each replacement on stderr."""
    if not args:
        return []
    command = _today(args[0], commands)
    return [command, *(_today(arg, options.get(command, {})) for arg in args[1:])]


def _today(arg: str, names: Names) -> str:
    name, equals, value = arg.partition("=")
    if name not in names:
        return arg
    print(f"{name} is called {names[name]} now.", file=sys.stderr)
    return names[name] + equals + value
