"""An attempt with what is known of its steps: labels, first error, critiques.

`LabelledTrajectory` is the one type that is judged, learned from and measured on. It is frozen and compares by value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from runtime.checks.stated import final_answer
from runtime.types import Problem, Rating, Step, Trajectory, Value, content_hash

LabelSource = Literal["human", "annotator", "rollouts", "injection", "rule", "critic"]


class StepLabel(Value):
    """The label of a step by one source: a rating, k of n completions that reached the reference answer, or a
    probability that the step is right."""

    step: int = Field(ge=0)
    by: LabelSource | None = None
    """None where a data format does not state it."""
    value: Rating | None = None
    k: int | None = Field(default=None, ge=0)
    n: int | None = Field(default=None, ge=1)
    """Number of completions. One that was cut off at the token limit counts as failed."""
    p: float | None = Field(default=None, ge=0, le=1)
    drawn: Literal["all", "until_success", "none", "derived"] = "all"
    """all: the requested number. until_success: sampling ended at the first success. none: the answer that the step
    states was graded, as 0 or 1 of 1. derived: nothing was measured; the step is right, as a later one is."""
    reason: str | None = None
    """The kind of error in the step."""
    correction: str | None = None
    """A person's own version of the step."""

    @model_validator(mode="after")
    def _possible(self) -> StepLabel:
        if (self.k is None) != (self.n is None):
            raise ValueError("`k` and `n` belong together")
        if self.k is not None and self.n is not None and self.k > self.n:
            raise ValueError(f"{self.k} of {self.n} completions cannot have succeeded")
        if all(known is None for known in (self.value, self.k, self.p, self.reason, self.correction)):
            raise ValueError("a label needs `value`, `k` and `n`, or `p`")
        return self

    @property
    def hard(self) -> bool | None:
        """Whether the step is not wrong. Hard estimate (HE): any completion succeeded; ending at the first success does
        not change it. None for a probability, as its threshold is not known."""
        if self.value is not None:
            return self.value >= 0
        return None if self.k is None else self.k > 0

    @property
    def soft(self) -> float | None:
        """Soft estimate (SE): the share that succeeded. None if sampling ended at a success, as the share is then too
        high; and also if it did not, as otherwise only zeros would remain."""
        if self.k is None or self.n is None:
            return self.p
        return None if self.drawn == "until_success" else self.k / self.n


class WrittenCritique(Value):
    """A critique as text."""

    text: str
    by: str | None = None
    """The model that wrote it."""


class LabelProvenance(Value):
    """How a labelled trajectory was made. What its format does not state is None."""

    format: str | None = None
    """A name of `runtime.problems.formats`."""
    row: str | None = None
    """The id of its row there."""
    role: Literal["chosen", "rejected", "reference", "refinement", "alternative"] | None = None
    """What it is to the other attempts of its row."""
    generator: str | None = None
    """The model that wrote the attempt."""
    annotator: str | None = None
    """The person or program that labelled it."""
    confidence: float | None = Field(default=None, ge=0, le=1)
    """Share of the annotator's own solutions of the problem that are right (self-confidence in SCAN, arXiv
    2509.16548)."""
    created: str | None = None
    seconds: float | None = Field(default=None, ge=0)
    """Spent on labelling it."""
    ending: str | None = None
    """How the labelling ended (PRM800K's `finish_reason`)."""


Unknown = Literal["unknown"]


class LabelledTrajectory(Value):
    """An attempt and what is known of it. `labelled` makes one of plain texts, `runtime.problems.formats` reads and
    writes them."""

    problem: Problem
    trajectory: Trajectory
    labels: tuple[StepLabel, ...] = ()
    first_error_index: int | Unknown | None = "unknown"
    """Index of the first wrong step, from 0; None: no step is wrong."""
    correct: bool | None = None
    """Whether the final answer is right; None where that is not known."""
    explanation: str = ""
    """What is wrong with the first wrong step."""
    error_type: str | None = None
    """The type of the first error."""
    critiques: tuple[WrittenCritique, ...] = ()
    provenance: LabelProvenance = LabelProvenance()

    @model_validator(mode="after")
    def _inside(self) -> LabelledTrajectory:
        places = [label.step for label in self.labels]
        places += [self.first_error_index] if isinstance(self.first_error_index, int) else []
        if any(not 0 <= place < len(self.trajectory.steps) for place in places):
            raise ValueError(f"a label is not on one of the {len(self.trajectory.steps)} steps")
        return self

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(step.text for step in self.trajectory.steps)

    @property
    def answer(self) -> str | None:
        """The answer that is stated beside the steps; None where the last step has to state it."""
        return None if self.trajectory.origin == "student" else self.trajectory.answer

    @property
    def is_judged(self) -> bool:
        return self.first_error_index != "unknown"

    @property
    def first_error(self) -> int | None:
        """`first_error_index`, where it is known. Raises ValueError where it is not."""
        if self.first_error_index == "unknown":
            raise ValueError("the first error of this attempt is not known")
        return self.first_error_index

    @property
    def key(self) -> str:
        """A name for the problem's text, the steps and the answer, by which results refer to the attempt."""
        return content_hash(self.problem.text, self.answer or "", *self.steps)


def labelled(
    problem: Problem,
    steps: Iterable[str],
    first_error_index: int | Unknown | None = "unknown",
    answer: str | None = None,
    explanation: str = "",
    error_type: str | None = None,
    correct: bool | None = None,
    **known: Any,
) -> LabelledTrajectory:
    """An attempt at a problem. `answer` is stated beside the steps; without one the last step states it. `known` are
    further fields. Raises ValueError where a label is not on one of the steps."""
    lines = tuple(steps)
    trajectory = Trajectory(
        problem_id=problem.id,
        steps=tuple(Step(text=line) for line in lines),
        answer=answer or (final_answer(lines[-1]) if lines else None),
        origin="sample" if answer else "student",
    )
    return LabelledTrajectory(
        problem=problem, trajectory=trajectory, first_error_index=first_error_index, explanation=explanation,
        error_type=error_type, correct=correct, **known,
    )  # fmt: skip


def by_labels(labels: Sequence[StepLabel], count: int) -> int | Unknown | None:
    """The first error of `count` steps, where their labels decide it: the first wrong step, if all before it are
    labelled; None if all steps are labelled and none is wrong. A critic's labels decide nothing."""
    known = _hard(labels)
    for place in range(count):
        if place not in known:
            return "unknown"
        if not known[place]:
            return place
    return None


def _hard(labels: Sequence[StepLabel]) -> dict[int, bool]:
    """Whether a step is right, for each step of which labels state it. A critic's labels do not."""
    return {label.step: label.hard for label in labels if label.by != "critic" and label.hard is not None}


def known_steps(attempt: LabelledTrajectory) -> list[bool]:
    """Whether each step is right, from the first one to the last before a step of which it is not known."""
    known = _hard(attempt.labels)
    if attempt.is_judged:
        wrong = attempt.first_error
        known = dict.fromkeys(range(len(attempt.steps) if wrong is None else wrong), True) | known
        known |= {} if wrong is None else {wrong: False}
    found: list[bool] = []
    while (right := known.get(len(found))) is not None:
        found.append(right)
    return found
