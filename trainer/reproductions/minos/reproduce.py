"""Tests of MATH-Minos' claims, from a base to a report.

    python -m trainer reproduce minos --budget small

An ORM and a PRM are trained from the bare base, from one that learned to write evaluations, and the ORM also from half
of the evaluations; all choose among the same solutions. Finished parts are stored and not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.problems.labelled import LabelledTrajectory
from runtime.search.verifier import ADAPTER
from trainer.data.critiques.tasks import seed_of
from trainer.data.evaluations import error_types
from trainer.data.rows import Row
from trainer.reproductions.ground.problems import level_of
from trainer.reproductions.ground.setting import Setting, Trained
from trainer.reproductions.minos import report
from trainer.reproductions.minos.claims import HALF, MINOS_ORM, MINOS_PRM, Course, Measured, Types, all_claims
from trainer.reproductions.minos.evaluating import Judged, judged, written
from trainer.reproductions.verifiers.choosing import EASY, HARD, Board, Scored
from trainer.reproductions.verifiers.learning import ORM, PRM, Arm
from trainer.reproductions.verifiers.material import with_truth
from trainer.reproductions.verifiers.run import Seed, Size, checked, facts, ground, quality, seeds


@dataclass(frozen=True)
class Budget:
    """The amount of work."""

    size: Size
    evaluated: int = 200
    """Problems whose attempts are evaluated in words."""
    epochs: int = 2
    """Of the first stage."""
    judged: int = 60
    """Attempts that a small language model evaluates with and without labels."""
    seeds: int = 1


BUDGETS = {"small": Budget(Size()), "full": Budget(Size(problems=400, tested=300), evaluated=400, seeds=3)}
PARTS: Mapping[float, Sequence[Arm]] = {1.0: (MINOS_ORM, MINOS_PRM), 0.5: (HALF,)}
"""The arms that start from this share of the evaluations."""


def reproduced(setting: Setting, budget: str, out: Path, seed: int) -> Iterator[str]:
    """Run everything and write the report; yields progress messages, the last of which names the report. Raises what
    training and engines raise."""
    yield from run(setting, BUDGETS[budget], budget, out, seed)


def run(setting: Setting, budget: Budget, name: str, out: Path, seed: int) -> Iterator[str]:
    """The same with a budget of this name."""
    yield f"seed {seed}"
    fitness = yield from checked(setting)
    runs = seeds(setting, budget.size, seed, budget.seeds)
    scored: list[Scored] = []
    for number, one in enumerate(runs):
        yield f"seed {number}: {one.sizes()}"
        yield from _trained(one, budget)
        scored += one.scored()
        yield f"scored {budget.size.samples} solutions of each of {len(scored)} problems"
    board = Board(scored)
    measured = Measured(
        board,
        {arm: [_course(one, arm) for one in runs] for arm in runs[0].verifiers},
        _judged(runs[0], budget),
        _types(runs),
        ground(fitness, board),
    )
    claims = all_claims(measured)
    yield from (f"{claim.id} {claim.verdict}: {claim.statement}" for claim in claims)
    told = facts(setting, f"{name}: {budget}", seed, runs, board)
    path = report.write(out, f"minos-{setting.base}-{name}", told, claims, measured, quality(runs))
    yield f"wrote the report: {path}"


def _trained(one: Seed, budget: Budget) -> Iterator[str]:
    for arm in (ORM, PRM):
        yield one.train(arm)
    texts = written(one.material[: budget.evaluated], one.seed, one.setting.settings)
    yield f"{len(texts.rows)} of {texts.attempts} attempts have an evaluation that agrees with their labels"
    for share, arms in PARTS.items():
        first = _first_stage(one, texts.first(share), budget, share)
        yield f"learned from {first.summary['rows']} evaluations in {first.summary['seconds'] / 60:.1f} minutes"
        for arm in arms:
            yield one.train(arm, first)


def _first_stage(one: Seed, rows: Sequence[Row], budget: Budget, share: float) -> Trained:
    with one.ledger.part("training on evaluations"):
        seed = seed_of(one.seed, "evaluations", str(share))
        return one.setting.trained(ADAPTER, rows, epochs=budget.epochs, seed=seed)


def _course(one: Seed, arm: Arm) -> Course:
    problems = [attempt.problem.id for attempt in one.apart]
    return Course(problems, [attempt.correct is True for attempt in one.apart], one.verifiers[arm].scores)


def _judged(one: Seed, budget: Budget) -> Judged | None:
    with one.ledger.part("evaluations by a language model"):
        return judged(one.material, budget.judged, one.seed, one.setting.settings)


def _types(runs: Sequence[Seed]) -> dict[str, Types]:
    """The types of the wrong steps of all wrong attempts, by the exact truth."""
    wrong: dict[str, list[LabelledTrajectory]] = {"easy": [], "hard": []}
    for tried in (tried for one in runs for tried in one.material):
        half = "easy" if level_of(tried.worked) in EASY else "hard" if level_of(tried.worked) in HARD else None
        if half:
            wrong[half] += [with_truth(tried.worked, a) for a in tried.attempts if not a.correct]
    return {half: _counted(attempts) for half, attempts in wrong.items()}


def _counted(attempts: Sequence[LabelledTrajectory]) -> Types:
    found = error_types.counts(attempts).values()
    return {kind: sum(types[kind] for types in found) for kind in error_types.TYPES}
