"""From measurements to the table: medians, ratios within a round, shares of the machine's limit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from trainer.benchmarks import limits

Result = dict[str, Any]
Rounds = dict[int, Result]
WARM, EARLY = " warm", "ours+early-stop"


def rows(results: Iterable[Result], machine: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per workload, base and engine, in the order in which they were first measured."""
    groups: dict[tuple[str, str], dict[str, Rounds]] = defaultdict(lambda: defaultdict(dict))
    for result in results:
        groups[result["workload"], result["base"]][result["engine"]][result["round"]] = result
    return [_row(engine, engines, machine) for engines in groups.values() for engine in engines]


def _row(engine: str, engines: dict[str, Rounds], machine: dict[str, Any]) -> dict[str, Any]:
    measured, loop = engines[engine], engines.get("loop", {})
    one = next(iter(measured.values()))
    seconds, speed = [r["seconds"] for r in measured.values()], median(map(_speed, measured.values()))
    allowed = limits.limit(one["workload"], _weights(one["file"]), machine)
    waits = {
        name: round(median(wait for r in measured.values() for wait in r[name]), 3)
        for name in ("critic_waits", "refiner_waits")
        if name in one
    }
    return {
        **{name: one[name] for name in ("workload", "base", "engine", "file")},
        "rounds": len(measured),
        "seconds": round(median(seconds), 3),
        "spread": round((max(seconds) - min(seconds)) / median(seconds), 3),
        "tokens": median(r["tokens"] for r in measured.values()),
        "tokens_per_second": round(speed, 1),
        "ratio_to_loop": _ratio(measured, loop),
        "share_of_limit": None if engine == EARLY else round(speed / allowed, 3),
        "slower_than": _slower_than(engine, engines),
        **waits,
        **_compared(measured, loop),
    }


def _speed(result: Result) -> float:
    return result["tokens"] / result["seconds"]


def _ratio(ours: Rounds, theirs: Rounds) -> float | None:
    """How many times as fast, the median over the rounds that both have. Tokens a second; where labels end early the
    seconds, for the labels are worth the same."""
    found = [
        theirs[i]["seconds"] / ours[i]["seconds"] if ours[i]["engine"] == EARLY else _speed(ours[i]) / _speed(theirs[i])
        for i in ours.keys() & theirs.keys()
    ]
    return round(median(found), 2) if found else None


def _slower_than(engine: str, engines: dict[str, Rounds]) -> list[str]:
    """The peers that are faster than an engine of ours; what was read before is compared with the same."""
    if not engine.startswith("ours"):
        return []
    peers = [name for name in engines if not name.startswith("ours") and name.endswith(WARM) == engine.endswith(WARM)]
    return [peer for peer in peers if (_ratio(engines[engine], engines[peer]) or 1) < 1]


def _compared(measured: Rounds, loop: Rounds) -> dict[str, Any]:
    """Whether the same was found as by the loop: the greedy text, or the largest difference of log-odds."""
    pairs = [(measured[i], loop[i]) for i in measured.keys() & loop.keys()]
    if texts := [(a["text"], b["text"]) for a, b in pairs if "text" in a]:
        return {"same_text": all(a == b for a, b in texts)}
    odds = [zip(a["log_odds"], b["log_odds"], strict=True) for a, b in pairs if "log_odds" in a]
    apart = [abs(x - y) for row in odds for x, y in row if x is not None and y is not None]
    return {"largest_difference": round(max(apart), 2)} if apart else {}


@cache
def _weights(file: str) -> limits.Weights:
    return limits.weights(Path(file))


def table(report: dict[str, Any]) -> Table:
    """For a person; an engine of ours that is slower than a peer is red."""
    machine = report["machine"]
    title = f"{machine['cpu']}, {machine['threads']} threads, {machine['memory_gb_per_second']} GB/s, "
    drawn = Table(title=title + ", ".join(f"{name} {x} GFLOP/s" for name, x in machine["matmul_gflops"].items()))
    for name in ("engine", "seconds", "spread", "tokens/s", "x loop", "of limit", "remarks"):
        drawn.add_column(name, justify="left" if name in ("engine", "remarks") else "right")
    place = None
    for row in report["rows"]:
        if place != (place := (row["workload"], row["base"])):
            drawn.add_section()
            drawn.add_row(f"[bold]{row['workload']}[/], {row['base']}")
        cells = [f"{row['seconds']:.2f}", f"{row['spread']:.0%}", f"{row['tokens_per_second']:.1f}"]
        cells.append("" if row["ratio_to_loop"] is None else f"{row['ratio_to_loop']:.2f}")
        cells.append("" if row["share_of_limit"] is None else f"{row['share_of_limit']:.0%}")
        drawn.add_row(f"  {row['engine']}", *cells, _remarks(row), style="red" if row["slower_than"] else None)
    return drawn


def _remarks(row: dict[str, Any]) -> str:
    said = [f"{row['tokens']:.0f} tokens"]
    if "critic_waits" in row:
        said.append(f"first words {row['critic_waits']:.2f} and {row['refiner_waits']:.2f} s")
    if "same_text" in row:
        said.append("same text" if row["same_text"] else "another text")
    if "largest_difference" in row:
        said.append(f"log-odds within {row['largest_difference']}")
    return ", ".join(said)
