"""What the files of a run tell: its stage, the losses so far, the time that is left, and the gate's verdict.

`stages.jsonl` lies in the folder of the run; the line of the stage "tuning" names the folder of the trainer's own
`progress.jsonl`, which has a line for every step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["running", "stopping", "stopped", "broken", "failed", "over"]
STAGES = ("examples", "tuning", "adapter", "measuring", "gate")
STAGES_FILE, STEPS_FILE, STOP_FILE = "stages.jsonl", "progress.jsonl", "stop"
RECENT = 20
"""Steps whose mean time tells how long the others will take."""


@dataclass(frozen=True)
class Point:
    """One step of tuning; `dev` is the loss on rows that nothing is learned from, where it was looked at."""

    step: int
    loss: float
    seconds: float
    elapsed: float
    dev: float | None = None


@dataclass(frozen=True)
class Standing:
    """A run as its files tell it."""

    state: State
    stage: str = ""
    """The stage that began last, one of STAGES; empty before the first."""
    what: str = ""
    """What is measured: adapter, base, or in use."""
    points: tuple[Point, ...] = ()
    steps: int = 0
    """Steps that tuning would have without a limit of time."""
    minutes: float | None = None
    verdict: dict[str, Any] = field(default_factory=dict)
    """The gate's: `promoted`, `reasons`, `figures`, and the `version` that was made."""
    failure: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Of tuning, by its last steps; None while it is not tuning or no step is done."""
        if self.stage != "tuning" or not self.points:
            return None
        last = self.points[-RECENT:]
        left = (self.steps - last[-1].step) * sum(point.seconds for point in last) / len(last)
        if self.minutes is not None:
            left = min(left, 60 * self.minutes - last[-1].elapsed)
        return max(0.0, left)


def read_standing(folder: Path, alive: bool) -> Standing:
    """How a run stands; `alive`: its process is there."""
    told = [_renamed(row) for row in _rows(folder / STAGES_FILE)]
    last = told[-1] if told else {}
    ended = last.get("stage") if last.get("stage") in ("over", "stopped", "failed") else None
    begun = next((row for row in reversed(told) if row.get("stage") in STAGES), {})
    tuning = next((row for row in reversed(told) if row.get("stage") == "tuning"), {})
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
    """A line as this release writes it: earlier ones say `voice` for the adapter and `lessons` for the examples."""
    row = {name: _FORMER.get(value, value) if isinstance(value, str) else value for name, value in row.items()}
    if isinstance(figures := row.get("figures"), dict):
        row["figures"] = {_FORMER.get(who, who): figure for who, figure in figures.items()}
    return row


def _state(folder: Path, alive: bool, ended: str | None) -> State:
    if alive:  # a run that goes on has the line of its last end behind it
        return "stopping" if (folder / STOP_FILE).exists() else "running"
    return ended or "broken"


def _rows(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file that may be written just now."""
    try:
        *lines, _unfinished = path.read_text("utf-8").split("\n")
    except OSError:
        return []
    return list(_parsed(lines))


def _parsed(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:  # a line that a crash cut off, with others behind it
            continue
        if isinstance(row, dict):
            yield row
