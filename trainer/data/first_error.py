"""Rollouts as training examples for the critic: a solution of the same problem tells where a wrong one goes wrong.

A model makes other errors than those that are put in by rule. A critic that met only the latter told right attempts of
the bench model's actor from wrong ones worse than its base. That holds for fresh problems, which have one way: of
people's attempts one reference names the teacher's step in fewer than half (trainer/LOG.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from runtime.checks import arithmetic
from runtime.prompts.critic_turn import judged as steps_to_judge
from runtime.search.solutions import Solution, first_unmet
from trainer.data.sources import JudgedAttempt

OF_EACH = 2
"""Right and wrong attempts that are learned from at one problem."""


def with_first_error(attempts: Sequence[JudgedAttempt], reference: Solution) -> Iterator[JudgedAttempt]:
    """Of a model's graded attempts at one problem those that can be learned from, each once: right ones without a false
    equation, and wrong ones whose first error can be told."""
    different = list({attempt.steps: attempt for attempt in attempts}.values())
    right = [one for one in different if is_sound(one)]
    ways = [reference, *(Solution("\n".join(one.steps), one.answer) for one in right)]
    places = ((one, _leaves(one, ways)) for one in different if not one.correct and one.answer is not None)
    yield from right[:OF_EACH]
    yield from islice((replace(one, first_error=place) for one, place in places if place is not None), OF_EACH)


def is_sound(attempt: JudgedAttempt) -> bool:
    """Right, and not by luck: an answer can be right beside a false equation."""
    return attempt.correct is True and _first_false(attempt) is None


def _leaves(attempt: JudgedAttempt, ways: Sequence[Solution]) -> int | None:
    """The first step that is false or makes a number which no right way meets; None if there is neither, or if it is a
    last line that only states the answer, which is not judged."""
    unmet = first_unmet(attempt.problem, attempt.steps, ways)
    found = [place for place in (_first_false(attempt), unmet) if place is not None]
    return min(found) if found and min(found) < len(steps_to_judge(attempt.steps)) else None


def _first_false(attempt: JudgedAttempt) -> int | None:
    found = (arithmetic.verdict(arithmetic.check(step)) for step in attempt.steps)
    return next((place for place, verdict in enumerate(found) if verdict == "incorrect"), None)
