"""Math-Step-DPO-10K (arXiv 2406.18629): from the same right steps one that is right (`chosen`) and one that is wrong
(`rejected`), and the whole solutions that they belong to. `initial_reason_steps` ends in "Step k:"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.problems.formats.format import Format, compact, marks
from runtime.problems.json_rows import Row, scalar, text
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel, labelled
from runtime.types import Problem

NAME = "Math-Step-DPO-10K"
_STEP = re.compile(r"\s*(?:^|\n|\s)Step \d+:\s*")
_OPENER = re.compile(r"^\s*Let's think step by step\.\s*")


def read(row: Row) -> list[LabelledTrajectory]:
    """The solution with the right step, whose answer is right, and the one with the wrong step, whose answer is wrong.
    Nobody checked the right step itself: it is not labelled."""
    problem = Problem(text=text(row, "prompt"), answer=scalar(row, "answer"), source=str(row.get("dataset") or ""))
    prefix = row.get("initial_reason_steps")
    if not isinstance(prefix, str):
        raise ValueError("`initial_reason_steps` (text) is missing")
    before = _steps(prefix)
    agreed = tuple(StepLabel(step=place, by="annotator", value=1) for place in range(len(before)))
    wrong = StepLabel(step=len(before), by="annotator", value=-1)
    chosen, rejected = ([*before, *_steps(_rest(row, name, prefix))] for name in ("chosen", "rejected"))
    if len(before) in (len(chosen), len(rejected)):
        raise ValueError("`chosen` and `rejected` must hold a step")
    return [
        labelled(
            problem, chosen, correct=True, labels=agreed, provenance=LabelProvenance(format=NAME, role="chosen")
        ),
        labelled(
            problem, rejected, len(before), correct=False, labels=(*agreed, wrong),
            provenance=LabelProvenance(format=NAME, role="rejected"),
        ),
    ]  # fmt: skip


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
    if [attempt.provenance.role for attempt in attempts] != ["chosen", "rejected"]:
        raise ValueError("a row holds a chosen and a rejected attempt")
    chosen, rejected = attempts
    place = rejected.first_error
    if place is None or chosen.steps[:place] != rejected.steps[:place] or len(chosen.steps) <= place:
        raise ValueError("the attempts do not have the same steps up to the first error")
    before = "".join(f"Step {number}: {step}\n" for number, step in enumerate(rejected.steps[:place], 1))
    return compact(
        {
            "dataset": chosen.problem.source,
            "prompt": chosen.problem.text,
            "initial_reason_steps": f"Let's think step by step.\n{before}Step {place + 1}:",
            "chosen": chosen.steps[place],
            "rejected": rejected.steps[place],
            "full_chosen": _from(chosen, place),
            "full_rejected": _from(rejected, place),
            "answer": chosen.problem.answer,
        }
    )


def _from(attempt: LabelledTrajectory, place: int) -> str:
    """The steps from this one on; its number stands in the prefix."""
    later = (f"Step {number}: {step}" for number, step in enumerate(attempt.steps[place + 1 :], place + 2))
    return "\n".join([attempt.steps[place], *later])


FORMAT = Format(
    NAME,
    marks("prompt initial_reason_steps", "prompt full_chosen full_rejected"),
    "Its rows have `prompt`, `initial_reason_steps`, `chosen` and `rejected`",
    read,
    write,
)
