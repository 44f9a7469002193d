"""What other solutions of a problem, in words or as programs, say of an attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.checks import arithmetic
from runtime.critic.evidence.source import StepEvidence
from runtime.search.program import ProgramSolution
from runtime.search.solutions import Solution, agreeing, first_unmet, votes
from runtime.text import Language, language_of
from runtime.types import Evidence, Problem, Trajectory

Words = Mapping[Language, str]


def compare(
    steps: Sequence[StepEvidence],
    others: Sequence[Solution | ProgramSolution],
    problem: Problem,
    attempt: Trajectory,
    source: str,
    features: tuple[str, str, str],
    agree: Words,
    differ: Words,
) -> None:
    """If any of the others reaches the attempt's answer, they speak for all of it, the more the louder; if none does,
    they speak against the first step that makes a number which those of the most frequent answer never meet, or else
    against the last, unless a person has only not come to an end yet. `features` are the names of the share that
    agrees, of where they differ, and of the steps before that."""
    groups, language = votes(others), language_of(problem.text)
    if not groups:
        return
    n, (shared, deviation, approach) = sum(len(group.solutions) for group in groups), features
    if agreement := agreeing(attempt.answer, others):
        note = agree[language].format(agreement, n)
        for one in steps:
            one.features[shared] = agreement / n
            one.evidence.append(Evidence(by=source, verdict="correct", note=note))
        return
    unmet = first_unmet(problem, [step.text for step in attempt.steps[: len(steps)]], groups[0].solutions)
    if unmet is None and _is_unfinished(attempt):
        return
    position = len(steps) - 1 if unmet is None else unmet
    for one in steps[:position]:
        one.features[approach] = 1.0
        one.evidence.append(Evidence(by=source, verdict="unsure"))
    if steps:
        steps[position].features[deviation] = 1.0
        note = differ[language].format(n)
        steps[position].evidence.append(Evidence(by=source, verdict="incorrect", note=note))


def _is_unfinished(attempt: Trajectory) -> bool:
    """Whether a person may still be on the way: the last line is a calculation, and no sentence that answers."""
    return attempt.origin == "student" and bool(attempt.steps) and bool(arithmetic.check(attempt.steps[-1].text))
