"""Tables and plots of choices among N solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.evaluation.choosing import COLOURS
from trainer.plots import FAINT, quiet
from trainer.reproductions.verifiers.choosing import EASY, HARD, SC, Board, Way
from trainer.statistics import clustered_share


def table(board: Board, ways: Sequence[Way]) -> str:
    """Markdown: how many problems each way solves, by N."""
    rows = [
        f"| {way.name} | " + " | ".join(f"{board.accuracy(way, size):.1%}" for size in board.sizes) + " |"
        for way in ways
    ]
    rows.append("| any of N right | " + " | ".join(f"{share:.1%}" for share in board.ceiling.values()) + " |")
    return "\n".join([f"| N | {' | '.join(map(str, board.sizes))} |", "|---" * (len(board.sizes) + 1) + "|", *rows])


def halves(board: Board, ways: Sequence[Way]) -> str:
    """Markdown: the same with all solutions, on easy and on hard problems."""
    lines = ["| with all solutions | easy | hard |", "|---|---|---|"]
    for way in ways:
        shares = board.shares(way)
        parts = [
            [share for share, one in zip(shares, board.problems, strict=True) if one.level in levels]
            for levels in (EASY, HARD)
        ]
        lines.append(f"| {way.name} | " + " | ".join(f"{sum(part) / max(1, len(part)):.1%}" for part in parts) + " |")
    return "\n".join(lines)


def aggregates(board: Board, ways: Sequence[Way]) -> str:
    """Markdown: best-of-N by other aggregates of the same scores. Looked at afterwards; no verdict rests on it."""
    names = ("min", "product", "last", "mean")
    lines = [f"| best-of-{board.n} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for way in ways:
        shares = (board.accuracy(way._replace(aggregate=name)) for name in names)
        lines.append(f"| {way.name} | {' | '.join(map('{:.1%}'.format, shares))} |")
    return "\n".join(lines)


def choosing(board: Board, ways: Sequence[Way], fewer: Sequence[Way], prms: Sequence[Way], image: str) -> list[str]:
    """The part on choosing; `fewer` are ways that are compared by N only."""
    return [
        "## Choosing among N solutions",
        table(board, (*ways, *fewer)),
        halves(board, ways),
        "Other aggregates of the same scores; no verdict rests on them.",
        aggregates(board, prms),
        f"![choices by N]({image})",
    ]


def plot(drawn: Any, board: Board, panels: Mapping[str, Sequence[Way]]) -> None:
    """Accuracy against N, a panel for each group of ways; votes are in all, with their 90 % interval."""
    axes = drawn.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for one, (title, ways) in zip(axes, panels.items(), strict=True):
        low, high = zip(*(_interval(board, size) for size in board.sizes), strict=True)
        one.fill_between(board.sizes, low, high, color=COLOURS[0], alpha=0.12, linewidth=0)
        for colour, way in zip(COLOURS, (SC, *ways), strict=False):
            shares = [100 * board.accuracy(way, size) for size in board.sizes]
            one.plot(board.sizes, shares, "o-", color=colour, label=way.name, markersize=4)
        one.plot(board.sizes, [100 * share for share in board.ceiling.values()], "--", color=FAINT, label="any of N")
        one.set(xscale="log", xlabel="solutions a problem (N)", title=title)
        one.set_xticks(board.sizes, list(map(str, board.sizes)))
        one.minorticks_off()
        one.legend(frameon=False, fontsize=8)
    axes[0].set(ylabel="right, %")
    quiet(*axes)


def _interval(board: Board, size: int) -> tuple[float, float]:
    shares = board.shares(SC, size)
    low, high = clustered_share(shares, range(len(shares)))[1]
    return 100 * low, 100 * high
