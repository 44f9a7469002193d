"""Labels by rollouts against the exact truth of the ground: by the number of rollouts, by completer, against rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from threading import Event

from runtime.checks import arithmetic
from runtime.engines.base import Metered, Usage
from runtime.files import sha256_of
from runtime.problems.labelled import LabelledTrajectory
from runtime.problems.worked import Worked
from runtime.prompts.actor_turn import ADAPTER as ACTOR
from runtime.search.solutions import Solution
from trainer.data.completer import Completer
from trainer.data.critiques.tasks import seed_of
from trainer.data.step_labels import prefixes
from trainer.evaluation.labels import KnownAttempt, MeasuredStep, measured_steps
from trainer.reproductions.claims import Effect
from trainer.reproductions.ground.setting import Setting
from trainer.reproductions.ground.texts import solution
from trainer.reproductions.verifiers.ledger import Ledger
from trainer.reproductions.verifiers.material import completer_of, finished, fresh, tried, with_truth
from trainer.statistics import clustered_share, paired

MOST = 16
"""Rollouts of each step by the base."""
COMPARED = 8
"""Rollouts of each step by the stronger completer."""
PEAK = 4
"""The number of rollouts at which the paper found hard labels best."""


@dataclass(frozen=True)
class Step:
    """A step up to the first error of its attempt, by everything that labels it."""

    base: MeasuredStep
    tuned: MeasuredStep

    @property
    def problem(self) -> str:
        return self.base.problem

    @property
    def right(self) -> bool:
        return self.base.right


Hits = Callable[[Step], float]
"""How often a way to label gives a step its true label, from 0 to 1."""


def hard(size: int) -> Hits:
    """The hard label of so many rollouts by the base."""
    return lambda step: step.base.accuracy(size)


def tuned(size: int) -> Hits:
    """The same by the stronger completer."""
    return lambda step: step.tuned.accuracy(size)


def by_reference(step: Step) -> float:
    """The rule: a step is wrong from the first number on that the reference solution does not contain."""
    return float(step.base.right_by_rule is step.right)


def by_arithmetic(step: Step) -> float:
    """Exact arithmetic: a step is wrong if one of its equations is false."""
    return float((arithmetic.verdict(arithmetic.check(step.base.text)) != "incorrect") is step.right)


@dataclass(frozen=True)
class Labels:
    """All labels of the steps."""

    steps: Sequence[Step]
    solves: tuple[float, float]
    """The share of attempts at fresh problems that are right: by the base, and by the stronger completer."""

    @classmethod
    def together(cls, some: Sequence[Labels]) -> Labels:
        """The labels of several seeds, which have different problems."""
        base, stronger = (fmean(one.solves[place] for one in some) for place in (0, 1))
        return cls([step for one in some for step in one.steps], (base, stronger))

    @property
    def sizes(self) -> list[int]:
        return [2**power for power in range(MOST.bit_length())]

    def accuracy(self, hits: Hits, right: bool | None = None) -> tuple[float, tuple[float, float]]:
        """With its interval: of all steps, or of the right or the wrong ones."""
        chosen = [step for step in self.steps if right is None or step.right is right]
        return clustered_share([hits(step) for step in chosen], [step.problem for step in chosen])

    def distance(self, size: int) -> float:
        """Mean squared distance of soft labels from the truth."""
        return fmean(step.base.distance(size) for step in self.steps)

    def effect(self, what: str, a: Hits, b: Hits, paper: float | None = None) -> Effect:
        problems = [step.problem for step in self.steps]
        gain = paired([a(step) for step in self.steps], [b(step) for step in self.steps], problems)
        return Effect(what, gain, len(set(problems)), paper)


def labels(setting: Setting, problems: int, tries: int, taught: int, seed: int, ledger: Ledger) -> Labels:
    """Label the steps of attempts at fresh problems. The stronger completer is the base tuned on the right solutions of
    `taught` other ones. Everything is stored. Raises what training and engines raise."""
    with ledger.part("labels against the truth") as usage:
        found = tried(setting, fresh(setting, problems, seed, "truth"), tries, seed_of(seed, "truth"), usage)
        known = [_known(one.worked, attempt) for one in found for attempt in one.attempts]
        lessons = fresh(setting, taught, seed, "taught")
        stronger = setting.tuned(ACTOR, map(solution, lessons))
        by_base, solves = _labelled(setting, known, MOST, seed, None, usage)
        by_tuned, solves_more = _labelled(setting, known, COMPARED, seed, stronger, usage)
    return Labels([Step(*both) for both in zip(by_base, by_tuned, strict=True)], (solves, solves_more))


def _known(worked: Worked, attempt: LabelledTrajectory) -> KnownAttempt:
    return KnownAttempt(with_truth(worked, attempt), Solution("\n".join(worked.lines), worked.result))


def _labelled(
    setting: Setting, known: Sequence[KnownAttempt], n: int, seed: int, actor: Path | None, usage: Usage
) -> tuple[list[MeasuredStep], float]:
    """The steps with the completions of one completer, and how often it solves their problems."""
    files = {ACTOR: actor} if actor else {}
    with closing(setting.engine(files)) as engine:
        hashes = {role: sha256_of(file) for role, file in files.items()}
        completer = completer_of(setting, Metered(engine, usage), n, seed, hashes)
        for one in known:
            finished(completer.complete(one.attempt.problem, [(), *prefixes(one.attempt)], Event()))
    return measured_steps(known, completer), _solves(known, completer)


def _solves(known: Sequence[KnownAttempt], completer: Completer) -> float:
    problems = dict.fromkeys(one.attempt.problem for one in known)
    alone = [completer.known(problem, ()) for problem in problems]
    return fmean(found.k / found.n for found in alone if found)
