"""Independent solutions of the problem: do they reach the attempt's answer, and do they meet its numbers?"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from runtime.checks import arithmetic
from runtime.critic.evidence.source import Collector, Source, StepEvidence
from runtime.search.solutions import Solution, agreeing, first_unmet, sample_solutions, votes
from runtime.text import Language, language_of
from runtime.types import Evidence, Problem, Trajectory

NAME = "solutions"
SOLUTIONS = 4
"""How many are sampled at most."""


def _collect(collector: Collector, problem: Problem, attempt: Trajectory, cancel: Event) -> tuple[Solution, ...]:
    """Sampled in pairs, and no more once all of them agree with the attempt's answer."""
    known = collector.memory.setdefault((NAME, problem.id), [])
    while len(known) < SOLUTIONS and not cancel.is_set():
        if known and agreeing(attempt.answer, known) == len(known):
            break
        numbers = range(len(known), len(known) + 2)
        known += sample_solutions(collector.engine, problem, numbers, collector.max_tokens, collector.seed + 1, cancel)
    return tuple(known)


def _examine(steps: Sequence[StepEvidence], found: Sequence[Solution], problem: Problem, attempt: Trajectory) -> None:
    """Solutions that reach the attempt's answer support every step. If none does, they count against the first step
    that makes a number which those of the most frequent answer never meet, or else against the last step, unless the
    attempt is a person's and may be unfinished."""
    groups, language = votes(found), language_of(problem.text)
    if not groups:
        return
    n = sum(len(group.solutions) for group in groups)
    if agreement := agreeing(attempt.answer, found):
        note = AGREE[language].format(agreement, n)
        for one in steps:
            one.features["agreement"] = agreement / n
            one.evidence.append(Evidence(by=NAME, verdict="correct", note=note))
        return
    unmet = first_unmet(problem, [step.text for step in attempt.steps[: len(steps)]], groups[0].solutions)
    if unmet is None and _is_unfinished(attempt):
        return
    position = len(steps) - 1 if unmet is None else unmet
    for one in steps[:position]:
        one.features["approach"] = 1.0
        one.evidence.append(Evidence(by=NAME, verdict="unsure"))
    if steps:
        steps[position].features["deviation"] = 1.0
        note = _DIFFER[language].format(n)
        steps[position].evidence.append(Evidence(by=NAME, verdict="incorrect", note=note))


def _is_unfinished(attempt: Trajectory) -> bool:
    """Whether a person may still be working: the last line is a calculation and not a sentence that answers."""
    return attempt.origin == "student" and bool(attempt.steps) and bool(arithmetic.check(attempt.steps[-1].text))


AGREE: dict[Language, str] = {
    "en": "{} of {} independent solutions reach the same answer.",
    "zh-CN": "{1} 个独立解答中有 {0} 个得到同样的答案。",
}
_DIFFER: dict[Language, str] = {
    "en": "{} independent solutions differ from here on.",
    "zh-CN": "{} 个独立解答从这里开始不一样。",
}
SOURCE = Source(
    NAME,
    _examine,
    _collect,
    kind=tuple[Solution, ...],
    features=(
        "agreement",  # share of the solutions that reach the attempt's answer
        "deviation",  # 1: none of them reaches it, and this step makes the first number that they never meet
        "approach",  # 1: none of them reaches it, and this step comes before that one
    ),
    badges={"correct": "solutions_agree", "incorrect": "solutions_differ"},
    depths=("deep",),
    asks=SOLUTIONS,
    compares_answers=True,
)
