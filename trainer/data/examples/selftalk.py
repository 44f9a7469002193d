"""Training examples for self-talk, and the same solutions without checks for the actor.

python -m trainer traces --generated 2000 --rollouts rollouts.jsonl --out FOLDER
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from runtime.problems.division import kept_apart
from runtime.prompts.actor_turn import conversation
from trainer.data.decontaminate import drop, find, read_texts
from trainer.data.examples.actor import actor_row
from trainer.data.rows import Row, write_rows
from trainer.data.traces.trace import Trace


def selftalk_row(trace: Trace) -> Row:
    """A trace as a turn of the model. Wrong steps have no weight: the model learns to doubt them, not to write them."""
    messages = conversation(trace.problem, prompt="selftalk")
    return Row(messages=tuple(messages), reply=tuple(trace.pieces), source=trace.problem.source)


def write_traces(folder: Path, traces: Iterable[Trace], held_out: Sequence[Path] = ()) -> dict[str, Any]:
    """Write `selftalk.jsonl` (training rows) and `dev.jsonl` (validation rows), and the same solutions without checks
    as `actor.jsonl` and `actor-dev.jsonl`; return counts. Problems that share thirteen words with a held-out file are
    dropped."""
    kept, left_out = sound(traces)
    report = find([trace.problem.text for trace in kept], {str(path): read_texts(path) for path in held_out})
    kept = drop(kept, report)
    learned = [trace for trace in kept if not kept_apart(trace.problem)]
    apart = [trace for trace in kept if kept_apart(trace.problem)]
    for traces, talks, solutions in ((learned, "selftalk", "actor"), (apart, "dev", "actor-dev")):
        write_rows(folder / f"{talks}.jsonl", map(selftalk_row, traces))
        once = {row.model_dump_json(): row for row in map(actor_row, traces)}
        write_rows(folder / f"{solutions}.jsonl", once.values())
    corrected = sum(not all(one.right for one in trace.steps) for trace in kept)
    left_out |= {"overlaps with a held-out problem": len(report.rows)} if report.rows else {}
    return {"traces": len(kept), "with a slip": corrected, "kept apart": len(apart), "left out": left_out}


def sound(traces: Iterable[Trace]) -> tuple[list[Trace], dict[str, int]]:
    """The usable traces, and the number left out by reason."""
    judged = [(trace, trace.fault) for trace in traces]
    return [trace for trace, fault in judged if not fault], dict(Counter(fault for _, fault in judged if fault))
