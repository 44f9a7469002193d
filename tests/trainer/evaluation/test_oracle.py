"""The oracle, a critic that knows whether an answer is right: what it accepts, and which step it rejects."""

from threading import Event

from runtime.critic.aggregation import Aggregation
from runtime.critic.critic import Critic
from runtime.engines.base import Sampling
from runtime.engines.scripted import ScriptedEngine
from runtime.events import CritiqueDone, fold_all
from runtime.solving.actor import Actor
from runtime.solving.loop import criticised
from runtime.types import Problem, Step, Trajectory
from trainer.evaluation.oracle import Oracle

KNOWN = Problem(text="Ana buys 3 pens for 4 dollars each. How much does she pay?", answer="12")
ASKED = KNOWN.model_copy(update={"answer": None})
DOUBTING = {"quick": Aggregation(constant=0.0, features={"verdict": 1.0}, reject=0.01)}
"""Rejects almost nothing by itself."""


def read(answer, odds):
    steps = ("Ana buys 3 pens.", "They cost 4 dollars each.", "So she pays.")
    attempt = Trajectory(problem_id=ASKED.id, steps=tuple(Step(text=s) for s in steps), answer=answer, origin="sample")
    engine = ScriptedEngine(["It is the sum."], odds, adapters=["critic"])
    critic = Critic(engine, depth="quick", weights=DOUBTING)
    critic.sources = ("arithmetic", "verdict")
    events = list(Oracle(critic, KNOWN).read(ASKED, attempt, Event()))
    return next(event.critique for event in events if isinstance(event, CritiqueDone))


def test_the_oracle_accepts_a_right_answer_even_if_the_critic_objects():
    critique = read("12", [0.001, 0.5, 0.9])
    assert critique.first_error is None
    assert len(critique.verdicts) == 3


def test_in_a_wrong_attempt_the_oracle_rejects_the_least_likely_step():
    critique = read("7", [0.9, 0.2, 0.6])
    assert critique.first_error == 1


def test_a_vote_for_a_wrong_answer_does_not_change_the_oracles_verdict():
    wrong = "They cost 3 + 4 = 7 dollars.\nThe answer is 7."
    engine = ScriptedEngine([wrong] * 3, [0.9] * 9, adapters=["critic"])
    oracle = Oracle(Critic(engine, depth="deep", weights=DOUBTING), KNOWN)
    talk = fold_all(ASKED, criticised(Actor(ASKED, engine, Sampling(), Event()), oracle, 0))
    assert talk.outcome.vote == (3, 3)
    assert (talk.outcome.status, talk.critique_of(talk.chosen).first_error) == ("unsettled", 0)


def test_the_oracle_asks_for_no_vote_on_a_right_answer():
    right, wrong = "They cost 3 × 4 = 12 dollars.\nThe answer is 12.", "They cost 3 + 4 = 7 dollars.\nThe answer is 7."
    engine = ScriptedEngine([right, *[wrong] * 4], [0.9] * 9, adapters=["critic"])
    oracle = Oracle(Critic(engine, depth="deep", weights=DOUBTING), KNOWN)
    talk = fold_all(ASKED, criticised(Actor(ASKED, engine, Sampling(), Event()), oracle, 0))
    assert (talk.outcome.answer, talk.outcome.status, talk.outcome.vote) == ("12", "settled", None)


def test_if_the_critic_objects_its_first_error_is_kept():
    critique = read("7", [0.9, 0.9, 0.001])
    assert critique.first_error == 2
