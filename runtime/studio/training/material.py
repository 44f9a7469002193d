"""Whether training can start: ratings and corrections so far, installed packages and models; and training examples."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from runtime.checks import arithmetic
from runtime.errors import SoliloquyError
from runtime.files import ROOT
from runtime.log.store import SessionLog
from runtime.models import catalogue
from runtime.problems.division import TESTED, Shortage, kept_apart, shortage
from runtime.problems.json_rows import Row
from runtime.prompts.critic_turn import judged as judged_steps
from runtime.settings import Settings
from runtime.studio.exports import rows_of, write_lines
from runtime.studio.exports.formats import corrected
from runtime.studio.labelled import LabelledAttempt, labelled_attempts
from runtime.types import Problem

NEEDED = 50
"""Fewest ratings with consent; a critic trained on fewer would fit chance."""
PACKAGES = ("torch", "peft", "transformers")
PATIENCE = 120
"""Longest time to make the preview, in seconds."""

Trainable = Literal["critic", "actor"]
"""What can be trained: a critic on ratings, or an actor on corrections."""
RECIPES: dict[Trainable, str] = {"critic": "sft/critic-{}.yaml", "actor": "preference/{}.yaml"}
"""The trainer's recipe for a base."""
Missing = Literal["packages", "base", "ratings", "errors", "corrections"]


class PreviewError(SoliloquyError):
    """The training examples could not be made."""


@dataclass(frozen=True)
class Readiness:
    role: Trainable
    ratings: int
    """Rated steps with consent."""
    corrections: int
    """Usable corrections with consent."""
    wrong: int
    """Attempts whose first error is known."""
    right: int
    """Attempts in which every step is right."""
    tested: int
    """Corrections at problems that are kept apart for the test."""
    shortage: Shortage
    """Of corrections."""
    bases: tuple[str, ...]
    """Installed models that have a recipe."""
    missing: tuple[Missing, ...]
    """What is missing before training can start."""


def readiness(log: SessionLog, settings: Settings, role: Trainable = "critic") -> Readiness:
    """What is there for training, and what is missing."""
    attempts = list(labelled_attempts(log))
    labels = {key: label for one in attempts for key, label in zip(one.step_ids, one.labels, strict=True) if label}
    ratings = sum(label.rating is not None for label in labels.values())
    judged = rows_of("judged", attempts)
    # A critic does not judge a last line that only states the answer.
    wrong = sum(0 <= row["first_error_index"] < len(judged_steps(row["steps"])) for row in judged)
    problems = [problem for problem, _ in corrections(attempts)]
    lacking, found = shortage(problems), bases(settings, role)
    checks: dict[Missing, bool] = {
        "packages": all(find_spec(name) for name in PACKAGES),
        "base": bool(found),
        "ratings": role == "actor" or ratings >= NEEDED,
        "errors": role == "actor" or wrong > 0,
        "corrections": role == "critic" or not lacking.total,
    }
    return Readiness(
        role=role,
        ratings=ratings,
        corrections=len(problems),
        wrong=wrong,
        right=sum(row["first_error_index"] < 0 for row in judged),
        tested=sum(kept_apart(problem, TESTED) for problem in problems),
        shortage=lacking,
        bases=found,
        missing=tuple(name for name, ok in checks.items() if not ok),
    )


def bases(settings: Settings, role: Trainable = "critic") -> tuple[str, ...]:
    """Installed models with a recipe for this role, smallest first."""
    recipes = ROOT / "trainer" / "recipes"
    here = sorted(catalogue.installed(settings), key=lambda entry: entry.bytes)
    return tuple(entry.name for entry in here if (recipes / RECIPES[role].format(entry.name)).is_file())


def corrections(attempts: Sequence[LabelledAttempt]) -> list[tuple[Problem, Row]]:
    """The pairs of a corrected step and the step it corrects, each once, with their problems. A correction that exact
    arithmetic refutes is left out."""
    found = {}
    for attempt in attempts:
        for row in corrected(attempt):
            if arithmetic.verdict(arithmetic.check(row["chosen"])) != "incorrect":
                found.setdefault(json.dumps(row, sort_keys=True), (attempt.problem, row))
    return list(found.values())


def write_material(log: SessionLog, role: Trainable, file: Path) -> int:
    """Write the judged attempts, or the corrections, for the trainer; returns their number. Raises ExportError."""
    attempts = list(labelled_attempts(log))
    rows = rows_of("judged", attempts) if role == "critic" else [row for _, row in corrections(attempts)]
    write_lines(file, rows)
    return len(rows)


def preview(log: SessionLog, role: Trainable = "critic", limit: int = 5) -> list[dict[str, Any]]:
    """The first training examples: rows that the trainer would make from the judged attempts, or pairs of corrections.
    Raises PreviewError."""
    if role == "actor":
        pairs = corrections(list(labelled_attempts(log)))
        return [row for problem, row in pairs if not kept_apart(problem, TESTED)][:limit]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_material(log, role, folder / "judged.jsonl")
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
