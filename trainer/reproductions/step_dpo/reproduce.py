"""Tests of Step-DPO's claims, from a base to a report.

    python -m trainer reproduce step_dpo --budget small

Attempts at fresh problems are sampled once; RFT learns the right ones, and pairs of a wrong and a right step are made
from the others. Actors learn these as steps (Step-DPO), as continuations and as independent solutions (DPO), and with
another model's winners, and one learns exact solutions, which shows what could be gained. All solve the same problems.
Finished parts are stored and not repeated.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.data.critiques.tasks import seed_of
from trainer.evaluation.samples import Sampled
from trainer.reproductions.ground.problems import level_of
from trainer.reproductions.ground.setting import Setting
from trainer.reproductions.step_dpo import report
from trainer.reproductions.step_dpo.arms import ARMS, Arm, Judging, School
from trainer.reproductions.step_dpo.board import Board, Tested, asked, solutions
from trainer.reproductions.step_dpo.claims import Measured, all_claims
from trainer.reproductions.step_dpo.material import Material, Size
from trainer.reproductions.verifiers.ledger import Ledger
from trainer.reproductions.verifiers.run import checked, costs
from trainer.weights.base import BENCH


@dataclass(frozen=True)
class Budget:
    """The amount of work."""

    size: Size
    arms: tuple[Arm, ...] = ARMS
    seeds: int = 1


BUDGETS = {"small": Budget(Size()), "full": Budget(Size(problems=400, tested=400, samples=8), seeds=3)}


def reproduced(setting: Setting, budget: str, out: Path, seed: int) -> Iterator[str]:
    """Run everything and write the report; yields progress messages, the last of which names the report. Raises what
    training and engines raise."""
    yield from run(setting, Setting(BENCH, setting.settings), BUDGETS[budget], budget, out, seed)


def run(setting: Setting, writer: Setting, budget: Budget, name: str, out: Path, seed: int) -> Iterator[str]:
    """The same with a budget of this name, and with this model's winners as the foreign ones."""
    yield f"seed {seed}"
    fitness = yield from checked(setting)
    config = {"base": setting.base, "writer": writer.base, "size": repr(budget.size), "seed": seed}
    ledger = Ledger(setting.settings.home / "reproductions", config)
    schools: list[School] = []
    problems: list[Tested] = []
    for number in range(budget.seeds):
        material = Material(setting, writer, budget.size, seed_of(seed, "step_dpo", str(number)), ledger)
        yield f"seed {number}: {len(material.attempts)} finished attempts at {len(material.problems)} problems"
        yield f"seed {number}: {material.summary()}"
        schools.append(School(material))
        for arm in budget.arms:
            yield schools[-1].train(arm)
        problems += yield from _solved(schools[-1])
    board = Board(problems)
    measured = Measured(board, _judgings(schools), _steps(schools), (*fitness.criteria, board.headroom))
    claims = all_claims(measured)
    yield from (f"{claim.id} {claim.verdict}: {claim.statement}" for claim in claims)
    told = _facts(setting, f"{name}: {budget.size}", seed, schools, board)
    path = report.write(out, f"step_dpo-{setting.base}-{name}", told, claims, measured, schools)
    yield f"wrote the report: {path}"


def _solved(school: School) -> Generator[str, None, list[Tested]]:
    """Let every actor solve the same fresh problems."""
    one, size = school.material, school.material.size
    problems = asked(one.setting, size.tested, one.seed)
    written: dict[str, list[Sampled]] = {}
    for name, made in school.actors.items():
        some = written[name] = solutions(one.setting, problems, size.samples, one.seed, made, one.ledger)
        yield f"{name} solves {sum(each.greedy.right for each in some)} of {len(some)} problems greedily"
    return [
        Tested(one.seed, level_of(worked), {name: some[place] for name, some in written.items()})
        for place, worked in enumerate(problems)
    ]


def _judgings(schools: Sequence[School]) -> dict[Arm, list[Judging]]:
    """Of the arms that judged pairs apart for every seed."""
    found = {
        arm: [one.judging for school in schools if (one := school.learned.get(arm)) and one.judging] for arm in ARMS
    }
    return {arm: some for arm, some in found.items() if len(some) == len(schools)}


def _steps(schools: Sequence[School]) -> dict[Arm, int]:
    """The most steps of training of any seed."""
    steps = [(arm, one.made.summary["steps"]) for school in schools for arm, one in school.learned.items()]
    return {arm: max(number for other, number in steps if other == arm) for arm, _ in steps}


def _facts(setting: Setting, budget: str, seed: int, schools: Sequence[School], board: Board) -> dict[str, Any]:
    trainings = [one.made for school in schools for one in school.learned.values()]
    return {
        "base": setting.base,
        "budget": budget,
        "seed": f"{seed} (problems and samples are its own), {len(schools)} of training",
        "learned from": "; ".join(school.material.summary() for school in schools),
        "solved": f"{board.hard} hard and {len(board.problems) - board.hard} easy problems, greedily and by {board.n} "
        "samples",
        **costs(schools[0].material.ledger, sum(made.tokens for made in trainings)),
    }
