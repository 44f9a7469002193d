"""The critic: reads an attempt and says of each step whether it holds, how likely that is, and on what evidence.

Arithmetic is exact and comes first: an equation proven false needs no opinion. The evidence of the other sources is
put together by a rule that was fitted on judged attempts; for a base that was never trained as a critic its own verdict
word has no weight in that rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event

from runtime.critic.aggregation import Aggregation, fitted_with, read_weights
from runtime.critic.evidence import DEPTHS, FEATURES_OF, READERS, SOURCES, arithmetic, examine, named, vote
from runtime.critic.evidence.arithmetic import of_arithmetic
from runtime.critic.evidence.collector import Collector
from runtime.critic.evidence.source import Findings, StepEvidence
from runtime.critic.evidence.verdict import ADAPTER
from runtime.critic.evidence.verdict import NAME as VERDICT
from runtime.engines.base import Engine, EngineError
from runtime.events import Criticising, CritiqueDone, StepJudged
from runtime.events import Event as TalkEvent
from runtime.files import ROOT
from runtime.models import adapters
from runtime.prompts.actor_turn import provenance
from runtime.search.self_consistency import Opinion
from runtime.settings import Settings
from runtime.text import Language, language_of
from runtime.types import Critique, Depth, Evidence, Problem, Step, StepVerdict, Trajectory

FITTED = ROOT / "data" / "models" / "weights"
"""Weights of bases without an adapter, a file each."""
PROVEN = 0.99
"""Probability given to a finding of exact arithmetic: it can still misread what was meant."""
TELLING = sorted(SOURCES, key=lambda source: source.reads_only)
"""Whose note tells a person most, first: other solutions say where they differ, reading only that something is odd."""
Reason = Callable[[Engine, Problem, Trajectory, int, Event], str]
"""What is wrong with the step at a position; empty if that is not known. Raises EngineError."""
UNTRAINED = Aggregation(constant=1.8, features={"agreement": 4.0, "deviation": -2.65})
"""For a base that no rule was fitted for: its verdict word is no better than chance, and the weights of the solutions
were measured on other bases (trainer/LOG.md)."""


def open_critic(engine: Engine, settings: Settings) -> Critic:
    """The critic of an engine, with the weights that were fitted with its adapter, or with its base if it has none."""
    return Critic(engine, settings.max_tokens, settings.seed, settings.depth, weights_of(engine, settings))


def weights_of(engine: Engine, settings: Settings) -> Mapping[str, Aggregation]:
    """The fitted rules of an engine, by depth; empty if nothing was fitted with it."""
    path = engine.path
    spoken = adapters.adapters_of(path, settings) if path and ADAPTER in engine.adapters else {}
    return fitted_with(spoken[ADAPTER].card) if ADAPTER in spoken else _of_base(path, settings) if path else {}


def _of_base(path: Path, settings: Settings) -> dict[str, Aggregation]:
    """The weights that were fitted with a base that has no adapter."""
    base = adapters.base_of(path, settings)
    fitted = FITTED / f"{base.name}.json" if base else None
    return read_weights(fitted) if fitted and fitted.exists() else {}


class Critic:
    """Judges with one engine, as deeply as asked."""

    def __init__(
        self,
        engine: Engine,
        max_tokens: int = 512,
        seed: int = 0,
        depth: Depth = "deep",
        weights: Mapping[str, Aggregation] | None = None,
    ) -> None:
        self.fitted, has_adapter = weights or {}, ADAPTER in engine.adapters
        self.shallower = has_adapter and "quick" in self.fitted and depth not in self.fitted
        """Whether it looks less deeply than asked: nothing was fitted for that depth with this adapter."""
        if self.shallower:
            depth = "quick"
        self.engine, self.weights = engine, self.fitted.get(depth, UNTRAINED)
        # The word of a base that was never taught to judge is no better than chance; and where weights were fitted,
        # a source without a weight is not worth the wait.
        silent = {source.name for source in SOURCES if source.needs_critic and not has_adapter}
        if depth in self.fitted:
            silent |= {name for name in DEPTHS[depth] if not self.weights.uses(FEATURES_OF[name])}
        self.sources = tuple(name for name in DEPTHS[depth] if name == arithmetic.NAME or name not in silent)
        self.reads_only = set(self.sources) <= set(READERS)
        """Whether a step can be judged before the next one is there."""
        self.collector = Collector(engine, max_tokens, seed)

    def read(
        self, problem: Problem, attempt: Trajectory, cancel: Event, reason: Reason | None = None
    ) -> Iterator[TalkEvent]:
        """Judge an attempt up to its first error; `reason` is asked for one where nothing proves that error. The
        generator's value is the critique."""
        yield Criticising()
        verdicts: list[StepVerdict] = []
        for known in self._opinions(problem, attempt, cancel):
            yield from news(verdicts, known)
            verdicts = known
        if not cancel.is_set() and verdicts and verdicts[-1].verdict == "incorrect" and not verdicts[-1].comment:
            found = self._asked(reason, problem, attempt, len(verdicts) - 1, cancel) if reason else ""
            if not cancel.is_set():
                verdicts[-1] = _explained(verdicts[-1], found, language_of(problem.text))
        return (yield from self._done(problem, attempt, verdicts))

    def follow(self, problem: Problem, steps: Sequence[Step], cancel: Event) -> list[StepVerdict]:
        """One verdict per step, up to the first incorrect one, while the next step is still being written; none where
        the attempt has to be known whole."""
        beginning = Trajectory(problem_id=problem.id, steps=tuple(steps))
        return self._opinion(problem, beginning, cancel) or [] if self.reads_only else []

    def reconsider(self, problem: Problem, attempt: Trajectory, opinion: Opinion, cancel: Event) -> Critique | None:
        """Judge an attempt anew once solutions have voted; only steps after the blamed one are still to be read. The
        value is a critique that blames nothing any more; None if the blame stays, or after a stop."""
        verdicts = self._opinion(problem, attempt, cancel, opinion)
        if not verdicts or verdicts[-1].verdict == "incorrect":
            return None
        return self._critique(problem, attempt, verdicts)

    def wants_vote(self, critique: Critique) -> bool:
        """Whether more solutions should vote on what was criticised: where it looks less deeply than asked."""
        return self.shallower

    def read_arithmetic(self, problem: Problem, attempt: Trajectory) -> Iterator[TalkEvent]:
        """Judge by exact arithmetic alone: at once, and enough where an attempt was cut off at a false equation."""
        verdicts = judge(problem, attempt, {}, self.weights, (arithmetic.NAME,))
        return (yield from self._done(problem, attempt, verdicts))

    def _opinions(self, problem: Problem, attempt: Trajectory, cancel: Event) -> Iterator[list[StepVerdict]]:
        """What is thought of an attempt, step after step where that can be, as nobody likes to wait for the whole."""
        for end in range(1, len(attempt.steps) + 1) if self.reads_only else [len(attempt.steps)]:
            beginning = attempt.model_copy(update={"steps": attempt.steps[:end]})
            verdicts = self._opinion(problem, beginning, cancel)
            if verdicts is None:
                return
            yield verdicts
            if verdicts and verdicts[-1].verdict == "incorrect":
                return

    def _opinion(
        self, problem: Problem, attempt: Trajectory, cancel: Event, opinion: Opinion | None = None
    ) -> list[StepVerdict] | None:
        """One verdict per step, up to the first incorrect one; None if a stop left something unread. Of a proven error
        nothing is asked, and of the steps before it only what needs no other solutions."""
        proven = next((number for number, step in enumerate(attempt.steps) if proven_wrong(step.text)), None)
        sources = self.sources if proven is None else [name for name in self.sources if name in READERS]
        asked = attempt.model_copy(update={"steps": attempt.steps[:proven]})
        found = self.collector.collect(problem, asked, named(sources), cancel)
        if cancel.is_set() and not self.collector.has_read(problem, asked, named(sources)):
            return None
        voted = {vote.NAME: opinion} if opinion else {}
        return judge(problem, attempt, found | voted, self.weights, (*sources, vote.NAME))

    def _done(self, problem: Problem, attempt: Trajectory, verdicts: list[StepVerdict]) -> Iterator[TalkEvent]:
        critique = self._critique(problem, attempt, verdicts)
        yield from news(verdicts[:-1], verdicts)
        yield CritiqueDone(critique)
        return critique

    def _critique(self, problem: Problem, attempt: Trajectory, verdicts: list[StepVerdict]) -> Critique:
        author = provenance(self.engine, "critic", problem, adapter=ADAPTER)
        return Critique(trajectory_id=attempt.id, verdicts=tuple(verdicts), author=author)

    def _asked(self, reason: Reason, problem: Problem, attempt: Trajectory, position: int, cancel: Event) -> str:
        try:
            return reason(self.engine, problem, attempt, position, cancel)
        except EngineError:  # the verdict stands without a reason
            return ""


def _explained(blamed: StepVerdict, reason: str, language: Language) -> StepVerdict:
    """The verdict on a wrong step with the reason found, or else what a source noted, if any did."""
    notes = {e.by: e.note for e in blamed.evidence if e.verdict == "incorrect" and e.note}
    noted = next((notes[source.name] for source in TELLING if source.name in notes), UNSAID[language])
    return blamed.model_copy(update={"comment": reason or noted})


UNSAID: dict[Language, str] = {
    "en": "Something seems wrong with this step, but I cannot say for certain what. Read the problem once more.",
    "zh-CN": "这一步似乎不对，但我说不准是哪里不对。请再读一遍题目。",
}
"""Where nobody knows a reason: those that a small adapter gives are mostly wrong (trainer/LOG.md)."""


def judge(
    problem: Problem, attempt: Trajectory, findings: Findings, weights: Aggregation, sources: Sequence[str]
) -> list[StepVerdict]:
    """One verdict per step on what was collected, up to the first incorrect one. Nothing is generated here. A proven
    error explains why other solutions differ, so they do not count against the steps before it."""
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
    """Where an attempt goes wrong first. A false equation is an error whatever the threshold; what nobody proves is no
    error where solutions that voted come to the same answer (trainer/LOG.md)."""
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
    """The verdict on the first error; a false equation tells itself what is wrong."""
    p = probability(step, weights)
    if proof := step.disproof:
        return StepVerdict(verdict="incorrect", probability=p, comment=proof.note or "", evidence=tuple(step.evidence))
    return StepVerdict(verdict="incorrect", probability=p, evidence=tuple(map(_doubting, step.evidence)))


def _doubting(evidence: Evidence) -> Evidence:
    """A model to which the blamed step alone looks rather right is in doubt of the steps together."""
    agrees = (evidence.by, evidence.verdict) == (VERDICT, "correct")
    return evidence.model_copy(update={"verdict": "unsure"}) if agrees else evidence


def proven_wrong(step: str) -> bool:
    """Whether a step holds an equation that is false beyond doubt."""
    return any(evidence.verdict == "incorrect" for evidence in of_arithmetic(step, "en"))


def news(told: Sequence[StepVerdict], known: Sequence[StepVerdict]) -> Iterator[StepJudged]:
    """What changed since it was told: a doubt that became too great can fall back on an earlier step."""
    for position, verdict in enumerate(known):
        if position >= len(told) or told[position] != verdict:
            yield StepJudged(position, verdict)
