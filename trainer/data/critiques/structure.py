"""RG3 by rule: an exact error is inserted, with its consequences, into solutions whose numbers are all known.

Every step has an exact label, so the critique needs no model. The reference solution is the matching right attempt: the
same style with another label.
"""

from __future__ import annotations

import random

from runtime.problems.worked import Worked
from trainer.data.critiques.records import FirstError, Inject
from trainer.data.critiques.rules import STEP
from trainer.data.critiques.tasks import GeneratedAttempt, KnownLabels, Task, path_of, seed_of
from trainer.data.errors import Injected, InjectionError, inject_random
from trainer.data.errors.comments import explain_right


def injected(task: Task, worked: Worked, seed: int) -> list[GeneratedAttempt]:
    """The reference solution with one error and its consequences; empty if none fits."""
    try:
        wrong = inject_random(worked, seed_of(seed, task.problem.id, "inject"))
    except InjectionError:
        return []
    known = KnownLabels(
        first_error=FirstError(i=wrong.first_error + 1, by="inject"),
        labels=wrong.labels,
        by="inject",
        explanations=tuple(_explain(task, worked, wrong, seed)),
        kind=wrong.kind,
    )
    path = path_of(task, wrong.lines, wrong.answer, "rg3", known)
    error = Inject(step=wrong.first_error + 1, type=wrong.kind, by="structure")
    return [GeneratedAttempt(path.model_copy(update={"inject": error}), known)] if path.correct is False else []


def gold(task: Task, seed: int = 0) -> GeneratedAttempt:
    """The reference solution as an attempt with every step right, and explanations where possible."""
    worked, explanations = task.worked, None
    if worked:
        seeds = [seed_of(seed, task.problem.id, "right", str(i)) for i in range(len(task.gold))]
        explanations = tuple(explain_right(worked, i, each) for i, each in enumerate(seeds))
    known = KnownLabels(FirstError(i=None, by="gold"), (True,) * len(task.gold), "gold", explanations)
    return GeneratedAttempt(path_of(task, task.gold, task.problem.answer, "gold", known), known)


def _explain(task: Task, worked: Worked, wrong: Injected, seed: int) -> list[str]:
    """A sentence per step: why it is right, what is wrong, or that it depends on the error."""
    dice = random.Random(seed_of(seed, task.problem.id, "explain"))
    explained = []
    for i, right in enumerate(wrong.labels):
        if i == wrong.first_error:
            explained.append(wrong.explanation)
        elif right:
            place = worked.lines.index(wrong.lines[i])
            explained.append(explain_right(worked, place, dice.getrandbits(31)))
        else:
            explained.append(dice.choice(STEP[task.language]["follows"]).format(wrong.first_error + 1))
    return explained
