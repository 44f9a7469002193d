"""Starts, stops and resumes runs of the trainer. The state of a run is in its folder:

    <home>/training/<id>/plan.json, judged.jsonl or corrections.jsonl, process.json, output.log, stages.jsonl

There is one run at a time, whatever it trains. It is alive if the system has a process with its id and its start time,
as ids are reused.
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
from runtime.studio.training.material import ROOT, Trainable, bases, write_material
from runtime.studio.training.progress import STOP_FILE, Standing, read_standing
from runtime.types import Value

LAST_LINES = 20
FRESH_LEAST, FRESH_TIMES = 200, 4
"""Generated training examples added to the judged attempts, so that the adapter keeps what it learned before: at least
the first number, else the second times the number of attempts."""
MATERIAL: dict[Trainable, str] = {"critic": "judged.jsonl", "actor": "corrections.jsonl"}
_lock = Lock()


class TrainingError(SoliloquyError):
    """A run cannot be started, stopped or resumed."""


class Plan(Value):
    """What a run was started with."""

    base: str
    minutes: float
    attempts: int
    """Number of judged attempts, or of corrections."""
    created_at: str
    role: Trainable = "critic"


class Training:
    """The runs of this machine. Used is the one in progress, else the newest of a role (None: of any). Raises
    TrainingError."""

    def __init__(self, settings: Settings, role: Trainable | None = None) -> None:
        self.settings, self.role = settings, role
        self.home = settings.home / "training"

    @property
    def folder(self) -> Path | None:
        """The folder of the run that is used; None if there is none."""
        runs = self._folders()
        if self.role is None or (runs and _alive(runs[-1])):
            return runs[-1] if runs else None
        return next((run for run in reversed(runs) if (plan := _plan(run)) and plan.role == self.role), None)

    def _folders(self) -> list[Path]:
        """The folders of all runs, oldest first. Their names are ULIDs, unlike those of other folders."""
        return sorted(path.parent for path in self.home.glob(f"{'?' * 26}/plan.json"))

    @property
    def plan(self) -> Plan | None:
        return _plan(self.folder) if self.folder else None

    @property
    def running(self) -> bool:
        return self.folder is not None and _alive(self.folder)

    def standing(self) -> Standing | None:
        """The state of the run; None if there is none."""
        return read_standing(self.folder, _alive(self.folder)) if self.folder else None

    def start(self, base: str, minutes: float, log: SessionLog) -> None:
        """Start a run on what people have judged or corrected so far, with this limit of minutes for tuning."""
        role = self.role or "critic"
        if base not in (here := bases(self.settings, role)):
            raise TrainingError(f"{base} cannot be trained here. Choose one of: {', '.join(here)}.")
        with _lock:
            self._refuse_second()
            folder = self.home / new_id(after=max((run.name for run in self._folders()), default=""))
            count = write_material(log, role, folder / MATERIAL[role])
            plan = Plan(base=base, minutes=minutes, attempts=count, created_at=now(), role=role)
            write_whole(folder / "plan.json", plan.model_dump_json(indent=1))
            self._launch(folder, plan)

    def stop(self) -> None:
        """Ask the run to stop; it finishes its current step and saves first."""
        if not (self.running and self.folder):
            raise TrainingError("No training is running, so there is nothing to stop.")
        (self.folder / STOP_FILE).touch()

    def resume(self) -> None:
        """Resume the run where it ended."""
        with _lock:
            self._refuse_second()
            if not (self.folder and self.plan):
                raise TrainingError("There is no training to continue. Start one.")
            (self.folder / STOP_FILE).unlink(missing_ok=True)
            self._launch(self.folder, self.plan)

    def command(self, folder: Path, plan: Plan) -> list[str]:
        """The trainer's command, which resumes where an earlier run in the folder ended."""
        material = str(folder / MATERIAL[plan.role])
        if plan.role == "critic":
            makes = ["retrain", "--collected", material, "--generated", str(_fresh(plan.attempts))]
        else:
            makes = ["retrain-actor", "--pairs", material]
        shared = ["--base", plan.base, "--minutes", f"{plan.minutes:g}", "--go-on", "--no-use"]
        return [sys.executable, "-m", "trainer", *makes, *shared, "--progress", str(folder)]

    def last_lines(self) -> str:
        """The last lines of the run's output."""
        try:
            text = (self.folder / "output.log").read_text("utf-8", errors="replace") if self.folder else ""
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-LAST_LINES:])

    def _refuse_second(self) -> None:
        if self.running:
            raise TrainingError("Another training is running. Wait until it is done, or stop it first.")

    def _launch(self, folder: Path, plan: Plan) -> None:
        places = {"SOLILOQUY_HOME": str(self.settings.home), "SOLILOQUY_MODELS": str(self.settings.models_dir)}
        try:
            with open_private(folder / "output.log", "ab") as output:
                # A session of its own, so that Ctrl+C in the page's terminal does not end the training.
                process = subprocess.Popen(
                    self.command(folder, plan), cwd=ROOT, env={**os.environ, **places}, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            born = psutil.Process(process.pid).create_time()
            write_whole(folder / "process.json", json.dumps({"pid": process.pid, "born": born}))
        except (OSError, psutil.Error) as error:
            raise TrainingError(
                f"Training could not be started ({error}). Check the free space of {folder} and the rights to write"
                " there."
            ) from error


def _plan(folder: Path) -> Plan | None:
    try:
        return Plan.model_validate_json((folder / "plan.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _fresh(attempts: int) -> int:
    return max(FRESH_LEAST, FRESH_TIMES * attempts)


def _alive(folder: Path) -> bool:
    try:
        known = json.loads((folder / "process.json").read_text("utf-8"))
        process = psutil.Process(known["pid"])
        same = abs(process.create_time() - known["born"]) < 2  # seconds, as the clock may have been corrected
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, psutil.Error):
        return False
