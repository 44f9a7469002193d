"""The curves of a run of PPO, drawn again while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trainer.plots import BLUE, BROWN, VIOLET, figure, quiet

CURVES = {
    "reward": ("reward of a reply", BLUE),
    "right": ("share of right replies", BLUE),
    "steps": ("steps of a reply", BROWN),
    "length": ("tokens of a reply", BROWN),
    "kl": ("KL to the start, nats a token", VIOLET),
    "entropy": ("entropy, nats a token", VIOLET),
}


def plot_ppo(history: Sequence[Mapping[str, float]], file: Path) -> None:
    """Every curve against the step, as a PNG, which is replaced at once."""
    unfinished = file.with_name(f".{file.name}")
    with figure(unfinished) as made:
        axes = made.subplots(2, 3).T.flatten()
        quiet(*axes)
        for axis, (name, (title, colour)) in zip(axes, CURVES.items(), strict=True):
            axis.plot(range(1, len(history) + 1), [one[name] for one in history], color=colour, linewidth=1)
            axis.set_title(title, loc="left", fontsize=9)
    unfinished.replace(file)
