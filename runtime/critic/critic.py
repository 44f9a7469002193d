"""The critic: reads an attempt and says of each step whether it holds, how likely that is, and who says so.

Arithmetic is exact and speaks first: an equation proven false needs no opinion. What the other witnesses say is weighed
by a rule that was fitted on judged attempts; a base whose voice was never trained has a rule in which its own word
weighs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event

from runtime.critic.aggregation import Weights, fitted_with, read_weights
from runtime.critic.evidence.sources import (
    PANELS,
    READERS,
    SIGNS_OF,
    VOICE,
    Hearing,
    Said,
    Testimony,
    examine,
    of_arithmetic,
)
from runtime.engines.base import Engine, EngineError
from runtime.events import Criticising, CritiqueDone, StepJudged
from runtime.events import Event as TalkEvent
from runtime.files import ROOT
from runtime.models import adapters
from runtime.prompts.actor_turn import provenance
from runtime.search.self_consistency import Opinion
from runtime.settings import Settings
from runtime.text import Language, language_of
from runtime.types import Critique, Depth, Evidence, Problem, Step, StepVerdict, Trajectory, Witness

FITTED = ROOT / "data" / "models" / "weights"
"""Weights of bases without a voice, a file each."""
PROVEN = 0.99
"""Probability given to a finding of exact arithmetic: it can still misread what was meant."""
TELLING: tuple[Witness, ...] = ("arithmetic", "solutions", "program", "completions", "expectation", "model", "vote")
"""Whose note tells a person most, first."""
Reason = Callable[[Engine, Problem, Trajectory, int, Event], str]
"""What is wrong with the step at a position; empty if that is not known. Raises EngineError."""
UNTRAINED = Weights(constant=1.8, signs={"agreement": 4.0, "deviation": -2.65, "program_agreement": 1.0})
"""For a base that nothing was fitted with. Its verdict word is no better than chance, the solutions count what they
were found to be worth (trainer/LOG.md), and a program's agreement a quarter of theirs, which is a guess."""


def open_critic(engine: Engine, settings: Settings) -> Critic:
    """The critic of an engine, with the weights that were fitted with its voice, or with its base if it has none."""
    return Critic(engine, settings.max_tokens, settings.seed, settings.depth, weights_of(engine, settings))


def weights_of(engine: Engine, settings: Settings) -> Mapping[str, Weights]:
    """How the witnesses of an engine are weighed, by depth; empty if nothing was fitted with it."""
    path = engine.path
    spoken = adapters.adapters_of(path, settings) if path and VOICE in engine.adapters else {}
    return fitted_with(spoken[VOICE].card) if VOICE in spoken else _of_base(path, settings) if path else {}


def _of_base(path: Path, settings: Settings) -> dict[str, Weights]:
    """The weights that were fitted with a base that has no voice."""
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
        weights: Mapping[str, Weights] | None = None,
    ) -> None:
        self.fitted, has_voice = weights or {}, VOICE in engine.adapters
        self.shallower = has_voice and "quick" in self.fitted and depth not in self.fitted
        """Whether it looks less deeply than asked: witnesses never weighed beside this voice are not heard."""
        if self.shallower:
            depth = "quick"
        self.engine, self.weights = engine, self.fitted.get(depth, UNTRAINED)
        # The word of a base that was never taught to judge is no better than chance; and where weights were fitted,
        # who weighs nothing is not worth the wait.
        silent = set() if has_voice else {"model"}
        if depth in self.fitted:
            silent |= {witness for witness in PANELS[depth] if not self.weights.hears(SIGNS_OF[witness])}
        self.panel = tuple(one for one in PANELS[depth] if one == "arithmetic" or one not in silent)
        self.reads_only = set(self.panel) <= set(READERS)
        """Whether a step can be judged before the next one is there."""
        self.hearing = Hearing(engine, max_tokens, seed)

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

    def reconsider(self, problem: Problem, attempt: Trajectory, vote: Opinion, cancel: Event) -> Critique | None:
        """Judge an attempt anew once solutions have voted; only steps after the blamed one are still to be read. The
        value is a critique that blames nothing any more; None if the blame stays, or after a stop."""
        verdicts = self._opinion(problem, attempt, cancel, vote)
        if not verdicts or verdicts[-1].verdict == "incorrect":
            return None
        return self._critique(problem, attempt, verdicts)

    def wants_vote(self, critique: Critique) -> bool:
        """Whether more solutions should vote on what was criticised: where it looks less deeply than asked."""
        return self.shallower

    def read_arithmetic(self, problem: Problem, attempt: Trajectory) -> Iterator[TalkEvent]:
        """Judge by exact arithmetic alone: at once, and enough where an attempt was cut off at a false equation."""
        verdicts = judge(problem, attempt, Testimony(), self.weights, ("arithmetic",))
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
        self, problem: Problem, attempt: Trajectory, cancel: Event, vote: Opinion | None = None
    ) -> list[StepVerdict] | None:
        """One verdict per step, up to the first incorrect one; None if a stop left something unread. Of a proven error
        nobody is asked, and of the steps before it only who needs no other solutions."""
        proven = next((number for number, step in enumerate(attempt.steps) if proven_wrong(step.text)), None)
        panel = self.panel if proven is None else [witness for witness in self.panel if witness in READERS]
        asked = attempt.model_copy(update={"steps": attempt.steps[:proven]})
        testimony = self.hearing.hear(problem, asked, panel, cancel)
        if cancel.is_set() and not self.hearing.has_read(problem, asked, panel):
            return None
        return judge(problem, attempt, testimony.joined(Testimony(vote=vote)), self.weights, (*panel, "vote"))

    def _done(self, problem: Problem, attempt: Trajectory, verdicts: list[StepVerdict]) -> Iterator[TalkEvent]:
        critique = self._critique(problem, attempt, verdicts)
        yield from news(verdicts[:-1], verdicts)
        yield CritiqueDone(critique)
        return critique

    def _critique(self, problem: Problem, attempt: Trajectory, verdicts: list[StepVerdict]) -> Critique:
        author = provenance(self.engine, "critic", problem, adapter=VOICE)
        return Critique(trajectory_id=attempt.id, verdicts=tuple(verdicts), author=author)

    def _asked(self, reason: Reason, problem: Problem, attempt: Trajectory, position: int, cancel: Event) -> str:
        try:
            return reason(self.engine, problem, attempt, position, cancel)
        except EngineError:  # the verdict stands without a reason
            return ""


def _explained(blamed: StepVerdict, reason: str, language: Language) -> StepVerdict:
    """The verdict on a wrong step with the reason found, or else what another witness noted, if any did."""
    notes = {e.by: e.note for e in blamed.evidence if e.verdict == "incorrect" and e.note}
    noted = min(notes, key=TELLING.index, default=None)
    return blamed.model_copy(update={"comment": reason or (notes[noted] if noted else UNSAID[language])})


UNSAID: dict[Language, str] = {
    "en": "Something seems wrong with this step, but I cannot say for certain what. Read the problem once more.",
    "zh-CN": "这一步似乎不对，但我说不准是哪里不对。请再读一遍题目。",
}
"""Where nobody knows a reason: those that a small voice gives are mostly wrong (trainer/LOG.md)."""


def judge(
    problem: Problem, attempt: Trajectory, testimony: Testimony, weights: Weights, panel: Sequence[Witness]
) -> list[StepVerdict]:
    """Weigh what was heard: one verdict per step, up to the first incorrect one. Nothing is generated here. A proven
    error explains why other solutions differ, so they are not heard against the steps before it."""
    said = examine(problem, attempt, testimony, panel)
    if any(one.disproof for one in said):
        said = examine(problem, attempt, testimony, [witness for witness in panel if witness in READERS])
    return verdicts_on(said, weights)


def verdicts_on(said: Sequence[Said], weights: Weights) -> list[StepVerdict]:
    """From what the witnesses say of each step: a verdict on every step up to the first error."""
    place = first_error(said, weights)
    accepted = [_accepted(one, weights) for one in said[:place]]
    return accepted if place is None else [*accepted, _blamed(said[place], weights)]


def first_error(said: Sequence[Said], weights: Weights) -> int | None:
    """Where an attempt goes wrong first. A false equation is an error whatever the threshold; what nobody proves is no
    error where solutions that voted come to the same answer (trainer/LOG.md)."""
    end = next((number for number, one in enumerate(said) if one.disproof), None)
    if end is None and any(one.is_shared for one in said):
        return None
    found = weights.first_error(probability(one, weights) for one in said[: None if end is None else end + 1])
    return end if found is None else found


def probability(said: Said, weights: Weights) -> float | None:
    """That a step is right, if those before it are; None if nobody who is weighed says anything of it."""
    if said.disproof:
        return 1 - PROVEN
    return weights.probability(said.signs) if weights.hears(said.signs) else None


def _accepted(said: Said, weights: Weights) -> StepVerdict:
    evidence, p = tuple(said.evidence), probability(said, weights)
    if p is not None:
        return StepVerdict(verdict=weights.verdict(p), probability=p, evidence=evidence)
    is_proven = any(e.by == "arithmetic" for e in evidence if e.verdict == "correct")
    return StepVerdict(verdict="correct" if is_proven else "unsure", evidence=evidence)


def _blamed(said: Said, weights: Weights) -> StepVerdict:
    """The verdict on the first error; a false equation tells itself what is wrong."""
    p = probability(said, weights)
    if proof := said.disproof:
        return StepVerdict(verdict="incorrect", probability=p, comment=proof.note or "", evidence=tuple(said.evidence))
    return StepVerdict(verdict="incorrect", probability=p, evidence=tuple(map(_doubting, said.evidence)))


def _doubting(evidence: Evidence) -> Evidence:
    """A model to which the blamed step alone looks rather right is in doubt of the steps together."""
    agrees = (evidence.by, evidence.verdict) == ("model", "correct")
    return evidence.model_copy(update={"verdict": "unsure"}) if agrees else evidence


def proven_wrong(step: str) -> bool:
    """Whether a step holds an equation that is false beyond doubt."""
    return any(evidence.verdict == "incorrect" for evidence in of_arithmetic(step, "en"))


def news(told: Sequence[StepVerdict], known: Sequence[StepVerdict]) -> Iterator[StepJudged]:
    """What changed since it was told: a doubt that became too great can fall back on an earlier step."""
    for position, verdict in enumerate(known):
        if position >= len(told) or told[position] != verdict:
            yield StepJudged(position, verdict)
