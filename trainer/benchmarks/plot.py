"""The table as a picture: tokens a second by workload and base, ours in colour and the peers in grey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

OURS, PEER, TEXT = "#1f6f8b", "#c3c8ce", "#333333"


def draw(report: dict[str, Any], path: Path) -> None:
    """Write a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = report["rows"]
    works, bases = (list(dict.fromkeys(row[name] for row in rows)) for name in ("workload", "base"))
    cells = {
        (work, base): [row for row in rows if (row["workload"], row["base"]) == (work, base)]
        for work in works
        for base in bases
    }
    heights = [max(len(cells[work, base]) for base in bases) for work in works]
    figure, axes = pyplot.subplots(
        len(works),
        len(bases),
        figsize=(6.2 * len(bases), 0.3 * sum(heights) + 0.9 * len(works) + 0.6),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for (work, base), ax in zip(cells, axes.flat, strict=True):
        _bars(ax, cells[work, base])
        ax.set_title(f"{work} · {base}", loc="left", fontsize=10, color=TEXT)
    figure.suptitle(f"Tokens per second, and times the plain loop ({report['machine']['cpu']})", fontsize=11)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _bars(ax: Any, rows: list[dict[str, Any]]) -> None:
    speeds = [row["tokens_per_second"] for row in rows]
    bars = ax.barh(
        [row["engine"] for row in rows],
        speeds,
        color=[OURS if row["engine"].startswith("ours") else PEER for row in rows],
        height=0.7,
    )
    said = [f"{row['tokens_per_second']:.0f}" + _times(row["ratio_to_loop"]) for row in rows]
    ax.bar_label(bars, said, padding=4, fontsize=8, color=TEXT)
    ax.set_xlim(0, 1.25 * max(speeds, default=1))
    ax.invert_yaxis()
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.tick_params(left=False, bottom=False, labelbottom=False, labelsize=8, colors=TEXT)


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"  ({ratio:.2f}×)"
