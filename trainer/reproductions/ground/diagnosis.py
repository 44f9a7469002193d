"""Where and why an attempt at a problem of the ground goes wrong, exactly: what an oracle tells.

A problem here has one way to its answer and one equation per step, so the first line whose equation is not that of the
solution is the first error. On other problems that would blame other right ways.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from runtime.engines.base import Engine
from runtime.problems.worked import Worked
from runtime.types import Problem
from trainer.data.errors.comments import wanted
from trainer.data.errors.scene import Fault, scene_of
from trainer.reproductions.ground.attempts import KINDS, Kind, carried_out, faults_of, worded
from trainer.training.rewards import Judge, until

_EQUATION = re.compile(r"(\d+) ([-+×/]) (\d+) = (\d+)")
Equation = tuple[str, ...]


class Diagnosis(NamedTuple):
    """The first error of an attempt."""

    place: int
    """Index of the wrong line."""
    kind: Kind | Literal["other"]
    """"other" is an error that the mixture does not make."""
    comment: str
    """A tutor's comment, without the answer of the problem."""


def diagnose(worked: Worked, lines: Sequence[str], seed: int = 0) -> Diagnosis | None:
    """The first error of an attempt without its answer line. None if all steps are right, so that only the stated
    answer can be wrong, and for an attempt without a step."""
    rng = random.Random(f"{worked.problem.id} {seed}")
    right = [equation(line) for line in worked.lines]
    place = next((i for i, line in enumerate(lines) if i >= len(right) or equation(line) != right[i]), len(lines))
    if place == len(lines) and len(lines) >= len(right):
        return None
    if place == len(lines):  # it ends too early
        return Diagnosis(place - 1, "forgotten", _next(worked, place, rng)) if lines else None
    if place >= len(right):
        return Diagnosis(place, "other", "This step is not needed any more.")
    return _explained(worked, lines, place, rng)


def by_first_error(problems: Iterable[Worked]) -> Judge:
    """A judge that knows the first error of every attempt at these problems."""
    known = {worked.problem.id: worked for worked in problems}

    def judge(engine: Engine, problem: Problem, steps: Sequence[str]) -> list[float]:
        found = diagnose(known[problem.id], steps)
        return until(found.place if found else None, len(steps))

    return judge


def equation(line: str) -> Equation:
    """The equation of a line as a tuple; sums and products with their smaller number first. Empty if there is none."""
    found = _EQUATION.search(line)
    if not found:
        return ()
    a, sign, b, result = found.groups()
    first, second = sorted((a, b), key=int) if sign in "+×" else (a, b)
    return first, sign, second, result


def _explained(worked: Worked, lines: Sequence[str], place: int, rng: random.Random) -> Diagnosis:
    wrong, seen = equation(lines[place]), lines[: place + 1]
    known = [one for one in _known(worked, place) if wrong and equation(one[2]) == wrong]
    same = [one for one in known if one[2] == lines[place]]  # a forgotten step can leave the equation of another error
    for kind, fault, _ in [*same, *known][:1]:
        return Diagnosis(place, kind, worded(fault.comments, worked, seen, rng) or _next(worked, place, rng))
    right = equation(worked.lines[place])
    if wrong and wrong[:3] == right[:3]:
        return Diagnosis(place, "slip", f"{' '.join(wrong[:3])} is not {wrong[3]}.")
    return Diagnosis(place, "other", _next(worked, place, rng))


def _known(worked: Worked, place: int) -> Iterator[tuple[Kind, Fault, str]]:
    """The faults that the mixture makes in this line, with the line; a forgotten step moves the next one here."""
    for step in (place, place + 1):
        if step == len(worked.steps) or not (scene := scene_of(worked, step, random.Random(0))):
            continue
        for kind in KINDS:
            for fault in faults_of(kind, scene):
                if (fault.skipped == place) == (step > place):
                    yield kind, fault, carried_out(worked, {step: fault}).lines[step]


def _next(worked: Worked, step: int, rng: random.Random) -> str:
    """What to work out at this step."""
    made = worked.steps[step].makes
    assert made is not None, "every step of the ground makes a number"
    return wanted(worked, made, rng)
