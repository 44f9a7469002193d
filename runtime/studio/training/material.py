"""Whether training can start: ratings so far, installed packages and models, and a preview of training examples."""

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
"""Fewest ratings with consent; an adapter trained on fewer would fit chance."""
PACKAGES = ("torch", "peft", "transformers")
PATIENCE = 120
"""Longest time to make the preview, in seconds."""

Missing = Literal["packages", "base", "ratings", "errors"]


class PreviewError(SoliloquyError):
    """The training examples could not be made."""


@dataclass(frozen=True)
class Readiness:
    ratings: int
    """Rated steps with consent."""
    corrections: int
    wrong: int
    """Attempts whose first error is known."""
    right: int
    """Attempts in which every step is right."""
    bases: tuple[str, ...]
    """Installed models that have a recipe."""
    missing: tuple[Missing, ...]
    """What is missing before training can start."""


def readiness(log: SessionLog, settings: Settings) -> Readiness:
    """What is there for training, and what is missing."""
    attempts = list(labelled_attempts(log))
    labels = {key: label for one in attempts for key, label in zip(one.step_ids, one.labels, strict=True) if label}
    ratings = sum(label.rating is not None for label in labels.values())
    judged = rows_of("judged", attempts)
    right = sum(row["first_error_index"] < 0 for row in judged)
    # A critic does not judge a last line that only states the answer.
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
        corrections=sum(bool(label.correction) for label in labels.values()),
        wrong=wrong,
        right=right,
        bases=found,
        missing=tuple(name for name, ok in checks.items() if not ok),
    )


def bases(settings: Settings) -> tuple[str, ...]:
    """Installed models with a critic's recipe, smallest first."""
    recipes = {
        path.stem.removeprefix("critic-") for path in (ROOT / "trainer" / "recipes" / "sft").glob("critic-*.yaml")
    }
    here = sorted(catalogue.installed(settings), key=lambda entry: entry.bytes)
    return tuple(entry.name for entry in here if entry.name in recipes)


def write_judged(log: SessionLog, file: Path) -> int:
    """Write the judged attempts for the trainer; returns their number. Raises ExportError."""
    rows = rows_of("judged", labelled_attempts(log))
    write_lines(file, rows)
    return len(rows)


def preview(log: SessionLog, limit: int = 5) -> list[dict[str, Any]]:
    """The first training examples that would be made from the judged attempts, as rows of the trainer. Raises
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
                f"The training examples could not be made ({error}). Try again when the machine is less busy."
            ) from error
        if done.returncode:
            last = (done.stderr.strip() or "the trainer gave no reason").splitlines()[-1]
            raise PreviewError(f"The training examples could not be made: {last.removeprefix('Error: ')}")
        lines = (folder / "critic.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines[:limit]]
