"""Progress of a training run on the terminal."""

from __future__ import annotations

from collections import deque
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

from trainer.training.schedule import Progress

WINDOW = 20
"""Number of recent steps that figures are averaged over."""


class ProgressBar:
    """A callback for `Run.run` that shows every step on stderr until it is closed."""

    def __init__(self, title: str, minutes: float | None = None) -> None:
        self._title, self._minutes = title, minutes
        self._last: deque[Progress] = deque(maxlen=WINDOW)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[summary]}"),
        )
        self._bar = RichProgress(*columns, console=Console(stderr=True))
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        if self._task is None:  # not earlier: loading a model prints lines of its own
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=progress.steps, summary="")
        self._last.append(progress)
        self._bar.update(self._task, completed=progress.step, summary=summary(list(self._last), self._minutes))


def summary(last: list[Progress], minutes: float | None) -> str:
    """Loss, rates and remaining time (h:mm:ss), averaged over the last steps."""
    seconds, now = sum(step.seconds for step in last), last[-1]
    left = (now.steps - now.step) * seconds / len(last)
    if minutes:
        left = max(0.0, min(left, 60 * minutes - now.elapsed))
    return (
        f"loss {sum(step.loss for step in last) / len(last):.3f}, "
        f"{sum(step.examples for step in last) / seconds:.2f} examples/s, "
        f"{sum(step.tokens for step in last) / seconds:.0f} tokens/s, {timedelta(seconds=round(left))} left"
    )
