"""Lessons for the critic's voice: judged attempts from every source, right and wrong ones alike, as rows to learn from.

    python -m trainer lessons --generated 4000 --marked problems.jsonl --judged first_error.jsonl --out FOLDER

Worked problems, generated or marked by people, give a right attempt and one with an error put in, in turns: a critic
that sees more wrong attempts than right ones accepts nothing. Attempts that people judged come as they are.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from runtime import wordproblems
from runtime.text import language_of
from runtime.turns import put_to_critic, verdict_words
from runtime.types import Problem
from runtime.worked import Worked
from trainer.injection import InjectionError, inject_random
from trainer.marks import worked_from_marks
from trainer.sft.rows import Row
from trainer.sources import JudgedAttempt

EXPLANATION = 0.5
"""What a whole explanation weighs against one verdict."""


def critic_row(attempt: JudgedAttempt) -> Row:
    """The critic's turn on an attempt: a verdict on each step up to the first wrong one, and what is wrong with it."""
    right, wrong = verdict_words(language_of(attempt.problem.text))
    end = len(attempt.steps) if attempt.first_error is None else attempt.first_error + 1
    reply: list[tuple[str, float]] = []
    for number, step in enumerate(attempt.steps[:end]):
        reply.append((f"]\n{step} [" if number else f"{step} [", 0.0))
        reply.append((wrong if number == attempt.first_error else right, 1.0))
    explained = attempt.first_error is not None and attempt.explanation
    if explained:
        words = f"] {attempt.explanation}"
        reply.append((words, EXPLANATION / max(1, len(words) // 4)))
    messages = put_to_critic(attempt.problem, attempt.trajectory)
    return Row(messages=tuple(messages), reply=tuple(reply), ends=bool(explained), source=attempt.problem.source)


def generated(count: int, seed: int, split: wordproblems.Split = "train") -> Iterator[JudgedAttempt]:
    """Attempts at fresh problems: right, wrong, right, wrong."""
    for number, worked in enumerate(islice(wordproblems.stream(seed, split), count)):
        yield right_attempt(worked) if number % 2 == 0 else wrong_attempt(worked, seed)


def marked(path: Path, seed: int, limit: int | None = None) -> Iterator[JudgedAttempt]:
    """Attempts from human solutions with GSM8K's marks, each problem once, right or with an error put in. What cannot
    be read with certainty is passed over."""
    rows = (json.loads(line) for line in path.open(encoding="utf-8"))
    rows = [row for row in rows if "<<" in row.get("solution", "")]
    random.Random(seed).shuffle(rows)
    found = 0
    for row in rows:
        problem = Problem(text=row["question"], answer=row["answer"], source=row["source"], licence=row["licence"])
        worked = worked_from_marks(problem, row["solution"])
        if worked is None:
            continue
        try:
            yield wrong_attempt(worked, seed) if found % 2 else right_attempt(worked)
        except InjectionError:
            continue
        found += 1
        if found == limit:
            return


def right_attempt(worked: Worked) -> JudgedAttempt:
    return JudgedAttempt(worked.problem, worked.lines, None, answer=worked.result)


def wrong_attempt(worked: Worked, seed: int) -> JudgedAttempt:
    """Raises InjectionError where no error fits."""
    made = inject_random(worked, seed)
    return JudgedAttempt(
        worked.problem, made.lines, made.first_error, answer=made.answer, explanation=made.explanation,
        error_type=made.kind,
    )  # fmt: skip


def judged_row(attempt: JudgedAttempt) -> dict[str, object]:
    """As `trainer.sources.read_judged` reads it."""
    return {
        "question": attempt.problem.text,
        "steps": list(attempt.steps),
        "first_error": -1 if attempt.first_error is None else attempt.first_error,
        "attempt_answer": attempt.answer,
        "explanation": attempt.explanation,
        "error_type": attempt.error_type,
        "source": attempt.problem.source,
    }


def mixed(sources: Iterable[Iterable[JudgedAttempt]], seed: int) -> list[JudgedAttempt]:
    """All attempts in one random order, each once."""
    attempts = list({attempt.key: attempt for source in sources for attempt in source}.values())
    random.Random(seed).shuffle(attempts)
    return attempts
