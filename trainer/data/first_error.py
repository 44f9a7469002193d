"""Rollouts as training examples for the critic: the first error of a wrong one is located by right solutions.

Models make other errors than the inserted ones: a critic trained only on inserted errors discriminated the rollouts of
the bench model's actor worse than its base. This works on fresh problems, which have one solution path; on people's
attempts one reference locates the teacher's step in fewer than half (trainer/LOG.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from runtime.checks import arithmetic
from runtime.problems.labelled import LabelledTrajectory
from runtime.prompts.critic_turn import judged as steps_to_judge
from runtime.search.solutions import Solution, first_unmet

OF_EACH = 2
"""Right and wrong attempts used per problem."""


def with_first_error(attempts: Sequence[LabelledTrajectory], reference: Solution) -> Iterator[LabelledTrajectory]:
    """The usable ones of a model's graded attempts at one problem, each once: right ones without a false equation, and
    wrong ones whose first error can be located."""
    different = list({attempt.steps: attempt for attempt in attempts}.values())
    right = [one for one in different if is_sound(one)]
    ways = [reference, *(Solution("\n".join(one.steps), one.answer) for one in right)]
    places = ((one, _leaves(one, ways)) for one in different if not one.correct and one.answer is not None)
    yield from (_at(one, None) for one in right[:OF_EACH])
    yield from islice((_at(one, place) for one, place in places if place is not None), OF_EACH)


def _at(attempt: LabelledTrajectory, place: int | None) -> LabelledTrajectory:
    return attempt.model_copy(update={"first_error_index": place})


def is_sound(attempt: LabelledTrajectory) -> bool:
    """Right without a false equation, which would make the answer luck."""
    return attempt.correct is True and first_false(attempt) is None


def _leaves(attempt: LabelledTrajectory, ways: Sequence[Solution]) -> int | None:
    """Index of the first step that is false or computes a number found in no right solution; None without one, or if it
    is an answer line, which is not judged."""
    unmet = first_unmet(attempt.problem, attempt.steps, ways)
    found = [place for place in (first_false(attempt), unmet) if place is not None]
    return min(found) if found and min(found) < len(steps_to_judge(attempt.steps)) else None


def first_false(attempt: LabelledTrajectory) -> int | None:
    """Index of the first step with an equation that exact arithmetic refutes; None without one."""
    found = (arithmetic.verdict(arithmetic.check(step)) for step in attempt.steps)
    return next((place for place, verdict in enumerate(found) if verdict == "incorrect"), None)
