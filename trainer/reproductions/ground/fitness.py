"""Whether a ground can show what papers claim about critics: checked and printed before any claim is run.

    python -m trainer fitness --base ground-5m

An actor attempts fresh problems of the split "test" with the full distribution. Then its attempts are rewritten after
critiques by an oracle that knows the place and the reason of every first error, the place only, or tells nothing. Where
an oracle gains little no critic can gain, and "does not hold" would say nothing: such a claim is not testable here. The
bounds are those of the project's methods, section 9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Literal

from pydantic import Field

from runtime.checks.grading import grade
from runtime.checks.stated import final_answer
from runtime.engines.base import Completion, Engine, Sampling
from runtime.problems.worked import Worked
from runtime.prompts.actor_turn import conversation
from runtime.text import split_steps
from runtime.types import Step, Trajectory, Value
from trainer.reproductions.ground.attempts import MIXTURE, Told
from trainer.reproductions.ground.diagnosis import diagnose
from trainer.reproductions.ground.problems import LEVELS, level_of
from trainer.reproductions.ground.texts import asking
from trainer.statistics import Paired, paired

FULL = Sampling(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, max_tokens=128)
"""The whole distribution, from which data and experiments sample."""
NOT_TESTABLE = "not testable here"
"""The verdict on a claim for which the ground is unfit, whatever was found."""
BINS = 5
"""Difficulty bins: fifths of the scale of pass rates."""
RETRIED = 2
"""Attempts at each problem that are rewritten."""
Name = Literal[
    "pass rate", "bins", "oracle", "place only", "retry", "retry of the wrong", "room", "verifiers", "headroom"
]


class Tried(Value):
    """An attempt of the actor, what an oracle says about it, and what the actor made of that."""

    level: int
    steps: int
    """Steps of the right solution."""
    trajectory: Trajectory
    right: bool
    place: int | None = None
    """Index of the first wrong line, where it is known; it is looked for in the attempts that are rewritten."""
    kind: str | None = None
    """Kind of the first error."""
    comment: str = ""
    after: dict[Told, bool] = Field(default_factory=dict)
    """Whether the rewrite is right, by what the critique told."""

    @property
    def tellings(self) -> tuple[Told, ...]:
        """What it is told in turn: a right attempt nothing, a wrong one whose place is known everything as well."""
        if not self.trajectory.steps or self.trajectory.finish != "stop":
            return ()  # no complete attempt to go back to
        return ("nothing",) if self.right or self.place is None else ("nothing", "place", "reason")


class Criterion(Value):
    """One line of the fitness table."""

    name: Name
    what: str
    value: float
    n: int
    interval: tuple[float, float] | None = None
    """Of 90 %, clustered by problem."""
    low: float | None = None
    high: float | None = None

    @property
    def fit(self) -> bool:
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)


class Measured(Value):
    """All attempts of a fitness check, one list per problem."""

    attempts: tuple[tuple[Tried, ...], ...]

    @property
    def pass_rates(self) -> list[float]:
        """Of each problem."""
        return [sum(one.right for one in some) / len(some) for some in self.attempts]

    @property
    def bins(self) -> list[int]:
        """Numbers of problems by pass rate, in fifths of the scale from 0 to 1."""
        found = Counter(min(int(rate * BINS + 1e-9), BINS - 1) for rate in self.pass_rates)
        return [found[number] for number in range(BINS)]

    def gain(self, told: Told, of: Literal["wrong", "all"] = "wrong") -> Paired:
        """Gain in right answers if the wrong attempts, or all, are rewritten after a critique that tells so much. An
        attempt that cannot be rewritten stays as it is."""
        after = [one.right if of == "wrong" and one.right else one.after.get(told, one.right) for one in self._first]
        return paired(after, [one.right for one in self._first], [one.trajectory.problem_id for one in self._first])

    @property
    def _first(self) -> list[Tried]:
        """The attempts that are rewritten."""
        return [one for some in self.attempts for one in some[:RETRIED]]

    @property
    def rates(self) -> list[tuple[int, int]]:
        """For each level, the numbers of first errors, and of steps before which nothing was wrong."""
        errors, steps = [0] * LEVELS, [0] * LEVELS
        for one in self._first:
            if one.right or one.place is not None:
                errors[one.level] += one.place is not None
                steps[one.level] += one.steps if one.place is None else one.place + 1
        return list(zip(errors, steps, strict=True))

    @property
    def kinds(self) -> dict[str, int]:
        """Numbers of first errors by kind, the most frequent ones first."""
        return dict(Counter(one.kind for one in self._first if one.kind).most_common())

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        tries = list(chain.from_iterable(self.attempts))
        solved = paired(
            [one.right for one in tries], [False] * len(tries), [one.trajectory.problem_id for one in tries]
        )
        return (
            Criterion(
                name="pass rate", what="attempts that are right", value=solved.difference, n=len(tries),
                interval=solved.interval, low=0.2, high=0.8,
            ),
            Criterion(
                name="bins", what=f"problems in the smallest of {BINS} bins by pass rate", value=min(self.bins),
                n=len(self.attempts), low=30,
            ),
            self._criterion("oracle", "gain of an oracle that knows place and reason", self.gain("reason"), low=0.15),
            self._criterion("place only", "gain of an oracle that knows the place", self.gain("place"), low=0.08),
            self._criterion("retry", "gain of a second try, blind", self.gain("nothing", "all"), high=0.03),
            self._criterion(
                "retry of the wrong", "gain of a second try where the first was wrong", self.gain("nothing"), high=0.03
            ),
        )  # fmt: skip

    def _criterion(self, name: Name, what: str, gain: Paired, **bounds: float) -> Criterion:
        n, value = len(self._first), gain.difference
        return Criterion(name=name, what=what, value=value, n=n, interval=gain.interval, **bounds)


def misses(criteria: Sequence[Criterion], needs: Collection[Name] | None = None) -> list[Name]:
    """The criteria that are missed, of those that a claim needs; without `needs` of all."""
    return [one.name for one in criteria if not one.fit and (needs is None or one.name in needs)]


def measure(
    engine: Engine, problems: Sequence[Worked], samples: int = 8, adapter: str | None = None, sampling: Sampling = FULL
) -> Measured:
    """Sample this many attempts at each problem, and rewrites of the first ones. Raises EngineError."""
    asked = (conversation(worked.problem) for worked in problems)
    replies = engine.sample(asked, sampling, adapter, samples)
    attempts = [
        [_tried(worked, one, number < RETRIED) for number, one in enumerate(some)]
        for worked, some in zip(problems, replies, strict=True)
    ]
    work = [
        (worked, one, told)
        for worked, some in zip(problems, attempts, strict=True)
        for one in some[:RETRIED]
        for told in one.tellings
    ]
    requests = (asking(worked.problem, one.trajectory, told, one.place or 0, one.comment) for worked, one, told in work)
    rewrites = engine.sample(requests, replace(sampling, seed=sampling.seed + 1), adapter)
    for (worked, one, told), [reply] in zip(work, rewrites, strict=True):
        one.after[told] = _is_right(worked, reply)
    return Measured(attempts=tuple(map(tuple, attempts)))


def _tried(worked: Worked, reply: Completion, located: bool) -> Tried:
    lines = split_steps(reply.text)
    trajectory = Trajectory(
        problem_id=worked.problem.id,
        steps=tuple(Step(text=line) for line in lines),
        answer=final_answer(reply.text) if reply.finish == "stop" else None,
        finish=reply.finish,
    )
    right = _is_right(worked, reply)
    found = diagnose(worked, lines) if located and not right else None
    tried = Tried(level=level_of(worked), steps=len(worked.steps), trajectory=trajectory, right=right)
    return tried.model_copy(update=found._asdict()) if found else tried


def _is_right(worked: Worked, reply: Completion) -> bool:
    return reply.finish == "stop" and grade(final_answer(reply.text), worked.problem) is True


def table(measured: Measured) -> Iterator[str]:
    """The fitness table as lines of Markdown, and below it the rates of errors, planned and found."""
    yield from criteria_table(measured.criteria)
    yield f"\nproblems by pass rate, in fifths: {', '.join(map(str, measured.bins))}"
    rates = zip(MIXTURE.rates, measured.rates, strict=True)
    found = (f"{errors / max(1, steps):.0%} of {steps} (planned {rate:.0%})" for rate, (errors, steps) in rates)
    yield f"errors at a step, by level: {', '.join(found)}"
    yield f"first errors by kind: {', '.join(f'{kind} {n}' for kind, n in measured.kinds.items())}"


def summary(measured: Measured) -> dict[str, Any]:
    """Everything the table shows, for JSON."""
    rates = zip(MIXTURE.rates, measured.rates, strict=True)
    return {
        "criteria": [{**one.model_dump(exclude={"kind"}), "fit": one.fit} for one in measured.criteria],
        "misses": misses(measured.criteria),
        "bins": measured.bins,
        "rates": [{"planned": rate, "errors": errors, "steps": steps} for rate, (errors, steps) in rates],
        "kinds": measured.kinds,
    }


def criteria_table(criteria: Sequence[Criterion]) -> list[str]:
    """Lines of Markdown. Intervals cover 90 % and are clustered by problem."""
    return [
        "| criterion | what | found | interval | n | bound | |",
        "|---|---|---|---|---|---|---|",
        *map(_line, criteria),
    ]


def _line(one: Criterion) -> str:
    form = "{:.0f}" if one.name == "bins" else "{:.1%}" if one.name == "pass rate" else "{:+.1%}"
    interval = " to ".join(map(form.format, one.interval or ()))
    bounds = [f"{sign} {form.format(bound)}" for sign, bound in (("≥", one.low), ("≤", one.high)) if bound is not None]
    cells = (
        one.name,
        one.what,
        form.format(one.value),
        interval,
        one.n,
        ", ".join(bounds),
        "fit" if one.fit else "UNFIT",
    )
    return f"| {' | '.join(map(str, cells))} |"
