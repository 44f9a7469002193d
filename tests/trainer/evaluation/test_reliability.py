"""The probability that a chosen answer is right: the mapping, solid answers, and calibration."""

import random

import pytest

from runtime.models.adapter_cards import Choosing, Reliability
from runtime.search.reliability import likelihood
from runtime.search.selection import Choice
from runtime.search.self_consistency import CERTAIN, VOTERS
from runtime.types import Problem, Step, Trajectory
from trainer.evaluation import reliability
from trainer.evaluation.reliability import (
    Opinion,
    cross_fitted,
    fit,
    second_opinions,
    threshold,
)
from trainer.evaluation.samples import Sample, Sampled
from trainer.plots import figure


def problem(number, chance, informed, n=VOTERS, rng=None):
    """A problem whose samples are right with this chance; a verifier that is informed scores them accordingly."""
    rng, text = rng or random.Random(number), Problem(text=f"Number {number}?")

    def sample(place):
        right = rng.random() < chance
        answer = "4" if right else str(rng.randint(5, 7))
        score = min(0.99, max(0.01, rng.gauss(0.8 if right else 0.2, 0.15))) if informed else 0.5
        attempt = Trajectory(problem_id=text.id, steps=(Step(text=f"{place}"),), answer=answer)
        return Sample(attempt=attempt, right=right, scores=(score,))

    return Sampled(text, sample(-1), tuple(map(sample, range(n))), 10.0, 10)


def problems(count, informed=True, n=VOTERS):
    rng = random.Random(5)
    return [problem(number, rng.choice([0.15, 0.5, 0.9]), informed, n, rng) for number in range(count)]


def opinion(place, p, right):
    """An opinion whose probability by `PLAIN` grows with p."""
    return Opinion(f"p{place}", Choice(votes=1, weight=p), 1, right)


PLAIN = Reliability(constant=0.0, scores=1.0)


def test_a_second_opinion_ends_as_in_the_app():
    attempts = [Sample(attempt=Trajectory(problem_id="p", steps=(), answer="4"), right=True, scores=(0.5,))] * VOTERS
    one = Sampled(Problem(text="p"), attempts[0], tuple(attempts), 1.0, 1)
    [found] = second_opinions([one], Choosing())
    assert (found.n, found.choice.votes, found.right) == (CERTAIN, CERTAIN, True)


def test_several_opinions_are_held_where_there_are_more_samples_than_voters():
    one = problem(1, 0.5, True, n=16)
    found = second_opinions([one], Choosing())
    assert len(found) > 1
    assert all(CERTAIN <= opinion.n <= VOTERS for opinion in found)


def test_three_of_three_say_less_than_five_of_five_and_more_than_three_of_five():
    rule = Reliability(constant=0.0, votes=1.0)
    odds = [likelihood(rule, Choice(votes=votes, weight=votes), n) for votes, n in ((3, 5), (3, 3), (5, 5))]
    assert odds == sorted(odds) and odds[0] > 0.5


def test_a_solid_answer_is_one_above_the_least_probability_with_the_precision():
    rated = [opinion(i, 0.9, True) for i in range(19)] + [opinion(19, 0.9, False)]
    assert threshold(PLAIN, rated) == likelihood(PLAIN, rated[0].choice, 1)
    assert threshold(PLAIN, [*rated, opinion(20, 0.9, False)]) > 1  # equals belong together
    assert threshold(PLAIN, [*rated, opinion(20, 0.1, False)]) == likelihood(PLAIN, rated[0].choice, 1)
    assert threshold(PLAIN, []) > 1


@pytest.mark.rest
def test_an_informed_verifier_makes_more_answers_solid_and_one_without_information_does_not():
    coverage = {}
    for informed in (True, False):
        report = reliability.summary(problems(400, informed), Choosing(votes="weighted" if informed else "majority"))
        coverage[informed] = report["with a verifier"]["coverage"] - report["self-consistency"]["coverage"]
        assert report["with a verifier"]["ece"] < 0.07
    assert coverage[True] > 0.2
    assert abs(coverage[False]) < 0.1


def test_cross_fitting_rates_every_opinion_once_by_rules_of_other_problems():
    opinions = second_opinions(problems(60), Choosing())
    found = cross_fitted(opinions, ("votes", "scores"))
    assert {id(one.opinion) for one in found} == {id(one) for one in opinions}
    everything = fit(opinions, ("votes", "scores"))
    first = [one.p for one in found if one.opinion.problem == opinions[0].problem]
    assert first != [
        likelihood(everything, one.choice, one.n) for one in opinions if one.problem == opinions[0].problem
    ]


def test_the_mappings_of_a_card_are_measured_as_they_are():
    some = problems(200)
    choosing = reliability.calibrated(some, Choosing(votes="weighted"))
    assert choosing.alone and choosing.voted and choosing.voted.scores > 0 and choosing.alone.votes == 0
    report = reliability.summary(problems(150), choosing)
    assert report["as the card rates it"]["ece"] < 0.1
    assert report["a single solution, as the card rates it"]["ece"] < 0.1
    assert reliability.table(report).count("\n") == 5


def test_the_plot_of_the_calibration_is_drawn(tmp_path):
    with figure(tmp_path / "reliability.png") as one:
        reliability.plot(one, reliability.summary(problems(40), Choosing()))
    assert (tmp_path / "reliability.png").stat().st_size > 5000
