"""A source of evidence: the fields that each file of this folder fills in, and the collector that asks its engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from runtime.engines.base import Cancelled, ContextOverflow, Engine
from runtime.odds import sigmoid
from runtime.prompts.critic_turn import judged
from runtime.types import Depth, Evidence, Problem, Trajectory, Verdict

Findings = Mapping[str, Any]
"""What each source collected on an attempt, by its name. A missing source was not asked, or found nothing."""


@dataclass
class StepEvidence:
    """All that is known of one step: evidence for a person, and features for the fitted rule."""

    evidence: list[Evidence] = field(default_factory=list)
    features: dict[str, float] = field(default_factory=dict)

    @property
    def disproof(self) -> Evidence | None:
        """The evidence of a false equation, if there is one."""
        return next((e for e in self.evidence if e.by == "arithmetic" and e.verdict == "incorrect"), None)

    @property
    def is_shared(self) -> bool:
        """Whether solutions that voted reach the attempt's answer."""
        return any(e.by == "vote" and e.verdict == "correct" for e in self.evidence)


@dataclass(frozen=True)
class Source:
    """One source of evidence on the steps of an attempt."""

    name: str
    """As in `Evidence.by` and in stored files; never changed."""
    examine: Callable[[Sequence[StepEvidence], Any, Problem, Trajectory], None]
    """Adds evidence and features to the given steps, from what was collected on the attempt."""
    collect: Callable[[Collector, Problem, Trajectory, Event], Any] | None = None
    """Asks the engine about an attempt; a falsy value: nothing was found. None: the steps alone are enough. Raises
    EngineError."""
    kind: Any = None
    """The type of what is collected, for writing and reading it as JSON."""
    features: tuple[str, ...] = ()
    """The numbers that the fitted rule may use; empty if the source proves an error or withdraws one."""
    badges: Mapping[Verdict, str] = field(default_factory=dict)
    """The badge that a person sees, by verdict: a key in the locales (`badge.`, `why.`). No entry: no badge."""
    depths: tuple[Depth, ...] = ()
    """The depths of checking that use it."""
    asks: int = 0
    """How many replies it asks the engine for at most."""
    reads_only: bool = False
    """Whether it needs only what comes before a step, so that a step is judged before the next one is written."""
    needs_adapter: str | None = None
    """The role of the adapter without which its evidence is worth nothing."""
    compares_answers: bool = False
    """Whether its evidence is on the attempt's answer, which then counts as checked even if no step calculates it."""
    every_line: bool = False
    """Whether it also examines last lines that only state the answer; an error there is mostly in a step before."""


def examine_log_odds(name: str, steps: Sequence[StepEvidence], log_odds: Sequence[float], *_: object) -> None:
    """For a source that reads one number a step: the log-odds that it is right. The fitted rule weighs them."""
    for one, odds in zip(steps, log_odds, strict=False):
        one.features[name] = odds
        verdict = "correct" if odds > 0 else "incorrect"
        one.evidence.append(Evidence(by=name, verdict=verdict, probability=sigmoid(odds)))


class Collector:
    """Collects evidence with one engine. Solutions of a problem are sampled once, however many attempts at it are
    judged, and a step is read once, however many attempts begin with it."""

    def __init__(self, engine: Engine, max_tokens: int = 512, seed: int = 0) -> None:
        self.engine, self.max_tokens, self.seed = engine, max_tokens, seed
        self.memory: dict[tuple[str, ...], Any] = {}
        """Keyed by source and problem, or by source, problem and the steps up to the one that was read."""

    def collect(
        self, problem: Problem, attempt: Trajectory, sources: Sequence[Source], cancel: Event
    ) -> dict[str, Any]:
        """What these sources find, by name; a source that finds nothing is missing, as are those that read the attempt
        where it exceeds the context. Raises EngineError."""
        asked = [(source.name, source.collect) for source in sources if source.collect]
        found = {name: collect(self, problem, attempt, cancel) for name, collect in asked}
        return {name: one for name, one in found.items() if one}

    def by_step(
        self, source: str, problem: Problem, attempt: Trajectory, ask: Callable[[Sequence[str], int], Sequence[float]]
    ) -> tuple[float, ...]:
        """A number for each judged step. `ask` gets the steps and the index of the first that was not read yet, and
        returns the numbers from there on. Shorter after a stop or where the context is exceeded."""
        steps = judged([step.text for step in attempt.steps])
        beginnings = _beginnings(source, problem, steps)
        first_unread = next((number for number, one in enumerate(beginnings) if one not in self.memory), len(steps))
        if first_unread < len(steps):
            try:
                self.memory |= zip(beginnings[first_unread:], ask(steps, first_unread), strict=True)
            except (ContextOverflow, Cancelled):
                del beginnings[first_unread:]
        return tuple(self.memory[one] for one in beginnings)

    def has_read(self, problem: Problem, attempt: Trajectory, sources: Sequence[Source]) -> bool:
        """Whether the sources that read have read every judged step."""
        steps = judged([step.text for step in attempt.steps])
        readers = [source.name for source in sources if source.reads_only and source.collect]
        return all(one in self.memory for reader in readers for one in _beginnings(reader, problem, steps))


def _beginnings(source: str, problem: Problem, steps: Sequence[str]) -> list[tuple[str, ...]]:
    """The cache key of each step for a source that reads."""
    return [(source, problem.id, *steps[: number + 1]) for number in range(len(steps))]
