"""From training examples to the gate in one command, on a tiny model: from the base, and from the adapter in use."""

import json

import pytest

from runtime import settings
from runtime.models import adapters, catalogue
from trainer.data.examples.critic import Sources
from trainer.pipelines import retrain
from trainer.pipelines.retrain import SHARE_OF_RATE, Plan, Retraining
from trainer.weights.export import to_gguf_adapter
from trainer.weights.promote import Options, promote

pytestmark = [pytest.mark.model, pytest.mark.timeout(240)]

RECIPE = "base: tiny\nrole: critic\ndata: [critic.jsonl]\ndev: dev.jsonl\nrank: 2\nlearning_rate: 1e-3\nwarm_up: 1\n"
CARD = {
    "version": "first", "created": "2026-01-01", "recipe": {}, "data": [], "seconds": {}, "cannot": [],
    "aggregation": {}, "licence": "Apache-2.0",
}  # fmt: skip


@pytest.fixture
def chosen(tiny, tmp_path, monkeypatch):
    """Settings in which the tiny model is an added one with a recipe."""
    monkeypatch.setenv("SOLILOQUY_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(retrain, "RECIPES", tmp_path)
    (tmp_path / "critic-tiny.yaml").write_text(RECIPE)
    found = settings.load()
    catalogue.add(str(tiny.gguf), found, lambda done, total: None)
    return found


def plan(collected=None, **changes):
    given = {"base": "tiny", "sources": Sources(generated=40, collected=collected), "test": 100, "limit": 16}
    return Plan(**given | {"evidence": ("arithmetic", "verdict")} | changes)


def put_into_use(adapter, chosen, tmp_path):
    """A verdict of the gate for an adapter that is better than its base."""
    files = {right: tmp_path / f"{right}.jsonl" for right in (True, False)}
    for right, file in files.items():
        rows = ({"key": str(i), "right": right, "first_error": 0 if i % 2 else None} for i in range(100))
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    card = tmp_path / "card.json"
    card.write_text(json.dumps(CARD))
    options = Options(adapter, card, "tiny", "critic", "held", files[True], files[False])
    verdict, path = promote(options, chosen)
    assert verdict.promoted
    return path


def test_retrain_runs_all_stages_from_the_base_to_the_gate(chosen):
    made = Retraining(plan(), chosen)
    printed = "\n".join(made.run(lambda progress: None))
    measured = ("adapter on wordproblems-test: F1", "base on")
    for line in ("examples in", "trained in", "adapter of", "compared with peft:", *measured):
        assert line in printed
    assert "in use on" not in printed
    assert made.recipe.init is None
    assert ("is in use now" in printed) == (adapters.current("tiny", "critic", chosen).version is not None)


def test_go_on_starts_training_from_the_adapter_in_use_and_compares_with_it(chosen, tiny, tiny_adapters, tmp_path):
    adapter = tmp_path / "adapter.gguf"
    to_gguf_adapter(tiny_adapters["critic"].peft, adapter, tiny.gguf, "f32")
    path = put_into_use(adapter, chosen, tmp_path)
    made = Retraining(plan(go_on=True), chosen)
    printed = "\n".join(made.run(lambda progress: None))
    assert "in use on wordproblems-test: F1" in printed
    recipe = made.recipe
    assert (recipe.rank, recipe.form, recipe.init.name) == (4, "activated", f"start-{path.stem}")
    assert recipe.learning_rate == pytest.approx(1e-3 * SHARE_OF_RATE)
    assert Retraining(plan(), chosen).recipe.init is None


def test_attempts_judged_in_the_app_become_training_examples(chosen, tmp_path):
    rows = [
        {"question": f"What is {n} + 1, twice?", "steps": [f"{n} + 1 = {n + 1}", f"{n + 1} * 2 = {2 * n + 2 + n % 2}"],
         "first_error": 1 if n % 2 else -1}
        for n in range(20)
    ]  # fmt: skip
    collected = tmp_path / "judged.jsonl"
    collected.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = Retraining(plan(collected), chosen)
    next(made.run(lambda progress: None))
    learned = (made.examples / "critic.jsonl").read_text() + (made.examples / "dev.jsonl").read_text()
    assert all(learned.count(row["question"]) == (2 if row["first_error"] == 1 else 1) for row in rows)
    assert len((made.examples / "fit.jsonl").read_text().splitlines()) > 40
