"""Choices among the same solutions: by problem, by half, by seed, and the room that verifiers have."""

import pytest
from boards import Told, first

from runtime.types import Problem, Step, Trajectory
from trainer.evaluation.samples import Sample, Sampled
from trainer.reproductions.verifiers import report
from trainer.reproductions.verifiers.choosing import SC, Board, Scored, by, with_votes
from trainer.reproductions.verifiers.learning import ORM, PRM

PROBLEM = Problem(text="What is two and two?", answer="4")


def sampled(answers, scores=()):
    """Solutions of two steps each; `scores` are those of their steps."""
    both = zip(answers, scores or [()] * len(answers), strict=True)
    samples = tuple(
        Sample(
            attempt=Trajectory(
                problem_id=PROBLEM.id, steps=(Step(text="So"), Step(text=f"{n}: {answer}")), answer=answer
            ),
            right=answer == "4",
            scores=each,
        )
        for n, (answer, each) in enumerate(both)
    )
    return Sampled(PROBLEM, samples[0], samples, 10.0, 10)


ANSWERS = ("5", "5", "4", "5")
SCORED = {
    "ORM": sampled(ANSWERS, [(0.9, 0.1), (0.9, 0.2), (0.1, 0.8), (0.9, 0.3)]),
    "PRM": sampled(ANSWERS, [(0.9, 0.1), (0.9, 0.2), (0.3, 0.8), (0.4, 0.7)]),
}


def test_an_orm_is_read_at_the_last_step_and_a_prm_at_its_worst():
    board = Board([Scored(0, 0, sampled(ANSWERS), SCORED)])
    assert board.sizes == [1, 2, 4]
    assert [board.accuracy(way) for way in (SC, by(ORM), by(PRM))] == [0.0, 1.0, 0.0]
    assert [board.accuracy(way) for way in (with_votes(ORM), with_votes(PRM))] == [1.0, 0.0]
    assert board.accuracy(SC, 1) == pytest.approx(0.25)
    assert board.ceiling == {1: 0.25, 2: 0.5, 4: 1.0}


def test_differences_are_of_the_problems_of_some_levels_or_of_all():
    levels = [0] * 50 + [4] * 50
    board = Told(levels, SC=first(50), PRM=[*first(30, 50), *first(40, 50)])
    easy, hard = (board.effect(by(PRM), SC, levels=(level,)) for level in (0, 4))
    assert (easy.gain.difference, easy.n) == (pytest.approx(-0.4), 50)
    assert (hard.gain.difference, hard.n) == (pytest.approx(0.8), 50)
    assert board.gain(by(PRM), SC).difference == pytest.approx(0.2)


def test_the_room_of_verifiers_is_what_a_perfect_one_gains():
    assert Told([0] * 100, SC=first(60)).room.value == pytest.approx(0.4) and Told([0] * 100, SC=first(60)).room.fit
    assert not Told([0] * 100, SC=first(97)).room.fit


@pytest.mark.parametrize(("orm", "prm", "fit"), [(6, 6, False), (36, 38, False), (6, 45, True), (45, 6, True)])
def test_verifiers_that_choose_no_better_than_chance_have_learned_nothing(orm, prm, fit):
    board = Told([0] * 100, ONE=first(35), ORM=first(orm), PRM=first(prm), SC=first(72))
    assert board.taught.fit is fit and board.taught.value == pytest.approx((max(orm, prm) - 35) / 100)


def test_the_tables_have_every_way_at_every_n():
    board = Board([Scored(seed, level, sampled(ANSWERS), SCORED) for seed, level in enumerate((0, 4))])
    lines = report.table(board, (SC, by(ORM))).splitlines()
    assert lines[0] == "| N | 1 | 2 | 4 |" and lines[2].startswith("| SC | 25.0% |") and lines[3].endswith("| 100.0% |")
    assert report.halves(board, [by(ORM)]).splitlines()[2] == "| ORM | 100.0% | 100.0% |"
    assert report.aggregates(board, [by(PRM)]).splitlines()[2].startswith("| PRM | 0.0% |")
    assert board.by_seed(by(ORM), SC).endswith("seed by seed: +100.0%, +100.0%")
