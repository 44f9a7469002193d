"""Verdicts on claims, what an effect could have shown, and the tables of a report."""

import pytest

from trainer.reproductions import report
from trainer.reproductions.claims import (
    Claim,
    Effect,
    after_holm,
    claim_on,
    equivalence,
    if_testable,
    unmeasured,
    untestable,
    verdict_of,
)
from trainer.reproductions.ground.fitness import Criterion
from trainer.statistics import paired

CLEAR, FAINT, NONE = (
    paired([True] * 20, [False] * 20),
    paired([True, False], [False, False]),
    paired([True], [True]),
)


def test_a_verdict_follows_the_intervals():
    assert verdict_of(CLEAR) == "holds"
    assert verdict_of(CLEAR, FAINT) == "consistent"
    assert verdict_of(CLEAR, NONE) == "does not hold"
    thrice = paired([True] * 3 + [False] * 237, [False] * 240)
    assert thrice.interval[0] > 0 and verdict_of(thrice) == "consistent"  # p = 0.25


def gained(wins, losses, n=100):
    after = [place < wins for place in range(n)]
    return paired(after, [wins <= place < wins + losses for place in range(n)])


@pytest.mark.parametrize(
    ("wins", "losses", "verdict"),
    [(1, 1, "holds"), (5, 5, "consistent"), (0, 6, "does not hold"), (6, 0, "does not hold")],
)
def test_two_are_equal_within_a_margin_or_not(wins, losses, verdict):
    assert equivalence(gained(wins, losses), 0.03) == verdict


def test_an_effect_would_have_been_seen_if_the_papers_is_wider_than_half_the_interval():
    one = Effect("a - b", gained(10, 5), 100, paper=0.1)
    assert one.half_width == pytest.approx(0.0627, abs=1e-3)
    assert one.seen is True
    assert Effect("a - b", one.gain, 100, paper=0.05).seen is False
    assert Effect("a - b", one.gain, 100).seen is None


def test_no_difference_among_few_problems_shows_little():
    assert Effect("a - b", gained(0, 0, n=10), 10, paper=0.1).seen is False
    assert Effect("a - b", gained(0, 0, n=1000), 1000, paper=0.1).seen is True


def test_an_unfit_ground_takes_the_verdict_but_keeps_what_was_found():
    claim = claim_on("X1", "It helps.", [Effect("a - b", CLEAR, 20)])
    unfit = Criterion(name="oracle", what="", value=0.0, n=1, low=0.15)
    assert claim.verdict == "holds" and if_testable(claim, [unfit], ["pass rate"]) == claim
    found = if_testable(claim, [unfit], ["oracle"])
    assert found.verdict == "not testable here" and found.evidence[0].startswith("found: holds; ")
    assert if_testable(found, [unfit], ["oracle"]) == found
    assert if_testable(unmeasured("X2", "Who knows."), [unfit], ["oracle"]).verdict == "not measured"


def test_of_many_claims_fewer_hold_by_holms_procedure():
    def claim(id, gain):
        return claim_on(id, "", [Effect("", gain, 100)])

    sure, scarce = claim("sure", gained(30, 0)), claim("scarce", gained(8, 1))
    assert sure.verdict == scarce.verdict == "holds"
    assert after_holm([sure, scarce]) == {"sure": True, "scarce": True}
    others = [claim(f"other {number}", gained(2, 2)) for number in range(4)]
    assert after_holm([sure, scarce, *others]) == {"sure": True, "scarce": False}


CLAIMS = [
    claim_on("X1", "First.", [Effect("a - b", CLEAR, 20, 0.01)], ["a line"]),
    claim_on("X2", "Second.", [Effect("c - d", gained(0, 5), 100, 0.2)], differs="smaller."),
    unmeasured("X3", "Third.", "no time"),
    untestable(Claim(id="X4", statement="Fourth.", verdict="consistent", evidence=()), "no ground"),
]


def test_the_tables_begin_with_what_does_not_hold():
    rows = report.claims_table(CLAIMS).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| X2", "| X1", "| X4", "| X3"]
    assert rows[1].endswith("| ✓ holds | ✓ holds |") and rows[0].endswith("| ✗ does not hold |  |")
    effects = report.effects_table(CLAIMS).splitlines()[2:]
    assert "| X2 | c - d | -5.0% |" in effects[0] and "| 0, 5 |" in effects[0] and "+20.0% | yes" in effects[0]
    assert "+1.0% | NO" in effects[1]


def test_claims_without_effects_have_no_column_for_holm():
    rows = report.claims_table([unmeasured("X3", "Third.")]).splitlines()
    assert rows[0] == "| claim | statement | verdict |" and rows[1] == "|---|---|---|"


def test_a_section_tells_the_evidence_and_one_list_what_was_not_measured():
    text = "\n\n".join(report.sections(CLAIMS))
    assert "## X1: holds\n\nFirst.\n\n- a line" in text and "- Unlike the paper: smaller." in text
    assert text.endswith("## Not measured\n\n- X3: no time") and "- found: consistent; no ground" in text
