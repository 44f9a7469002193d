"""From corrections to the gate in one command, on the bench model; the runtime then uses what was promoted."""

import json
from contextlib import closing
from threading import Event

import pytest
from places import BENCH

from runtime import engines, settings
from runtime.events import fold_all
from runtime.files import write_whole
from runtime.models import adapters, catalogue
from runtime.models.adapter_cards import read_card
from runtime.problems.division import TESTED, kept_apart
from runtime.solving.loop import converse
from runtime.types import Problem
from trainer.pipelines import actor, retrain
from trainer.pipelines.actor import ActorRetraining, Plan, TooFewError
from trainer.pipelines.retrain import SHARE_OF_RATE
from trainer.pipelines.stages import Stages, Stopped
from trainer.weights import gate

TEST = 8
"""Number of generated held-out problems."""
RECIPE = """
base: bench
role: actor
objective: preference
data: [pairs.jsonl]
dev: pairs-dev.jsonl
rank: 4
learning_rate: 3e-3
"""
OWN = "Well, "
"""How the person begins every first step; the base never does."""

pytestmark = pytest.mark.rest  # a minute of training; its parts have tests of their own


def problem(number):
    return f"Ann has {number} pens and buys 2 more. How many pens has she?"


def corrections(folder, count):
    rows = (
        {"prompt": f"{problem(n)}\n\n", "chosen": f"{OWN}{n} + 2 = {n + 2}.", "rejected": f"{n} + 2 = {n + 2}."}
        for n in range(count)
    )
    write_whole(folder / "corrections.jsonl", (json.dumps(row) + "\n" for row in rows))
    return folder / "corrections.jsonl"


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """Settings in which the bench model is an added one with a recipe; fewer problems than usual are enough."""
    folder = tmp_path_factory.mktemp("retrain")
    write_whole(folder / "preference" / "bench.yaml", RECIPE)
    found = settings.load(home=folder, models=folder / "models", threads=1, max_tokens=48)
    catalogue.add(str(BENCH), found, lambda done, total: None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("runtime.critic.critic.FITTED", folder / "weights")
        patched.setattr(retrain, "RECIPES", folder)
        patched.setattr(actor, "STEPS", 12)
        patched.setattr(gate, "ROWS", TEST)
        patched.setattr(gate, "MARGIN", 1.0)  # solving is too rare here to be compared
        yield found


def making(chosen, folder, count=24, stages=None, **changes):
    plan = Plan(**{"base": "bench", "pairs": corrections(folder, count), "test": TEST} | changes)
    return ActorRetraining(plan, chosen, stages)


@pytest.fixture(scope="module")
def promoted(chosen):
    """A run from the base, and what it printed."""
    made = making(chosen, chosen.home)
    return made, "\n".join(made.run(lambda progress: None))


def version(chosen):
    return adapters.current("bench", "actor", chosen).version


def test_too_few_corrections_are_counted_before_anything_is_trained(chosen, tmp_path):
    tested = sum(kept_apart(Problem(text=problem(n)), TESTED) for n in range(9))
    learn, test = max(0, 8 - 9 + tested), 5 - tested
    told = f"At least {learn + test} more are needed: {learn} to learn from, and {test} at other problems"
    with pytest.raises(TooFewError, match=told):
        list(making(chosen, tmp_path, count=9).run(lambda progress: None))
    assert learn > 0 and test > 0


def test_what_is_learned_and_what_is_tested_are_other_problems(promoted):
    made, printed = promoted
    learned, tested = ((made.examples / f"{name}.jsonl").read_text() for name in ("pairs", "pairs-dev"))
    for number in range(24):
        apart = kept_apart(Problem(text=problem(number)), TESTED)
        assert (problem(number) in tested, problem(number) in learned) == (apart, not apart)
    assert f"{learned.count(OWN)} examples in" in printed


def test_an_actor_that_prefers_corrections_it_did_not_learn_is_promoted_with_its_figures(promoted, chosen):
    printed = promoted[1]
    assert "base on held-out corrections: 0 of 9 preferred" in printed
    assert "adapter on held-out corrections: 9 of 9 preferred" in printed
    assert "Prefers corrections more often than before: of 9 at 9 problems" in printed
    assert "Not worse than the base at solving (the interval may reach -100%)" in printed
    path = chosen.models_dir / "adapters" / "bench" / "actor" / f"{version(chosen)}.json"
    card = read_card(path)
    assert card.metrics["held-out corrections"]["preferred"].value == 1
    assert card.base_metrics["held-out corrections"]["preferred"].value == 0
    assert card.metrics["wordproblems-test"]["accuracy"].n == TEST
    assert any("critic" in sentence for sentence in card.cannot)
    assert [(one.name, one.count) for one in card.data] == [("corrections", 15)]


def test_the_runtime_writes_with_the_promoted_actor_and_without_it_after_going_back(promoted, chosen):
    def written():
        asked = Problem(text=problem(40))
        with closing(engines.open_engine(chosen.with_(model="bench", mode="direct", context=1024), 1)) as engine:
            [attempt] = fold_all(asked, converse(asked, engine, chosen.with_(mode="direct"), Event())).trajectories[:1]
        return attempt.steps[0].text, attempt.made_by.adapter

    now = version(chosen)
    line, adapter = written()
    assert adapter == "actor"
    adapters.back("bench", "actor", chosen)
    other_line, adapter = written()
    assert other_line != line and adapter is None
    adapters.use("bench", "actor", now, chosen)


def test_an_actor_that_solves_worse_is_refused_and_the_one_in_use_stays(promoted, chosen, tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "MARGIN", -2.0)  # no actor can be that much better
    now, made = version(chosen), making(chosen, tmp_path, count=26, go_on=True)
    printed = "\n".join(made.run(lambda progress: None))
    assert "in use on held-out corrections: " in printed and "Not promoted." in printed
    for name in ("the base", f"version {now}"):
        assert f"Perhaps worse than {name} at solving" in printed
    assert version(chosen) == now
    assert (made.recipe.init.name, made.recipe.rank) == (f"start-{now}", 4)
    assert made.recipe.learning_rate == pytest.approx(3e-3 * SHARE_OF_RATE)


def test_a_stopped_run_continues_where_it_ended(chosen, tmp_path):
    stages = Stages(tmp_path / "progress")
    seen = []

    def stop(progress):
        seen.append(progress.step)
        (stages.folder / "stop").touch()

    with pytest.raises(Stopped):
        list(making(chosen, tmp_path, count=29, stages=stages).run(stop))
    (stages.folder / "stop").unlink()
    list(making(chosen, tmp_path, count=29, stages=stages, use=False).run(lambda one: seen.append(one.step)))
    assert seen == list(range(1, len(seen) + 1)) and len(seen) >= 12
