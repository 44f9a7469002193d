"""The option --json of all commands, and printing its object."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False))
