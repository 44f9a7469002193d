"""Self-talk traces: a solution as one model tells it to itself, which checks every step and mends what it doubts.

    python -m trainer traces --generated 2000 --drawn attempts.jsonl --out FOLDER

MathCritique's three stages (arXiv 2411.16579), from exact material: the comments of a critique are put between the
steps of an attempt; where a step is wrong, the attempt ends there and goes on from the steps before it; then the talk
is made the model's own - first person, in many wordings - and read back: it must still say the same of every step, hold
no false equation that it accepts, and end in the reference answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from trainer.data.decontaminate import drop, find, read_texts
from trainer.data.examples import kept_apart
from trainer.data.rows import write_rows
from trainer.data.traces.trace import Trace, actor_row, row


def write_traces(folder: Path, traces: Iterable[Trace], held_out: Sequence[Path] = ()) -> dict[str, Any]:
    """Writes `selftalk.jsonl` (rows to learn from) and `dev.jsonl` (problems kept apart), the same solutions without
    the talk as `actor.jsonl` and `actor-dev.jsonl`, and says what came of it. Problems that share thirteen words with a
    held-out file are dropped."""
    kept, left_out = sound(traces)
    report = find([trace.problem.text for trace in kept], {str(path): read_texts(path) for path in held_out})
    kept = drop(kept, report)
    learned = [trace for trace in kept if not kept_apart(trace.problem)]
    apart = [trace for trace in kept if kept_apart(trace.problem)]
    for traces, talks, solutions in ((learned, "selftalk", "actor"), (apart, "dev", "actor-dev")):
        write_rows(folder / f"{talks}.jsonl", map(row, traces))
        once = {lesson.model_dump_json(): lesson for lesson in map(actor_row, traces)}
        write_rows(folder / f"{solutions}.jsonl", once.values())
    mended = sum(not all(one.right for one in trace.told) for trace in kept)
    left_out |= {"overlaps with a held-out problem": len(report.rows)} if report.rows else {}
    return {"traces": len(kept), "with a slip": mended, "kept apart": len(apart), "left out": left_out}


def sound(traces: Iterable[Trace]) -> tuple[list[Trace], dict[str, int]]:
    """Those to learn from, and how many were left out for which reason."""
    judged = [(trace, trace.fault) for trace in traces]
    return [trace for trace, fault in judged if not fault], dict(Counter(fault for _, fault in judged if fault))
