"""The export formats: converts labelled attempts to rows.

`prm800k` has the fields of PRM800K's second phase, `stepwise` and `preference` have TRL's columns, `messages` holds
conversations, and `judged` is the input of `python -m trainer retrain --collected`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, get_args

from runtime.log.run import home_of, step_id
from runtime.studio.labelled import LabelledAttempt
from runtime.text import is_closing, join_steps, language_of
from runtime.types import Feedback, Trajectory, content_hash

Format = Literal["prm800k", "stepwise", "preference", "messages", "judged"]
FORMATS: tuple[Format, ...] = get_args(Format)
Row = dict[str, Any]


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
    review, problem = attempt.review, attempt.problem
    yield {
        "labeler": "local",
        "timestamp": attempt.run.created_at,
        "generation": attempt.run.model,
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        "question": {
            "problem": problem.text,
            "ground_truth_answer": problem.answer,
            "pre_generated_steps": attempt.steps,
            "pre_generated_answer": attempt.trajectory.answer,
        },
        "label": {
            "steps": [_prm800k_step(*pair) for pair in zip(attempt.steps, attempt.labels, strict=True)],
            "total_time": round(1000 * review.seconds) if review else None,
            "finish_reason": review.ending if review else None,
        },
    }


def _prm800k_step(text: str, label: Feedback | None) -> Row:
    correction = label.correction if label else None
    return {
        "completions": [{"text": text, "rating": label.rating if label else None, "flagged": False}],
        "human_completion": {"text": correction, "rating": None, "source": "human"} if correction else None,
        "chosen_completion": None if correction else 0,
        "reason": label.reason if label else None,
    }


def _stepwise(attempt: LabelledAttempt) -> Iterator[Row]:
    """The rated steps up to the first wrong one. A neutral step counts as true, as in PRM800K's paper."""
    rated = attempt.rated
    if rated and not attempt.spoiled:
        completions, labels = attempt.steps[: len(rated)], [rating >= 0 for rating in rated]
        yield {"prompt": attempt.problem.text, "completions": completions, "labels": labels}


def _preference(attempt: LabelledAttempt) -> Iterator[Row]:
    """Pairs of a person's correction (chosen) and the step it corrects; and of a refined step rated right (chosen) and
    the step rated wrong that it replaced. The prompt ends before the step."""
    if attempt.spoiled:
        return
    for position, label in enumerate(attempt.labels):
        if label and label.correction and label.correction != attempt.steps[position]:
            yield _pair(attempt, position, label.correction, attempt.steps[position])
    parent = attempt.trajectory.parent
    if parent and parent.kept < len(attempt.steps) and attempt.ratings[parent.kept] == 1:
        wrong, better = _wrong_step(attempt, parent.trajectory_id, parent.kept), attempt.steps[parent.kept]
        if wrong and wrong != better:
            yield _pair(attempt, parent.kept, better, wrong)


def _wrong_step(attempt: LabelledAttempt, trajectory_id: str, position: int) -> str | None:
    """The step at this position of an earlier attempt, if it was rated wrong."""
    run = attempt.run
    for turn, earlier in enumerate(run.transcript.talk.turns[: attempt.turn]):
        if isinstance(earlier, Trajectory) and earlier.id == trajectory_id and position < len(earlier.steps):
            label = run.labels.get(step_id(run.id, *home_of(run.transcript.talk, turn, position)))
            return earlier.steps[position].text if label and label.rating == -1 else None
    return None


def _pair(attempt: LabelledAttempt, position: int, chosen: str, rejected: str) -> Row:
    before = "".join(f"{step}\n" for step in attempt.steps[:position])
    return {"prompt": f"{attempt.problem.text}\n\n{before}", "chosen": chosen, "rejected": rejected}


def _messages(attempt: LabelledAttempt) -> Iterator[Row]:
    """Solutions in which every step is right."""
    if attempt.holds and not attempt.spoiled:
        stated = is_closing(attempt.steps[-1])  # a student's own last line may state the answer already
        closing = None if stated else attempt.trajectory.answer
        solution = join_steps(attempt.steps, closing, language_of(attempt.problem.text))
        question, answer = {"role": "user"}, {"role": "assistant"}
        yield {"messages": [question | {"content": attempt.problem.text}, answer | {"content": solution}]}


def _judged(attempt: LabelledAttempt) -> Iterator[Row]:
    """Attempts whose first error is known, or in which every step is right."""
    if attempt.spoiled or (attempt.first_error is None and not attempt.holds):
        return
    wrong = attempt.first_error
    yield {
        "question": attempt.problem.text,
        "steps": attempt.steps,
        "first_error_index": -1 if wrong is None else wrong,
        "attempt_answer": attempt.trajectory.answer,
        "explanation": attempt.explanation,
        "error_type": attempt.error_type,
        "source": attempt.problem.source,
    }


_MAKERS: dict[Format, Callable[[LabelledAttempt], Iterator[Row]]] = {
    "prm800k": _prm800k,
    "stepwise": _stepwise,
    "preference": _preference,
    "messages": _messages,
    "judged": _judged,
}
