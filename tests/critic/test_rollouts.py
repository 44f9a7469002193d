"""Rollouts from each step: what is sampled, what is counted, and where the majority answer is no longer reached."""

from itertools import count
from threading import Event

import pytest

from runtime.critic.evidence.rollouts import Reach, first_fall, reach
from runtime.engines.base import ContextOverflow
from runtime.engines.scripted import ScriptedEngine
from runtime.search.solutions import Solution
from runtime.types import Problem

PROBLEM = Problem(text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?")
STEPS = ("3 × 4 = 12", "12 - 5 = 7", "7 × 2 = 14", "so 14 dollars")
RIGHT, WRONG = "The answer is 17.", "The answer is 14."
SEVENTEEN, SEVEN, SILENT = Solution("", "17"), Solution("", "7"), Solution("", None)


class Answering(ScriptedEngine):
    """Replies by the number of steps to continue from, and by how often that was requested."""

    def __init__(self, replies):
        super().__init__()
        self.table, self.drawn, self.samplings = replies, {}, []

    def sample(self, requests, sampling, *rest, **named):
        self.samplings.append(sampling)
        return super().sample(requests, sampling, *rest, **named)

    def _next(self, messages):
        last = messages[-1]
        kept = last["content"].count("\n") if last["role"] == "assistant" else 0
        self.drawn[kept] = self.drawn.get(kept, 0) + 1
        row = self.table[kept]
        reply = row[(self.drawn[kept] - 1) % len(row)]
        self.replies.append(reply)
        return super()._next(messages)


def reached(engine, steps=STEPS, n=4, max_tokens=50, seed=0, cancel=None, **given):
    return reach(engine, PROBLEM, steps, n, max_tokens, seed, cancel or Event(), **given)


def counts(found):
    return [(one.kept, one.k, one.n) for one in found]


def test_the_share_that_reaches_the_majority_answer_is_counted_after_every_step():
    engine = Answering([[RIGHT, RIGHT, WRONG, RIGHT], [RIGHT, WRONG], [RIGHT, WRONG, WRONG], [RIGHT]])
    found = reached(engine, answer="17")
    assert counts(found) == [(0, 3, 4), (1, 2, 4), (2, 2, 4), (3, 4, 4), (4, 1, 1)]
    assert {one.reference for one in found} == {"17"}
    assert [one.drawn for one in found] == [True] * 4 + [False]
    assert found[1].share == 0.5
    assert first_fall(found) is None


def test_the_first_step_from_which_no_rollout_succeeds_is_the_suspect_and_ends_sampling():
    engine = Answering([[RIGHT], [RIGHT], [WRONG], [WRONG], [WRONG]])
    found = reached(engine, answer="14")
    assert counts(found) == [(0, 4, 4), (1, 4, 4), (2, 0, 4), (3, 0, 4)]
    assert first_fall(found) == 1
    early = Answering([[RIGHT], [WRONG], [WRONG, WRONG, RIGHT, WRONG], [RIGHT]])
    assert first_fall(reached(early, answer="14")) == 0
    assert set(early.drawn) == {0, 1, 2}


def test_all_prefixes_are_sampled_in_one_call_in_order_of_length():
    engine = Answering([[RIGHT]] * 4)
    reached(engine, seed=5, max_tokens=33, answer="17", n=2)
    [sampling] = engine.samplings
    assert (sampling.seed, sampling.max_tokens) == (5, 33)
    assert sampling.temperature > 0
    assert [message["role"] for message in engine.calls[0]] == ["system", "user"]
    begun = [call[-1]["content"] for call in engine.calls[2::2]]
    assert begun == ["3 × 4 = 12\n", "3 × 4 = 12\n12 - 5 = 7\n", "3 × 4 = 12\n12 - 5 = 7\n7 × 2 = 14\n"]


def test_a_step_is_not_suspected_if_a_later_prefix_succeeds():
    found = reached(Answering([[RIGHT], [WRONG], [RIGHT, WRONG], [RIGHT]]), answer="17")
    assert [one.share for one in found] == [1, 0, 0.5, 1, 1]
    assert first_fall(found) is None


def test_the_last_step_is_suspected_if_every_prefix_succeeds():
    found = reached(Answering([[RIGHT]] * 4), answer="14")
    assert counts(found)[-1] == (4, 0, 1)
    assert first_fall(found) == 3


def test_a_failed_last_prefix_is_no_suspect_if_the_attempt_reaches_the_answer():
    assert first_fall(reached(Answering([[RIGHT], [RIGHT], [RIGHT], [WRONG]]), answer="17")) is None


def test_an_attempt_without_an_answer_is_completed_to_its_end():
    found = reached(Answering([[RIGHT]] * 4 + [[WRONG]]))
    assert counts(found)[-1] == (4, 0, 4)
    assert first_fall(found) == 3


def test_known_solutions_vote_and_replace_the_first_rollouts():
    engine = Answering([[]] + [[WRONG, RIGHT]] * 4)
    found = reached(engine, answer="17", known=[SEVENTEEN, SEVENTEEN, SEVEN, SILENT])
    assert counts(found)[:2] == [(0, 2, 4), (1, 2, 4)]
    assert 0 not in engine.drawn
    assert engine.samplings[0].seed == 4  # the seeds of a prefix do not depend on known solutions


def test_a_few_known_solutions_vote_together_with_the_rollouts():
    found = reached(Answering([[WRONG, RIGHT]] + [[RIGHT]] * 3), answer="17", known=[SEVENTEEN])
    assert counts(found)[0] == (0, 3, 5)


def test_without_a_majority_nothing_is_sampled_or_suspected():
    known = [Solution("", str(answer)) for answer in range(4)]
    engine = Answering([])
    found = reached(engine, answer="14", known=known)
    assert counts(found) == [(0, 1, 4)]
    assert first_fall(found) is None
    assert engine.calls == []


def test_without_any_answer_there_are_no_labels():
    assert reached(Answering([["Well,"]] * 4)) == []
    assert reached(Answering([]), known=[SILENT] * 4) == []
    assert first_fall([]) is None


def test_a_truncated_rollout_reaches_no_answer():
    found = reached(
        Answering([[RIGHT], ["so she pays 17 dollars in the end and"], [RIGHT], [RIGHT]]), answer="17", max_tokens=4
    )
    assert counts(found)[1] == (1, 0, 4)


def test_an_empty_rollout_takes_the_answer_of_the_step_before_it():
    found = reached(Answering([[RIGHT], [""], [RIGHT]]), steps=("3 × 4 + 5 = 17", "done"))
    assert counts(found)[1] == (1, 4, 4)


def test_a_cancelled_run_keeps_only_complete_prefixes():
    cancel, asked = Event(), count(1)

    class Stopping(Answering):
        def _next(self, messages):
            if next(asked) == 6:
                cancel.set()
            return super()._next(messages)

    found = reached(Stopping([[RIGHT]] * 4), cancel=cancel, answer="14")
    assert counts(found) == [(0, 4, 4)]
    assert first_fall(found) is None


def test_a_context_overflow_is_raised():
    with pytest.raises(ContextOverflow):
        reached(Answering([[RIGHT], [ContextOverflow("too long")]]))


@pytest.mark.parametrize(
    ("shares", "fall"),
    [
        ([(4, 4), (0, 4), (1, 4)], 0),
        ([(4, 4), (1, 4), (0, 4)], 1),
        ([(4, 4), (1, 4), (1, 4)], None),
        ([(4, 4), (0, 4), (2, 4), (0, 4)], 2),
        ([(1, 4), (0, 4), (0, 4)], None),
        ([(4, 4)], None),
    ],
)
def test_a_suspect_is_the_first_of_lasting_zero_shares(shares, fall):
    assert first_fall([Reach(kept, "17", k, n) for kept, (k, n) in enumerate(shares)]) == fall
