"""How an actor of the ground goes wrong, and what it makes of a critique: probabilities, frozen before any claim.

An attempt is a walk along the steps of the solution. At each step an error happens with a probability that only the
problem's level decides, and its kind by fixed shares; everything after it is worked out from the wrong number. So an
attempt is determined by its errors, {step: Error}, and a rewrite is the same walk with one error taken out, put in, or
left: a critique changes the step that it blames and nothing else. One that blames a right step does not mend the wrong
one, and a rewrite that is told nothing mostly repeats.

Texts of this mixture are what the actors are pretrained on (`trainer.reproductions.ground.texts`). They err with
probability and not from ignorance, and have learned to use critiques, as published experiments need (MathCritique,
arXiv 2411.16579).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Literal, NamedTuple, get_args

from runtime.problems.labelled import LabelledTrajectory, labelled
from runtime.problems.worked import Worked
from trainer.data.errors.comments import names_answer
from trainer.data.errors.faults import calculation, other_signs
from trainer.data.errors.formulas import Operation, parse
from trainer.data.errors.misreadings import misread, skipped_step
from trainer.data.errors.scene import Fault, Scene, scene_of
from trainer.reproductions.ground.problems import LEVELS, level_of

Kind = Literal["misread", "operation", "forgotten", "slip"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Told = Literal["reason", "place", "nothing", "accepted"]
"""What a critique tells: the step and the reason, only the step, nothing at all, or that no error was found."""
TEMPTING = {"+": "-×/", "-": "+×/", "×": "+/-", "/": "×-+"}
"""The signs that are taken for another one, the most tempting first."""


def _operation(scene: Scene) -> Iterator[Fault]:
    """Wrong operations, the most tempting ones first; the two sides swapped last."""
    right = scene.tree
    assert isinstance(right, Operation), "a scene has a calculation"

    def temptation(fault: Fault) -> int:
        made = parse(fault.quantity.formula)
        return TEMPTING[right.sign].find(made.sign) % 4 if isinstance(made, Operation) else 4

    yield from sorted(other_signs(scene), key=temptation)


_FAULTS: dict[Kind, Callable[[Scene], Iterator[Fault]]] = {
    "misread": misread,
    "operation": _operation,
    "forgotten": skipped_step,
    "slip": calculation,
}
LARGEST = 150
"""Largest wrong number that still looks like one of this world."""


Made = Mapping[int, Fault]
"""The faults made so far, by step."""


SHORTEST = 3
"""A comment is one of so many of the shortest ones."""


class Error(NamedTuple):
    kind: Kind
    variant: int
    """0 is the most tempting error of its kind at a step, 1 the next one."""


Errs = Callable[[Scene, Made], Error | None]
"""Decides whether a step goes wrong, and how."""


@dataclass(frozen=True)
class Mixture:
    """The probabilities of errors."""

    rates: tuple[float, ...] = (0.05, 0.15, 0.28, 0.42, 0.7)
    """Probability of an error at a step, by the problem's level."""
    kinds: Mapping[Kind, float] = field(
        default_factory=lambda: {"misread": 0.4, "operation": 0.2, "forgotten": 0.3, "slip": 0.1}
    )
    """Shares of the kinds among the errors; those that do not fit a step leave their share to the others."""
    trap: Mapping[Kind, float] = field(default_factory=lambda: {"operation": 0.8, "misread": 0.1, "slip": 0.1})
    """The shares at the last level. One wrong operation is then likelier there than the right one, so that greedy
    attempts and votes go wrong as well."""
    second: float = 0.2
    """Probability of a kind's second most tempting error instead of the first."""

    def __post_init__(self) -> None:
        if len(self.rates) != LEVELS:
            raise ValueError(f"one rate for each of {LEVELS} levels")

    def rate(self, worked: Worked) -> float:
        return self.rates[level_of(worked)]

    def shares(self, worked: Worked) -> Mapping[Kind, float]:
        return self.trap if level_of(worked) == LEVELS - 1 else self.kinds


@dataclass(frozen=True)
class Use:
    """The probabilities with which a critique is used."""

    mends: Mapping[Told, float] = field(default_factory=lambda: {"reason": 0.92, "place": 0.55})
    """That a wrong step is put right if the critique blames it."""
    spoils: Mapping[Told, float] = field(default_factory=lambda: {"reason": 0.3, "place": 0.2})
    """That a right step is made wrong if the critique blames it."""
    afresh: float = 0.12
    """That the actor begins anew if it is told nothing. Else, and after "no error found", it repeats its attempt."""


MIXTURE, USE = Mixture(), Use()


@dataclass(frozen=True)
class Attempt:
    """An attempt of the mixture: the problem, and the errors made in it."""

    worked: Worked
    """The problem and its right solution."""
    errors: Mapping[int, Error]
    """By step of the solution."""
    carried: Worked
    """The solution with the errors, and all later numbers worked out from them."""
    skipped: frozenset[int]
    """Steps that are not written because they were forgotten."""
    faults: Mapping[int, Fault]

    @property
    def right(self) -> bool:
        return self.carried.result == self.worked.result

    @property
    def written(self) -> list[int]:
        """The steps of the solution that are written, in order."""
        return [step for step in range(len(self.worked.steps)) if step not in self.skipped]

    @cached_property
    def lines(self) -> tuple[str, ...]:
        whole = self.carried.lines
        return tuple(whole[step] for step in self.written)

    @property
    def first_error(self) -> int | None:
        """Index of the first wrong line."""
        return self.written.index(min(self.errors)) if self.errors else None

    def comment(self, line: int, rng: random.Random) -> str:
        """A tutor's comment on a line, without the answer of the problem: what is wrong with it, on a right line what
        could have been wrong. Empty where every wording names the answer."""
        step = self.written[line]
        fault = self.faults.get(step) or _possible(self, step, rng)
        return worded(fault.comments, self.worked, self.lines[: line + 1], rng) if fault else ""

    def labelled(self, rng: random.Random) -> LabelledTrajectory:
        first = self.first_error
        return labelled(
            self.worked.problem,
            self.lines,
            first,
            answer=self.carried.result,
            explanation="" if first is None else self.comment(first, rng),
            error_type=None if first is None else self.errors[min(self.errors)].kind,
            correct=self.right,
        )


def worded(comments: Sequence[str], worked: Worked, seen: Sequence[str], rng: random.Random) -> str:
    """One of the shortest comments without the answer of the problem; empty if all name it."""
    allowed = [one for one in comments if not names_answer(one, worked, seen)]
    return rng.choice(sorted(allowed, key=len)[:SHORTEST]) if allowed else ""


def _possible(attempt: Attempt, step: int, rng: random.Random) -> Fault | None:
    scene = scene_of(attempt.carried, step, rng)
    error = scene and some_error(scene, attempt.faults, rng)
    return fitting_faults(scene, error.kind, attempt.faults)[0] if scene and error else None


def walk(worked: Worked, errs: Errs) -> Attempt:
    """The attempt that errs where `errs` says so, asked step by step with what was made of the steps before; an error
    that does not fit its step is not made."""
    carried = worked
    errors: dict[int, Error] = {}
    faults: dict[int, Fault] = {}
    for step in range(len(worked.steps)):
        scene = scene_of(carried, step, random.Random(0))
        error = scene and errs(scene, faults)
        fitting = fitting_faults(scene, error.kind, faults) if scene and error else []
        if error and fitting:
            errors[step], faults[step] = error, fitting[min(error.variant, len(fitting) - 1)]
            carried = carried_out(worked, faults)
    skipped = frozenset(fault.skipped for fault in faults.values() if fault.skipped is not None)
    return Attempt(worked, errors, carried, skipped, faults)


def faults_of(kind: Kind, scene: Scene) -> Iterator[Fault]:
    """The faults of a kind at a step, the most tempting ones first, whether they look likely or not."""
    return _FAULTS[kind](scene)


def fitting_faults(scene: Scene, kind: Kind, made: Made) -> list[Fault]:
    """The two most tempting faults of a kind at a step, after the faults of the steps before; always the same ones."""
    scene = replace(scene, rng=random.Random(0))
    candidates = (fault for fault in faults_of(kind, scene) if fault.skipped is None or fault.skipped not in made)
    likely = (one for one in candidates if _looks_likely(carried_out(scene.worked, {**made, scene.step: one})))
    return list(islice(likely, 2))


def carried_out(worked: Worked, faults: Mapping[int, Fault]) -> Worked:
    """The solution with these faults, by step, and everything else worked out again. Raises ZeroDivisionError."""
    steps = list(worked.steps)
    for step, fault in faults.items():
        steps[step] = steps[step].model_copy(update={"text": fault.text})
    replaced = {made: fault.quantity for step, fault in faults.items() if (made := steps[step].makes) is not None}
    return worked.model_copy(update={"steps": tuple(steps)}).changed(replaced)


def _looks_likely(carried: Worked) -> bool:
    made = [carried.quantities[step.makes] for step in carried.steps if step.makes is not None]
    return all(0 < one.value <= LARGEST and one.value.denominator == 1 for one in made)


def drawn(worked: Worked, rng: random.Random, mixture: Mixture = MIXTURE) -> Attempt:
    """A first attempt."""
    rate = mixture.rate(worked)
    return walk(worked, lambda scene, made: some_error(scene, made, rng, mixture) if rng.random() < rate else None)


def some_error(scene: Scene, made: Made, rng: random.Random, mixture: Mixture = MIXTURE) -> Error | None:
    """An error of a random kind; None if none fits this step."""
    shares = dict(mixture.shares(scene.worked))
    while shares:
        [kind] = rng.choices(list(shares), list(shares.values()))
        if fitting_faults(scene, kind, made):
            return Error(kind, int(rng.random() < mixture.second))
        del shares[kind]
    return None


def rewritten(
    attempt: Attempt, told: Told, line: int, rng: random.Random, mixture: Mixture = MIXTURE, use: Use = USE
) -> Attempt:
    """The rewrite of an attempt after a critique; `line` is the blamed one, where the critique tells one."""
    if told in ("nothing", "accepted"):
        return drawn(attempt.worked, rng, mixture) if told == "nothing" and rng.random() < use.afresh else attempt
    blamed = attempt.written[line]
    errors = dict(attempt.errors)
    mends = blamed in errors and rng.random() < use.mends[told]
    spoils = blamed not in errors and rng.random() < use.spoils[told]
    if mends:
        del errors[blamed]

    def errs(scene: Scene, made: Made) -> Error | None:
        if spoils and scene.step == blamed:
            return some_error(scene, made, rng, mixture)
        return errors.get(scene.step)

    return walk(attempt.worked, errs)
