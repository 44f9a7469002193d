"""A source of evidence: the fields that each file of this folder fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

from runtime.types import Depth, Evidence, Problem, Trajectory, Verdict

if TYPE_CHECKING:
    from runtime.critic.evidence.collector import Collector

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
    needs_critic: bool = False
    """Whether it is useless with a base that was not trained as a critic."""
    compares_answers: bool = False
    """Whether its evidence is on the attempt's answer, which is checked then even if no step shows where it comes from."""
    every_line: bool = False
    """Whether it also examines last lines that only state the answer; an error there is mostly in a step before."""
