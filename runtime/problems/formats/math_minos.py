"""MATH-Minos (arXiv 2406.14024): `query` asks for the evaluation of a solution, `response` evaluates its steps in words
and ends in "The final answer is True" or "False". The rows of the second stage are a `text` with question and answer,
and a `label` of the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.problems.critique_text import read_verdict
from runtime.problems.formats.format import Format, compact, marks, only
from runtime.problems.json_rows import Row, text
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, WrittenCritique, labelled
from runtime.text import is_closing, join_steps, language_of, numbered, split_attempt
from runtime.types import Problem

NAME = "MATH-Minos"
INSTRUCTION = "Evaluate the answer step by step, and judge its final answer."
_TURNS = re.compile(r"(?:^|\n)\s*(?:Human|Q)\s*:\s*(.+?)\s*\n?\s*(?:Assistant|A)\s*:\s*(.+)", re.DOTALL)
_STEP = re.compile(r"(?<=\S)\s+(?=Step \d+:)")
_FINAL = re.compile(r"the\s+final\s+answer\s+is\W*(\w+)", re.IGNORECASE)


def read(row: Row) -> list[LabelledTrajectory]:
    """The solution with its evaluation, or with the label of its answer. What the words say of single steps is left in
    the words."""
    name = "query" if "query" in row else "text"
    turns = _TURNS.search(text(row, name))
    if not turns:
        raise ValueError(
            f"`{name}` must hold a question after `Human:` or `Q:` and a solution after `Assistant:` or `A:`"
        )
    if name == "query":
        response = text(row, "response")
        correct, critiques = _final(response), (WrittenCritique(text=response, by="annotator"),)
    else:
        correct, critiques = _label(row), ()
    problem = Problem(text=" ".join(turns[1].split()), source=str(row.get("source") or ""))
    lines = split_attempt(_STEP.sub("\n", turns[2]))
    return [labelled(problem, lines, correct=correct, critiques=critiques, provenance=LabelProvenance(format=NAME))]


def _final(response: str) -> bool:
    found = _FINAL.findall(response)
    verdict = read_verdict(found[-1]) if found else None
    if verdict is None:
        raise ValueError("`response` must end in `The final answer is True` or `False`")
    return verdict


def _label(row: Row) -> bool:
    if row["label"] not in (0, 1):
        raise ValueError(f"`label` must be 1 (the answer is right) or 0; it is {row['label']}")
    return bool(row["label"])


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    """An evaluation if the attempt has one, else the label of its answer."""
    attempt = only(attempts)
    if attempt.correct is None:
        raise ValueError("the answer is not graded, which this format needs")
    language = language_of(attempt.problem.text)
    source = attempt.problem.source or None
    critique = next((one.text for one in attempt.critiques if _says(one.text) is attempt.correct), None)
    closing = None if is_closing(attempt.steps[-1]) else attempt.trajectory.answer
    lines = join_steps([numbered(attempt.steps, language)], closing, language)
    if critique is None:
        turns = f"Human: {attempt.problem.text}\n\nAssistant: {lines}"
        return compact({"text": turns, "label": int(attempt.correct), "source": source})
    query = f"{INSTRUCTION}\n\nQ: {attempt.problem.text}\nA: {lines}"
    return compact({"query": query, "response": critique, "source": source})


def _says(critique: str) -> bool | None:
    try:
        return _final(critique)
    except ValueError:
        return None


FORMAT = Format(
    NAME,
    marks("query response", "text label"),
    "Its rows have `query` (a question and a solution) and `response`, or `text` (the same) and `label` (0 or 1)",
    read,
    write,
)
