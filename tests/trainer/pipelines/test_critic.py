"""From training examples to the gate in one command, on the bench model: from the base, and from the adapter in use."""

import json

import pytest
from places import BENCH

from runtime import settings
from runtime.files import write_whole
from runtime.models import adapters, catalogue
from trainer.data.examples.critic import Sources
from trainer.pipelines import critic, retrain
from trainer.pipelines.critic import CriticRetraining, Plan
from trainer.pipelines.retrain import SHARE_OF_RATE
from trainer.weights import gate
from trainer.weights.promote import Options, promote

TEST = 40
"""Number of generated held-out attempts."""
RECIPE = "base: bench\nrole: critic\ndata: [critic.jsonl]\ndev: dev.jsonl\nrank: 2\nlearning_rate: 1e-3\nwarm_up: 1\n"
CARD = {
    "version": "first", "created": "2026-01-01", "recipe": {}, "data": [], "seconds": {}, "cannot": [],
    "aggregation": {}, "licence": "Apache-2.0",
}  # fmt: skip


pytestmark = pytest.mark.rest  # a minute of training; its parts have tests of their own


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """Settings in which the bench model is an added one with a recipe; fewer attempts than usual are enough."""
    folder = tmp_path_factory.mktemp("retrain")
    write_whole(folder / "sft" / "critic-bench.yaml", RECIPE)
    found = settings.load(home=folder, models=folder / "models", threads=1)
    catalogue.add(str(BENCH), found, lambda done, total: None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("runtime.critic.critic.FITTED", folder / "weights")
        patched.setattr(retrain, "RECIPES", folder)
        patched.setattr(critic, "FITTED", 24)
        patched.setattr(gate, "ROWS", TEST)
        patched.setattr(gate, "ROWS_OF_A_KIND", TEST // 3)
        yield found


def plan(collected=None, **changes):
    given = {"base": "bench", "sources": Sources(generated=40, collected=collected), "test": TEST, "limit": 16}
    return Plan(**given | {"evidence": ("arithmetic", "verdict")} | changes)


@pytest.fixture(scope="module")
def from_base(chosen):
    """A run from the base, what it printed, and the version in use at its end."""
    made = CriticRetraining(plan(), chosen)
    printed = "\n".join(made.run(lambda progress: None))
    return made, printed, adapters.current("bench", "critic", chosen).version


def put_into_use(adapter, chosen, tmp_path):
    """A verdict of the gate for an adapter that is better than its base."""
    files = {right: tmp_path / f"{right}.jsonl" for right in (True, False)}
    for right, file in files.items():
        rows = ({"key": str(i), "right": right, "first_error": 0 if i % 2 else None} for i in range(100))
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    card = tmp_path / "card.json"
    card.write_text(json.dumps(CARD))
    options = Options(adapter, card, "bench", "critic", "held", files[True], files[False], files[False])
    verdict, path = promote(options, chosen)
    assert verdict.promoted
    return path


def test_retrain_runs_all_stages_from_the_base_to_the_gate(from_base):
    made, printed, in_use = from_base
    measured = ("adapter on wordproblems-test: F1", "base on")
    for line in ("examples in", "trained in", "adapter of", "compared with peft:", *measured):
        assert line in printed
    assert "in use on" not in printed and "rows are too few" not in printed
    assert made.recipe.init is None
    assert ("is in use now" in printed) == (in_use is not None)


@pytest.mark.rest
def test_go_on_starts_training_from_the_adapter_in_use_and_compares_with_it(from_base, chosen, tmp_path):
    [trained] = chosen.home.rglob("critic.gguf")
    path = put_into_use(trained, chosen, tmp_path)
    made = CriticRetraining(plan(go_on=True, changes={"rank": 8}), chosen)
    printed = "\n".join(made.run(lambda progress: None))
    assert "in use on wordproblems-test: F1" in printed
    recipe, before = made.recipe, from_base[0].recipe
    assert (recipe.rank, recipe.form, recipe.init.name) == (before.rank, before.form, f"start-{path.stem}")
    assert recipe.learning_rate == pytest.approx(1e-3 * SHARE_OF_RATE)
    assert CriticRetraining(plan(), chosen).recipe.init is None


def test_attempts_judged_in_the_app_become_training_examples(chosen, tmp_path):
    rows = [
        {"question": f"What is {n} + 1, twice?", "steps": [f"{n} + 1 = {n + 1}", f"{n + 1} * 2 = {2 * n + 2 + n % 2}"],
         "first_error": 1 if n % 2 else -1}
        for n in range(20)
    ]  # fmt: skip
    collected = tmp_path / "judged.jsonl"
    collected.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = CriticRetraining(plan(collected), chosen)
    next(made.run(lambda progress: None))
    learned = (made.examples / "critic.jsonl").read_text() + (made.examples / "dev.jsonl").read_text()
    assert all(learned.count(row["question"]) == (2 if row["first_error"] == 1 else 1) for row in rows)
    assert len((made.examples / "fit.jsonl").read_text().splitlines()) > 40
