"""Conversations with `messages`: a problem of the user and one solution of the assistant. Nothing is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.checks.stated import final_answer
from runtime.problems.formats.format import Format, marks, only
from runtime.problems.json_rows import Row
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, labelled
from runtime.text import is_closing, join_steps, language_of, split_attempt
from runtime.types import Problem

NAME = "messages"


def read(row: Row) -> list[LabelledTrajectory]:
    said: Any = row["messages"]
    if not isinstance(said, list) or not all(
        isinstance(one, dict) and isinstance(one.get("content"), str) and one["content"].strip() for one in said
    ):
        raise ValueError("`messages` must be a list of objects with `role` and `content` (a text)")
    turns = [one for one in said if one.get("role") != "system"]
    if [one.get("role") for one in turns] != ["user", "assistant"]:
        raise ValueError("`messages` must be one message of the user and one of the assistant")
    *before, last = split_attempt(turns[1]["content"])
    answer = final_answer(last) if before and is_closing(last) else None
    problem = Problem(text=turns[0]["content"].strip(), source="")
    lines = [*before] if answer else [*before, last]
    return [labelled(problem, lines, answer=answer, provenance=LabelProvenance(format=NAME))]


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    attempt = only(attempts)
    stated = is_closing(attempt.steps[-1])  # a student's own last line may state the answer already
    closing = None if stated else attempt.trajectory.answer
    solution = join_steps(attempt.steps, closing, language_of(attempt.problem.text))
    asked = {"role": "user", "content": attempt.problem.text}
    return {"messages": [asked, {"role": "assistant", "content": solution}]}


FORMAT = Format(
    NAME,
    marks("messages"),
    "Its rows have `messages`: one of the user with the problem, one of the assistant with the solution",
    read,
    write,
)
