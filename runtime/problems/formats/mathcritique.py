"""MathCritique (arXiv 2411.16579): an answer of the actor, a critique of it, and the answer that followed."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.problems.critique_text import parse
from runtime.problems.formats.format import Format, compact, marks, reference_answer
from runtime.problems.json_rows import Row, correctness, reference, scalar, text
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, StepLabel, WrittenCritique, labelled
from runtime.text import join_steps, split_attempt
from runtime.types import Problem

NAME = "MathCritique"


def read(row: Row) -> list[LabelledTrajectory]:
    """The answer with its critique, whose verdicts are a critic's labels: they decide no first error. Then the
    refinement, if there is one."""
    problem = Problem(
        text=text(row, "question"), answer=reference(row), source=str(row.get("dataset_type") or ""),
    )  # fmt: skip
    lines = split_attempt(text(row, "origin_response"))
    critique, writer = scalar(row, "critic"), scalar(row, "critic_model")
    verdicts = parse(critique, lines).verdicts if critique else ()
    known = {"format": NAME, "row": scalar(row, "idx"), "generator": scalar(row, "actor_model")}
    first = labelled(
        problem, lines, correct=correctness(row, "correctness-origin"),
        labels=tuple(
            StepLabel(step=place, by="critic", value=1 if right else -1)
            for place, right in enumerate(verdicts)
            if right is not None
        ),
        critiques=(WrittenCritique(text=critique, by=writer),) if critique else (),
        provenance=LabelProvenance(**known),
    )  # fmt: skip
    if not scalar(row, "new_response"):
        return [first]
    provenance = LabelProvenance(**known, role="refinement")
    again = split_attempt(text(row, "new_response"))
    return [first, labelled(problem, again, correct=correctness(row, "correctness-new"), provenance=provenance)]


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    first, *others = attempts
    if len(others) > 1 or any(other.provenance.role != "refinement" for other in others):
        raise ValueError("beside an answer a row holds only one refinement")
    if len(first.critiques) > 1:
        raise ValueError("a row holds one critique")
    critique = next(iter(first.critiques), None)
    return compact(
        {
            "idx": first.provenance.row,
            "dataset_type": first.problem.source,
            "question": first.problem.text,
            "answer": reference_answer(first),
            "actor_model": first.provenance.generator,
            "origin_response": join_steps(first.steps, first.answer),
            "correctness-origin": first.correct,
            "critic_model": critique and critique.by,
            "critic": critique and critique.text,
            "new_response": join_steps(others[0].steps, others[0].answer) if others else None,
            "correctness-new": others[0].correct if others else None,
        }
    )


FORMAT = Format(
    NAME,
    marks("origin_response", "question critic new_response"),
    "Its rows have `question`, `answer`, `origin_response`, `correctness-origin` and `critic`",
    read,
    write,
)
