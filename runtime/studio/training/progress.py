"""Reads the state of a training run from its files: stage, losses, remaining time and the gate's verdict.

`stages.jsonl` is in the folder of the run. Its line of the stage "tuning" names the folder of the trainer's
`progress.jsonl`, which has a line for every step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["running", "stopping", "stopped", "broken", "failed", "over"]
ENDED: tuple[State, ...] = ("over", "stopped", "failed")
STAGES = ("examples", "tuning", "adapter", "measuring", "gate")
STAGES_FILE, STEPS_FILE, STOP_FILE = "stages.jsonl", "progress.jsonl", "stop"
RECENT = 20
"""Number of last steps whose mean duration is used to estimate the remaining time."""


@dataclass(frozen=True)
class Point:
    """One step of tuning: losses, its duration and the time since the start in seconds. `dev` is the loss on rows kept
    apart, if it was computed at this step."""

    step: int
    loss: float
    seconds: float
    elapsed: float
    dev: float | None = None


@dataclass(frozen=True)
class Standing:
    """The state of a run."""

    state: State
    stage: str = ""
    """The last stage that was started, one of STAGES; empty before the first."""
    what: str = ""
    """What is being measured: adapter, base, or in use."""
    points: tuple[Point, ...] = ()
    steps: int = 0
    """Steps of tuning without a time limit."""
    minutes: float | None = None
    """Time limit of tuning."""
    verdict: dict[str, Any] = field(default_factory=dict)
    """The gate's `promoted`, `reasons` and `figures`, and the `version` that was made."""
    failure: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds of tuning left; None outside tuning or before its first step is done."""
        if self.stage != "tuning" or not self.points:
            return None
        last = self.points[-RECENT:]
        left = (self.steps - last[-1].step) * sum(point.seconds for point in last) / len(last)
        if self.minutes is not None:
            left = min(left, 60 * self.minutes - last[-1].elapsed)
        return max(0.0, left)


def read_standing(folder: Path, alive: bool) -> Standing:
    """The state of the run in a folder; `alive`: its process is running."""
    stages = [_renamed(row) for row in _rows(folder / STAGES_FILE)]
    last = stages[-1] if stages else {}
    ended = next((stage for stage in ENDED if stage == last.get("stage")), None)
    begun = next((row for row in reversed(stages) if row.get("stage") in STAGES), {})
    tuning = next((row for row in reversed(stages) if row.get("stage") == "tuning"), {})
    rows = _rows(Path(tuning["folder"]) / STEPS_FILE) if tuning else []
    return Standing(
        state=_state(folder, alive, ended),
        stage=begun.get("stage", ""),
        what=begun.get("what", ""),
        points=tuple(
            Point(row["step"], row["loss"], row["seconds"], row["elapsed"], row.get("dev"))
            for row in rows
            if row.keys() >= {"step", "loss", "seconds", "elapsed"}
        ),
        steps=rows[-1].get("steps", 0) if rows else 0,
        minutes=tuning.get("minutes"),
        verdict=last if ended == "over" else {},
        failure=last.get("text", "") if ended == "failed" else "",
    )


_FORMER = {"voice": "adapter", "lessons": "examples"}


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    """A line in this release's words; earlier releases wrote `voice` for the adapter and `lessons` for the examples."""
    row = {name: _FORMER.get(value, value) if isinstance(value, str) else value for name, value in row.items()}
    if isinstance(figures := row.get("figures"), dict):
        row["figures"] = {_FORMER.get(who, who): figure for who, figure in figures.items()}
    return row


def _state(folder: Path, alive: bool, ended: State | None) -> State:
    if alive:  # `ended` is then that of the part before it was resumed
        return "stopping" if (folder / STOP_FILE).exists() else "running"
    return ended or "broken"


def _rows(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a file, which may be in the middle of being written."""
    try:
        *lines, _unfinished = path.read_text("utf-8").split("\n")
    except OSError:
        return []
    return list(_parsed(lines))


def _parsed(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:  # a line cut off by a crash before the run was resumed
            continue
        if isinstance(row, dict):
            yield row
