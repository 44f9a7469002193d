"""The fitness check: what an oracle gains on a ground decides which claims can be tested there."""

import random
from dataclasses import replace
from itertools import islice

import pytest

from runtime.engines.scripted import ScriptedEngine
from runtime.prompts import templates
from runtime.text import join_steps, split_steps
from trainer.reproductions.ground.attempts import MIXTURE, USE, Mixture, Use, drawn, rewritten
from trainer.reproductions.ground.fitness import NOT_TESTABLE, measure, misses, table, verdict
from trainer.reproductions.ground.problems import stream

PROBLEMS = list(islice(stream(11, "test"), 220))


class MixtureActor(ScriptedEngine):
    """An actor that is exactly the mixture, and uses critiques exactly so."""

    def __init__(self, mixture: Mixture = MIXTURE, use: Use = USE):
        super().__init__()
        self.mixture, self.use, self.rng = mixture, use, random.Random(5)
        self.problems = {worked.problem.text: worked for worked in PROBLEMS}
        self.written = {}

    def _next(self, messages):
        worked = self.problems[messages[1]["content"].split("\n\n")[0]]
        if len(messages) == 2:
            made = drawn(worked, self.rng, self.mixture)
        else:
            before = self.written[worked.problem.id, tuple(split_steps(messages[2]["content"]))]
            made = rewritten(before, *self._told(messages[3]["content"]), self.rng, self.mixture, self.use)
        self.written[worked.problem.id, made.lines] = made
        return join_steps(made.lines, made.carried.result)

    @staticmethod
    def _told(request):
        if request == templates.template("again"):
            return "nothing", 0
        line = int(request.split("Step ")[1].split(" ")[0]) - 1
        return "place" if "I cannot say for certain" in request else "reason", line


def checked(**changes):
    actor = MixtureActor(*(replace(one, **{k: v for k, v in changes.items() if hasattr(one, k)}) for one in (MIXTURE, USE)))
    return measure(actor, PROBLEMS, samples=6)


def test_the_frozen_mixture_is_fit():
    found = checked()
    assert misses(found.criteria) == []
    assert verdict("holds", found.criteria) == "holds"
    planned, measured = MIXTURE.rates, [errors / steps for errors, steps in found.rates]
    assert measured == pytest.approx(planned, abs=0.06)
    assert set(found.kinds) <= {"misread", "operation", "forgotten", "slip"}


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"rates": (0.9,) * 5}, {"pass rate", "bins"}),
        ({"rates": (0.01,) * 5}, {"pass rate", "bins", "oracle", "place only"}),
        ({"rates": (0.2,) * 5}, {"bins"}),
        ({"mends": {"reason": 0.2, "place": 0.5}}, {"oracle"}),
        ({"mends": {"reason": 0.9, "place": 0.1}}, {"place only"}),
        ({"afresh": 1.0}, {"retry of the wrong"}),
    ],
)
def test_each_criterion_can_be_missed(change, missed):
    found = checked(**change)
    assert set(misses(found.criteria)) == missed
    assert verdict("does not hold", found.criteria) == NOT_TESTABLE


def test_a_claim_is_testable_if_all_it_needs_is_fit():
    found = checked(mends={"reason": 0.9, "place": 0.1}).criteria
    assert verdict("does not hold", found, {"pass rate", "oracle"}) == "does not hold"
    assert verdict("does not hold", found, {"pass rate", "place only"}) == NOT_TESTABLE
