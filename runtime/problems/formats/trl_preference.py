"""TRL's preference pairs: `prompt`, and of two ways to go on the better (`chosen`) and the worse (`rejected`).

The better one need not be right nor the worse one wrong, so neither is labelled. Our own prompts end with a blank line
and the steps before the pair; any other prompt is the problem as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.problems.formats.format import Format, marks
from runtime.problems.json_rows import Row
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, labelled
from runtime.text import split_attempt
from runtime.types import Problem

NAME = "TRL preference"


def read(row: Row) -> list[LabelledTrajectory]:
    prompt = _words(row, "prompt", "user")
    asked, blank, before = prompt.rpartition("\n\n") if prompt.endswith("\n") else (prompt, "", "")
    problem = Problem(text=(asked if blank else prompt).strip(), source="")
    if not problem.text:
        raise ValueError("`prompt` (text) is missing")
    begun = [line for line in before.splitlines() if line.strip()] if blank else []
    return [
        labelled(
            problem, [*begun, *split_attempt(_words(row, role, "assistant"))],
            provenance=LabelProvenance(format=NAME, role=role),
        )
        for role in ("chosen", "rejected")
    ]  # fmt: skip


def _words(row: Row, name: str, role: str) -> str:
    """A text, or the content of a conversation's only message of this role."""
    value: Any = row.get(name)
    if isinstance(value, list):
        said = [one.get("content") for one in value if isinstance(one, dict) and one.get("role") == role]
        value = said[0] if len(said) == 1 else None
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"`{name}` (a text, or a conversation with one message of the {role}) is missing")
    return value


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    """The steps that both begin with belong to the prompt."""
    if [attempt.provenance.role for attempt in attempts] != ["chosen", "rejected"]:
        raise ValueError("a row holds a chosen and a rejected attempt")
    chosen, rejected = (attempt.steps for attempt in attempts)
    common, most = 0, min(len(chosen), len(rejected)) - 1
    while common < most and chosen[common] == rejected[common]:
        common += 1
    before = "".join(f"{step}\n" for step in chosen[:common])
    return {
        "prompt": f"{attempts[0].problem.text}\n\n{before}",
        "chosen": "\n".join(chosen[common:]),
        "rejected": "\n".join(rejected[common:]),
    }


FORMAT = Format(
    NAME,
    marks("prompt chosen rejected"),
    "Its rows have `prompt`, `chosen` and `rejected`, as texts or conversations",
    read,
    write,
)
