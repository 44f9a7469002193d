"""Votes with and without the critic against turns and tokens, as a table and a plot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

from trainer.reproductions.mathcritique.testtime import Played

INK, WITH, WITHOUT = "#333333", "#1f6f8b", "#b3560f"


def table(played: Played) -> str:
    """The table in Markdown."""
    rows = [
        f"| {p.k} | {fmean(p.critic):.1%} | {p.critic_turns:.1f} | {p.critic_tokens:.0f} | {p.critic_read:.0f} | "
        f"{fmean(p.plain):.1%} | {3 * p.k} | {p.plain_tokens:.0f} | {p.plain_read:.0f} |"
        for p in played.points()
    ]
    head = "| K | MV@K with critic | turns | tokens written | read | MV@3K without | turns | tokens written | read |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|", *rows])


def plot(figure: Any, played: Played) -> None:
    points = played.points()
    with_critic, without = [100 * fmean(p.critic) for p in points], [100 * fmean(p.plain) for p in points]
    left, right = figure.subplots(1, 2, sharey=True)
    left.plot([p.critic_turns for p in points], with_critic, "o-", color=WITH, label="MV@K, with the critic")
    left.plot([3 * p.k for p in points], without, "s--", color=WITHOUT, label="MV@3K, without")
    right.plot([p.critic_tokens for p in points], with_critic, "o-", color=WITH)
    right.plot([p.plain_tokens for p in points], without, "s--", color=WITHOUT)
    left.set(xlabel="turns a problem", ylabel="solved, %")
    right.set(xlabel="tokens written a problem")
    left.legend(frameon=False)
    quiet(left, right)


@contextmanager
def figure(path: Path) -> Iterator[Any]:
    """A matplotlib figure, saved as a PNG at the end."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    made = pyplot.figure(figsize=(9, 3.6), layout="constrained")
    yield made
    made.savefig(path, dpi=130)
    pyplot.close(made)


def quiet(*axes: Any) -> None:
    """Remove the frame's top and right, and draw a light grid."""
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis="y", color="#e6e6e6")
        one.set_axisbelow(True)
