"""Fetching, adding and verifying a model as a process of its own: whoever begins it stays free, may go away and look
again, and stays offline while the process asks a hub. It tells how it stands in JSON lines on its output.

`python -m runtime.models.jobs TASK MODEL` is that process.
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
"""Seconds between two lines on how far it is."""


class Job(Value):
    """How the newest job stands; `said` is what came out, or why nothing did."""

    task: Task
    model: str
    state: Literal["running", "done", "failed", "stopped"] = "running"
    done: int = 0
    total: int = 0
    """Bytes; 0 while it is not known how many there are."""
    said: str = ""


class ModelJobs:
    """One job at a time. `environment` is what its process finds; the folders are those of the settings."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        places = {"SOLILOQUY_HOME": str(settings.home), "SOLILOQUY_MODELS": str(settings.models_dir)}
        self.environment = {**environment, **places}
        self.job: Job | None = None
        self._process: subprocess.Popen[str] | None = None
        self._lock = Lock()

    @property
    def running(self) -> bool:
        return self.job is not None and self.job.state == "running"

    def start(self, task: Task, model: str) -> None:
        """Begin; returns at once. Raises ModelError while another goes on."""
        if task not in get_args(Task) or not model.strip() or model.startswith("-"):
            raise ModelError("No model was named. Give the path of a GGUF file, or org/name-GGUF:Q4_K_M.")
        with self._lock:
            if self.running:
                raise ModelError(f"{self.job.model} is being worked on. Wait for its end, or stop it first.")
            command = [sys.executable, "-m", "runtime.models.jobs", task, model.strip()]
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
            )  # fmt: skip
            self.job = Job(task=task, model=model.strip())
            Thread(target=self._follow, args=(self._process,), name="model-job", daemon=True).start()

    def stop(self) -> None:
        """End it. What was fetched is kept, and the next fetch goes on from there."""
        with self._lock:
            if self.running:
                self.job = self.job.model_copy(update={"state": "stopped"})
                self._process.terminate()

    def _follow(self, process: subprocess.Popen[str]) -> None:
        with process:
            for line in process.stdout:
                self._tell(process, json.loads(line))
        said = "It ended without a word. Is there enough memory and room on the disk?"
        self._tell(process, {"state": "failed", "said": said})

    def _tell(self, process: subprocess.Popen[str], changes: dict[str, Any]) -> None:
        """What a process says counts while it is the newest one and has not said its last word."""
        with self._lock:
            if self.running and self._process is process:
                self.job = self.job.model_copy(update=changes)


def _act(task: Task, model: str) -> tuple[bool, str]:
    """Whether it went well, and the name of the model or a sentence. Raises SoliloquyError."""
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
        went_well, said = _act(task, model)
    except SoliloquyError as error:
        went_well, said = False, str(error)
    _print(state="done" if went_well else "failed", said=said)


if __name__ == "__main__":
    main(*sys.argv[1:])
