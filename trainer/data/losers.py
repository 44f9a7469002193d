"""Losers: the first wrong line of an attempt, after right ones, and who located it.

They come from attempts whose first error is known, whoever found it: people, exact arithmetic, rollouts, a critic.
Where a person wrote a step of their own, that is known too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runtime.checks import arithmetic
from runtime.checks.grading import equal
from runtime.problems.labelled import LabelledTrajectory
from runtime.text import closing_line, is_closing, language_of
from runtime.types import Problem, content_hash

Lines = tuple[str, ...]
"""The steps of an attempt, and the closing line if it states an answer."""


def lines_of(attempt: LabelledTrajectory) -> Lines:
    """An attempt as its model wrote it, line by line."""
    if attempt.answer is None:
        return attempt.steps
    return (*attempt.steps, closing_line(attempt.answer, language_of(attempt.problem.text)))


@dataclass(frozen=True)
class Loser:
    """A wrong line of an attempt, after right ones."""

    attempt: LabelledTrajectory
    place: int
    """The index of the line, from 0."""
    correction: str | None = None
    """A person's own version of the line."""

    @property
    def problem(self) -> Problem:
        return self.attempt.problem

    @property
    def before(self) -> Lines:
        return lines_of(self.attempt)[: self.place]

    @property
    def line(self) -> str:
        return lines_of(self.attempt)[self.place]

    @property
    def key(self) -> str:
        return content_hash(
            self.problem.text, self.problem.answer or "", self.correction or "", *self.before, self.line
        )

    @property
    def by(self) -> str:
        """Who located it: "person", "arithmetic", "rollouts", or another source of labels."""
        sources = [label.by for label in self.attempt.labels if label.step == self.place and label.by]
        if "human" in sources:
            return "person"
        return "arithmetic" if is_refuted(self.line) else next(iter(sources), "unknown")

    @property
    def is_certain(self) -> bool:
        """Whether it is wrong without a rollout. A closing line is: it states a wrong answer."""
        return self.by in ("person", "arithmetic") or is_closing(self.line)


def losers(attempts: Iterable[LabelledTrajectory]) -> list[Loser]:
    """The first errors of attempts that have one, and the steps that a person corrected; each once."""
    found: dict[str, Loser] = {}
    for attempt in attempts:
        for loser in _of(attempt):
            found.setdefault(loser.key, loser)
    return list(found.values())


def _of(attempt: LabelledTrajectory) -> Iterator[Loser]:
    corrected = {label.step: label.correction for label in attempt.labels if label.correction}
    corrected = {step: own for step, own in corrected.items() if not same(own, attempt.steps[step])}
    yield from (Loser(attempt, step, own) for step, own in corrected.items())
    place = attempt.first_error_index
    if isinstance(place, int) and place not in corrected and has_answer(attempt.problem):
        yield Loser(attempt, place)


def has_answer(problem: Problem) -> bool:
    """Whether attempts at it can be graded."""
    return bool(equal(problem.answer or "", problem.answer or ""))


def is_refuted(line: str) -> bool:
    """Whether exact arithmetic refutes an equation in it."""
    return arithmetic.verdict(arithmetic.check(line)) == "incorrect"


def same(one: str, other: str) -> bool:
    """Whether two lines differ in spaces at most."""
    return one.split() == other.split()
