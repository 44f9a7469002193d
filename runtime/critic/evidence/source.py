"""What a source of evidence is: the fields that a file of this folder fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

from runtime.types import Depth, Evidence, Problem, Trajectory, Verdict

if TYPE_CHECKING:
    from runtime.critic.evidence.collector import Collector

Findings = Mapping[str, Any]
"""What each source collected of an attempt, by its name. A source that is missing was not asked, or found nothing."""


@dataclass
class StepEvidence:
    """All that is known of one step: evidence for a person, and features for the fitted rule."""

    evidence: list[Evidence] = field(default_factory=list)
    features: dict[str, float] = field(default_factory=dict)

    @property
    def disproof(self) -> Evidence | None:
        """A false equation, which needs no rule."""
        return next((e for e in self.evidence if e.by == "arithmetic" and e.verdict == "incorrect"), None)

    @property
    def is_shared(self) -> bool:
        """Whether solutions that voted come to where this step leads."""
        return any(e.by == "vote" and e.verdict == "correct" for e in self.evidence)


@dataclass(frozen=True)
class Source:
    """One source of evidence on the steps of an attempt."""

    name: str
    """As `Evidence.by`, in settings and in stored files; never changed."""
    examine: Callable[[Sequence[StepEvidence], Any, Problem, Trajectory], None]
    """Adds evidence and features to the steps it is given, from what was collected of this attempt."""
    collect: Callable[[Collector, Problem, Trajectory, Event], Any] | None = None
    """Asks the engine about an attempt; a falsy value: nothing was found. None: the steps alone are enough. Raises
    EngineError."""
    kind: Any = None
    """The type of what is collected, from which it is written as JSON and read again."""
    features: tuple[str, ...] = ()
    """The names of the numbers that the fitted rule may use; empty: the source proves, or takes a blame back."""
    badges: Mapping[Verdict, str] = field(default_factory=dict)
    """What a person is shown, by verdict: names in the locales (`badge.`, `why.`); where none is given, nothing."""
    depths: tuple[Depth, ...] = ()
    """The depths of checking that use it."""
    asks: int = 0
    """How many replies it asks the engine for at most, where it writes any."""
    reads_only: bool = False
    """Whether it needs only what stands before a step, so that a step is judged before the next one is written."""
    needs_critic: bool = False
    """Whether it says nothing with a base that was not trained as a critic."""
    compares_answers: bool = False
    """Whether it speaks of the attempt's answer: that is checked then, even if no step shows where it comes from."""
    every_line: bool = False
    """Whether it speaks also of last lines that only state the answer; what is wrong there is mostly a step before."""
