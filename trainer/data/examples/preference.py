"""Training examples for preference training: pairs of attempts, seen as steps or as whole continuations.

    python -m trainer preference trainer/recipes/preference/bench.yaml --kind step

Pairs are read in any format with a chosen and a rejected attempt: those of `trainer pairs`, the public
Math-Step-DPO-10K, TRL's preference columns (an export of the app). One file serves all kinds:

- step: after the lines that both share, one line each (Step-DPO).
- full: all lines after those that both share (DPO). Shared ones cancel, so this is DPO on whole solutions too.
- independent: a right solution sampled from the beginning against the whole wrong one (DPO on independent pairs); for
  rows with a reference solution.
- foreign: as step, but only pairs whose chosen line another model or a person wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from runtime.problems import formats, json_rows
from runtime.problems.labelled import LabelledTrajectory
from runtime.prompts.actor_turn import conversation
from trainer.data.losers import Lines, lines_of
from trainer.data.rows import PairRow
from trainer.data.step_labels import states_answer

Kind = Literal["step", "full", "independent", "foreign"]
NEEDS = "Each row needs a chosen and a rejected attempt, as `trainer pairs` writes them."
Pair = tuple[LabelledTrajectory, LabelledTrajectory, LabelledTrajectory | None]
"""The chosen and the rejected attempt, and a right solution of the same problem."""


def read_pairs(path: Path, kind: Kind) -> Iterator[PairRow]:
    """The pairs of a file that are of a kind. An empty file has none, as small data sets have no validation pairs.
    Raises RowError, also if rows are there and none is of the kind."""
    if path.is_file() and not path.stat().st_size:
        return
    yield from json_rows.some(path, pairs_of(path, kind), f"pairs of the kind {kind}")


def pairs_of(path: Path, kind: Kind) -> Iterator[PairRow]:
    """The same, maybe none. Raises RowError."""
    made = (pair_row(pair, kind) for _, pair in json_rows.read_rows(path, _pair, NEEDS))
    yield from (row for row in made if row)


def _pair(row: json_rows.Row) -> Pair:
    by_role = {attempt.provenance.role: attempt for attempt in formats.read(row)}
    if not {"chosen", "rejected"} <= by_role.keys():
        raise ValueError("there is no chosen and no rejected attempt")
    return by_role["chosen"], by_role["rejected"], by_role.get("reference")


def pair_row(pair: Pair, kind: Kind) -> PairRow | None:
    """The turn of a pair; None if it is not of this kind."""
    chosen, rejected, reference = pair
    if kind == "independent":
        return _row(reference, rejected, 0, whole=True) if reference else None
    if kind == "foreign" and chosen.provenance.generator in (None, rejected.provenance.generator):
        return None
    return _row(chosen, rejected, _shared(lines_of(chosen), lines_of(rejected)), whole=kind == "full")


def _row(chosen: LabelledTrajectory, rejected: LabelledTrajectory, shared: int, whole: bool) -> PairRow:
    (text, ends), (other, other_ends) = (_rest(attempt, shared, whole) for attempt in (chosen, rejected))
    begun = "".join(f"{line}\n" for line in lines_of(rejected)[:shared])
    messages = tuple(conversation(chosen.problem))
    return PairRow(messages=messages, begun=begun, chosen=text, rejected=other, ends=(ends, other_ends))


def _rest(attempt: LabelledTrajectory, shared: int, whole: bool) -> tuple[str, bool]:
    """The lines after the shared ones, or the first of them, and whether the turn ends with them: only after the last
    line of an attempt that states its answer. Any other line ends in its newline."""
    rest = lines_of(attempt)[shared:]
    taken = rest if whole else rest[:1]
    ends = taken == rest and states_answer(attempt)
    return "\n".join(taken) + ("" if ends else "\n"), ends


def _shared(chosen: Lines, rejected: Sequence[str]) -> int:
    """The number of lines that both begin with; at least one line of each is left."""
    most = min(len(chosen), len(rejected)) - 1
    return next((place for place in range(most) if chosen[place] != rejected[place]), most)
