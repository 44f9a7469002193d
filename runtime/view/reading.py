"""Reads a run step by step: the chosen attempt, the verdict on each step, and the first error."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.events import as_talk
from runtime.log.run import Run, home_of
from runtime.types import Critique, SelfTalk, StepVerdict, Trajectory

Home = tuple[int, int]
"""Where a step was first written: index of its attempt among the talk's turns, and its position in it."""


@dataclass(frozen=True)
class Reading:
    """The steps and verdicts of a talk."""

    talk: SelfTalk
    attempts: dict[int, Trajectory]
    verdicts: dict[Home, StepVerdict]
    current: list[Home]
    """The steps of the chosen attempt, or of the one being written."""
    first_error: int | None
    """Index in `current`, from 0; later steps depend on it."""
    writing: Home | None


def read_run(run: Run) -> Reading:
    """Read a run, including the attempt being written."""
    live, talk = run.transcript.live, as_talk(run.transcript)
    attempts = {turn: t for turn, t in enumerate(talk.turns) if isinstance(t, Trajectory)}
    chosen = _chosen_turn(talk, attempts)
    current = [] if chosen is None else [home_of(talk, chosen, i) for i in range(len(attempts[chosen].steps))]
    verdicts = _verdicts(talk, attempts, chosen)
    writing = None
    if live and attempts:
        under_way = max(attempts)
        own = {i: v for i, v in live.verdicts.items() if i < len(attempts[under_way].steps)}
        verdicts |= {home_of(talk, under_way, position): verdict for position, verdict in own.items()}
        if live.text.strip() and not live.done:
            writing = (under_way, len(attempts[under_way].steps) - 1)
    wrong = (i for i, home in enumerate(current) if home in verdicts and verdicts[home].verdict == "incorrect")
    return Reading(talk, attempts, verdicts, current, next(wrong, None), writing)


def _chosen_turn(talk: SelfTalk, attempts: dict[int, Trajectory]) -> int | None:
    """The turn of the attempt that the outcome is taken from; of the last one while there is no outcome."""
    wanted = talk.outcome and talk.outcome.trajectory_id
    return next((turn for turn in reversed(attempts) if not wanted or attempts[turn].id == wanted), None)


def _verdicts(talk: SelfTalk, attempts: dict[int, Trajectory], chosen: int | None) -> dict[Home, StepVerdict]:
    """The latest verdict on every step; for a kept step, that in the chosen attempt's critique."""
    found: dict[int, Critique] = {}
    for index, item in enumerate(talk.turns):
        if isinstance(item, Critique):
            turns = (turn for turn in reversed(attempts) if turn < index and attempts[turn].id == item.trajectory_id)
            if (turn := next(turns, None)) is not None:
                found[turn] = item
    order = [*(turn for turn in found if turn != chosen), *(turn for turn in found if turn == chosen)]
    return {
        home_of(talk, turn, position): verdict
        for turn in order
        for position, verdict in enumerate(found[turn].verdicts[: len(attempts[turn].steps)])
    }
