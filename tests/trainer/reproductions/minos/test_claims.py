"""MATH-Minos' claims, with figures for which each holds and for which it does not."""

import pytest
from boards import Told, first

from trainer.reproductions.ground.fitness import Criterion
from trainer.reproductions.minos import claims
from trainer.reproductions.minos.claims import HALF, MINOS_ORM, MINOS_PRM, Course, Measured
from trainer.reproductions.minos.evaluating import Judged
from trainer.reproductions.verifiers.learning import ORM, PRM

NONE = {"calculation": 0, "logical": 0, "accumulation": 0, "unrelated": 0, "other": 0}
TYPES = {"easy": NONE, "hard": NONE}


def course(*shares, n=40):
    """At each checkpoint this share of the outcomes is predicted."""
    scores = {
        10 * look: [0.9 if place < share * n else 0.1 for place in range(n)] for look, share in enumerate(shares, 1)
    }
    return Course([str(place) for place in range(n)], [True] * n, scores)


def found(courses=None, judged=None, types=TYPES, fitness=(), **solved):
    given = {arm: [course(0.5, 0.5)] for arm in (ORM, PRM, MINOS_ORM, MINOS_PRM)} | (courses or {})
    return Measured(
        Told([0] * 100, **{name.replace("_", " "): each for name, each in solved.items()}),
        given,
        judged,
        types,
        fitness,
    )


def verdict(claim, **given):
    return claim(found(**given)).verdict


def test_mm1_needs_both_verifiers_to_gain():
    assert verdict(claims.mm1, ORM=first(60), Minos_ORM=first(80), PRM=first(70), Minos_PRM=first(85)) == "holds"
    assert verdict(claims.mm1, ORM=first(60), Minos_ORM=first(80), PRM=first(70), Minos_PRM=first(71)) == "consistent"
    assert (
        verdict(claims.mm1, ORM=first(60), Minos_ORM=first(80), PRM=first(70), Minos_PRM=first(60)) == "does not hold"
    )


def test_mm2_compares_the_gains():
    assert verdict(claims.mm2, ORM=first(60), Minos_ORM=first(80), PRM=first(70), Minos_PRM=first(75)) == "holds"
    assert (
        verdict(claims.mm2, ORM=first(60), Minos_ORM=first(65), PRM=first(70), Minos_PRM=first(90)) == "does not hold"
    )


def test_mm3_needs_every_verifier_above_votes_and_votes_to_add():
    verifiers = {name: first(70) for name in ("ORM", "PRM", "Minos_ORM", "Minos_PRM")}
    joined = {"SC + Minos ORM": first(85), "SC + Minos PRM": first(85)}
    assert verdict(claims.mm3, SC=first(50), **verifiers, **joined) == "holds"
    assert verdict(claims.mm3, SC=first(50), **verifiers, **{**joined, "SC + Minos PRM": first(60)}) == "does not hold"
    assert verdict(claims.mm3, SC=first(80), **verifiers, **joined) == "does not hold"


def test_mm4_needs_every_portion_of_evaluations_to_help():
    def given(*solved):
        return dict(zip((ORM.name, HALF.name, MINOS_ORM.name), map(first, solved), strict=True))

    assert verdict(claims.mm4, **given(50, 65, 80)) == "holds"
    assert verdict(claims.mm4, **given(50, 80, 80)) == "does not hold"
    assert verdict(claims.mm4, **given(50, 45, 80)) == "does not hold"


def test_mm5_needs_an_earlier_and_a_higher_course():
    assert verdict(claims.mm5, courses={ORM: [course(0.3, 0.6)], MINOS_ORM: [course(0.7, 0.9)]}) == "holds"
    assert verdict(claims.mm5, courses={ORM: [course(0.3, 0.9)], MINOS_ORM: [course(0.7, 0.9)]}) == "does not hold"
    assert verdict(claims.mm5, courses={ORM: [course(0.9, 0.7)], MINOS_ORM: [course(0.3, 0.9)]}) == "does not hold"
    twice = {arm: [course(0.3, 0.6), course(0.5, 0.6)] for arm in (ORM, PRM, MINOS_ORM, MINOS_PRM)}
    lines = claims.mm5(found(courses=twice)).evidence
    assert "ORM: outcomes predicted after so many steps 10: 40.0%, 20: 60.0%" in lines


def test_an_outcome_is_predicted_by_the_side_of_the_threshold():
    seen = Course(["a", "b", "c"], [True, False, False], {5: [0.6, 0.6, 0.2]})
    assert seen.hits(5) == [True, False, True]


@pytest.mark.parametrize(
    ("easy", "found_as"),
    [
        ({"accumulation": 9, "calculation": 5, "logical": 3}, "consistent"),
        ({"accumulation": 4, "calculation": 5, "logical": 3}, "does not hold"),
        ({"accumulation": 9, "calculation": 3, "logical": 5}, "does not hold"),
    ],
)
def test_mm6_is_counted_but_not_testable_here(easy, found_as):
    hard = NONE | {"accumulation": 9, "calculation": 3, "logical": 5}
    claim = claims.mm6(found(types={"easy": NONE | easy, "hard": hard}))
    assert claim.verdict == "not testable here" and claim.evidence[0].startswith(f"found: {found_as};")


def test_mm7_compares_verdicts_with_the_truth_not_with_the_labels():
    def judged(shown, hidden):
        return Judged([str(place) for place in range(100)], first(shown), first(hidden), first(100))

    assert verdict(claims.mm7, judged=judged(80, 60)) == "holds"
    assert verdict(claims.mm7, judged=judged(60, 60)) == "does not hold"
    assert verdict(claims.mm7) == "not measured"


def test_every_claim_is_told_once_and_an_unfit_ground_leaves_verdicts_open():
    unfit = Criterion(name="room", what="", value=0.0, n=1, low=0.05)
    every = claims.all_claims(found(fitness=[unfit]))
    assert [claim.id for claim in every] == [f"MM{number}" for number in range(1, 8)]
    assert [claim.verdict for claim in every[:4]] == ["not testable here"] * 4
    assert every[4].verdict == "does not hold"
