"""A verdict on each of Step-DPO's claims SD1-SD7, and on Math-Shepherd's three on reinforcement learning.

Where a claim compares a number with the paper, it is that of the 7B models on MATH. Solving is solving hard problems
greedily.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trainer.reproductions.claims import Claim, Effect, claim_on, if_testable, unmeasured, untestable
from trainer.reproductions.ground.fitness import Criterion, Name
from trainer.reproductions.step_dpo.arms import (
    DPO,
    FOREIGN,
    INDEPENDENT,
    RFT,
    SAME_PAIRS,
    SHARED,
    START,
    STEP,
    Arm,
    Judging,
)
from trainer.reproductions.step_dpo.board import Board
from trainer.reproductions.verifiers.choosing import EASY
from trainer.statistics import paired

WORSE = 0.03
"""Loss on easy problems from which on an actor is worse there. All margins were stated before any run."""
FEW = 300
"""Steps of training that count as a few hundred."""
JUDGED = 50
"""Pairs apart that are needed to compare how they are judged."""
SOLVING: tuple[Name, ...] = ("pass rate", "headroom")
JUDGING: tuple[Name, ...] = ("pass rate",)
STATEMENTS = {
    "SD1": "Step-DPO solves more hard problems than its start, and not fewer easy ones.",
    "SD2": "Step-DPO solves more than DPO on the same pairs, and DPO more than the start.",
    "SD3": "The larger the base, the more Step-DPO gains.",
    "SD4": "Winners of the model itself serve better than another model's.",
    "SD5": "Step-DPO learns to judge pairs apart better than DPO, and its margins grow for longer.",
    "SD6": "Step-DPO helps a supervised model, and also one that was tuned by reinforcement learning.",
    "SD7": f"A few hundred steps of training (at most {FEW}) suffice.",
    "MS4": "Step-by-step PPO > PPO on outcomes > RFT > SFT.",
    "MS5": "Reinforcement learning and verification add up.",
    "MS6": "After reinforcement learning the verifier alone is worse than votes.",
}


@dataclass(frozen=True)
class Measured:
    """All measurements; those of all seeds together."""

    board: Board
    judgings: Mapping[Arm, Sequence[Judging]]
    """Of each seed."""
    steps: Mapping[Arm, int]
    """Of training; the most of any seed."""
    fitness: Sequence[Criterion]


def all_claims(m: Measured) -> list[Claim]:
    """The claims with their verdicts; one that the ground is unfit to show is not testable here."""
    tested = {id: if_testable(_tested(id, m), m.fitness, needs) for id, (_, _, needs) in TESTS.items()}
    return [tested.get(id) or _untested(id, m) for id in STATEMENTS]


def _tested(id: str, m: Measured) -> Claim:
    test, arms, _ = TESTS[id]
    missing = [arm.name for arm in arms if arm.name not in m.board.actors]
    if missing:
        return unmeasured(id, STATEMENTS[id], f"Too few rows for: {', '.join(missing)}.")
    return test(m)


def _untested(id: str, m: Measured) -> Claim:
    why = UNTESTED[id]
    if id == "MS4" and RFT.name in m.board.actors:
        why += f" RFT - {START}: {m.board.gain(RFT.name)}."
    return unmeasured(id, STATEMENTS[id], why)


def sd1(m: Measured) -> Claim:
    """Also not to hold if it solves fewer easy problems, by the margin and more."""
    easy = m.board.gain(STEP.name, levels=EASY)
    lines = [*m.board.details(STEP), f"on easy problems: {easy}; worse is a loss of {WORSE:.0%} or more"]
    differs = "one base, of 5 million parameters, in one world, instead of nine models on MATH and GSM8K."
    claim = claim_on("SD1", STATEMENTS["SD1"], [m.board.effect(STEP, None, 0.010)], lines, differs)
    return claim if easy.difference > -WORSE else claim.model_copy(update={"verdict": "does not hold"})


def sd2(m: Measured) -> Claim:
    effects = [
        m.board.effect(STEP, SAME_PAIRS, 0.008),
        m.board.effect(STEP, DPO, 0.008),
        m.board.effect(SAME_PAIRS, None, 0.002),
    ]
    others = [arm for arm in (INDEPENDENT, RFT) if arm.name in m.board.actors]
    lines = [
        *m.board.details(STEP, SAME_PAIRS),
        *m.board.details(SAME_PAIRS),
        *(f"{STEP.name} - {arm.name}: {m.board.gain(STEP.name, arm.name)}" for arm in others),
    ]
    differs = "DPO compares all that follows the shared steps, as often as Step-DPO and, apart, as many tokens."
    return claim_on("SD2", STATEMENTS["SD2"], effects, lines, differs)


def sd4(m: Measured) -> Claim:
    lines = [
        *m.board.details(SHARED, FOREIGN),
        *(f"{arm.name} - {START}: {m.board.gain(arm.name)}" for arm in (SHARED, FOREIGN)),
    ]
    differs = "the other winners are those of a model of the same size with other wordings, verified like its own."
    return claim_on("SD4", STATEMENTS["SD4"], [m.board.effect(SHARED, FOREIGN, 0.007)], lines, differs)


def sd5(m: Measured) -> Claim:
    if not {STEP, SAME_PAIRS} <= m.judgings.keys():
        return unmeasured("SD5", STATEMENTS["SD5"], "No pairs apart.")
    effects = [
        _judged(m, "judged rightly at the end: Step-DPO - DPO", lambda one: one.right(one.last), 0.075),
        _judged(m, "margins that grow in the second half: Step-DPO - DPO", lambda one: one.grew),
    ]
    pairs = sum(len(one.problems) for one in m.judgings[STEP])
    lines = [f"{pairs} pairs apart", *(f"{arm.name}: {_curve(m.judgings[arm])}" for arm in (STEP, SAME_PAIRS))]
    differs = "the same pairs as steps and as all that follows; growth is counted by pair instead of read off a curve."
    claim = claim_on("SD5", STATEMENTS["SD5"], effects, lines, differs)
    return claim if pairs >= JUDGED else untestable(claim, f"{pairs} pairs apart are too few")


def _judged(m: Measured, what: str, hits: Callable[[Judging], list[bool]], paper: float | None = None) -> Effect:
    a, b = ([hit for one in m.judgings[arm] for hit in hits(one)] for arm in (STEP, SAME_PAIRS))
    problems = [problem for one in m.judgings[STEP] for problem in one.problems]
    return Effect(what, paired(a, b, problems), len(set(problems)), paper)


def _curve(judgings: Sequence[Judging]) -> str:
    """Of the first seed."""
    one = judgings[0]
    looks = (
        f"{step}: {sum(one.right(step)) / len(margins):.0%}, {sum(margins) / len(margins):.2f}"
        for step, margins in sorted(one.margins.items())
    )
    return f"judged rightly and mean margin after so many steps {'; '.join(looks)}"


def sd7(m: Measured) -> Claim:
    steps = m.steps[STEP]
    claim = claim_on(
        "SD7",
        STATEMENTS["SD7"],
        [m.board.effect(STEP, None, 0.010)],
        [f"{steps} steps"],
        "longer training is not tried.",
    )
    return claim if steps <= FEW else untestable(claim, f"it was trained for {steps} steps")


TESTS: Mapping[str, tuple[Callable[[Measured], Claim], Sequence[Arm], Sequence[Name]]] = {
    "SD1": (sd1, (STEP,), SOLVING),
    "SD2": (sd2, (STEP, DPO, SAME_PAIRS), SOLVING),
    "SD4": (sd4, (SHARED, FOREIGN), SOLVING),
    "SD5": (sd5, (STEP, SAME_PAIRS), JUDGING),
    "SD7": (sd7, (STEP,), SOLVING),
}
"""The test of each claim, the arms that it compares, and what the ground must be fit for."""
NEEDED = "No actor was trained by reinforcement learning."
UNTESTED = {
    "SD3": "One size of base.",
    "SD6": f"The supervised model is the subject of SD1. {NEEDED}",
    "MS4": NEEDED,
    "MS5": NEEDED,
    "MS6": NEEDED,
}
