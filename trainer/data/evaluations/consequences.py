"""Which steps go on from a wrong number? Labels often end at the first error, and everything that is calculated with a
number that only the error made is wrong too."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from runtime.checks import arithmetic
from runtime.problems.labelled import LabelledTrajectory
from runtime.search.solutions import numbers_in
from trainer.data.critiques.rules import sides


def carried_on(attempt: LabelledTrajectory, labels: Sequence[bool | None]) -> list[int | None]:
    """For each step, the index of the earliest wrong step that made a number which it uses and nothing right has; None
    if there is none. `labels` say of each step whether it is right; where they do not, a step that goes on from a wrong
    number is taken as wrong."""
    known = numbers_in(attempt.problem.text)
    wrong: dict[Fraction, int] = {}
    found: list[int | None] = []
    for place, (line, label) in enumerate(zip(attempt.steps, labels, strict=True)):
        used, made = numbers_of(line)
        source = min((wrong[number] for number in used if number in wrong), default=None)
        if label is False or (label is None and source is not None):
            wrong |= dict.fromkeys(made - known - wrong.keys(), place)
        else:
            known |= used | made
            wrong = {number: step for number, step in wrong.items() if number not in known}
        found.append(source)
    return found


def numbers_of(step: str) -> tuple[set[Fraction], set[Fraction]]:
    """The numbers that a step uses, and those that it makes: all and none, if it has no equation."""
    equations = arithmetic.check(step)
    if not equations:
        return numbers_in(step), set()
    used = set().union(*(numbers_in(sides(equation)[0]) for equation in equations))
    made = {equation.right for equation in equations if equation.right is not None}
    return used - made, made
