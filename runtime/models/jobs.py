"""Downloads, adds and verifies models in a process of its own, so that the page stays responsive and offline.

The process is `python -m runtime.models.jobs TASK MODEL`; it reports its progress as JSON lines on stdout.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from threading import Lock, Thread
from typing import Any, Literal, get_args

from runtime import settings as configuration
from runtime.errors import SoliloquyError
from runtime.files import ROOT
from runtime.models import catalogue
from runtime.models.download.files import ModelError
from runtime.settings import Settings
from runtime.types import Value

Task = Literal["pull", "add", "verify"]
PACE = 0.2
"""Seconds between two progress lines."""


class Job(Value):
    """The state of a job. `result` is the name of the model or a sentence, and the reason if the job failed."""

    task: Task
    model: str
    state: Literal["running", "done", "failed", "stopped"] = "running"
    done: int = 0
    total: int = 0
    """Bytes; 0 while unknown."""
    result: str = ""


class ModelJobs:
    """Runs one job at a time, with this environment and the folders of the settings."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        places = {"SOLILOQUY_HOME": str(settings.home), "SOLILOQUY_MODELS": str(settings.models_dir)}
        self.environment = {**environment, **places}
        self.job: Job | None = None
        self._process: subprocess.Popen[str] | None = None
        self._lock = Lock()

    @property
    def running(self) -> bool:
        return self._running is not None

    @property
    def _running(self) -> Job | None:
        return self.job if self.job and self.job.state == "running" else None

    def start(self, task: Task, model: str) -> None:
        """Start a job; returns at once. Raises ModelError while another one is running."""
        if task not in get_args(Task) or not model.strip() or model.startswith("-"):
            raise ModelError("No model is given. Give the path of a GGUF file, or org/name-GGUF:Q4_K_M.")
        with self._lock:
            if running := self._running:
                raise ModelError(f"{running.model} is still being processed. Wait until it is done, or stop it first.")
            command = [sys.executable, "-m", "runtime.models.jobs", task, model.strip()]
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
            )  # fmt: skip
            self.job = Job(task=task, model=model.strip())
            Thread(target=self._follow, args=(self._process,), name="model-job", daemon=True).start()

    def stop(self) -> None:
        """Stop the job. What was downloaded is kept, and the next download continues from there."""
        with self._lock:
            if (running := self._running) and self._process:
                self.job = running.model_copy(update={"state": "stopped"})
                self._process.terminate()

    def _follow(self, process: subprocess.Popen[str]) -> None:
        with process:
            for line in process.stdout or ():
                self._update(process, json.loads(line))
        result = "The process ended without a result. Check the free memory and disk space, then try again."
        self._update(process, {"state": "failed", "result": result})

    def _update(self, process: subprocess.Popen[str], changes: dict[str, Any]) -> None:
        """Apply a line of a process, unless its job has ended or another one was started."""
        with self._lock:
            if (running := self._running) and self._process is process:
                self.job = running.model_copy(update=changes)


def _act(task: Task, model: str) -> tuple[bool, str]:
    """Do the task; returns whether it succeeded, and the model's name or a sentence. Raises SoliloquyError."""
    settings, last = configuration.load(), 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > PACE:
            last = time.monotonic()
            _print(done=done, total=total)

    if task == "verify":
        [(_, right, sentence)] = catalogue.verify(model, settings, progress)
        return right, sentence
    if task == "pull":
        catalogue.pull(model, settings, progress)
        return True, model
    return True, catalogue.add(model, settings, progress).name


def _print(**row: object) -> None:
    print(json.dumps(row, ensure_ascii=False), flush=True)


def main(task: Task, model: str) -> None:
    try:
        went_well, result = _act(task, model)
    except SoliloquyError as error:
        went_well, result = False, str(error)
    _print(state="done" if went_well else "failed", result=result)


if __name__ == "__main__":
    [asked, name] = sys.argv[1:]
    main(next(task for task in get_args(Task) if task == asked), name)
