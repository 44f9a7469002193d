"""The events of solving or checking a problem, and `fold`, which builds a `Transcript` from them.

The loop yields events. The page, the log and the command line fold the same events, so all three show the same run.
A `Transcript` has a finished part (`talk`) and the attempt being written (`live`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TypeVar

from runtime.types import (
    Critique,
    Origin,
    Outcome,
    Parent,
    Problem,
    Provenance,
    SelfTalk,
    Step,
    StepVerdict,
    Trajectory,
)

Item = TypeVar("Item")
Ended = TypeVar("Ended")


@dataclass(frozen=True)
class Proposing:
    """The actor starts an attempt, after the kept steps of its parent."""

    origin: Origin
    kept: tuple[Step, ...] = ()
    parent: Parent | None = None
    made_by: Provenance | None = None


@dataclass(frozen=True)
class Token:
    """A piece of the line being written."""

    text: str


@dataclass(frozen=True)
class StepDone:
    step: Step


@dataclass(frozen=True)
class AttemptDone:
    trajectory: Trajectory


@dataclass(frozen=True)
class Criticising:
    """The critic starts reading the last attempt."""


@dataclass(frozen=True)
class StepJudged:
    """A verdict on one step of the current attempt; a later verdict on the same step replaces it."""

    position: int
    verdict: StepVerdict


@dataclass(frozen=True)
class CritiqueDone:
    critique: Critique


@dataclass(frozen=True)
class Refining:
    """The critic found a first error at `position`; the actor continues from the steps before it."""

    position: int
    comment: str


@dataclass(frozen=True)
class Voting:
    """Further solutions are sampled for a vote and are not shown; the outcome so far stays visible."""

    done: int = 0
    """Solutions finished, including the one that is voted on."""
    of: int = 0
    """The most solutions that will vote."""


@dataclass(frozen=True)
class Finished:
    outcome: Outcome


@dataclass(frozen=True)
class Failed:
    """The run ended with an error; everything before it is kept."""

    message: str
    kind: str = ""
    """`SoliloquyError.kind`."""


OfAttempt = Token | StepDone | StepJudged | AttemptDone | Criticising
"""What happens to the attempt that was proposed last."""
Event = Proposing | OfAttempt | CritiqueDone | Refining | Voting | Finished | Failed


@dataclass(frozen=True)
class Live:
    """An attempt that is being written, or read by the critic."""

    opening: Proposing
    steps: tuple[Step, ...]
    verdicts: dict[int, StepVerdict] = field(default_factory=dict)
    text: str = ""
    done: bool = False
    criticising: bool = False


@dataclass(frozen=True)
class Transcript:
    talk: SelfTalk
    live: Live | None = None
    voting: Voting | None = None
    standing: Outcome | None = None
    """The outcome before the talk was resumed; it is restored if the resumed part is stopped or fails."""


def begin(problem: Problem) -> Transcript:
    """The transcript before the first event."""
    return Transcript(SelfTalk(problem=problem))


def fold(transcript: Transcript, event: Event) -> Transcript:
    """The transcript after one more event."""
    after, standing = _folded(transcript, event), transcript.standing
    if standing is None or after.talk.outcome is None:
        return replace(after, standing=standing)
    found = after.talk.outcome
    if found.status in ("stopped", "failed"):
        return replace(after, talk=after.talk.model_copy(update={"outcome": standing.noting(found.note)}))
    return after


def _folded(transcript: Transcript, event: Event) -> Transcript:
    talk, live = transcript.talk, transcript.live
    match event:
        case Proposing():
            return Transcript(_with_partial(talk, live).model_copy(update={"outcome": None}), Live(event, event.kept))
        case Token() | StepDone() | StepJudged() | AttemptDone() | Criticising():
            if live is None:
                raise ValueError(f"{event} belongs to no attempt")
            grown = _grown(live, event)
            return Transcript(_with_turn(talk, event.trajectory) if isinstance(event, AttemptDone) else talk, grown)
        case CritiqueDone(critique):
            return Transcript(_with_turn(talk, critique), None)
        case Refining():
            return transcript
        case Voting():
            return replace(transcript, voting=event)
        case Finished(outcome):
            return Transcript(_with_partial(talk, live).model_copy(update={"outcome": outcome}))
        case Failed(message, kind):
            kept = _with_partial(talk, live)
            return Transcript(kept.model_copy(update={"outcome": Outcome(status="failed", note=message, error=kind)}))


def _grown(live: Live, event: OfAttempt) -> Live:
    match event:
        case Token(text):
            return replace(live, text=live.text + text)
        case StepDone(step):
            return replace(live, steps=(*live.steps, step), text="")
        case StepJudged(position, verdict):
            return replace(live, verdicts={**live.verdicts, position: verdict})
        case AttemptDone(trajectory):
            return replace(live, steps=trajectory.steps, text="", done=True)
        case Criticising():
            return replace(live, criticising=True)


def shown(attempt: Trajectory) -> Iterator[Event]:
    """The events that show an attempt which was sampled without being shown."""
    yield Proposing(attempt.origin, made_by=attempt.made_by)
    yield from map(StepDone, attempt.steps)
    yield AttemptDone(attempt)


def next_or_value(generator: Generator[Item, None, Ended]) -> Item | Ended:
    """The generator's next item, or its return value once it has ended."""
    try:
        return next(generator)
    except StopIteration as end:
        return end.value


def value_of(generator: Generator[object, None, Ended]) -> Ended:
    """The generator's return value; its items are dropped."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def as_talk(transcript: Transcript) -> SelfTalk:
    """The talk so far, including the attempt being written."""
    return _with_partial(transcript.talk, transcript.live)


def fold_all(problem: Problem, events: Iterable[Event]) -> SelfTalk:
    """The talk after all events."""
    transcript = begin(problem)
    for event in events:
        transcript = fold(transcript, event)
    return transcript.talk


def _with_turn(talk: SelfTalk, turn: Trajectory | Critique) -> SelfTalk:
    return talk.model_copy(update={"turns": (*talk.turns, turn)})


def _with_partial(talk: SelfTalk, live: Live | None) -> SelfTalk:
    """Add the attempt being written and its verdicts to the talk, so that nothing that was shown is lost."""
    if live is None:
        return talk
    if not live.done:
        if len(live.steps) == len(live.opening.kept) and not live.text.strip():
            return talk
        talk = _with_turn(talk, _broken_off(talk.problem, live))
    verdicts = tuple(live.verdicts[i] for i in takewhile(live.verdicts.__contains__, range(len(live.steps))))
    return _with_turn(talk, Critique(trajectory_id=talk.trajectories[-1].id, verdicts=verdicts)) if verdicts else talk


def _broken_off(problem: Problem, live: Live) -> Trajectory:
    steps = live.steps + ((Step(text=live.text.strip()),) if live.text.strip() else ())
    opening = live.opening
    return Trajectory(
        problem_id=problem.id,
        steps=steps,
        finish="cancelled",
        origin=opening.origin,
        parent=opening.parent,
        made_by=opening.made_by,
    )
