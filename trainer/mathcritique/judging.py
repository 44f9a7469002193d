"""The critic of the experiments: taught on fresh problems, weighed on others, tried on attempts of an actor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.types import content_hash
from runtime.weighing import Weights, write_weights
from runtime.witnesses import PANELS
from runtime.witnesses import VOICE as CRITIC
from trainer.hearing import JudgedHearing
from trainer.injection import InjectionError
from trainer.lessons import right_attempt, wrong_attempt
from trainer.mathcritique.ground import Ground, Judge
from trainer.mathcritique.lessons import judged
from trainer.mathcritique.play import Attempt
from trainer.sources import JudgedAttempt
from trainer.weigh import cases, first_error, fit_panels, heard_panels

TEACHING_SEED, FITTING_SEED = 201, 202
FITTED_ON = 120


def teach(ground: Ground, lessons: int) -> Judge:
    """A critic's voice that learned from so many attempts, with its weights. Made once."""
    voice = ground.tuned(CRITIC, judged(ground.problems(lessons, TEACHING_SEED), 0))
    weights = voice.with_name("weights.json")
    if not weights.exists():
        write_weights(weights, fitted(ground, voice))
    return Judge(voice, weights)


def fitted(ground: Ground, voice: Path | None) -> dict[str, Weights]:
    """Weights of the quick panel and of each of its witnesses alone, for a voice or the bare base."""
    heard = hear(ground, voice, list(_attempts(ground)))
    return fit_panels(heard.attempts, heard.testimonies(), heard.panel, heard.has_voice)


def _attempts(ground: Ground) -> list[JudgedAttempt]:
    made = []
    for number, worked in enumerate(ground.problems(FITTED_ON, FITTING_SEED)):
        try:
            made.append(wrong_attempt(worked, 0) if number % 2 else right_attempt(worked))
        except InjectionError:
            continue
    return made


def hear(ground: Ground, voice: Path | None, attempts: Sequence[JudgedAttempt]) -> JudgedHearing:
    """What the quick panel says, one attempt after the other, so that it is always the same. Raises EngineError."""
    engine = ground.engine({CRITIC: voice} if voice else {}, parallel=1)
    try:
        name = content_hash(str(voice)) if voice else "none"
        hearing = JudgedHearing(attempts, engine, ground.settings, PANELS["quick"], name)
        for _ in hearing.run():
            pass
        return hearing
    finally:
        engine.close()


@dataclass(frozen=True)
class Told:
    """Attempt by attempt: whether it is right, and whether it was accepted."""

    right: list[bool]
    accepted: list[bool]

    @property
    def hits(self) -> list[bool]:
        return [a == b for a, b in zip(self.right, self.accepted, strict=True)]

    def f1(self, positive: bool = False) -> float:
        """Of finding the wrong attempts, or the right ones."""
        found = sum(r is positive and a is positive for r, a in zip(self.right, self.accepted, strict=True))
        named, there = self.accepted.count(positive), self.right.count(positive)
        return 2 * found / (named + there) if named + there else 0.0


def discriminate(ground: Ground, voice: Path | None, panel: str, attempts: Sequence[Attempt]) -> Told:
    """How well a panel tells right attempts from wrong ones, whatever the step. The bare base has the panel "model" for
    its word, with a threshold as well chosen as the voice's."""
    asked = [_known(one) for one in attempts if one.trajectory.steps]
    heard = hear(ground, voice, asked)
    witnesses = heard_panels(heard.panel, heard.has_voice)[panel]
    weights = fitted(ground, voice)[panel]
    judged_cases = cases(heard.attempts, heard.testimonies(), witnesses)
    accepted = [first_error(case, weights) is None for case in judged_cases]
    return Told([case.first_error is None for case in judged_cases], accepted)


def _known(attempt: Attempt) -> JudgedAttempt:
    """Which step of a wrong attempt is wrong is not known, and not asked."""
    lines = tuple(step.text for step in attempt.trajectory.steps)
    return JudgedAttempt(attempt.problem, lines, None if attempt.right else 0, attempt.answer)
