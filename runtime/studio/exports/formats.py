"""Chooses what of labelled attempts is exported; `runtime.problems.formats` writes the rows.

`prm800k` has the fields of PRM800K's second phase, `stepwise` and `preference` have TRL's columns, `messages` holds
conversations, and `judged` is the input of `python -m trainer retrain --collected`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, get_args

from runtime.log.run import home_of, step_id
from runtime.problems.formats import attempts as own
from runtime.problems.formats import messages, prm800k, trl_preference, trl_stepwise
from runtime.problems.json_rows import Row
from runtime.problems.labelled import LabelProvenance, known_steps, labelled
from runtime.studio.labelled import LabelledAttempt
from runtime.types import Problem, Trajectory, content_hash

Format = Literal["prm800k", "stepwise", "preference", "messages", "judged"]
FORMATS: tuple[Format, ...] = get_args(Format)


def rows_of(name: Format, attempts: Iterable[LabelledAttempt]) -> list[Row]:
    """The rows of the attempts in a format, without duplicates."""
    make, found = _MAKERS[name], {}
    for attempt in attempts:
        for row in make(attempt):
            found.setdefault(_identity(name, attempt, row), row)
    return list(found.values())


def _identity(name: Format, attempt: LabelledAttempt, row: Row) -> str:
    """The key of a row for removing duplicates: in PRM800K's format each attempt counts, even with equal content; in
    the others, equal rows count once."""
    return attempt.key if name == "prm800k" else content_hash(*(f"{key}={value}" for key, value in row.items()))


def _prm800k(attempt: LabelledAttempt) -> Iterator[Row]:
    rated = any(rating is not None for rating in attempt.ratings)
    if not (rated or attempt.review or any(label and label.correction for label in attempt.labels)):
        return
    yield prm800k.write([attempt.known])


def _stepwise(attempt: LabelledAttempt) -> Iterator[Row]:
    """The rated steps up to the first wrong one. A neutral step counts as true, as in PRM800K's paper."""
    known = attempt.known
    right = known_steps(known)
    if right and not attempt.spoiled:
        end = right.index(False) + 1 if False in right else len(right)
        labels = tuple(label for label in known.labels if label.step < end)
        yield trl_stepwise.write([known.model_copy(update={"labels": labels})])


def _preference(attempt: LabelledAttempt) -> Iterator[Row]:
    """Pairs of a person's correction (chosen) and the step it corrects; and of a refined step rated right (chosen) and
    the step rated wrong that it replaced. The prompt ends before the step."""
    yield from corrected(attempt)
    if attempt.spoiled:
        return
    parent = attempt.trajectory.parent
    if parent and parent.kept < len(attempt.steps) and attempt.ratings[parent.kept] == 1:
        wrong, better = _wrong_step(attempt, parent.trajectory_id, parent.kept), attempt.steps[parent.kept]
        if wrong and wrong != better:
            yield _pair(attempt, parent.kept, better, wrong)


def corrected(attempt: LabelledAttempt) -> Iterator[Row]:
    """A pair of each correction (chosen) and the step it corrects (rejected)."""
    for position, label in enumerate(() if attempt.spoiled else attempt.labels):
        if label and label.correction and label.correction != attempt.steps[position]:
            yield _pair(attempt, position, label.correction, attempt.steps[position])


def _wrong_step(attempt: LabelledAttempt, trajectory_id: str, position: int) -> str | None:
    """The step at this position of an earlier attempt, if it was rated wrong."""
    run = attempt.run
    for turn, earlier in enumerate(run.transcript.talk.turns[: attempt.turn]):
        if isinstance(earlier, Trajectory) and earlier.id == trajectory_id and position < len(earlier.steps):
            label = run.labels.get(step_id(run.id, *home_of(run.transcript.talk, turn, position)))
            return earlier.steps[position].text if label and label.rating == -1 else None
    return None


def _pair(attempt: LabelledAttempt, position: int, chosen: str, rejected: str) -> Row:
    before = attempt.steps[:position]
    return trl_preference.write(
        [
            labelled(attempt.problem, [*before, chosen], provenance=LabelProvenance(role="chosen")),
            labelled(attempt.problem, [*before, rejected], provenance=LabelProvenance(role="rejected")),
        ]
    )


def _messages(attempt: LabelledAttempt) -> Iterator[Row]:
    """Solutions in which every step is right."""
    known = attempt.known
    if known.first_error_index is None and not attempt.spoiled:
        yield messages.write([known])


def _judged(attempt: LabelledAttempt) -> Iterator[Row]:
    """Attempts whose first error is known, or in which every step is right; without labels and reference answer."""
    known = attempt.known
    if attempt.spoiled or not known.is_judged:
        return
    problem = Problem(text=known.problem.text, source=known.problem.source)
    bare = known.model_copy(update={"problem": problem, "labels": (), "provenance": LabelProvenance()})
    yield own.write([bare]) | {"attempt_answer": known.trajectory.answer, "error_type": known.error_type or ""}


_MAKERS: dict[Format, Callable[[LabelledAttempt], Iterator[Row]]] = {
    "prm800k": _prm800k,
    "stepwise": _stepwise,
    "preference": _preference,
    "messages": _messages,
    "judged": _judged,
}
