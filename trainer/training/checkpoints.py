"""Checkpoints: our own, in one file, and folders as transformers' Trainer writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from runtime.files import saved_by_library

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


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint of our own atomically. Raises OSError for a full disk."""
    unfinished = path.with_suffix(".part")
    with saved_by_library(unfinished):
        torch.save(state, unfinished)
    unfinished.replace(path)


def load_state(path: Path, device: str) -> dict[str, Any] | None:
    """The state that `save_state` wrote; None without one."""
    return torch.load(path, map_location=device, weights_only=True) if path.exists() else None
