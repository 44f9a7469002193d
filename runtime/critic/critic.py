"""The critic: reads an attempt and gives each step a verdict, a probability and the evidence for them.

Arithmetic is exact and comes first: a false equation is an error whatever the model thinks of it. The evidence of the
other sources is combined by a rule that was fitted on judged attempts. For a base that was not trained as a critic its
verdict word has no weight in that rule.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from threading import Event
from typing import Protocol

from runtime.critic.aggregation import Aggregation, fitted_with, read_weights
from runtime.critic.evidence import (
    DEPTHS,
    FEATURES_OF,
    NEEDS,
    READERS,
    SOURCES,
    arithmetic,
    examine,
    named,
    usable,
    verifier,
    vote,
)
from runtime.critic.evidence.arithmetic import of_arithmetic
from runtime.critic.evidence.source import Collector, Findings, StepEvidence
from runtime.critic.evidence.verdict import ADAPTER
from runtime.engines.base import Engine, EngineError, provenance
from runtime.events import Criticising, CritiqueDone, StepJudged
from runtime.events import Event as TalkEvent
from runtime.files import ROOT
from runtime.models import adapters
from runtime.prompts import templates
from runtime.search.self_consistency import MajorityVote
from runtime.settings import Settings
from runtime.text import Language, language_of
from runtime.types import Critique, Depth, Evidence, Problem, Step, StepVerdict, Trajectory

FITTED = ROOT / "data" / "models" / "weights"
"""The rules of bases without an adapter, a file each."""
PROVEN = 0.99
"""Probability that a false equation is an error: what was meant can still be misread."""
NOTES_FROM = sorted(SOURCES, key=lambda source: source.reads_only)
"""The most helpful notes first: other solutions show where they differ, reading only that something is odd."""
Reading = Generator[TalkEvent, None, Critique]
"""The events of a critique; its value is the critique."""
Reason = Callable[[Engine, Problem, Trajectory, int, Event], str]
"""What is wrong with the step at a position; empty if that is not known. Raises EngineError."""
UNTRAINED = Aggregation(constant=1.8, features={"agreement": 4.0, "deviation": -2.65})
"""For a base that no rule was fitted for: its verdict word is no better than chance, and the weights of the solutions
were measured on other bases (trainer/LOG.md)."""


def open_critic(engine: Engine, settings: Settings) -> Critic:
    """The critic of an engine, with the rules that were fitted for its adapter, or for its base if it has none."""
    return Critic(engine, settings.max_tokens, settings.seed, settings.depth, weights_of(engine, settings))


def weights_of(engine: Engine, settings: Settings) -> Mapping[str, Aggregation]:
    """The fitted rules of an engine, by depth; empty if there are none. Those that a verifier's card joins with the
    critic in use have priority over the critic's own."""
    if engine.path is None:
        return {}
    in_use = adapters.adapters_of(engine.path, settings) if {ADAPTER, verifier.ADAPTER} & engine.adapters else {}
    cards = {role: one.card for role, one in in_use.items() if role in engine.adapters}
    joined, own = cards.get(verifier.ADAPTER), cards.get(ADAPTER)
    if joined and joined.aggregation and joined.beside == (own.version if own else None):
        return fitted_with(joined)
    if own:
        return fitted_with(own)
    base = adapters.base_of(engine.path, settings)
    fitted = FITTED / f"{base.name}.json" if base else None
    return read_weights(fitted) if fitted and fitted.exists() else {}


class Judge(Protocol):
    """Whoever judges the attempts of a talk: a critic, or one that knows the answer (`trainer.evaluation.oracle`)."""

    def read(self, problem: Problem, attempt: Trajectory, cancel: Event) -> Reading: ...

    def follow(self, problem: Problem, steps: Sequence[Step], cancel: Event) -> list[StepVerdict]: ...

    def reconsider(
        self, problem: Problem, attempt: Trajectory, majority: MajorityVote, cancel: Event
    ) -> Critique | None: ...

    def wants_vote(self, critique: Critique) -> bool: ...

    def read_arithmetic(self, problem: Problem, attempt: Trajectory) -> Reading: ...


class Critic:
    """Judges with one engine at one depth."""

    def __init__(
        self,
        engine: Engine,
        max_tokens: int = 512,
        seed: int = 0,
        depth: Depth = "deep",
        weights: Mapping[str, Aggregation] | None = None,
    ) -> None:
        self.fitted, is_trained = weights or {}, not engine.adapters.isdisjoint(NEEDS.values())
        self.shallower = is_trained and "quick" in self.fitted and depth not in self.fitted
        """Whether it judges at "quick" although another depth was asked for, as its adapter has no rule for that."""
        if self.shallower:
            depth = "quick"
        self.engine, self.weights = engine, self.fitted.get(depth, UNTRAINED)
        # The verdict word of an untrained base is no better than chance, and with a fitted rule a source without a
        # weight is not worth the wait.
        asked = usable(DEPTHS[depth], engine.adapters)
        if depth in self.fitted:
            asked = tuple(n for n in asked if n == arithmetic.NAME or self.weights.uses(FEATURES_OF[n]))
        self.sources = asked
        self.reads_only = set(self.sources) <= set(READERS)
        """Whether a step can be judged before the next one is written."""
        self.collector = Collector(engine, max_tokens, seed)

    def read(self, problem: Problem, attempt: Trajectory, cancel: Event, reason: Reason | None = None) -> Reading:
        """Judge an attempt up to its first error; `reason` is called for an error that nothing proves. The generator's
        value is the critique. Raises EngineError."""
        yield Criticising()
        verdicts: list[StepVerdict] = []
        for known in self._growing(problem, attempt, cancel):
            yield from changes(verdicts, known)
            verdicts = known
        if not cancel.is_set() and verdicts and verdicts[-1].verdict == "incorrect" and not verdicts[-1].comment:
            found = self._asked(reason, problem, attempt, len(verdicts) - 1, cancel) if reason else ""
            if not cancel.is_set():
                verdicts[-1] = _explained(verdicts[-1], found, language_of(problem.text))
        return (yield from self._done(problem, attempt, verdicts))

    def follow(self, problem: Problem, steps: Sequence[Step], cancel: Event) -> list[StepVerdict]:
        """One verdict per step, up to the first incorrect one, while the next step is still being written; empty if
        this critic needs the whole attempt. Raises EngineError."""
        beginning = Trajectory(problem_id=problem.id, steps=tuple(steps))
        return self._verdicts(problem, beginning, cancel) or [] if self.reads_only else []

    def reconsider(
        self, problem: Problem, attempt: Trajectory, majority: MajorityVote, cancel: Event
    ) -> Critique | None:
        """Judge an attempt again after a vote; only the steps after the first error are still to be read. None if the
        error stays, or after a stop."""
        verdicts = self._verdicts(problem, attempt, cancel, majority)
        if not verdicts or verdicts[-1].verdict == "incorrect":
            return None
        return self._critique(problem, attempt, verdicts)

    def wants_vote(self, critique: Critique) -> bool:
        """Whether more solutions should vote on what was criticised."""
        return self.shallower

    def read_arithmetic(self, problem: Problem, attempt: Trajectory) -> Reading:
        """Judge by exact arithmetic alone: at once, and enough where an attempt was cut off at a false equation."""
        verdicts = judge(problem, attempt, {}, self.weights, (arithmetic.NAME,))
        return (yield from self._done(problem, attempt, verdicts))

    def _growing(self, problem: Problem, attempt: Trajectory, cancel: Event) -> Iterator[list[StepVerdict]]:
        """The verdicts after each step where that is possible, else once on the whole attempt."""
        for end in range(1, len(attempt.steps) + 1) if self.reads_only else [len(attempt.steps)]:
            beginning = attempt.model_copy(update={"steps": attempt.steps[:end]})
            verdicts = self._verdicts(problem, beginning, cancel)
            if verdicts is None:
                return
            yield verdicts
            if verdicts and verdicts[-1].verdict == "incorrect":
                return

    def _verdicts(
        self, problem: Problem, attempt: Trajectory, cancel: Event, majority: MajorityVote | None = None
    ) -> list[StepVerdict] | None:
        """One verdict per step, up to the first incorrect one; None if a stop left something unread. Beside a false
        equation only the steps before it are read, and no other solutions are sampled."""
        proven = next((number for number, step in enumerate(attempt.steps) if proven_wrong(step.text)), None)
        sources = self.sources if proven is None else [name for name in self.sources if name in READERS]
        asked = attempt.model_copy(update={"steps": attempt.steps[:proven]})
        found = self.collector.collect(problem, asked, named(sources), cancel)
        if cancel.is_set() and not self.collector.has_read(problem, asked, named(sources)):
            return None
        voted = {vote.NAME: majority} if majority else {}
        return judge(problem, attempt, found | voted, self.weights, (*sources, vote.NAME))

    def _done(self, problem: Problem, attempt: Trajectory, verdicts: list[StepVerdict]) -> Reading:
        critique = self._critique(problem, attempt, verdicts)
        yield from changes(verdicts[:-1], verdicts)
        yield CritiqueDone(critique)
        return critique

    def _critique(self, problem: Problem, attempt: Trajectory, verdicts: list[StepVerdict]) -> Critique:
        author = provenance(self.engine, templates.version("critic", language_of(problem.text)), adapter=ADAPTER)
        return Critique(trajectory_id=attempt.id, verdicts=tuple(verdicts), author=author)

    def _asked(self, reason: Reason, problem: Problem, attempt: Trajectory, position: int, cancel: Event) -> str:
        try:
            return reason(self.engine, problem, attempt, position, cancel)
        except EngineError:  # the verdict stands without a reason
            return ""


def _explained(blamed: StepVerdict, reason: str, language: Language) -> StepVerdict:
    """The verdict on a wrong step with the reason found, else with a source's note if there is one."""
    notes = {e.by: e.note for e in blamed.evidence if e.verdict == "incorrect" and e.note}
    noted = next((notes[source.name] for source in NOTES_FROM if source.name in notes), NO_REASON[language])
    return blamed.model_copy(update={"comment": reason or noted})


NO_REASON: dict[Language, str] = {
    "en": "Something seems wrong with this step, but I cannot say for certain what. Read the problem once more.",
    "zh-CN": "这一步似乎不对，但我说不准是哪里不对。请再读一遍题目。",
}
"""Where no reason is known: those that a small adapter gives are mostly wrong (trainer/LOG.md)."""


def judge(
    problem: Problem, attempt: Trajectory, findings: Findings, weights: Aggregation, sources: Sequence[str]
) -> list[StepVerdict]:
    """One verdict per step on what was collected, up to the first incorrect one. Nothing is generated here. A false
    equation explains why other solutions differ, so they do not count against the steps before it."""
    steps = examine(problem, attempt, findings, sources)
    if any(one.disproof for one in steps):
        steps = examine(problem, attempt, findings, [name for name in sources if name in READERS])
    return verdicts_on(steps, weights)


def verdicts_on(steps: Sequence[StepEvidence], weights: Aggregation) -> list[StepVerdict]:
    """From the evidence on each step: a verdict on every step up to the first error."""
    place = first_error(steps, weights)
    accepted = [_accepted(one, weights) for one in steps[:place]]
    return accepted if place is None else [*accepted, _blamed(steps[place], weights)]


def first_error(steps: Sequence[StepEvidence], weights: Aggregation) -> int | None:
    """Index of the first error; None if there is none. A false equation is an error whatever the threshold. Nothing
    else is one where solutions that voted reach the same answer (trainer/LOG.md)."""
    end = next((number for number, one in enumerate(steps) if one.disproof), None)
    if end is None and any(one.is_shared for one in steps):
        return None
    found = weights.first_error(probability(one, weights) for one in steps[: None if end is None else end + 1])
    return end if found is None else found


def probability(step: StepEvidence, weights: Aggregation) -> float | None:
    """That a step is right, if those before it are; None if it has no feature with a weight."""
    if step.disproof:
        return 1 - PROVEN
    return weights.probability(step.features) if weights.uses(step.features) else None


def _accepted(step: StepEvidence, weights: Aggregation) -> StepVerdict:
    evidence, p = tuple(step.evidence), probability(step, weights)
    if p is not None:
        return StepVerdict(verdict=weights.verdict(p), probability=p, evidence=evidence)
    is_proven = any(e.by == arithmetic.NAME for e in evidence if e.verdict == "correct")
    return StepVerdict(verdict="correct" if is_proven else "unsure", evidence=evidence)


def _blamed(step: StepEvidence, weights: Aggregation) -> StepVerdict:
    """The verdict on the first error; the note on a false equation is its comment."""
    p = probability(step, weights)
    if proof := step.disproof:
        return StepVerdict(verdict="incorrect", probability=p, comment=proof.note or "", evidence=tuple(step.evidence))
    return StepVerdict(verdict="incorrect", probability=p, evidence=tuple(map(_doubting, step.evidence)))


def _doubting(evidence: Evidence) -> Evidence:
    """A trained model that accepts the blamed step alone is shown as unsure: the doubt is about the steps together."""
    agrees = evidence.by in NEEDS and evidence.verdict == "correct"
    return evidence.model_copy(update={"verdict": "unsure"}) if agrees else evidence


def proven_wrong(step: str) -> bool:
    """Whether a step holds an equation that is certainly false."""
    return any(evidence.verdict == "incorrect" for evidence in of_arithmetic(step, "en"))


def changes(before: Sequence[StepVerdict], now: Sequence[StepVerdict]) -> Iterator[StepJudged]:
    """The verdicts that are new or have changed: the error can turn out to be an earlier step."""
    for position, verdict in enumerate(now):
        if position >= len(before) or before[position] != verdict:
            yield StepJudged(position, verdict)
