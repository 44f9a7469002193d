"""Training examples for the critic: labelled attempts from every source, half of them right.

    python -m trainer examples --generated 4000 --gsm8k problems.jsonl --judged first_error.jsonl --out FOLDER

Worked problems, generated or from GSM8K, alternately give a right attempt and one with an inserted error: a critic
trained mostly on wrong attempts accepts nothing. Attempts judged by people are used as they are.
"""

from __future__ import annotations

import json
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from runtime.files import folder_of, write_whole
from runtime.problems import wordproblems
from runtime.problems.formats import attempts as own
from runtime.problems.json_rows import RowError, some
from runtime.problems.labelled import LabelledTrajectory, labelled
from runtime.problems.worked import Worked
from runtime.prompts.critic_turn import judged, put_to_critic, verdict_words
from runtime.settings import Settings
from runtime.text import language_of
from runtime.types import Problem
from trainer.data.critiques.records import read_records
from trainer.data.decontaminate import drop, find, read_texts
from trainer.data.errors import InjectionError, inject_random
from trainer.data.first_error import is_sound
from trainer.data.gsm8k import gsm8k_problems
from trainer.data.rows import Row, write_rows
from trainer.data.sources import read_graded, read_judged

logger = logging.getLogger(__name__)

EXPLANATION = 0.5
"""The weight of a whole explanation in the loss; a verdict has 1."""


def critic_row(attempt: LabelledTrajectory) -> Row:
    """The critic's turn on an attempt: a verdict on each step up to the first wrong one, and its explanation."""
    right, wrong = verdict_words(language_of(attempt.problem.text))
    steps = judged(attempt.steps)
    end = len(steps) if attempt.first_error is None else attempt.first_error + 1
    reply: list[tuple[str, float]] = []
    for number, step in enumerate(steps[:end]):
        reply.append((f"]\n{step} [" if number else f"{step} [", 0.0))
        reply.append((wrong if number == attempt.first_error else right, 1.0))
    explained = attempt.first_error is not None and attempt.explanation
    if explained:
        words = f"] {attempt.explanation}"
        reply.append((words, EXPLANATION / max(1, len(words) // 4)))
    messages = put_to_critic(attempt.problem)
    return Row(messages=tuple(messages), reply=tuple(reply), ends=bool(explained), source=attempt.problem.source)


def generated(count: int, seed: int, split: wordproblems.Split = "train") -> Iterator[LabelledTrajectory]:
    """Attempts at fresh problems, alternately right and wrong."""
    for number, worked in enumerate(islice(wordproblems.stream(seed, split), count)):
        yield right_attempt(worked) if number % 2 == 0 else wrong_attempt(worked, seed)


def gsm8k(path: Path, seed: int, limit: int | None = None) -> Iterator[LabelledTrajectory]:
    """Attempts from GSM8K's solutions, each problem once, right or with an inserted error. Ambiguous solutions are
    skipped."""
    found = 0
    for worked in gsm8k_problems(path, seed):
        try:
            yield wrong_attempt(worked, seed) if found % 2 else right_attempt(worked)
        except InjectionError:
            continue
        found += 1
        if found == limit:
            return


def people(path: Path) -> Iterator[LabelledTrajectory]:
    """Wrong attempts judged by people, and their right prefixes. Reference solutions are left out: they are in another
    style, and a critic that can use style as a cue learns nothing else (trainer/LOG.md)."""
    return (
        attempt for judged in read_judged(path) if judged.first_error is not None for attempt in _with_begun(judged)
    )


def collected(path: Path) -> Iterator[LabelledTrajectory]:
    """Attempts judged in the app, including right ones, as all are in one style."""
    for attempt in read_judged(path):
        if attempt.first_error is None:
            yield attempt
        else:
            yield from _with_begun(attempt)


def _with_begun(attempt: LabelledTrajectory) -> Iterator[LabelledTrajectory]:
    """A wrong attempt and its prefix before the error; empty if only an unjudged line is wrong."""
    place = attempt.first_error
    if place is not None and place < len(judged(attempt.steps)):
        yield attempt
        if place > 0:
            yield labelled(attempt.problem, attempt.steps[:place], None)


def rollouts(path: Path) -> Iterator[LabelledTrajectory]:
    """Right rollouts, which have the style of the model to be judged (`trainer rollouts`)."""
    return (labelled(one.problem, one.steps, None, one.answer) for one in read_graded(path) if is_sound(one))


def recorded(path: Path) -> Iterator[LabelledTrajectory]:
    """Attempts of `trainer critiques` with a usable critique."""
    for record in read_records(path):
        critique = next((critique for critique in record.critiques if critique.usable), None)
        if critique is None:
            continue
        place = critique.verdicts.index(False) if False in critique.verdicts else None
        if place is not None and place >= len(judged(record.traj.lines)):
            continue  # a wrong answer line is not judged
        given = record.problem
        yield labelled(
            Problem(text=given.text, answer=given.answer, source=given.dataset, licence=record.prov.licence),
            record.traj.lines,
            place,
            answer=record.traj.final,
            explanation="" if place is None else critique.explains[place],
            error_type=record.traj.inject.type if record.traj.inject else None,
        )


def right_attempt(worked: Worked) -> LabelledTrajectory:
    return labelled(worked.problem, worked.lines, None, answer=worked.result)


def wrong_attempt(worked: Worked, seed: int) -> LabelledTrajectory:
    """Raises InjectionError if no error fits."""
    made = inject_random(worked, seed)
    return labelled(
        worked.problem, made.lines, made.first_error, answer=made.answer, explanation=made.explanation,
        error_type=made.kind,
    )  # fmt: skip


def mixed(sources: Iterable[Iterable[LabelledTrajectory]], seed: int) -> list[LabelledTrajectory]:
    """All attempts shuffled, each once; attempts on which two sources contradict each other are left out."""
    found: dict[str, LabelledTrajectory] = {}
    disputed: set[str] = set()
    for attempt in (attempt for source in sources for attempt in source):
        known = found.setdefault(attempt.key, attempt)
        if known.first_error != attempt.first_error:
            disputed.add(attempt.key)
    if disputed:
        logger.warning("%d attempts are left out, because two sources contradict each other on them.", len(disputed))
    attempts = [attempt for key, attempt in found.items() if key not in disputed]
    random.Random(seed).shuffle(attempts)
    return attempts


@dataclass(frozen=True)
class Sources:
    """Sources of labelled attempts."""

    generated: int = 0
    gsm8k: Path | None = None
    gsm8k_limit: int | None = None
    judged: Path | None = None
    records: Path | None = None
    rollouts: Path | None = None
    collected: Path | None = None
    """Attempts judged in the app."""
    held_out: tuple[Path, ...] = ()
    """Files of held-out problems."""
    seed: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """All files to read."""
        learned = (self.gsm8k, self.judged, self.records, self.rollouts, self.collected)
        return (*(file for file in learned if file), *self.held_out)


def examples_folder(settings: Settings) -> Path:
    """The default folder of training examples."""
    return folder_of(settings.home, "examples", once="lessons")


KEPT_APART = 0.06
"""Share of the problems of each source kept apart for fitting rules and thresholds."""
FITTED_FROM = 1000
"""Least number of fresh problems to keep that share of: fitting needs about sixty attempts."""


def write_examples(sources: Sources, folder: Path) -> dict[str, Any]:
    """Write `critic.jsonl` (training rows), `dev.jsonl` (validation rows) and `fit.jsonl` (the attempts behind the
    validation rows, for `calibrate`); return counts by source. Problems that share thirteen words with a held-out file
    are dropped. Raises RowError, also if no training row is left."""
    attempts = mixed(_read(sources), sources.seed)
    report = find([a.problem.text for a in attempts], {str(p): read_texts(p) for p in sources.held_out})
    attempts = drop(attempts, report)
    # Attempts at one problem are neighbours, because `calibrate` keeps neighbours in one fold.
    kept = sorted((a for a in attempts if kept_apart(a.problem)), key=lambda attempt: attempt.problem.id)
    learned = [a for a in attempts if not kept_apart(a.problem)]
    if not learned:
        raise RowError(
            f"There is nothing to learn from: all {len(kept)} attempts are kept apart. Give more, or use --generated."
        )
    write_rows(folder / "critic.jsonl", map(critic_row, learned))
    write_rows(folder / "dev.jsonl", map(critic_row, kept))
    lines = (json.dumps(own.write([attempt]), ensure_ascii=False) + "\n" for attempt in kept)
    write_whole(folder / "fit.jsonl", lines)
    return {
        "learned": _counted(learned),
        "kept apart": _counted(kept),
        "held out": report.summary(),
    }


def _read(sources: Sources) -> Iterator[Iterable[LabelledTrajectory]]:
    if sources.generated:
        yield generated(sources.generated, sources.seed)
        enough = max(sources.generated, FITTED_FROM)
        yield (attempt for attempt in generated(enough, sources.seed) if kept_apart(attempt.problem))
    files = (
        (sources.gsm8k, partial(gsm8k, seed=sources.seed, limit=sources.gsm8k_limit)),
        (sources.judged, people),
        (sources.records, recorded),
        (sources.rollouts, rollouts),
        (sources.collected, collected),
    )
    yield from (some(path, read(path), "attempts to learn from") for path, read in files if path)


def kept_apart(problem: Problem) -> bool:
    """Whether a problem is kept apart; depends on its text only, so every run keeps the same ones."""
    return int(problem.id, 16) % 1000 < 1000 * KEPT_APART


def _counted(attempts: Sequence[LabelledTrajectory]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for attempt in attempts:
        counts[attempt.problem.source or "judged"]["right" if attempt.first_error is None else "wrong"] += 1
    return {source: dict(count) for source, count in counts.items()}
