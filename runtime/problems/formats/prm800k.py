"""PRM800K (arXiv 2305.20050): people's ratings of steps, in nested rows of both phases.

In phase 1 each step has several completions, and the solution goes on from the chosen one or from a person's own
(`human_completion`). In phase 2 a whole solution was there before (`pre_generated_steps`), and is rated up to its first
wrong step. Our export has the fields of phase 2; there `human_completion` is how a person corrects a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.problems.formats.format import Format, marks
from runtime.problems.json_rows import Row, scalar, text
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel, by_labels, labelled
from runtime.types import Problem

NAME = "PRM800K"
Labelled = tuple[str, StepLabel | None]
"""A step and its label."""


def read(row: Row) -> list[LabelledTrajectory]:
    """The solution, and for each step its completions that were not chosen, each with the steps before it."""
    asked, label = _object(row, "question"), _object(row, "label")
    problem = Problem(text=text(asked, "problem"), answer=scalar(asked, "ground_truth_answer"), source="")
    rated = [_rated(one) for one in _list(label, "steps", "label.steps")]
    whole = asked.get("pre_generated_steps")
    if whole and [one["completions"][0]["text"] for one in rated if one["completions"]] == whole[: len(rated)]:
        path = [_completion(place, one, 0) for place, one in enumerate(rated)]
        path += [(step, None) for step in whole[len(rated) :]]
        alternatives: list[list[Labelled]] = []
    else:
        path, alternatives = _chosen(rated)
    answer = scalar(asked, "pre_generated_answer")
    return [
        _attempt(row, problem, path, answer),
        *(_attempt(row, problem, one, None, "alternative") for one in alternatives),
    ]


def _chosen(rated: Sequence[Row]) -> tuple[list[Labelled], list[list[Labelled]]]:
    """The path of the chosen completions, and the others with the path up to them."""
    path: list[Labelled] = []
    alternatives: list[list[Labelled]] = []
    for place, one in enumerate(rated):
        chosen, human = one.get("chosen_completion"), one.get("human_completion")
        by_hand = chosen is None and human is not None
        taken = None if by_hand else (chosen or 0)
        if taken is not None and not 0 <= taken < len(one["completions"]):
            raise ValueError(f"`label.steps[{place}].chosen_completion` ({chosen!r}) is none of its completions")
        others = [i for i in range(len(one["completions"])) if i != taken]
        alternatives += [[*path, _completion(place, one, i)] for i in others]
        if human is not None and by_hand:
            path.append((human["text"], StepLabel(step=place, by="human", correction=human["text"])))
        elif taken is not None:
            path.append(_completion(place, one, taken))
    return path, alternatives


def _completion(place: int, one: Row, index: int) -> Labelled:
    given = one["completions"][index]
    human, reason = one.get("human_completion"), one.get("reason")
    correction = human["text"] if human and index == 0 and one.get("chosen_completion") is None else None
    if given.get("rating") is None and not reason and correction is None:
        return given["text"], None
    label = StepLabel(step=place, by="human", value=given.get("rating"), reason=reason, correction=correction)
    return given["text"], label


def _attempt(
    row: Row, problem: Problem, path: Sequence[Labelled], answer: str | None, role: Any = None
) -> LabelledTrajectory:
    labels = tuple(label for _, label in path if label)
    place = by_labels(labels, len(path))
    reason = next((label.reason for label in labels if label.step == place), None)
    milliseconds = row["label"].get("total_time")
    return labelled(
        problem, [step for step, _ in path], place, answer, error_type=reason, labels=labels,
        provenance=LabelProvenance(
            format=NAME, role=role, annotator=scalar(row, "labeler"), created=scalar(row, "timestamp"),
            generator=scalar(row, "generation"), ending=scalar(row["label"], "finish_reason"),
            seconds=None if milliseconds is None else milliseconds / 1000,
        ),
    )  # fmt: skip


def _object(row: Row, name: str) -> Row:
    if not isinstance(row.get(name), dict):
        raise ValueError(f"`{name}` (an object) is missing")
    return row[name]


def _list(row: Row, name: str, path: str) -> list[Any]:
    if not isinstance(row.get(name), list) or not row[name]:
        raise ValueError(f"`{path}` (a list that is not empty) is missing")
    return row[name]


def _rated(one: Any) -> Row:
    """One element of `label.steps`, with a list of completions that have texts."""
    given = one.get("completions") or [] if isinstance(one, dict) else None
    if not isinstance(given, list) or not all(isinstance(c, dict) and isinstance(c.get("text"), str) for c in given):
        raise ValueError("`label.steps[].completions` (objects with `text` and `rating`) is missing")
    if not given and not (one.get("human_completion") or {}).get("text"):
        raise ValueError("an element of `label.steps` has neither `completions` nor `human_completion`")
    return {**one, "completions": given}


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    """In phase 2's form; with alternatives, or steps that a person wrote, in that of phase 1."""
    attempt, *others = attempts
    known = attempt.provenance
    if any(label.by != "human" for one in attempts for label in one.labels):
        raise ValueError("this format holds people's ratings only")
    if attempt.first_error_index != by_labels(attempt.labels, len(attempt.steps)):
        raise ValueError("this format needs people's ratings of the steps up to the first error")
    labels = {label.step: label for label in attempt.labels}
    whole = not others and not any(_by_hand(attempt, place, labels) for place in labels)
    alternatives: dict[int, list[Row]] = {}
    for other in others:
        last = len(other.steps) - 1
        if other.provenance.role != "alternative" or other.steps[:last] != attempt.steps[:last]:
            raise ValueError("beside a solution a row holds only alternatives to its steps")
        rating = next((label.value for label in other.labels if label.step == last), None)
        alternatives.setdefault(last, []).append(_one(other.steps[last], rating))
    return {
        "labeler": known.annotator,
        "timestamp": known.created,
        "generation": known.generator,
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        "question": {
            "problem": attempt.problem.text,
            "ground_truth_answer": attempt.problem.answer,
            **({"pre_generated_steps": list(attempt.steps)} if whole else {}),
            "pre_generated_answer": attempt.trajectory.answer if attempt.answer or whole else None,
        },
        "label": {
            "steps": [
                _step(attempt, place, labels, alternatives.get(place, [])) for place in range(len(attempt.steps))
            ],
            "total_time": None if known.seconds is None else round(1000 * known.seconds),
            "finish_reason": known.ending,
        },
    }


def _by_hand(attempt: LabelledTrajectory, place: int, labels: dict[int, StepLabel]) -> bool:
    """Whether a person wrote the step, so that nobody rated it."""
    label = labels.get(place)
    return label is not None and label.value is None and label.correction == attempt.steps[place]


def _step(attempt: LabelledTrajectory, place: int, labels: dict[int, StepLabel], others: list[Row]) -> Row:
    label, by_hand = labels.get(place), _by_hand(attempt, place, labels)
    own = [] if by_hand else [_one(attempt.steps[place], label.value if label else None)]
    correction = label.correction if label else None
    return {
        "completions": [*own, *others],
        "human_completion": {"text": correction, "rating": None, "source": "human"} if correction else None,
        "chosen_completion": None if correction else 0,
        "reason": label.reason if label else None,
    }


def _one(words: str, rating: int | None) -> Row:
    return {"text": words, "rating": rating, "flagged": False}


FORMAT = Format(
    NAME,
    marks("question label labeler", "question label timestamp", "question label generation"),
    "Its rows have `question.problem`, and in `label.steps` the `completions` of each step with `text` and `rating`",
    read,
    write,
)
