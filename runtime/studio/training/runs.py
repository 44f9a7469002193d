"""Runs of the trainer: begun, followed, stopped, gone on with. All that is known of one lies in its folder.

    <home>/training/<id>/plan.json, judged.jsonl, process.json, output.log, stages.jsonl

There is one run at a time. Whether it lives is asked of the system: a process with the number and the birth of the one
that was started, so that a number which was given again deceives nobody.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Lock

import psutil
from pydantic import ValidationError

from runtime.errors import SoliloquyError
from runtime.files import write_whole
from runtime.log.store import SessionLog, new_id, now
from runtime.private_files import open_private
from runtime.settings import Settings
from runtime.studio.training.material import ROOT, bases, write_judged
from runtime.studio.training.progress import STOP_FILE, Standing, read_standing
from runtime.types import Value

LAST_LINES = 20
FRESH_LEAST, FRESH_TIMES = 200, 4
"""Attempts at fresh problems beside what people judged, so that the adapter forgets nothing."""
_lock = Lock()


class TrainingError(SoliloquyError):
    """A run cannot be begun, stopped or gone on with; the text says why and what to do."""


class Plan(Value):
    """What a person asked for."""

    base: str
    minutes: float
    attempts: int
    """How many judged attempts went in."""
    created_at: str


class Training:
    """The runs of this machine; the newest one counts. Raises TrainingError."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = settings.home / "training"

    @property
    def folder(self) -> Path | None:
        """Of the newest run. Folders that a person made have no ULID for a name."""
        found = sorted(path.parent for path in self.home.glob(f"{'?' * 26}/plan.json"))
        return found[-1] if found else None

    @property
    def plan(self) -> Plan | None:
        try:
            return Plan.model_validate_json((self.folder / "plan.json").read_bytes()) if self.folder else None
        except (OSError, ValidationError):
            return None

    @property
    def running(self) -> bool:
        return self.folder is not None and _alive(self.folder)

    def standing(self) -> Standing | None:
        """How the newest run stands; None if there was none."""
        return read_standing(self.folder, _alive(self.folder)) if self.folder else None

    def start(self, base: str, minutes: float, log: SessionLog) -> None:
        """Begin a run on what people judged up to now."""
        if base not in bases(self.settings):
            raise TrainingError(f"{base} cannot be trained here. Choose one of: {', '.join(bases(self.settings))}.")
        with _lock:
            self._refuse_second()
            folder = self.home / new_id(after=self.folder.name if self.folder else "")
            count = write_judged(log, folder / "judged.jsonl")
            plan = Plan(base=base, minutes=minutes, attempts=count, created_at=now())
            write_whole(folder / "plan.json", plan.model_dump_json(indent=1))
            self._launch(folder, plan)

    def stop(self) -> None:
        """Ask for an end. What was learned is saved first, which takes until the step under way is done."""
        if not self.running:
            raise TrainingError("Nothing is being trained, so there is nothing to stop.")
        (self.folder / STOP_FILE).touch()

    def resume(self) -> None:
        """Go on with the newest run where it ended."""
        with _lock:
            self._refuse_second()
            if not (self.folder and self.plan):
                raise TrainingError("There is no run to go on with. Begin one.")
            (self.folder / STOP_FILE).unlink(missing_ok=True)
            self._launch(self.folder, self.plan)

    def command(self, folder: Path, plan: Plan) -> list[str]:
        """What is run: the same command goes on where it ended."""
        return [
            sys.executable, "-m", "trainer", "retrain", "--base", plan.base, "--minutes", f"{plan.minutes:g}",
            "--collected", str(folder / "judged.jsonl"), "--generated", str(_fresh(plan.attempts)), "--go-on",
            "--no-use", "--progress", str(folder),
        ]  # fmt: skip

    def last_lines(self) -> str:
        """The end of what the newest run printed."""
        try:
            text = (self.folder / "output.log").read_text("utf-8", errors="replace") if self.folder else ""
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-LAST_LINES:])

    def _refuse_second(self) -> None:
        if self.running:
            raise TrainingError("An adapter is being trained already. Wait for its end, or stop it first.")

    def _launch(self, folder: Path, plan: Plan) -> None:
        places = {"SOLILOQUY_HOME": str(self.settings.home), "SOLILOQUY_MODELS": str(self.settings.models_dir)}
        try:
            with open_private(folder / "output.log", "ab") as output:
                # A session of its own: Ctrl+C at the page's terminal ends the page and not the training.
                process = subprocess.Popen(
                    self.command(folder, plan), cwd=ROOT, env={**os.environ, **places}, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            born = psutil.Process(process.pid).create_time()
            write_whole(folder / "process.json", json.dumps({"pid": process.pid, "born": born}))
        except (OSError, psutil.Error) as error:
            raise TrainingError(
                f"Training could not be begun ({error}). Look for room and rights in {folder}."
            ) from error


def _fresh(attempts: int) -> int:
    return max(FRESH_LEAST, FRESH_TIMES * attempts)


def _alive(folder: Path) -> bool:
    try:
        known = json.loads((folder / "process.json").read_text("utf-8"))
        process = psutil.Process(known["pid"])
        same = abs(process.create_time() - known["born"]) < 2  # seconds: the clock of the machine may be set meanwhile
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, psutil.Error):
        return False
