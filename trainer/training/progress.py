"""Progress of a training run on the terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from statistics import fmean

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

from trainer.training.schedule import Progress

WINDOW = 20
"""Number of recent steps that figures are averaged over."""


Summary = Callable[[list[Progress], float | None], str]
"""What the bar tells of the last steps, given the time limit in minutes."""


class ProgressBar:
    """A callback for `Run.run` that shows every step on stderr until it is closed."""

    def __init__(self, title: str, minutes: float | None = None, summary: Summary | None = None) -> None:
        self._title, self._minutes, self._summary = title, minutes, summary or losses
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
        self._bar.update(self._task, completed=progress.step, summary=self._summary(list(self._last), self._minutes))


def losses(last: list[Progress], minutes: float | None) -> str:
    """Loss, rates and remaining time, averaged over the last steps."""
    seconds = sum(step.seconds for step in last)
    return (
        f"loss {sum(step.loss for step in last) / len(last):.3f}, "
        f"{sum(step.examples for step in last) / seconds:.2f} examples/s, "
        f"{sum(step.tokens for step in last) / seconds:.0f} tokens/s, {_left(last, minutes)} left"
    )


def rewards(last: list[Progress], minutes: float | None) -> str:
    """Reward, share of right replies and KL of PPO, and the remaining time, averaged over the last steps."""
    mean = {name: fmean((step.outcomes or {})[name] for step in last) for name in ("reward", "right", "kl")}
    return f"reward {mean['reward']:.2f}, right {mean['right']:.0%}, KL {mean['kl']:.3f}, {_left(last, minutes)} left"


def _left(last: list[Progress], minutes: float | None) -> timedelta:
    """The remaining time (h:mm:ss)."""
    now = last[-1]
    left = (now.steps - now.step) * sum(step.seconds for step in last) / len(last)
    if minutes:
        left = max(0.0, min(left, 60 * minutes - now.elapsed))
    return timedelta(seconds=round(left))
