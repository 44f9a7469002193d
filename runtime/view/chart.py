"""Losses of a training run as a line chart (SVG, in the page's colours), and as a table for screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from runtime.studio.training.progress import Point
from runtime.text import Language
from runtime.view.words import word

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 260, 60, 34, 12
MOST = 500
"""Most points drawn; more are averaged in groups of neighbours."""
ROWS = 12
"""Most rows of the table."""


def loss_chart(points: Sequence[Point], language: Language) -> str:
    """The training loss, raw and smoothed, and the loss on examples kept apart."""
    if not points:
        return ""
    learned = _thinned([(point.step, point.loss) for point in points])
    smooth = _smoothed(learned)
    looked = [(point.step, point.dev) for point in points if point.dev is not None]
    last, top = max(points[-1].step, 2), 1.05 * max(y for _, y in [*smooth, *looked])

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - 1) / (last - 1) * (WIDTH - LEFT - 12)
        return across, TOP + (1 - min(1.0, y / top)) * (HEIGHT - TOP - BOTTOM)

    parts = [
        _axes(last, top),
        _line([place(*pair) for pair in learned], "sq-raw"),
        _line([place(*pair) for pair in smooth], "sq-train"),
        _line([place(*pair) for pair in looked], "sq-dev"),
        *(f'<circle class="sq-dev" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in (place(*pair) for pair in looked)),
    ]
    label = escape(word("train.chart", language, step=points[-1].step), quote=True)
    return (
        f'<figure class="sq-chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg><figcaption>{_legend(language)}</figcaption></figure>"
    )


def _thinned(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    size = -(-len(pairs) // MOST)
    groups = [pairs[i : i + size] for i in range(0, len(pairs), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def _smoothed(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A moving average over a twentieth of the run."""
    reach = max(1, len(pairs) // 40)
    found = []
    for i, (x, _) in enumerate(pairs):
        near = [y for _, y in pairs[max(0, i - reach) : i + reach + 1]]
        found.append((x, sum(near) / len(near)))
    return found


def _axes(last: int, top: float) -> str:
    lines, floor = [], HEIGHT - BOTTOM
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = floor - share * (floor - TOP)
        lines.append(f'<line class="sq-grid" x1="{LEFT}" x2="{WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{top * share:.2f}</text>')
    for share in (0, 0.5, 1):
        x = LEFT + share * (WIDTH - LEFT - 12)
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        lines.append(
            f'<text x="{x:.0f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{round(1 + share * (last - 1))}</text>'
        )
    return "".join(lines)


def _line(places: Sequence[tuple[float, float]], name: str) -> str:
    if len(places) < 2:
        return ""
    return f'<polyline class="{name}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'


def _legend(language: Language) -> str:
    names = (("sq-train", "train.loss"), ("sq-dev", "train.dev"))
    items = [
        f'<span><svg width="28" height="10" aria-hidden="true"><line class="{name}" x1="1" x2="27" y1="5" y2="5"/>'
        f"</svg> {escape(word(key, language))}</span>"
        for name, key in names
    ]
    return "".join(items)


def loss_table(points: Sequence[Point], language: Language) -> str:
    """A table of losses: at the steps with a loss on examples kept apart, if there are any."""
    if not points:
        return ""
    looked = [i for i, point in enumerate(points) if point.dev is not None]
    spread = [round(k * (len(points) - 1) / (ROWS - 1)) for k in range(ROWS)]
    chosen = sorted(set(looked[-ROWS:] or spread) | {len(points) - 1})
    rows, before = [], 0
    for i in chosen:
        part = points[before : i + 1] or points[i : i + 1]
        mean, dev = sum(point.loss for point in part) / len(part), points[i].dev
        cells = (points[i].step, f"{points[i].elapsed / 60:.1f}", f"{mean:.3f}", "–" if dev is None else f"{dev:.3f}")
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        before = i + 1
    keys = ("train.step", "train.minutes", "train.loss", "train.dev")
    head = "".join(f'<th scope="col">{escape(word(key, language))}</th>' for key in keys)
    return f'<table class="sq-table"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
