"""What the examples of critic and verifier share: attempts from worked problems and records, and their division.

Worked problems, generated or from GSM8K, alternately give a right attempt and one with an inserted error. A share of
the problems is kept apart, and problems that overlap a held-out file are dropped.
"""

from __future__ import annotations

import json
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from runtime.files import folder_of, write_whole
from runtime.problems import wordproblems
from runtime.problems.division import kept_apart
from runtime.problems.formats import attempts as own
from runtime.problems.json_rows import RowError
from runtime.problems.labelled import LabelledTrajectory, StepLabel, labelled
from runtime.problems.worked import Worked
from runtime.prompts.critic_turn import judged
from runtime.settings import Settings
from runtime.types import Problem
from trainer.data import decontaminate
from trainer.data.critiques.records import read_records
from trainer.data.errors import InjectionError, inject_random
from trainer.data.gsm8k import gsm8k_problems

logger = logging.getLogger(__name__)

FITTED_FROM = 1000
"""Least number of fresh problems to keep that share of: fitting needs about sixty attempts."""


def examples_folder(settings: Settings) -> Path:
    """The default folder of training examples."""
    return folder_of(settings.home, "examples", once="lessons")


# Sources


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


def fresh(count: int, seed: int) -> Iterator[LabelledTrajectory]:
    """Generated attempts, and enough of those that are kept apart even where `count` is small."""
    yield from generated(count, seed)
    yield from (attempt for attempt in generated(max(count, FITTED_FROM), seed) if kept_apart(attempt.problem))


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
    labels = _labels([None] * len(worked.lines))
    return labelled(worked.problem, worked.lines, None, answer=worked.result, correct=True, labels=labels)


def wrong_attempt(worked: Worked, seed: int) -> LabelledTrajectory:
    """Raises InjectionError if no error fits."""
    made = inject_random(worked, seed)
    return labelled(
        worked.problem, made.lines, made.first_error, answer=made.answer, explanation=made.explanation,
        error_type=made.kind, correct=False, labels=_labels(made.error_types),
    )  # fmt: skip


def _labels(types: Sequence[str | None]) -> tuple[StepLabel, ...]:
    """The label of every step, those after the error too, from the type of its error."""
    return tuple(
        StepLabel(step=place, by="injection", value=-1 if kind else 1, reason=kind) for place, kind in enumerate(types)
    )


def mixed(sources: Iterable[Iterable[LabelledTrajectory]], seed: int) -> list[LabelledTrajectory]:
    """All attempts shuffled, each once; attempts on which two sources contradict each other are left out."""
    found: dict[str, LabelledTrajectory] = {}
    disputed: set[str] = set()
    for attempt in (attempt for source in sources for attempt in source):
        known = found.setdefault(attempt.key, attempt)
        if attempt.is_judged and not known.is_judged:
            found[attempt.key] = attempt
        elif attempt.is_judged and known.first_error != attempt.first_error:
            disputed.add(attempt.key)
    if disputed:
        logger.warning("%d attempts are left out, because two sources contradict each other on them.", len(disputed))
    attempts = [attempt for key, attempt in found.items() if key not in disputed]
    random.Random(seed).shuffle(attempts)
    return attempts


# Division


@dataclass(frozen=True)
class Division:
    """Attempts to learn from, and attempts at other problems, sorted by problem."""

    learned: list[LabelledTrajectory]
    kept: list[LabelledTrajectory]
    overlaps: decontaminate.Report

    def summary(self) -> dict[str, dict]:
        """Counts by source."""
        held_out = self.overlaps.summary()
        return {"learned": counted(self.learned), "kept apart": counted(self.kept), "held out": held_out}


def divided(attempts: Sequence[LabelledTrajectory], held_out: Sequence[Path]) -> Division:
    """Problems that share thirteen words with a held-out file are dropped. Raises RowError, also if nothing is left to
    learn from."""
    report = decontaminate.find(
        [a.problem.text for a in attempts], {str(path): decontaminate.read_texts(path) for path in held_out}
    )
    attempts = decontaminate.drop(attempts, report)
    # Attempts at one problem are neighbours, because `calibrate` keeps neighbours in one fold.
    kept = sorted((a for a in attempts if kept_apart(a.problem)), key=lambda attempt: attempt.problem.id)
    learned = [a for a in attempts if not kept_apart(a.problem)]
    if not learned:
        raise RowError(
            f"There is nothing to learn from: all {len(kept)} attempts are kept apart. Give more, or use --generated."
        )
    return Division(learned, kept, report)


def write_attempts(path: Path, attempts: Iterable[LabelledTrajectory]) -> None:
    """Write attempts in our own format, one JSON line each."""
    write_whole(path, (json.dumps(own.write([attempt]), ensure_ascii=False) + "\n" for attempt in attempts))


def counted(attempts: Sequence[LabelledTrajectory]) -> dict[str, dict[str, int]]:
    """Numbers of right and wrong attempts by source."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for attempt in attempts:
        kind = "unknown" if not attempt.is_judged else "right" if attempt.first_error is None else "wrong"
        counts[attempt.problem.source or "judged"][kind] += 1
    return {source: dict(count) for source, count in counts.items()}
