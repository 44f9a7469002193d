"""Training examples for the verifier: attempts whose steps, or whose answers, are labelled.

    python -m trainer verifier-examples --generated 4000 --labelled labels.jsonl --held-out test.jsonl --out FOLDER

One row serves both objectives: a process reward model learns the labels of its steps, an outcome reward model its
outcome. No attempt is left out to balance the classes, as the loss weighs them (`trainer.training.verifier`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.problems.json_rows import some
from runtime.problems.labelled import LabelledTrajectory, StepLabel
from runtime.prompts.critic_turn import verdict_words
from runtime.prompts.verifier_turn import put_to_verifier, score_parts
from runtime.text import language_of
from trainer.data.examples.attempts import divided, fresh, gsm8k, mixed, recorded, write_attempts
from trainer.data.rows import ScoredRow, write_rows
from trainer.data.sources import read_attempts

Estimate = Literal["hard", "soft"]
"""What rollouts say of a step: whether any succeeded (HE), or the share that did (SE)."""
AfterError = Literal["ignore", "wrong", "labelled"]
"""Labels of the steps after the first error: none, as nobody knows what is right there (PURE, arXiv 2504.15275); wrong;
or their own, as in Math-Shepherd, where a later step may be right again."""


def scored_row(
    attempt: LabelledTrajectory, estimate: Estimate = "hard", after_error: AfterError = "ignore"
) -> ScoredRow:
    """The verifier's turn on an attempt."""
    return ScoredRow(
        messages=tuple(put_to_verifier(attempt.problem)),
        parts=tuple(score_parts(attempt.steps)),
        words=verdict_words(language_of(attempt.problem.text)),
        labels=tuple(step_labels(attempt, estimate, after_error)),
        outcome=outcome(attempt),
        source=attempt.problem.source,
    )


def step_labels(
    attempt: LabelledTrajectory, estimate: Estimate = "hard", after_error: AfterError = "ignore"
) -> list[float | None]:
    """The probability that each step is right; None where nothing is known. A critic's labels are left out."""
    own = {label.step: label for label in attempt.labels if label.by != "critic"}
    wrong = _first_error(attempt, own)
    known: dict[int, float | None] = {}
    if attempt.is_judged:
        known |= dict.fromkeys(range(len(attempt.steps) if wrong is None else wrong), 1.0)
    known |= {place: value for place, label in own.items() if (value := _value(label, estimate)) is not None}
    if wrong is not None:
        known[wrong] = 0.0
        if after_error != "labelled":
            after = range(wrong + 1, len(attempt.steps))
            known |= dict.fromkeys(after, None if after_error == "ignore" else 0.0)
    labels = [known.get(place) for place in range(len(attempt.steps))]
    if attempt.provenance.role == "alternative":  # the steps before it are learned with the solution it belongs to
        labels[:-1] = [None] * (len(labels) - 1)
    return labels


def _value(label: StepLabel, estimate: Estimate) -> float | None:
    """A rating has no soft estimate, so it is hard in both."""
    if estimate == "soft" and label.value is None:
        return label.soft
    return None if label.hard is None else float(label.hard)


def _first_error(attempt: LabelledTrajectory, labels: dict[int, StepLabel]) -> int | None:
    """The first error; if it is not known, the first step that is labelled wrong."""
    if attempt.is_judged:
        return attempt.first_error
    return min((place for place, label in labels.items() if label.hard is False), default=None)


def outcome(attempt: LabelledTrajectory) -> float | None:
    """Whether the answer is right; where nobody graded it, whether all steps of a finished attempt are."""
    if attempt.correct is not None:
        return float(attempt.correct)
    is_part = attempt.provenance.role == "alternative" or attempt.provenance.ending not in (None, "solution")
    if not attempt.is_judged or (is_part and attempt.first_error is None):
        return None
    return float(attempt.first_error is None)


def labelled_attempts(path: Path, limit: int | None = None) -> Iterator[LabelledTrajectory]:
    """The attempts of `limit` rows in any format of which anything is known. Raises RowError."""
    for attempt in read_attempts(path, limit):
        known = (outcome(attempt), *step_labels(attempt, "soft"))
        if attempt.steps and known.count(None) < len(known):
            yield attempt


@dataclass(frozen=True)
class Sources:
    """Sources of labelled attempts, and what becomes of their labels."""

    generated: int = 0
    gsm8k: Path | None = None
    gsm8k_limit: int | None = None
    records: Path | None = None
    labelled: tuple[Path, ...] = ()
    """Files in any format of `runtime.problems.formats`."""
    held_out: tuple[Path, ...] = ()
    """Files of held-out problems."""
    estimate: Estimate = "hard"
    after_error: AfterError = "ignore"
    seed: int = 0


def write_examples(sources: Sources, folder: Path) -> dict[str, Any]:
    """Write `verifier.jsonl` (training rows), `verifier-dev.jsonl` (validation rows) and `verifier-fit.jsonl` (the
    attempts behind the validation rows); return counts by source and of labels. Raises RowError, also if no training
    row is left."""
    division = divided(mixed(_read(sources), sources.seed), sources.held_out)
    learned, kept = (
        [scored_row(attempt, sources.estimate, sources.after_error) for attempt in attempts]
        for attempts in (division.learned, division.kept)
    )
    write_rows(folder / "verifier.jsonl", learned)
    write_rows(folder / "verifier-dev.jsonl", kept)
    write_attempts(folder / "verifier-fit.jsonl", division.kept)
    return {**division.summary(), "labels": _labels_of(learned)}


def _read(sources: Sources) -> Iterator[Iterable[LabelledTrajectory]]:
    if sources.generated:
        yield fresh(sources.generated, sources.seed)
    if sources.gsm8k:
        yield gsm8k(sources.gsm8k, sources.seed, sources.gsm8k_limit)
    if sources.records:
        yield recorded(sources.records)
    for path in sources.labelled:
        yield some(path, labelled_attempts(path), "attempts with labels")


def _labels_of(rows: Sequence[ScoredRow]) -> dict[str, dict[str, int]]:
    """Numbers of labels, of the steps and of the outcomes."""
    return {
        "steps": _kinds(label for row in rows for label in row.labels),
        "outcomes": _kinds(row.outcome for row in rows),
    }


def _kinds(labels: Iterable[float | None]) -> dict[str, int]:
    names = {None: "ignored", 0.0: "wrong", 1.0: "right"}
    return dict(Counter(names.get(label, "between") for label in labels))
