"""The command `evaluations`: attempts, an annotator, training rows, and a report."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import engines, settings
from runtime.problems.json_rows import RowError
from trainer.data.critiques.annotators import Annotator
from trainer.data.evaluations import sources, text
from trainer.data.evaluations.annotators import Labelled, Model, Structural, Teacher
from trainer.data.evaluations.pipeline import Evaluation, Evaluations
from trainer.data.examples.evaluation import evaluated, write_evaluations
from trainer.data.sources import read_attempts

ANNOTATORS = ("structural", "llm", "teacher", "given")
"""`given` is no annotator: the texts are those that the rows of a file carry, such as MATH-Minos' own."""
CONTEXT = 4096
"""Tokens of one conversation: an evaluation is about as long as the attempt."""


@dataclass(frozen=True)
class Order:
    """What is to be evaluated, and by whom."""

    generated: int = 0
    """Attempts at fresh problems."""
    split: sources.wordproblems.Split = "train"
    trajectories: tuple[Path, ...] = ()
    limit: int | None = None
    """Most rows of each file."""
    annotator: str = "structural"
    hinted: bool = True
    """Whether the annotator is shown the labels."""
    scaffold: bool = True
    """Whether the numbers of the lines are written for a model."""
    model: str | None = None
    parallel: int = 16
    held_out: tuple[Path, ...] = ()
    seed: int = 0


def make(
    order: Order,
    out: Path,
    show: int = 0,
    follow: Callable[[str, Iterator[str], int], object] = lambda title, done, total: list(done),
) -> dict[str, Any]:
    """Make or resume the folder `out`, with `show` texts on stderr; return the summary. Raises SoliloquyError."""
    if order.annotator == "given":
        return _given(order, out)
    jobs, unusable = read(order)
    chosen = settings.load(model=order.model).with_(context=CONTEXT)
    prompted = order.annotator == "llm"
    engine = engines.open_engine(chosen, order.parallel, batches=True) if prompted else None
    with closing(engine) if engine else nullcontext():
        judge: Annotator[Labelled] = Teacher() if order.annotator == "teacher" else Structural()
        if engine:
            judge = Model(engine, order.hinted, order.scaffold)
        run = Evaluations(jobs, judge, order.seed, Path(chosen.home))
        follow("Evaluating", run.run(), len(run.groups))
    made = list(run.evaluations())
    if show:
        print(examples(made, show, order.seed), file=sys.stderr)
    pairs = [(evaluated(one, judge.name), one.text) for one in made if one.fault is None]
    counts = write_evaluations(out, pairs, order.held_out)
    return {**run.summary(), **counts, "unusable": dict(unusable.most_common()), "out": str(out)}


def _given(order: Order, out: Path) -> dict[str, Any]:
    """As `make`, with the texts of the rows. Nobody compares them with labels, which such rows do not have."""
    attempts = [attempt for path in order.trajectories for attempt in read_attempts(path, order.limit)]
    pairs = [(attempt, critique.text) for attempt in attempts for critique in attempt.critiques[:1]]
    if not pairs:
        raise RowError("No row of --trajectories carries an evaluation, as MATH-Minos' `query` and `response` do.")
    counts = write_evaluations(out, pairs, order.held_out)
    left_out = {"no evaluation": len(attempts) - len(pairs)} if len(pairs) < len(attempts) else {}
    summary = {"annotator": order.annotator, "labels": "unknown", "attempts": len(attempts), "kept": len(pairs)}
    return {**summary, "accuracy": {}, "dropped": {}, **counts, "unusable": left_out, "out": str(out)}


def read(order: Order) -> tuple[list[Labelled], Counter[str]]:
    """The attempts with a label of every step, and the numbers of the others by reason. Raises RowError."""
    found = [
        *sources.generated(order.generated, order.seed, order.split),
        *sources.from_files(order.trajectories, order.limit),
    ]
    unusable = Counter(each.reason for each in found if isinstance(each, sources.Unusable))
    jobs = [each for each in found if isinstance(each, Labelled)]
    if not jobs:
        reasons = "; ".join(f"{reason}: {n}" for reason, n in unusable.items())
        raise RowError(f"There is no attempt to evaluate ({reasons}). Give others, or use --generated.")
    return jobs, unusable


def examples(made: Sequence[Evaluation], count: int, seed: int) -> str:
    """`count` texts with their attempts, drawn by a seed, used ones first."""
    drawn = random.Random(seed).sample(list(made), len(made))
    drawn.sort(key=lambda one: one.fault is not None)
    return "\n\n".join(
        f"--- {one.fault or 'kept'}\n{one.job.attempt.problem.text}\n\n"
        f"{text.solution(one.job.attempt, one.job.labels)}\n\n{one.text}"
        for one in drawn[:count]
    )


def show(summary: dict[str, Any], as_json: bool) -> None:
    """The summary as text or as one JSON object."""
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    for what in ("unusable", "dropped"):
        for reason, n in summary[what].items():
            print(f"{n} {what}: {reason}", file=sys.stderr)
    judged = [f"{share['agree']} of {share['n']} {name}" for name, share in summary["accuracy"].items()]
    agree = f"; verdicts agree on {', '.join(judged)}" if judged else ""
    print(
        f"{summary['annotator']}, labels {summary['labels']}: {summary['kept']} of {summary['attempts']} texts "
        f"kept{agree}\n{summary['learned']} rows to learn from and {summary['kept apart']} "
        f"kept apart are in {summary['out']}"
    )
