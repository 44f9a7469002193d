"""What the reproductions on verifiers share: material, verifiers and scored solutions of one seed, fitness and costs.

Everything is stored under names of its content, so that a killed run resumes, and both papers use the same attempts,
labels and solutions where their seeds are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from runtime.problems.labelled import LabelledTrajectory
from trainer.data.critiques.tasks import seed_of
from trainer.reproductions.ground.fitness import Criterion, Measured, table
from trainer.reproductions.ground.setting import ACTORS, Setting, Trained
from trainer.reproductions.verifiers import choosing
from trainer.reproductions.verifiers.choosing import Board, Scored
from trainer.reproductions.verifiers.learning import Arm, Learner
from trainer.reproductions.verifiers.ledger import Ledger, Spent
from trainer.reproductions.verifiers.material import Tried, fresh, tried, with_rollouts, with_truth

BASES = tuple(ACTORS)
"""Bases whose problems have exact first errors."""


@dataclass(frozen=True)
class Size:
    """The amount of work for each seed."""

    problems: int = 250
    """Problems whose attempts the verifiers learn from."""
    tries: int = 6
    """Attempts at each."""
    rollouts: int = 8
    """Completions of each step."""
    epochs: int = 2
    tested: int = 150
    """Problems whose solutions are chosen among."""
    samples: int = 64
    apart: int = 40
    """Problems whose attempts' outcomes are predicted along the training."""


@dataclass
class Seed:
    """One seed of a reproduction, with problems, samples and verifiers of its own. Raises what training and engines
    raise."""

    setting: Setting
    size: Size
    seed: int
    ledger: Ledger
    verifiers: dict[Arm, Trained] = field(default_factory=dict)

    @cached_property
    def material(self) -> list[Tried]:
        """Attempts with labels by rollouts."""
        with self.ledger.part("attempts") as usage:
            problems = fresh(self.setting, self.size.problems, self.seed, "material")
            found = tried(self.setting, problems, self.size.tries, self.seed, usage)
        with self.ledger.part("labels by rollouts") as usage:
            return with_rollouts(self.setting, found, self.size.rollouts, self.seed, usage)

    @cached_property
    def apart(self) -> list[LabelledTrajectory]:
        """Attempts at other problems, with exact first errors."""
        with self.ledger.part("attempts apart") as usage:
            problems = fresh(self.setting, self.size.apart, self.seed, "apart")
            found = tried(self.setting, problems, self.size.tries, seed_of(self.seed, "apart"), usage)
        return [with_truth(one.worked, attempt) for one in found for attempt in one.attempts]

    def train(self, arm: Arm, start: Trained | None = None) -> str:
        """Train the verifier of an arm; returns a message."""
        attempts = [one.attempts for one in self.material]
        learner = Learner(self.setting, attempts, self.apart, self.size.epochs, self.seed)
        with self.ledger.part("training"):
            made = self.verifiers[arm] = learner.trained(arm, start.folder if start else None)
        return f"trained {arm.name} on {made.summary['rows']} attempts in {made.summary['seconds'] / 60:.1f} minutes"

    def scored(self) -> list[Scored]:
        """The solutions of fresh problems of the split "test", scored by every verifier so far."""
        problems = fresh(self.setting, self.size.tested, self.seed, "tested", "test")
        return choosing.scored(self.setting, problems, self.size.samples, self.seed, self.verifiers, self.ledger)

    def sizes(self) -> str:
        labels = [label for one in self.material for attempt in one.attempts for label in attempt.labels]
        attempts = [attempt for one in self.material for attempt in one.attempts]
        wrong = sum(attempt.correct is False for attempt in attempts)
        return (
            f"{len(attempts)} distinct attempts at {len(self.material)} problems, {wrong} of them wrong; "
            f"{len(labels)} labels, {sum(label.hard is False for label in labels)} of them wrong"
        )


def seeds(setting: Setting, size: Size, seed: int, count: int) -> list[Seed]:
    """Seeds that are independent of each other; the same for both papers."""
    ledger = Ledger(setting.settings.home / "reproductions", {"base": setting.base, "size": repr(size), "seed": seed})
    return [Seed(setting, size, seed_of(seed, "reproduction", str(number)), ledger) for number in range(count)]


def checked(setting: Setting) -> Iterator[str]:
    """Measure the fitness of the ground; yields its table, and returns the measurement."""
    fitness = setting.fitness()
    assert fitness, "an actor of the ground has one"
    yield from table(fitness)
    return fitness


def facts(setting: Setting, budget: str, seed: int, runs: Sequence[Seed], board: Board) -> dict[str, Any]:
    """What a report says of its run."""
    learned = sum(made.tokens for run in runs for made in run.verifiers.values())
    return {
        "base": setting.base,
        "budget": budget,
        "seed": f"{seed} (problems and samples are its own), {len(runs)} of training",
        "learned from": "; ".join(run.sizes() for run in runs),
        "solutions": f"{board.n} of each of {len(board.problems)} problems",
        **costs(runs[0].ledger, learned),
    }


def costs(ledger: Ledger, learned: int) -> dict[str, str]:
    """Time and tokens, of which so many were read in training."""
    parts = ledger.spent
    minutes = ", ".join(f"{name} {spent.seconds / 60:.1f}" for name, spent in parts.items())
    every = sum(parts.values(), Spent())
    return {
        "minutes": f"{every.seconds / 60:.1f}: {minutes}",
        "tokens": f"engine {_millions(every.read)} read and {_millions(every.written)} written, training "
        f"{_millions(learned)}",
    }


def _millions(tokens: int) -> str:
    return f"{tokens / 1e6:.1f} million"


def ground(fitness: Measured, board: Board) -> tuple[Criterion, ...]:
    """The criteria of the ground, whether verifiers have room on it, and whether these have learned to choose."""
    return (*fitness.criteria, board.room, board.taught)


def quality(runs: Sequence[Seed]) -> list[str]:
    """A table of the verifiers, as lines of Markdown: how well the last checkpoint predicts outcomes apart."""
    lines = ["| verifier | seed | attempts learned | steps | accuracy apart | AUC apart |", "|---|---|---|---|---|---|"]
    for number, run in enumerate(runs):
        for arm, made in run.verifiers.items():
            figures: Mapping[str, Any] = list(made.summary["meta_evaluation"].values())[-1]
            lines.append(
                f"| {arm.name} | {number} | {made.summary['rows']} | {made.summary['steps']} | "
                f"{figures['accuracy']:.1%} | {figures['auc']:.3f} |"
            )
    return lines
