"""The type of every wrong step, one of MATH-Minos' five (`trainer.data.errors`), and their counts.

By rule: a type that its author or a person gave it; a false equation is a calculation error; a step that goes on from a
wrong number accumulates; a true calculation whose result nothing uses is unrelated; any other calculation or reasoning
is logical, and a step without a word or a number is other. Or by a model, which reads the definitions and chooses a
word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import get_args

from runtime.checks import arithmetic
from runtime.engines.base import Engine
from runtime.problems.labelled import LabelledTrajectory
from runtime.prompts import templates
from runtime.search.solutions import numbers_in
from runtime.text import language_of
from runtime.types import Message
from trainer.data.critiques.records import ErrorKind
from trainer.data.errors import ErrorType
from trainer.data.evaluations.consequences import carried_on, numbers_of
from trainer.data.evaluations.labels import step_labels
from trainer.data.evaluations.text import parse, solution

TYPES: tuple[ErrorType, ...] = get_args(ErrorType)
Assign = Callable[[LabelledTrajectory], list[ErrorType | None]]
"""From an attempt to the type of each step; None for one that is right or of which nothing is known."""

PROJECTED: Mapping[ErrorKind, ErrorType] = {
    **{kind: kind for kind in TYPES},
    "misread": "logical",
    "formula": "logical",
    "missing": "logical",
    "unit_sign": "calculation",
}
"""From the types of critiques to the five."""
TEACHERS: Mapping[str, ErrorKind] = {
    "Misunderstanding of a question": "misread",
    "Extra quantity or Missing quantity": "missing",
    "Missing / Wrong factual knowledge": "formula",
    "Calculation error easily solved by a calculator": "calculation",
    "Unit conversion error": "unit_sign",
    "Reached correct solution but proceeded further": "unrelated",
    "None of the above": "other",
}
"""The categories of verify-then-generate (arXiv 2407.09136)."""


def projected(name: str | None) -> ErrorType | None:
    """The type behind the name of one, in any of these lists; None for any other name."""
    kind = TEACHERS.get(name or "", name)
    return next((error for known, error in PROJECTED.items() if known == kind), None)


def by_rule(attempt: LabelledTrajectory) -> list[ErrorType | None]:
    """The types by rule."""
    labels = step_labels(attempt)
    sources = carried_on(attempt, labels)
    given = {label.step: projected(label.reason) for label in attempt.labels}
    if isinstance(attempt.first_error_index, int):
        given = {attempt.first_error_index: projected(attempt.error_type)} | {k: v for k, v in given.items() if v}
    return [
        given.get(place) or _type(attempt, place, sources[place] is not None) if label is False else None
        for place, label in enumerate(labels)
    ]


def _type(attempt: LabelledTrajectory, place: int, goes_on_from_error: bool) -> ErrorType:
    step, later = attempt.steps[place], attempt.steps[place + 1 :]
    verdict = arithmetic.verdict(arithmetic.check(step))
    if verdict == "incorrect":
        return "calculation"
    if goes_on_from_error:
        return "accumulation"
    _, made = numbers_of(step)
    reused = numbers_in("\n".join([*later, attempt.trajectory.answer or ""]))
    if verdict == "correct" and made and not made & reused:
        return "unrelated"
    return "logical" if any(character.isalnum() for character in step) else "other"


def by_model(engine: Engine) -> Assign:
    """The types by a model: for each wrong step the most probable of the five words. Beside the labelled solution it
    reads what was said of the step. Raises ContextOverflow, EngineError."""

    def assign(attempt: LabelledTrajectory) -> list[ErrorType | None]:
        labels, told = step_labels(attempt), explanations(attempt)
        return [
            None if label is not False else ask(attempt, labels, place, told[place])
            for place, label in enumerate(labels)
        ]

    def ask(attempt: LabelledTrajectory, labels: Sequence[bool | None], place: int, told: str) -> ErrorType:
        request = templates.fill(
            "error_type",
            language_of(attempt.problem.text),
            problem=attempt.problem.text,
            solution=solution(attempt, labels),
            number=str(place + 1),
            evaluation=told or "-",
        )
        [scores] = engine.choice_logprobs([Message(role="user", content=request)], [f"{place + 1}: ["], TYPES)
        return max(zip(scores, TYPES, strict=True))[1]

    return assign


def explanations(attempt: LabelledTrajectory) -> list[str]:
    """What was said of each step: in the last evaluation of the attempt, or at its first error."""
    written = parse(attempt.critiques[-1].text, len(attempt.steps)).explanations if attempt.critiques else ()
    told = [*written] or [""] * len(attempt.steps)
    if isinstance(attempt.first_error_index, int):
        told[attempt.first_error_index] = told[attempt.first_error_index] or attempt.explanation
    return told


def counts(attempts: Iterable[LabelledTrajectory], assign: Assign = by_rule) -> dict[str, dict[ErrorType, int]]:
    """The number of wrong steps of each type, by the source of the problem."""
    found: dict[str, Counter[ErrorType]] = {}
    for attempt in attempts:
        types = found.setdefault(attempt.problem.source or "own", Counter())
        types.update(kind for kind in assign(attempt) if kind)
    return {source: {kind: types[kind] for kind in TYPES} for source, types in sorted(found.items())}
