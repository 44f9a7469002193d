"""A verifier's scores: one reading, no verdict fed back, the aggregates of Math-Shepherd, and how a card uses them."""

import math
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from runtime import settings
from runtime.engines.base import ContextOverflow
from runtime.engines.scripted import ScriptedEngine
from runtime.models.adapter_cards import Choosing, Reliability
from runtime.search import verifier
from runtime.search.verifier import AGGREGATES, Verifier, filled, first_error_likelihoods, open_verifier, score_steps
from runtime.types import Problem, Step, Trajectory

PENS = Problem(text="Lena has 3 boxes of 4 pens and loses 2. How many are left?")
STEPS = ["3 * 4 = 12", "12 - 2 = 10"]


def test_every_step_gets_the_probability_of_right_against_wrong():
    engine = ScriptedEngine(verdicts=[0.9, 0.25])
    assert score_steps(engine, PENS, STEPS) == pytest.approx([0.9, 0.25])


def test_the_verifier_reads_marks_and_no_verdicts():
    engine = ScriptedEngine(verdicts=[0.1, 0.1])
    score_steps(engine, PENS, STEPS)
    assert engine.calls[0][-1]["content"] == "3 * 4 = 12 []\n12 - 2 = 10 ["


def test_an_impossible_word_scores_zero_and_not_an_overflow():
    class Certain(ScriptedEngine):
        def choice_logprobs(self, *_, **__):
            return [[-2000.0, 0.0]]

    assert score_steps(Certain(), PENS, STEPS[:1]) == [pytest.approx(0.0)]


def test_aggregates_of_step_scores():
    scores = [0.9, 0.5, 0.8]
    assert {name: round(of(scores), 3) for name, of in AGGREGATES.items()} == {
        "min": 0.5,
        "product": 0.36,
        "last": 0.8,
        "mean": 0.733,
    }


def test_the_likelihoods_of_all_places_of_a_first_error_are_a_distribution():
    scores = [0.9, 0.5, 0.8]
    odds = [math.log(p / (1 - p)) for p in scores]
    expected = [0.1, 0.9 * 0.5, 0.9 * 0.5 * 0.2, 0.9 * 0.5 * 0.8]
    found = [math.exp(likelihood) for likelihood in first_error_likelihoods(odds)]
    assert found == pytest.approx(expected) and sum(found) == pytest.approx(1)
    assert first_error_likelihoods([]) == [0.0]


def test_certain_steps_have_finite_likelihoods():
    assert first_error_likelihoods([900.0, -900.0]) == [-900.0, 0.0, -900.0]


# How a card uses them


def attempt(*steps, answer="10"):
    return Trajectory(problem_id=PENS.id, steps=tuple(Step(text=step) for step in steps), answer=answer)


def test_an_attempt_without_a_score_counts_as_an_average_one():
    assert filled([0.9, None, 0.3]) == [0.9, pytest.approx(0.6), 0.3]
    assert filled([None, None]) == [1.0, 1.0]


def test_attempts_are_scored_by_the_cards_aggregate():
    engine = ScriptedEngine(verdicts=[0.9, 0.4, 0.7], adapters=["verifier"])
    tried = [attempt(*STEPS), attempt(), attempt("I do not know.", answer=None), attempt("10")]
    scores = Verifier(engine, Choosing(aggregate="last")).scores(PENS, tried, Event())
    assert scores == pytest.approx((0.4, 0.55, 0.55, 0.7))
    assert len(engine.calls) == 2  # no program and no invalid answer is read


def test_what_is_too_long_and_what_was_stopped_has_no_score():
    class Overfull(ScriptedEngine):
        def choice_logprobs(self, *_, **__):
            raise ContextOverflow("too long")

    stopped = Event()
    stopped.set()
    mapped = Choosing(alone=Reliability(constant=0.0))
    for engine, cancel in ((Overfull(), Event()), (ScriptedEngine(), stopped)):
        assert Verifier(engine, mapped).reliability(PENS, attempt(*STEPS), cancel) is None


def test_the_reliability_of_a_single_answer_is_the_cards_mapping_of_its_score():
    even = Choosing(alone=Reliability(constant=0.0, scores=2.0))
    found = [
        Verifier(ScriptedEngine(verdicts=[score]), even).reliability(PENS, attempt("10"), Event())
        for score in (0.1, 0.5, 0.9)
    ]
    assert found[1] == pytest.approx(0.5)
    assert found[0] == pytest.approx(1 - found[2]) and found[2] > 0.7
    assert Verifier(ScriptedEngine(), Choosing()).reliability(PENS, attempt("10"), Event()) is None


@pytest.mark.parametrize(
    ("adapters", "path", "choosing", "found"),
    [
        (["verifier"], Path("base.gguf"), Choosing(), True),
        (["verifier"], Path("base.gguf"), None, False),
        (["critic"], Path("base.gguf"), Choosing(), False),
        (["verifier"], None, Choosing(), False),  # of a server nothing is known
    ],
)
def test_a_verifier_is_used_only_if_its_card_says_how(monkeypatch, adapters, path, choosing, found):
    in_use = {"verifier": SimpleNamespace(card=SimpleNamespace(choosing=choosing))}
    monkeypatch.setattr(verifier.adapters, "adapters_of", lambda *_: in_use)
    engine = ScriptedEngine(adapters=adapters)
    engine.path = path
    assert (open_verifier(engine, settings.load()) is not None) is found
