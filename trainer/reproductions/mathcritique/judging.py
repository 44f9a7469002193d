"""The critic of the experiments: trained on an actor's own attempts and on inserted errors, tested on other
attempts."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path

from runtime.critic.aggregation import Aggregation, write_weights
from runtime.critic.critic import first_error, probability
from runtime.critic.evidence import DEPTHS, usable
from runtime.critic.evidence.verdict import ADAPTER as CRITIC
from runtime.files import sha256_of
from runtime.problems.labelled import LabelledTrajectory, labelled
from runtime.problems.worked import Worked
from runtime.search.solutions import Solution
from runtime.types import content_hash
from trainer.data.critiques.tasks import seed_of
from trainer.data.examples.critic import critic_row
from trainer.data.first_error import with_first_error
from trainer.evaluation.calibrate import cases, fit_panels, panels_among
from trainer.evaluation.evidence import JudgedEvidence
from trainer.reproductions.mathcritique.examples import LabelledSolution, right_and_wrong
from trainer.reproductions.mathcritique.ground import Ground, Judge
from trainer.reproductions.mathcritique.play import Attempt, sampled
from trainer.statistics import auc, f1, resampled

FITTED_ON = 80
"""Number of problems whose attempts the rule is fitted on."""
TRIES = 4
"""Attempts of the actor per problem, for training and calibrating a critic."""


@dataclass(frozen=True)
class Teacher:
    """Trains a critic for an actor. Results are cached. Raises what training and engines raise."""

    ground: Ground
    actor: Path
    seed: int = 0
    """Decides on the problems."""

    def material(self, problems: int) -> list[LabelledSolution]:
        """Attempts of the actor at this many problems, and errors inserted into the solutions of as many others. A
        critic trained only on inserted errors discriminated worse than its base (trainer/LOG.md)."""
        seed = seed_of(self.seed, "teaching")
        worked = self.ground.problems(2 * problems, seed)
        material = [*self._own(worked[:problems], seed), *right_and_wrong(worked[problems:], 0)]
        random.Random(seed).shuffle(material)
        return material

    def teach(self, problems: int) -> Judge:
        """An adapter trained on this material, with its fitted rules."""
        adapter = self.ground.tuned(CRITIC, (critic_row(attempt) for _, attempt in self.material(problems)))
        weights = adapter.with_name("weights.json")
        if not weights.exists():
            write_weights(weights, self.weights(adapter))
        return Judge(adapter, weights)

    def weights(self, adapter: Path | None) -> dict[str, Aggregation]:
        """Rules of the quick panel and of each of its sources alone, for an adapter or the bare base."""
        collected = self._collect(adapter, self._apart)
        return fit_panels(collected.attempts, collected.findings(), collected.sources, collected.engine.adapters)

    def discriminate(self, adapter: Path | None, panel: str, attempts: Sequence[Attempt]) -> Discrimination:
        """How well a panel separates right attempts from wrong ones, whatever the step. For the bare base the panel
        "verdict" means its untrained verdict, with a threshold fitted as for the adapter."""
        collected = self._collect(adapter, [_labelled(one) for one in attempts if one.steps])
        sources = panels_among(collected.sources, collected.engine.adapters)[panel]
        weights = self.weights(adapter)[panel]
        judged_cases = cases(collected.attempts, collected.findings(), sources)
        accepted = [first_error(case.steps, weights) is None for case in judged_cases]
        found = [[probability(step, weights) for step in case.steps] for case in judged_cases]
        scores = [min((p for p in some if p is not None), default=1.0) for some in found]
        problems = [one.problem.id for one in collected.attempts]
        return Discrimination([case.first_error is None for case in judged_cases], accepted, scores, problems)

    @cached_property
    def _apart(self) -> list[LabelledTrajectory]:
        seed = seed_of(self.seed, "fitting")
        return [attempt for _, attempt in self._own(self.ground.problems(FITTED_ON, seed), seed)]

    def _own(self, worked: Sequence[Worked], seed: int) -> list[LabelledSolution]:
        """The actor's own attempts whose first error is known; fresh problems have only one solution path."""
        asked = [one.problem for one in worked]
        name = content_hash(sha256_of(self.ground.gguf), sha256_of(self.actor), *(problem.id for problem in asked))
        path = self.ground.settings.home / "mathcritique" / f"own-{name}.jsonl"
        opened = partial(self.ground.players, self.actor)
        attempts = iter(sampled(path, Attempt, opened, lambda players: players.attempts(asked, TRIES, seed=seed)))
        tried = ((one, [_labelled(attempt) for attempt in islice(attempts, TRIES)]) for one in worked)
        return [
            (one, attempt)
            for one, some in tried
            for attempt in with_first_error(some, Solution("\n".join(one.lines), one.result))
        ]

    def _collect(self, adapter: Path | None, attempts: Sequence[LabelledTrajectory]) -> JudgedEvidence:
        """The evidence of a quick check, one attempt at a time, so that it is reproducible."""
        with closing(self.ground.engine({CRITIC: adapter} if adapter else {}, parallel=1)) as engine:
            names = {CRITIC: content_hash(str(adapter))} if adapter else {}
            sources = usable(DEPTHS["quick"], (CRITIC,))
            collected = JudgedEvidence(attempts, engine, self.ground.settings, sources, names)
            for _ in collected.run():
                pass
            return collected


def _labelled(attempt: Attempt) -> LabelledTrajectory:
    """The first error of a wrong attempt is unknown and not needed; 0 is used."""
    place = None if attempt.correct else 0
    return labelled(attempt.problem, attempt.steps, place, attempt.answer, correct=attempt.correct)


@dataclass(frozen=True)
class Discrimination:
    """Per attempt: whether it is right, whether it was accepted, and the probability of its least likely step."""

    right: list[bool]
    accepted: list[bool]
    scores: list[float]
    problems: list[str]
    """The problem of each attempt."""

    @property
    def hits(self) -> list[bool]:
        return [a == b for a, b in zip(self.right, self.accepted, strict=True)]

    def f1(self, positive: bool = False) -> float:
        """F1 of finding the wrong attempts, or with `positive` the right ones."""
        return f1(self.right, self.accepted, positive)

    def auc(self, places: Iterable[int] | None = None) -> float:
        """Area under the ROC curve of the scores, of all attempts or of those at these places. Raises ValueError if all
        are right or all wrong."""
        chosen = range(len(self.right)) if places is None else list(places)
        return auc([self.scores[place] for place in chosen], [self.right[place] for place in chosen])


def gain_of_auc(a: Discrimination, b: Discrimination) -> tuple[float, float]:
    """Interval of the difference of the areas of two critics on the same attempts; a problem is one cluster. Raises
    ValueError if all attempts are right or all wrong."""
    return resampled(lambda places: a.auc(places) - b.auc(places), a.problems)
