"""What the figures say: medians over rounds, and ratios to the plain loop, as rows and as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any

from rich.table import Table

from trainer.benchmarks.workloads import WORKLOADS

Rounds = dict[int, dict[str, Any]]


def rows(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per workload, base and engine, in the order of the workloads."""
    groups: dict[tuple[str, str], dict[str, Rounds]] = defaultdict(lambda: defaultdict(dict))
    for one in results:
        for workload, found in one["workloads"].items():
            groups[workload, one["base"]][one["engine"]][one["round"]] = found
    ordered = sorted(groups, key=lambda place: list(WORKLOADS).index(place[0]))
    return [
        {"workload": work, "base": base, "engine": engine, **_figures(measured, groups[work, base].get("loop", {}))}
        for work, base in ordered
        for engine, measured in groups[work, base].items()
    ]


def _figures(measured: Rounds, loop: Rounds) -> dict[str, Any]:
    """Medians over rounds; ratios, text and log-odds are compared with the loop's in the same round."""
    found, pairs = list(measured.values()), [(measured[i], loop[i]) for i in measured.keys() & loop.keys()]
    seconds = [one["seconds"] for one in found]
    ratios = [_speed(ours) / _speed(theirs) for ours, theirs in pairs]
    made = {
        "rounds": len(found),
        "seconds": round(median(seconds), 3),
        "spread": round((max(seconds) - min(seconds)) / median(seconds), 3),
        "tokens": median(one["tokens"] for one in found),
        "tokens_per_second": round(median(map(_speed, found)), 1),
        "ratio_to_loop": round(median(ratios), 2) if ratios else None,
    }
    for name in ("critic_waits", "refiner_waits"):
        if name in found[0]:
            made[name] = round(median(wait for one in found for wait in one[name]), 3)
    if pairs and "text" in found[0]:
        made["same_text"] = all(a["text"] == b["text"] for a, b in pairs)
    odds = [zip(a["log_odds"], b["log_odds"], strict=True) for a, b in pairs if "log_odds" in a]
    if apart := [abs(x - y) for row in odds for x, y in row if x is not None and y is not None]:
        made["largest_difference"] = round(max(apart), 2)
    return made


def _speed(found: dict[str, Any]) -> float:
    return found["tokens"] / found["seconds"]


def table(report: dict[str, Any]) -> Table:
    """The report as a table; our engine is red if a peer is faster."""
    drawn = Table(title="{cpu}, {threads} threads".format(**report["machine"]))
    for name in ("engine", "seconds", "spread", "tokens/s", "x loop", "remarks"):
        drawn.add_column(name, justify="left" if name in ("engine", "remarks") else "right")
    place, fastest = None, 0.0
    for row in report["rows"]:
        if place != (place := (row["workload"], row["base"])):
            peers = [one for one in report["rows"] if (one["workload"], one["base"]) == place]
            fastest = max((r["tokens_per_second"] for r in peers if not r["engine"].startswith("ours")), default=0.0)
            drawn.add_section()
            drawn.add_row(f"[bold]{row['workload']}[/], {row['base']}")
        cells = [f"{row['seconds']:.2f}", f"{row['spread']:.0%}", f"{row['tokens_per_second']:.1f}"]
        cells.append("" if row["ratio_to_loop"] is None else f"{row['ratio_to_loop']:.2f}")
        slower = row["engine"].startswith("ours") and row["tokens_per_second"] < fastest
        drawn.add_row(f"  {row['engine']}", *cells, _remarks(row), style="red" if slower else None)
    return drawn


def _remarks(row: dict[str, Any]) -> str:
    remarks = [f"{row['tokens']:.0f} tokens"]
    if "critic_waits" in row:
        remarks.append(f"first words {row['critic_waits']:.2f} and {row['refiner_waits']:.2f} s")
    if "same_text" in row:
        remarks.append("same text" if row["same_text"] else "another text")
    if "largest_difference" in row:
        remarks.append(f"log-odds within {row['largest_difference']}")
    return ", ".join(remarks)
