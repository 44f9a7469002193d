"""The curve of preference training: how held-out pairs are judged along it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.plots import BLUE, BROWN, figure, quiet


def plot_judging(judging: Mapping[int, Mapping[str, Any]], file: Path) -> None:
    """Accuracy and mean margin against the step, as a PNG."""
    steps = list(judging)
    with figure(file) as made:
        left, right = made.subplots(1, 2)
        quiet(left, right)
        n = judging[steps[-1]]["n"]
        for axis, name, colour in ((left, "accuracy", BLUE), (right, "margin", BROWN)):
            axis.plot(steps, [judging[step][name] for step in steps], color=colour, marker="o", markersize=3)
            axis.set_xlabel("step")
        left.set_title(f"pairs judged rightly, of {n} held out", loc="left")
        left.set_ylim(0, 1)
        right.set_title("mean margin of rewards", loc="left")
