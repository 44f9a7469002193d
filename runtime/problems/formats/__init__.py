"""Every format of labelled attempts that is read and written. A row is recognised by its own fields, never by a flag or
a file name. A new format is one file here and one line in `FORMATS`."""

from __future__ import annotations

from runtime.problems.formats import (
    attempts,
    bigbench_mistake,
    math_minos,
    math_shepherd,
    mathcritique,
    messages,
    mr_gsm8k,
    prm800k,
    prmbench,
    processbench,
    rated_steps,
    soliloquy,
    step_dpo,
    trl_preference,
    trl_stepwise,
)
from runtime.problems.formats.format import Format
from runtime.problems.json_rows import Row, cause
from runtime.problems.labelled import LabelledTrajectory

FORMATS: tuple[Format, ...] = (
    soliloquy.FORMAT,
    prm800k.FORMAT,
    mr_gsm8k.FORMAT,
    prmbench.FORMAT,
    mathcritique.FORMAT,
    bigbench_mistake.FORMAT,
    math_shepherd.FORMAT,
    math_minos.FORMAT,
    step_dpo.FORMAT,
    trl_stepwise.FORMAT,
    trl_preference.FORMAT,
    messages.FORMAT,
    rated_steps.FORMAT,
    processbench.FORMAT,
    attempts.FORMAT,
)
"""The first one that recognises a row reads it; the last one is ours and recognises any."""


def format_of(row: Row) -> Format:
    """The format whose fields a row has; our own for any other row."""
    return next(one for one in FORMATS if one.recognises(row))


def read(row: Row) -> list[LabelledTrajectory]:
    """The attempts of a row. Raises ValueError, which names the format that it looks like, the field and the
    remedy."""
    found = format_of(row)
    try:
        return found.read(row)
    except (ValueError, KeyError, TypeError) as error:
        if found is attempts.FORMAT:
            raise
        raise ValueError(f"it looks like a row of {found.name}, but {cause(error)}. {found.needs}") from error
