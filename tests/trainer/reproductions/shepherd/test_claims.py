"""Math-Shepherd's claims, with figures for which each holds and for which it does not."""

import pytest
from boards import Told, first

from trainer.data.completer import Completed
from trainer.evaluation.labels import MeasuredStep
from trainer.reproductions.ground.fitness import Criterion
from trainer.reproductions.shepherd import claims
from trainer.reproductions.shepherd.claims import Measured
from trainer.reproductions.shepherd.labels import Labels, Step

LEVELS = [0] * 50 + [4] * 50


def step(number, right, rollouts, tuned=None, by_rule=None, text="2 + 2 = 4"):
    """A step of its own problem: the outcomes of 16 rollouts by the base, and of 8 by the stronger completer."""

    def measured(outcomes):
        whole = Completed(tuple(outcomes), (1,) * len(outcomes), 1, 0)
        return MeasuredStep(str(number), text, right, right if by_rule is None else by_rule, whole)

    return Step(measured(rollouts), measured(tuned or rollouts[:8]))


NEVER, LAST, ALWAYS = [False] * 16, [*[False] * 15, True], [True] * 16
SURE = [step(number, True, ALWAYS) for number in range(20)]


def found(steps=SURE, solves=(0.5, 0.9), fitness=(), **solved):
    return Measured(Told(LEVELS, **solved), Labels(steps, solves), fitness)


def verdict(claim, *given, **solved):
    return claim(found(*given, **solved)).verdict


# Choosing


def test_ms1_needs_the_prm_above_both():
    assert verdict(claims.ms1, PRM=first(90), ORM=first(70), SC=first(60)) == "holds"
    assert verdict(claims.ms1, PRM=first(71), ORM=first(70), SC=first(60)) == "consistent"
    assert verdict(claims.ms1, PRM=first(90), ORM=first(95), SC=first(60)) == "does not hold"
    assert verdict(claims.ms1, PRM=first(90), ORM=first(70), SC=first(95)) == "does not hold"


def test_ms3_needs_votes_to_harm_on_easy_problems_and_to_help_on_hard_ones():
    prm = [*first(45, 50), *first(20, 50)]
    joined = [*first(30, 50), *first(40, 50)]
    assert verdict(claims.ms3, PRM=prm, **{"SC + PRM": joined}) == "holds"
    assert verdict(claims.ms3, PRM=joined, **{"SC + PRM": prm}) == "does not hold"
    assert verdict(claims.ms3, PRM=prm, **{"SC + PRM": [*first(48, 50), *first(40, 50)]}) == "does not hold"


def test_ms7b_is_a_matter_of_a_margin_stated_in_advance():
    same, near = first(80), [*first(79), *[False] * 0]
    assert verdict(claims.ms7b, PRM=same, **{"PRM on SE": same}) == "holds"
    swapped = [not each if place in (1, 90, 2, 91, 3, 92) else each for place, each in enumerate(same)]
    assert verdict(claims.ms7b, PRM=same, **{"PRM on SE": swapped}) == "consistent"
    assert verdict(claims.ms7b, PRM=same, **{"PRM on SE": near}) == "holds"
    assert verdict(claims.ms7b, PRM=same, **{"PRM on SE": first(90)}) == "does not hold"


def test_ms10_needs_the_prm_above_the_orm_at_every_size():
    ahead = {"ORM, 25%": first(50), "PRM, 25%": first(70), "ORM, 50%": first(60), "PRM, 50%": first(80)}
    assert verdict(claims.ms10, ORM=first(70), PRM=first(90), **ahead) == "holds"
    assert verdict(claims.ms10, ORM=first(90), PRM=first(90), **ahead) == "does not hold"
    assert verdict(claims.ms10, ORM=first(70), PRM=first(90), **{**ahead, "PRM, 25%": first(40)}) == "does not hold"


# Labels


def test_ms7a_needs_hard_labels_to_get_worse_with_more_rollouts():
    fooled = [step(number, False, LAST) for number in range(20)]  # a wrong step from which one in 16 gets home
    assert verdict(claims.ms7a, [*SURE, *fooled]) == "holds"
    rescued = [step(number, True, LAST) for number in range(20)]
    assert verdict(claims.ms7a, [*SURE, *rescued]) == "does not hold"
    assert "n = 16: 50.0%" in "\n".join(claims.ms7a(found([*SURE, *fooled])).evidence)


def test_ms8_needs_a_stronger_completer_and_better_labels():
    helped = [step(number, True, NEVER, tuned=[True] * 8) for number in range(20)]
    assert verdict(claims.ms8, helped) == "holds"
    harmed = [step(number, True, ALWAYS, tuned=[False] * 8) for number in range(20)]
    assert verdict(claims.ms8, harmed) == "does not hold"
    assert verdict(claims.ms8, helped, (0.5, 0.52)) == "not testable here"


def test_ms9_needs_a_rule_that_errs():
    blind = [step(number, True, ALWAYS, by_rule=False) for number in range(20)]
    assert verdict(claims.ms9, blind) == "holds"
    seeing = [step(number, True, NEVER) for number in range(20)]
    assert verdict(claims.ms9, [*seeing, *blind[:3]]) == "does not hold"
    assert verdict(claims.ms9, SURE) == "not testable here"


def test_exact_arithmetic_is_told_beside_the_rule():
    false = [step(number, False, NEVER, text="2 + 2 = 5") for number in range(4)]
    unseen = [step(number, False, NEVER) for number in range(4, 8)]
    [line] = [line for line in claims.ms9(found([*false, *unseen])).evidence if "exact arithmetic" in line]
    assert "50.0%" in line


# All of them


@pytest.mark.parametrize("missed", ["room", "pass rate", "verifiers"])
def test_an_unfit_ground_leaves_the_verdicts_that_need_it_open(missed):
    unfit = Criterion(name=missed, what="", value=0.0, n=1, low=0.1)
    every = {claim.id: claim for claim in claims.all_claims(found(fitness=[unfit], PRM=first(90)))}
    assert tuple(every) == claims.IDS
    assert every["MS1"].verdict == "not testable here" and missed in every["MS1"].evidence[0]
    assert (every["MS7a"].verdict == "not testable here") is (missed == "pass rate")
    assert every["MS4"].verdict == "not measured"


def test_the_arms_of_fewer_attempts_are_named_by_their_share():
    assert {arm.name: arm.share for arm in claims.ARMS if arm.share < 1} == {
        "ORM, 25%": 0.25, "PRM, 25%": 0.25, "ORM, 50%": 0.5, "PRM, 50%": 0.5,
    }  # fmt: skip
