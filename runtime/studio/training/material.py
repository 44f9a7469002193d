"""Whether a run is worth beginning: what people said so far, what is installed, and how a training example looks."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from runtime.errors import SoliloquyError
from runtime.files import ROOT
from runtime.log.store import SessionLog
from runtime.models import catalogue
from runtime.prompts.critic_turn import judged as judged_steps
from runtime.settings import Settings
from runtime.studio.exports import rows_of, write_lines
from runtime.studio.labelled import labelled_attempts

NEEDED = 50
"""Ratings with consent; from fewer an adapter learns whims."""
PACKAGES = ("torch", "peft", "transformers")
PATIENCE = 120
"""Seconds that making training examples may take before it is given up."""

Missing = Literal["packages", "base", "ratings", "errors"]


class PreviewError(SoliloquyError):
    """Training examples could not be made; the text is the trainer's."""


@dataclass(frozen=True)
class Readiness:
    ratings: int
    """Steps with a rating and with consent."""
    corrections: int
    wrong: int
    """Attempts whose first error is known: what an adapter learns from."""
    right: int
    bases: tuple[str, ...]
    """Models that are here and have a recipe."""
    missing: tuple[Missing, ...]
    """Why it cannot begin."""


def readiness(log: SessionLog, settings: Settings) -> Readiness:
    """What there is to learn from, and what is missing."""
    attempts = list(labelled_attempts(log))
    told = {key: label for one in attempts for key, label in zip(one.step_ids, one.labels, strict=True) if label}
    ratings = sum(label.rating is not None for label in told.values())
    judged = rows_of("judged", attempts)
    right = sum(row["first_error_index"] < 0 for row in judged)
    # A wrong last line that only states the answer is not among the steps that a critic judges.
    wrong = sum(0 <= row["first_error_index"] < len(judged_steps(row["steps"])) for row in judged)
    found = bases(settings)
    checks: dict[Missing, bool] = {
        "packages": all(find_spec(name) for name in PACKAGES),
        "base": bool(found),
        "ratings": ratings >= NEEDED,
        "errors": wrong > 0,
    }
    return Readiness(
        ratings=ratings,
        corrections=sum(bool(label.correction) for label in told.values()),
        wrong=wrong,
        right=right,
        bases=found,
        missing=tuple(name for name, ok in checks.items() if not ok),
    )


def bases(settings: Settings) -> tuple[str, ...]:
    """Installed models for whose critic there is a recipe, the smallest first."""
    recipes = {
        path.stem.removeprefix("critic-") for path in (ROOT / "trainer" / "recipes" / "sft").glob("critic-*.yaml")
    }
    here = sorted(catalogue.installed(settings), key=lambda entry: entry.bytes)
    return tuple(entry.name for entry in here if entry.name in recipes)


def write_judged(log: SessionLog, file: Path) -> int:
    """What people judged, as the trainer reads it; returns how many attempts. Raises ExportError."""
    rows = rows_of("judged", labelled_attempts(log))
    write_lines(file, rows)
    return len(rows)


def preview(log: SessionLog, limit: int = 5) -> list[dict[str, Any]]:
    """The first examples that would be made of what people judged, row by row as they are learned. Raises
    PreviewError."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_judged(log, folder / "judged.jsonl")
        command = [sys.executable, "-m", "trainer", "examples", "--generated", "0"]
        command += ["--collected", str(folder / "judged.jsonl"), "--out", str(folder)]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PreviewError(
                f"Training examples could not be made ({error}). Try again when the machine is less busy."
            ) from error
        if done.returncode:
            last = (done.stderr.strip() or "it ended without a word").splitlines()[-1]
            raise PreviewError(f"Training examples could not be made: {last.removeprefix('Error: ')}")
        lines = (folder / "critic.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines[:limit]]
