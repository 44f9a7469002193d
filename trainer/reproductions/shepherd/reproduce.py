"""Tests of Math-Shepherd's claims, from a base to a report.

    python -m trainer reproduce shepherd --budget small

Labels by rollouts are compared with the truth; an ORM, a PRM on hard labels and one on soft labels learn from the same
attempts, the first two also from a quarter and a half of them; all choose among the same solutions. Finished parts are
stored and not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer.reproductions.ground.setting import Setting
from trainer.reproductions.shepherd import report
from trainer.reproductions.shepherd.claims import ARMS, Measured, all_claims
from trainer.reproductions.shepherd.labels import Labels, labels
from trainer.reproductions.verifiers.choosing import Board, Scored
from trainer.reproductions.verifiers.run import Size, checked, facts, ground, quality, seeds


@dataclass(frozen=True)
class Budget:
    """The amount of work."""

    size: Size
    truth: int = 80
    """Problems whose attempts' labels are compared with the truth."""
    taught: int = 400
    """Problems whose right solutions make a stronger completer."""
    seeds: int = 1


BUDGETS = {"small": Budget(Size()), "full": Budget(Size(problems=400, tested=300), truth=160, seeds=3)}


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
    truth: list[Labels] = []
    for number, one in enumerate(runs):
        yield f"seed {number}: {one.sizes()}"
        for arm in ARMS:
            yield one.train(arm)
        scored += one.scored()
        yield f"scored {budget.size.samples} solutions of each of {len(scored)} problems"
        truth.append(labels(setting, budget.truth, budget.size.tries, budget.taught, one.seed, one.ledger))
        yield f"compared the labels of {len(truth[-1].steps)} steps with the truth"
    board = Board(scored)
    measured = Measured(board, Labels.together(truth), ground(fitness, board))
    claims = all_claims(measured)
    yield from (f"{claim.id} {claim.verdict}: {claim.statement}" for claim in claims)
    told = facts(setting, f"{name}: {budget}", seed, runs, board)
    path = report.write(out, f"shepherd-{setting.base}-{name}", told, claims, measured, quality(runs))
    yield f"wrote the report: {path}"
