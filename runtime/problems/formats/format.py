"""What a data format is: how its rows are recognised, read and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runtime.problems.json_rows import Row
from runtime.problems.labelled import LabelledTrajectory


@dataclass(frozen=True)
class Format:
    """`read` gives the attempts of one row, `write` the row of these attempts; both raise ValueError for what is not
    in the format or cannot be expressed in it."""

    name: str
    marks: tuple[frozenset[str], ...]
    """Sets of fields; a row that has all fields of one of them is in this format."""
    needs: str
    """What a row must have, as a sentence."""
    read: Callable[[Row], list[LabelledTrajectory]]
    write: Callable[[Sequence[LabelledTrajectory]], Row]

    def recognises(self, row: Row) -> bool:
        return any(mark <= row.keys() for mark in self.marks)


def marks(*sets: str) -> tuple[frozenset[str], ...]:
    """Sets of fields, each as one text with spaces between the names."""
    return tuple(frozenset(names.split()) for names in sets)


def only(attempts: Sequence[LabelledTrajectory]) -> LabelledTrajectory:
    """The one attempt of a row. Raises ValueError if there are several."""
    if len(attempts) != 1:
        raise ValueError(f"a row holds one attempt, not {len(attempts)}")
    return attempts[0]


def judged(attempt: LabelledTrajectory) -> int | None:
    """The first error. Raises ValueError where it is not known, as the format cannot say so."""
    if not attempt.is_judged:
        raise ValueError("the first error of the attempt is not known, which this format cannot express")
    return attempt.first_error


def reference_answer(attempt: LabelledTrajectory) -> str:
    """Raises ValueError where the problem has none."""
    if attempt.problem.answer is None:
        raise ValueError("the problem has no reference answer, which this format needs")
    return attempt.problem.answer


def compact(row: Row) -> Row:
    """The row without the fields of which nothing is known."""
    return {name: value for name, value in row.items() if value is not None}
