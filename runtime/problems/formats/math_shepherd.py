"""Math-Shepherd (arXiv 2312.08935): `input` holds problem and steps, each step ending in a tag; `label` is the same
text with + or - in the tag's place: whether any completion from there reached the answer. The last sign grades the
answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.problems.formats.format import Format, marks, only
from runtime.problems.json_rows import Row, text
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel, by_labels, known_steps, labelled
from runtime.types import Problem

NAME = "Math-Shepherd"
TAG = "ки"
_FIRST = re.compile(r"\s*Step 1:\s*")
_NUMBER = re.compile(r"^\s*Step \d+:\s*")


def read(row: Row) -> list[LabelledTrajectory]:
    """A tag inside the problem, as some rows have one, is left out."""
    pieces, signs = _pieces(text(row, "input"), text(row, "label"))
    first = next((place for place, piece in enumerate(pieces) if _FIRST.search(piece)), None)
    if first is None:
        raise ValueError("`input` has no `Step 1:`")
    before, begun = _FIRST.split(pieces[first], maxsplit=1)
    lines = [begun.strip(), *(_NUMBER.sub("", piece).strip() for piece in pieces[first + 1 :])]
    values = signs[first:]
    labels = tuple(StepLabel(step=i, by="rollouts", value=1 if right else -1) for i, right in enumerate(values))
    problem = Problem(text=" ".join([*pieces[:first], before]).strip(), source=str(row.get("task") or ""))
    place, provenance = by_labels(labels, len(lines)), LabelProvenance(format=NAME)
    return [labelled(problem, lines, place, correct=values[-1], labels=labels, provenance=provenance)]


def _pieces(tagged: str, signed: str) -> tuple[list[str], list[bool]]:
    """The texts before the tags, and the signs in their places. Raises ValueError where the two texts differ."""
    *pieces, rest = tagged.rstrip().split(TAG)
    signs, at = [], 0
    for number, piece in enumerate(pieces, 1):
        at += len(piece)
        if signed[at - len(piece) : at] != piece or signed[at : at + 1] not in ("+", "-"):
            raise ValueError(f"`label` is not `input` with + or - in the place of tag {number}")
        signs.append(signed[at] == "+")
        at += 1
    if not pieces or rest.strip() or signed[at:].strip():
        raise ValueError(f"`input` and `label` must end with a step and its tag ({TAG}) or sign")
    return pieces, signs


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    attempt = only(attempts)
    known = known_steps(attempt)
    if len(known) < len(attempt.steps):
        raise ValueError(f"only {len(known)} of {len(attempt.steps)} steps are labelled, and this format needs all")
    if attempt.correct is not known[-1]:
        raise ValueError("the last step must have the label of the answer, and the answer must be graded")
    steps = (" ".join(_NUMBER.sub("", step).split()) for step in attempt.steps)
    lines = [f"Step {number}: {step} " for number, step in enumerate(steps, 1)]
    signs = ["+" if right else "-" for right in known]
    tagged, signed = (
        f"{attempt.problem.text} " + "\n".join(f"{line}{end}" for line, end in zip(lines, ends, strict=True))
        for ends in ([TAG] * len(lines), signs)
    )
    return {"input": tagged, "label": signed, "task": attempt.problem.source}


FORMAT = Format(
    NAME,
    marks("input label task", "input label"),
    f"Its rows have `input`, with {TAG} after each step, and `label`, the same text with + or - in its place",
    read,
    write,
)
