"""The fitness check: what an oracle gains on a ground decides which claims can be tested there."""

from itertools import islice

import pytest

from runtime.engines.scripted import ScriptedEngine
from runtime.prompts import templates
from trainer.reproductions.ground.attempts import MIXTURE
from trainer.reproductions.ground.fitness import Measured, measure, misses, summary, table
from trainer.reproductions.ground.ideal import Ideal
from trainer.reproductions.ground.problems import stream

PROBLEMS = list(islice(stream(11, "test"), 220))


@pytest.fixture(scope="module")
def fit():
    return measure(Ideal(PROBLEMS, seed=5), PROBLEMS, samples=4)


@pytest.mark.rest
def test_the_frozen_mixture_is_fit(fit):
    assert misses(fit.criteria) == []
    assert [errors / steps for errors, steps in fit.rates] == pytest.approx(list(MIXTURE.rates), abs=0.12)
    assert set(fit.kinds) == {"misread", "operation", "forgotten", "slip"}
    assert sum(fit.bins) == len(PROBLEMS)


def changed(measured, change):
    return Measured(attempts=tuple(tuple(map(change, some)) for some in measured.attempts))


def told_to_write(right, *tellings):
    """Rewrites that all come out so after these critiques."""
    return lambda one: one.model_copy(
        update={"after": {t: right if t in tellings else r for t, r in one.after.items()}}
    )


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        (lambda one: one.model_copy(update={"right": True}), {"pass rate", "bins", "oracle", "place only", "retry"}),
        (lambda one: one.model_copy(update={"right": False}), {"pass rate", "bins", "retry of the wrong", "retry"}),
        (told_to_write(False, "reason"), {"oracle"}),
        (told_to_write(False, "place"), {"place only"}),
        (told_to_write(True, "nothing"), {"retry", "retry of the wrong"}),
    ],
)
def test_each_criterion_can_be_missed(fit, change, missed):
    found = changed(fit, change)
    assert missed - {"retry"} <= set(misses(found.criteria)) <= missed
    assert "UNFIT" in "\n".join(table(found))
    assert summary(found)["misses"] == misses(found.criteria)


def test_a_claim_asks_only_for_what_it_needs(fit):
    found = changed(fit, told_to_write(False, "place")).criteria
    assert misses(found, {"pass rate", "oracle"}) == []
    assert misses(found, {"pass rate", "place only"}) == ["place only"]


def test_what_a_scripted_actor_writes_is_judged_by_the_solution():
    """A right attempt, a false sum and a wrong operation: each is graded, located and explained."""
    [worked] = [one for one in PROBLEMS if len(one.steps) == 1 and " + " in one.lines[0]][:1]
    right, (a, b) = worked.lines[0], [q.shown for q in worked.quantities[:2]]
    slip = right.replace(f"= {worked.result}", f"= {int(worked.result) + 1}")
    taken = right.replace(f"{a} + {b} = {worked.result}", f"{a} - {b} = {int(a) - int(b)}")
    texts = [
        f"{line}\nThe answer is {line.split('= ')[1].split()[0]}."
        for line in (slip, taken, right, slip, right, right, taken, taken)
    ]
    engine = ScriptedEngine(texts)
    found = measure(engine, [worked], samples=2)
    first, second = found.attempts[0]
    assert [one.kind for one in (first, second)] == ["slip", "operation"]
    assert first.after == {"nothing": True, "place": False, "reason": True}
    assert second.after == {"nothing": True, "place": False, "reason": False}
    assert found.gain("reason").difference == 0.5 and found.gain("place").difference == 0.0
    asked = [call[-1]["content"] for call in engine.calls[2:]]
    assert asked[0] == templates.template("again") and 'Step 1 is not right: "' in asked[1]
    assert first.comment in asked[2] and worked.result not in first.comment
