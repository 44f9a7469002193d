"""Rollouts from each step: does the majority answer stay within reach? Needs no training.

What Monte Carlo labels ask with a reference answer (Math-Shepherd, arXiv 2312.08935) is asked here without one: in its
place stands the answer that most attempts at the problem reach. A step after which no completion reaches it any more is
the suspect. That errs where the model is mostly wrong, and where completions mend a wrong step in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Event

from runtime.checks.stated import final_answer
from runtime.critic.evidence.collector import Collector
from runtime.critic.evidence.source import Findings, Source, StepEvidence
from runtime.engines.base import Completion, ContextOverflow, Engine, Message, Messages, Sampling
from runtime.prompts.actor_turn import conversation
from runtime.search.solutions import TEMPERATURE, Answered, Solution, agreeing, votes
from runtime.text import Language, is_closing, join_steps, language_of
from runtime.types import Evidence, Problem, Trajectory

NAME = "rollouts"
ROLLOUTS = 4
"""After each step, at most."""

LIMIT = 0.25
"""Share of completions that may still be luck: one in four."""


@dataclass(frozen=True)
class Reach:
    """From how many of n tries the reference is reached once so many steps of an attempt are kept."""

    kept: int
    reference: str
    """The answer that most attempts at the problem reach."""
    k: int
    n: int
    drawn: bool = True
    """False for the end of an attempt, whose own answer is compared: n is 1."""

    @property
    def share(self) -> float:
        return self.k / self.n


def reach(
    engine: Engine,
    problem: Problem,
    steps: Sequence[str],
    n: int,
    max_tokens: int,
    seed: int,
    cancel: Event,
    answer: str | None = None,
    known: Sequence[Answered] = (),
) -> list[Reach]:
    """How far the majority answer stays within reach: of the problem alone, after one step, and so on.

    n completions are drawn from each beginning, in one call to the engine. `known` are independent solutions: they vote
    with the completions of the problem alone, and n of them save drawing those. The end of the attempt is compared with
    its answer, or completed like the rest where none is given.

    Shorter once a fall is certain, where too few attempts agree for anything to fall, and if `cancel` was set. Empty if
    no answer was reached at all. Raises ContextOverflow, EngineError.
    """
    first = 1 if len(known) >= n else 0
    kept = range(first, len(steps) + (answer is None))
    sampling = Sampling(temperature=TEMPERATURE, max_tokens=max_tokens, seed=seed + first * n)
    beginnings = (begun(problem, steps[:count]) for count in kept)
    with closing(engine.sample(beginnings, sampling, n=n, cancel=cancel)) as drawn:
        counted = _counted(drawn, steps, first, known, cancel)
        found: list[Reach] = []
        for one in counted:
            found.append(one)
            if (one.kept == 0 and one.share <= LIMIT) or _certain(found):
                return found
    if found and answer is not None and not cancel.is_set():
        reference = found[0].reference
        agrees = agreeing(reference, [Solution(answer, answer)])
        found.append(Reach(len(steps), reference, agrees, 1, drawn=False))
    return found


def first_fall(reaches: Sequence[Reach]) -> int | None:
    """Index of the first step after which the reference is out of reach and stays so; None if there is none."""
    if not reaches or reaches[0].share <= LIMIT:
        return None
    for position, one in enumerate(reaches[1:]):
        if one.k == 0 and all(later.share <= LIMIT for later in reaches[position + 1 :]):
            return position
    return None


def _certain(found: Sequence[Reach]) -> bool:
    """Whether a fall was confirmed by a later beginning."""
    fall = first_fall(found)
    return fall is not None and found[-1].kept > fall + 1


def _counted(
    drawn: Iterator[list[Completion]], steps: Sequence[str], first: int, known: Sequence[Answered], cancel: Event
) -> Iterator[Reach]:
    """Counts the replies to each beginning; those to the problem alone, with what is known, decide the reference."""
    voters = list(known)
    if first == 0:
        voters += [read_way_on(reply) for reply in next(drawn, [])]
    groups = votes(voters)
    if cancel.is_set() or not groups:  # what was cut off says nothing
        return
    reference = groups[0].answer
    yield Reach(0, reference, len(groups[0].solutions), len(voters))
    for kept, replies in enumerate(drawn, 1):
        if cancel.is_set():
            return
        read = [read_way_on(reply, steps[kept - 1]) for reply in replies]
        yield Reach(kept, reference, agreeing(reference, read), len(read))


def begun(problem: Problem, steps: Sequence[str]) -> Messages:
    """The conversation in which an attempt has come so far."""
    messages = conversation(problem)
    return [*messages, Message(role="assistant", content=join_steps(steps) + "\n")] if steps else messages


def read_way_on(reply: Completion, step: str = "") -> Solution:
    """A reply as a solution. One that says nothing of an answer leaves it to the step before it; one that was not
    finished has stated none, whatever numbers its last line holds."""
    own = final_answer(reply.text)
    if own is None and not any(map(is_closing, reply.text.splitlines())):
        own = final_answer(step)
    return Solution(reply.text, own if reply.finish == "stop" else None)


def _collect(
    collector: Collector, problem: Problem, attempt: Trajectory, cancel: Event, found: Findings
) -> tuple[Reach, ...]:
    steps, seed, known = [step.text for step in attempt.steps], collector.seed + 201, found.get("solutions", ())
    try:
        return tuple(
            reach(
                collector.engine,
                problem,
                steps,
                ROLLOUTS,
                collector.max_tokens,
                seed,
                cancel,
                attempt.answer,
                known,
            )
        )
    except ContextOverflow:
        return ()


def _examine(steps: Sequence[StepEvidence], reaches: Sequence[Reach], problem: Problem, _: Trajectory) -> None:
    fall = first_fall(reaches)
    after = {one.kept - 1: one for one in reaches}
    for position, one in enumerate(steps):
        if position == fall:
            one.features["fall"] = 1.0
            one.evidence.append(Evidence(by=NAME, verdict="incorrect", note=_FALL[language_of(problem.text)]))
        elif position in after:
            share = after[position].share
            one.features["reach"] = share
            one.evidence.append(Evidence(by=NAME, verdict="correct" if share else "unsure"))


_FALL: dict[Language, str] = {
    "en": "From here on, the most common answer is no longer reached.",
    "zh-CN": "从这里开始，就得不到多数解答的答案了。",
}
SOURCE = Source(
    NAME,
    _examine,
    _collect,
    kind=tuple[Reach, ...],
    features=(
        "fall",  # 1: from here on rollouts no longer reach the most frequent answer
        "reach",  # share of the rollouts from here that reach it
    ),
    badges={"correct": "completions_agree", "incorrect": "completions_differ"},
    asks=ROLLOUTS,
    compares_answers=True,
)
