"""Our own values as JSON (`runtime.types.to_json`): everything that is known of a labelled trajectory."""

from __future__ import annotations

import json
from collections.abc import Sequence

from runtime.problems.formats.format import Format, marks, only
from runtime.problems.json_rows import Row
from runtime.types import LabelledTrajectory, from_json, to_json

NAME = "Soliloquy"


def read(row: Row) -> list[LabelledTrajectory]:
    value = from_json(json.dumps(row))
    if not isinstance(value, LabelledTrajectory):
        raise ValueError(f"`type` must be LabelledTrajectory; it is {row['type']!r}")
    return [value]


def write(attempts: Sequence[LabelledTrajectory]) -> Row:
    return json.loads(to_json(only(attempts)))


FORMAT = Format(
    NAME,
    marks("schema type"),
    "Its rows have `schema`, `type` (LabelledTrajectory), `problem` and `trajectory`",
    read,
    write,
)
