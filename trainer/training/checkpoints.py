"""Checkpoints as transformers' Trainer writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STATE = "trainer_state.json"


def state_of(checkpoint: Path) -> dict[str, Any] | None:
    """The trainer's state in a checkpoint; None if it was not written completely."""
    try:
        return json.loads((checkpoint / STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in a folder; the state is written last."""
    whole = {path: state["global_step"] for path in folder.glob("checkpoint-*") if (state := state_of(path))}
    return max(whole, key=whole.__getitem__, default=None)
