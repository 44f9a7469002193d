"""Training examples for the first stage of a verifier (MATH-Minos): evaluations in words, without a label in sight.

python -m trainer evaluations --generated 4000 --out FOLDER
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import starmap
from pathlib import Path
from typing import Any

from runtime.files import write_whole
from runtime.problems.division import kept_apart
from runtime.problems.formats import soliloquy
from runtime.problems.labelled import LabelledTrajectory, StepLabel, WrittenCritique
from runtime.prompts import templates
from runtime.text import language_of
from runtime.types import Message
from trainer.data.decontaminate import drop, find, read_texts
from trainer.data.evaluations import error_types
from trainer.data.evaluations.pipeline import Evaluation
from trainer.data.evaluations.text import solution
from trainer.data.rows import Row, write_rows

Pair = tuple[LabelledTrajectory, str]
"""An attempt and the text that evaluates it."""


def evaluation_row(attempt: LabelledTrajectory, text: str) -> Row:
    """The turn in which an attempt is evaluated. Neither the prompt nor the attempt in it carries a label."""
    problem, language = attempt.problem, language_of(attempt.problem.text)
    request = templates.fill("evaluate", language, problem=problem.text, solution=solution(attempt))
    messages = (
        Message(role="system", content=templates.fill("system", language)),
        Message(role="user", content=request),
    )
    return Row(messages=messages, reply=((text, 1.0),), source=problem.source, licence=problem.licence)


def write_evaluations(folder: Path, pairs: Sequence[Pair], held_out: Sequence[Path] = ()) -> dict[str, Any]:
    """Write `evaluations.jsonl` and `evaluations-dev.jsonl` (training and validation rows), and `evaluated.jsonl` (the
    attempts behind them with all that is known of them); return counts. Problems that share thirteen words with a
    held-out file are dropped."""
    report = find([one.problem.text for one, _ in pairs], {str(path): read_texts(path) for path in held_out})
    used = drop(pairs, report)
    apart = [pair for pair in used if kept_apart(pair[0].problem)]
    learned = [pair for pair in used if not kept_apart(pair[0].problem)]
    write_rows(folder / "evaluations.jsonl", starmap(evaluation_row, learned))
    write_rows(folder / "evaluations-dev.jsonl", starmap(evaluation_row, apart))
    rows = (soliloquy.write([attempt]) for attempt, _ in used)
    write_whole(folder / "evaluated.jsonl", (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return {"learned": len(learned), "kept apart": len(apart), "overlaps with a held-out problem": len(report.rows)}


def evaluated(made: Evaluation, annotator: str) -> LabelledTrajectory:
    """The attempt with a label of every step, the type of every wrong one, and the text."""
    attempt, types = made.job.attempt, error_types.by_rule(made.job.attempt)
    known = {label.step: label for label in attempt.labels}
    labels = [
        known.get(place, StepLabel(step=place, by="rule", value=1 if right else -1)).model_copy(
            update={"reason": types[place]}
        )
        for place, right in enumerate(made.job.labels)
    ]
    text = WrittenCritique(text=made.text, by=annotator)
    return attempt.model_copy(
        update={"labels": tuple(labels), "correct": made.job.correct, "critiques": (*attempt.critiques, text)}
    )
