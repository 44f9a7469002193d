"""Rollouts as training examples for the critic: a solution of the same problem tells where a wrong one goes wrong.

A model makes other errors than those that are put in by rule. A critic that met only the latter told right attempts of
the bench model's actor from wrong ones worse than its base. That holds for fresh problems, which have one way: of
people's attempts one reference names the teacher's step in fewer than half (trainer/LOG.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from runtime.checks import arithmetic
from runtime.prompts.critic_turn import judged as steps_to_judge
from runtime.search.solutions import Solution, first_unmet
from trainer.data.sources import GradedAttempt, JudgedAttempt

OF_EACH = 2
"""Right and wrong attempts that are learned from at one problem."""


def with_first_error(attempts: Sequence[GradedAttempt], reference: Solution) -> Iterator[JudgedAttempt]:
    """Of a model's attempts at one problem those that can be learned from, each once: right ones without a false
    equation, and wrong ones whose first error can be told."""
    different = list({attempt.steps: attempt for attempt in attempts}.values())
    right = [one for one in different if is_sound(one)]
    ways = [reference, *(Solution("\n".join(one.steps), one.answer) for one in right)]
    yield from (judged(one, None) for one in right[:OF_EACH])
    yield from islice(_wrong(different, ways), OF_EACH)


def is_sound(attempt: GradedAttempt) -> bool:
    """Right, and not by luck: an answer can be right beside a false equation."""
    return attempt.correct and _first_false(attempt) is None


def judged(attempt: GradedAttempt, place: int | None) -> JudgedAttempt:
    return JudgedAttempt(attempt.problem, attempt.steps, place, answer=attempt.answer)


def _wrong(attempts: Iterable[GradedAttempt], ways: Sequence[Solution]) -> Iterator[JudgedAttempt]:
    for one in attempts:
        place = None if one.correct or one.answer is None else _leaves(one, ways)
        if place is not None:
            yield judged(one, place)


def _leaves(attempt: GradedAttempt, ways: Sequence[Solution]) -> int | None:
    """The first step that is false or makes a number which no right way meets; None if there is neither, or if it is a
    last line that only states the answer, which is not judged."""
    unmet = first_unmet(attempt.problem, attempt.steps, ways)
    found = [place for place in (_first_false(attempt), unmet) if place is not None]
    return min(found) if found and min(found) < len(steps_to_judge(attempt.steps)) else None


def _first_false(attempt: GradedAttempt) -> int | None:
    found = (arithmetic.verdict(arithmetic.check(step)) for step in attempt.steps)
    return next((place for place, verdict in enumerate(found) if verdict == "incorrect"), None)
