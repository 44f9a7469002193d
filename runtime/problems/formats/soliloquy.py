"""Our own values as JSON: everything that is known of a labelled trajectory, and the number of the schema."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.problems.formats.format import Format, marks, only
from runtime.problems.json_rows import Row
from runtime.problems.labelled import LabelledTrajectory
from runtime.types import SCHEMA

NAME = "Soliloquy"
TYPE = LabelledTrajectory.__name__


def read(row: Row) -> list[LabelledTrajectory]:
    for name, wanted in (("schema", SCHEMA), ("type", TYPE)):
        if row[name] != wanted:
            raise ValueError(f"`{name}` must be {wanted}; it is {row[name]!r}")
    return [LabelledTrajectory.model_validate({k: v for k, v in row.items() if k not in ("schema", "type")})]


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    return {"schema": SCHEMA, "type": TYPE, **only(attempts).model_dump(mode="json")}


FORMAT = Format(
    NAME,
    marks("schema type"),
    "Its rows have `schema`, `type` (LabelledTrajectory), `problem` and `trajectory`",
    read,
    write,
)
