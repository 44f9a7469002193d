"""Wordings of training data, in TOML files beside the code that uses them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


def read_wordings(module: str) -> dict[str, Any]:
    """The `wordings.toml` beside a module's `__file__`."""
    return tomllib.loads(Path(module).with_name("wordings.toml").read_text("utf-8"))
