"""Step-DPO's claims, with figures for which each holds and for which it does not."""

import pytest
from boards import Solved, first

from trainer.reproductions.ground.fitness import Criterion
from trainer.reproductions.step_dpo import arms, claims
from trainer.reproductions.step_dpo.arms import (
    ARMS,
    DPO,
    FOREIGN,
    RFT,
    SAME_PAIRS,
    SHARED,
    START,
    STEP,
    TAUGHT,
    Judging,
)
from trainer.reproductions.step_dpo.claims import Measured

LEVELS = [4] * 100 + [0] * 50
"""A hundred hard problems, then fifty easy ones."""


def found(judgings=None, steps=100, fitness=(), easy=None, **solved):
    """`solved`: by name, how many of the hard problems; `easy` the same of the easy ones, else 40."""
    number = {START: 50, **solved}
    board = Solved(
        LEVELS,
        **{name: [*first(count), *first((easy or {}).get(name, 40), 50)] for name, count in number.items()},
    )
    return Measured(board, judgings or {}, dict.fromkeys(ARMS, steps), fitness)


def told(**counts):
    """Arms by the names of their constants."""
    return {getattr(arms, name).name: count for name, count in counts.items()}


def verdict(id, **given):
    [claim] = [one for one in claims.all_claims(found(**given)) if one.id == id]
    return claim.verdict


# Solving


def test_sd1_needs_more_hard_problems_and_not_fewer_easy_ones():
    assert verdict("SD1", **{STEP.name: 70}) == "holds"
    assert verdict("SD1", **{STEP.name: 51}) == "consistent"
    assert verdict("SD1", **{STEP.name: 50}) == "does not hold"
    assert verdict("SD1", **{STEP.name: 70}, easy={STEP.name: 39}) == "holds"
    assert verdict("SD1", **{STEP.name: 70}, easy={STEP.name: 38}) == "does not hold"


def test_only_hard_problems_decide():
    board = found(**{STEP.name: 50}, easy={STEP.name: 50}).board
    assert board.gain(STEP.name).difference == 0 and board.hard == 100
    assert board.gain(STEP.name, levels=(0,)).difference == pytest.approx(0.2)


def test_sd2_needs_step_dpo_above_dpo_as_often_and_with_as_many_tokens_and_dpo_above_the_start():
    assert verdict("SD2", **told(STEP=80, DPO=65, SAME_PAIRS=65)) == "holds"
    assert verdict("SD2", **told(STEP=80, DPO=80, SAME_PAIRS=65)) == "does not hold"
    assert verdict("SD2", **told(STEP=80, DPO=65, SAME_PAIRS=80)) == "does not hold"
    assert verdict("SD2", **told(STEP=80, DPO=65, SAME_PAIRS=50)) == "does not hold"
    assert verdict("SD2", **told(STEP=80, DPO=65)) == "not measured"


def test_sd4_compares_winners_of_the_same_losers():
    assert verdict("SD4", **told(SHARED=80, FOREIGN=60)) == "holds"
    assert verdict("SD4", **told(STEP=90, SHARED=60, FOREIGN=80)) == "does not hold"
    assert verdict("SD4", **told(STEP=90)) == "not measured"


def test_sd7_needs_a_gain_after_few_steps():
    assert verdict("SD7", **{STEP.name: 70}, steps=claims.FEW) == "holds"
    assert verdict("SD7", **{STEP.name: 50}, steps=claims.FEW) == "does not hold"
    assert verdict("SD7", **{STEP.name: 70}, steps=claims.FEW + 1) == "not testable here"


# Judging


def judging(right, grown, n=80):
    """So many pairs apart, each of its own problem, are judged rightly at the end; the margins of so many grow in the
    second half."""
    end = [1.0 if place < right else -1.0 for place in range(n)]
    half = [margin - 0.5 if place < grown else margin + 0.5 for place, margin in enumerate(end)]
    return Judging(list(map(str, range(n))), {10: [0.0] * n, 20: half, 40: end})


def test_sd5_needs_pairs_judged_better_and_margins_that_grow_for_longer():
    def given(step, dpo):
        return {STEP: [judging(*step)], SAME_PAIRS: [judging(*dpo)]}

    trained = told(STEP=60, SAME_PAIRS=60)
    assert verdict("SD5", judgings=given((70, 70), (50, 50)), **trained) == "holds"
    assert verdict("SD5", judgings=given((70, 70), (50, 75)), **trained) == "does not hold"
    assert verdict("SD5", judgings=given((50, 70), (70, 50)), **trained) == "does not hold"
    assert verdict("SD5", judgings=given((20, 20, 30), (10, 10, 30)), **trained) == "not testable here"
    assert verdict("SD5", **trained) == "not measured"


def test_margins_are_compared_with_the_look_nearest_to_the_middle():
    seen = Judging(["a", "b"], {10: [5.0, 5.0], 22: [0.1, 0.3], 40: [0.2, 0.2]})
    assert seen.last == 40 and seen.grew == [True, False] and seen.right(40) == [True, True]


def test_a_curve_tells_the_share_judged_rightly_and_the_mean_margin():
    trained = told(STEP=60, SAME_PAIRS=60)
    [claim] = [
        one
        for one in claims.all_claims(
            found(judgings={STEP: [judging(60, 80)], SAME_PAIRS: [judging(40, 80)]}, **trained)
        )
        if one.id == "SD5"
    ]
    assert claim.evidence[0] == "80 pairs apart"
    assert "40: 75%, 0.50" in claim.evidence[1] and "10: 0%, 0.00" in claim.evidence[1]


# All of them


def test_without_headroom_no_verdict_on_solving_stands():
    everything = told(TAUGHT=56, RFT=60, DPO=60, SAME_PAIRS=60, STEP=70, SHARED=70, FOREIGN=60)
    judgings = {STEP: [judging(70, 70)], SAME_PAIRS: [judging(50, 50)]}
    short = found(judgings, **everything)
    every = {
        claim.id: claim for claim in claims.all_claims(found(judgings, fitness=[short.board.headroom], **everything))
    }
    assert not short.board.headroom.fit and tuple(every) == tuple(claims.STATEMENTS)
    assert {every[id].verdict for id in ("SD1", "SD2", "SD4", "SD7")} == {"not testable here"}
    assert "headroom" in every["SD1"].evidence[0] and every["SD5"].verdict == "holds"
    assert found(**{**everything, TAUGHT.name: 59}).board.headroom.fit


def test_an_unfit_pass_rate_leaves_the_judging_open_too():
    unfit = Criterion(name="pass rate", what="", value=0.0, n=1, low=0.2)
    judgings = {STEP: [judging(70, 70)], SAME_PAIRS: [judging(50, 50)]}
    assert verdict("SD5", judgings=judgings, fitness=[unfit], **told(STEP=60, SAME_PAIRS=60)) == "not testable here"


def test_what_needs_reinforcement_learning_is_not_measured_and_tells_what_rft_gained():
    every = {claim.id: claim for claim in claims.all_claims(found(**told(RFT=60)))}
    assert {every[id].verdict for id in ("SD3", "SD6", "MS4", "MS5", "MS6")} == {"not measured"}
    assert f"RFT - {START}: +10.0%" in every["MS4"].evidence[0]


def test_every_arm_has_a_name_of_its_own():
    assert len({arm.name for arm in ARMS} | {START}) == len(ARMS) + 1
    assert {DPO, SAME_PAIRS, SHARED, FOREIGN, RFT} < set(ARMS)
