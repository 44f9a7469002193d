"""Math-Step-DPO-10K (arXiv 2406.18629): from the same right steps one that is right (`chosen`) and one that is wrong
(`rejected`), and the whole solutions that they belong to. `initial_reason_steps` ends in "Step k:".

`trainer pairs` adds fields of its own: `chosen_labels` and `rejected_labels` (how each was verified), `chosen_by` and
`rejected_by` (the models that wrote them), and `reference_solution` (a right solution from the beginning).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.problems.formats.attempts import reference_solution
from runtime.problems.formats.format import Format, compact, marks
from runtime.problems.json_rows import Row, scalar, text
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel, labelled
from runtime.types import Problem

NAME = "Math-Step-DPO-10K"
_STEP = re.compile(r"\s*(?:^|\n|\s)Step \d+:\s*")
_PAIR = ["chosen", "rejected"]
_OPENER = re.compile(r"^\s*Let's think step by step\.\s*")


def read(row: Row) -> list[LabelledTrajectory]:
    """The solution with the right step, the one with the wrong step, and the reference solution where there is one. In
    the public rows nobody checked the right step itself: it is not labelled. Without `full_chosen` or `full_rejected`
    nothing follows the step, and whether the answer is right is not known."""
    problem = Problem(
        text=text(row, "prompt"), answer=scalar(row, "answer"), source=str(row.get("dataset") or ""),
        licence=scalar(row, "licence"),
    )  # fmt: skip
    prefix = row.get("initial_reason_steps")
    if not isinstance(prefix, str):
        raise ValueError("`initial_reason_steps` (text) is missing")
    before = _steps(prefix)
    chosen, rejected = ([*before, *_steps(_rest(row, name, prefix))] for name in ("chosen", "rejected"))
    if len(before) in (len(chosen), len(rejected)):
        raise ValueError("`chosen` and `rejected` must hold a step")
    return [
        labelled(
            problem, chosen, correct=True if row.get("full_chosen") else None, labels=_labels(row, "chosen", before),
            provenance=LabelProvenance(format=NAME, role="chosen", generator=scalar(row, "chosen_by")),
        ),
        labelled(
            problem, rejected, len(before), correct=False if row.get("full_rejected") else None,
            labels=_labels(row, "rejected", before),
            provenance=LabelProvenance(format=NAME, role="rejected", generator=scalar(row, "rejected_by")),
        ),
        *reference_solution(problem, row, "reference_solution", NAME),
    ]  # fmt: skip


def _labels(row: Row, name: str, before: Sequence[str]) -> tuple[StepLabel, ...]:
    """Those of the row, or what its makers' annotator found."""
    given = row.get(f"{name}_labels")
    return _annotated(name, len(before)) if given is None else tuple(StepLabel(**label) for label in given)


def _annotated(name: str, place: int) -> tuple[StepLabel, ...]:
    """The steps before the pair are right, and the rejected one is wrong."""
    agreed = tuple(StepLabel(step=step, by="annotator", value=1) for step in range(place))
    return agreed if name == "chosen" else (*agreed, StepLabel(step=place, by="annotator", value=-1))


def _rest(row: Row, name: str, prefix: str) -> str:
    """The step and what follows it. Some publish whole solutions with the common steps, some without."""
    step, whole = text(row, name), row.get(f"full_{name}")
    if not isinstance(whole, str) or not whole.strip():
        return step
    rest = whole.strip().removeprefix(prefix.strip()).strip()
    if not rest.startswith(step):
        raise ValueError(f"`full_{name}` does not go on with `{name}`")
    return rest


def _steps(words: str) -> list[str]:
    return [step for part in _STEP.split(_OPENER.sub("", words)) if (step := " ".join(part.split()))]


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    if [attempt.provenance.role for attempt in attempts] not in (_PAIR, [*_PAIR, "reference"]):
        raise ValueError("a row holds a chosen and a rejected attempt, and at most a reference solution beside them")
    chosen, rejected, *others = attempts
    place = rejected.first_error
    if place is None or chosen.steps[:place] != rejected.steps[:place] or len(chosen.steps) <= place:
        raise ValueError("the attempts do not have the same steps up to the first error")
    before = "".join(f"Step {number}: {step}\n" for number, step in enumerate(rejected.steps[:place], 1))
    known: Row = {
        "dataset": chosen.problem.source,
        "prompt": chosen.problem.text,
        "initial_reason_steps": f"Let's think step by step.\n{before}Step {place + 1}:",
        "chosen": chosen.steps[place],
        "rejected": rejected.steps[place],
        "full_chosen": _from(chosen, place),
        "full_rejected": _from(rejected, place),
        "answer": chosen.problem.answer,
        "licence": chosen.problem.licence,
        "reference_solution": "\n".join(others[0].steps) if others else None,
    }
    for name, attempt in (("chosen", chosen), ("rejected", rejected)):
        known[f"{name}_by"] = attempt.provenance.generator
        if attempt.labels != _annotated(name, place):
            known[f"{name}_labels"] = [label.model_dump(exclude_none=True) for label in attempt.labels]
    return compact(known)


def _from(attempt: LabelledTrajectory, place: int) -> str | None:
    """The steps from this one on, whose number stands in the prefix; None if its answer is not known."""
    if attempt.correct is None:
        return None
    later = (f"Step {number}: {step}" for number, step in enumerate(attempt.steps[place + 1 :], place + 2))
    return "\n".join([attempt.steps[place], *later])


FORMAT = Format(
    NAME,
    marks("prompt initial_reason_steps", "prompt full_chosen full_rejected"),
    "Its rows have `prompt`, `initial_reason_steps`, `chosen` and `rejected`",
    read,
    write,
)
