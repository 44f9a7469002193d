"""Counts of a run by generator (attempts made, criticised, parsed, free of leaks, kept), and sample critiques to read,
because counts do not show their tone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import get_args

from rich.table import Table

from trainer.data.critiques.records import Origin, Record
from trainer.statistics import Paired, paired

COLUMNS = ("made", "wrong", "annotated", "parsed", "agreeing", "leaked", "parroted", "refined", "kept")


def counts(records: Iterable[Record]) -> dict[str, dict[str, int]]:
    """One row per origin, and "all". Attempts are counted; `kept` are those with a usable critique."""
    rows = {origin: dict.fromkeys(COLUMNS, 0) for origin in (*get_args(Origin), "all")}
    for record in records:
        critiques = record.critiques
        facts = {
            "made": True,
            "wrong": record.traj.correct is False,
            "annotated": bool(critiques),
            "parsed": any(critique.parse_ok for critique in critiques),
            "agreeing": any(critique.parse_ok and critique.agrees for critique in critiques),
            "leaked": any(critique.leak for critique in critiques),
            "parroted": any(critique.parrot for critique in critiques),
            "refined": any(critique.filter for critique in critiques),
            "kept": any(critique.usable for critique in critiques),
        }
        for name, holds in facts.items():
            rows[record.traj.origin][name] += holds
            rows["all"][name] += holds
    return {origin: row for origin, row in rows.items() if row["made"]}


def against(records: Iterable[Record], others: Iterable[Record]) -> Paired:
    """Compare two annotators on the same attempts: whose critiques agree with the known labels."""
    first, second = _agreeing(records), _agreeing(others)
    both = sorted(first.keys() & second.keys())
    return paired([first[each] for each in both], [second[each] for each in both], of=[group for group, _ in both])


def _agreeing(records: Iterable[Record]) -> dict[tuple[str, str], bool]:
    judged = (record for record in records if record.critiques)
    return {
        (record.group, record.traj.id): any(each.parse_ok and each.agrees for each in record.critiques)
        for record in judged
    }


def table(rows: dict[str, dict[str, int]]) -> Table:
    shown = Table("generator", title="Critiques by generator")
    for column in COLUMNS:
        shown.add_column(column, justify="right")
    for origin, row in rows.items():
        shown.add_row(origin, *(f"{row[column]:,}" for column in COLUMNS), end_section=origin == list(rows)[-2])
    return shown


def examples(records: Sequence[Record], n: int = 10, seed: int = 0) -> str:
    """`n` critiques per origin with their attempts, sampled by a seed, kept ones first."""
    parts = []
    for origin in get_args(Origin):
        found = [record for record in records if record.traj.origin == origin and record.critiques]
        drawn = random.Random(seed).sample(found, len(found))
        drawn.sort(key=lambda record: not record.critiques[0].usable)
        parts += [_example(record, f"{origin} {i} of {len(found)}") for i, record in enumerate(drawn[:n], 1)]
    return "\n\n".join(parts)


def _example(record: Record, title: str) -> str:
    critique, path = record.critiques[0], record.traj
    state = [name for name, holds in {"kept": critique.usable, "leak": critique.leak}.items() if holds]
    state += [] if critique.parse_ok else ["unreadable"]
    state += [] if critique.agrees else ["disagrees with known labels"]
    lines = [f"--- {title} ({', '.join(state) or 'not kept'})", record.problem.text, ""]
    return "\n".join([*lines, *path.lines, f"Answer: {path.final} (right: {record.problem.answer})", "", critique.text])
