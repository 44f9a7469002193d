"""Supervised fine-tuning of an adapter, by either loop; a killed run resumes to the same adapter."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from places import ROOT
from safetensors.torch import load_file
from tables import rest
from transformers import AutoModelForCausalLM, DynamicCache
from tuning import PAD, gradients, killed_after, opened, recipe_of, require_equal

from runtime import settings
from runtime.problems.labelled import labelled
from runtime.types import Message, Problem
from trainer.data.examples.critic import critic_row
from trainer.data.rows import Encoder, Row, read_rows, write_rows
from trainer.data.sources import RowError
from trainer.training import prefix_loop, progress
from trainer.training.modelling import collate, learned_parameters, open_for_tuning, read_prefix, save_adapter
from trainer.training.prefix_loop import Tuning
from trainer.training.recipe import RecipeError, read_recipe
from trainer.training.run import Run
from trainer.training.schedule import Progress, batches, share_of_rate
from trainer.training.sft import loss

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]


ROWS = [
    Row(
        messages=({"role": "user", "content": "word " * number + "?"},),
        reply=((f"{number} pens and more. [", 0), ("right" if number % 2 else "wrong", 1), ("] so it is", 0.25)),
    )
    for number in range(1, 9)
]


@pytest.fixture
def examples(chat):
    return [Encoder(chat, "activated")(row) for row in ROWS]


@pytest.fixture
def invocation(chat):
    return Encoder(chat, "activated").invocation


@pytest.fixture
def data(tmp_path):
    write_rows(tmp_path / "rows.jsonl", ROWS)
    return tmp_path / "rows.jsonl"


def ours(model, examples):
    batch = collate(examples, PAD, "cpu")
    value = loss(model, batch, read_prefix(model, batch))
    value.backward()
    return value.item(), gradients(model)


def whole_rows(examples, packing=False):
    """A batch as TRL's loop gets it; imported here, as each process that runs tests would import TRL for seconds."""
    from trainer.training.trl_loop import Collator, _dataset

    return Collator(PAD, packing)(list(_dataset(examples)))


def pefts(model, examples):
    """The same loss on whole rows, with PEFT masking the adapter."""
    batch = whole_rows(examples)
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
    losses = -logits.log_softmax(-1).gather(2, batch["input_ids"][:, 1:, None]).squeeze(2)
    value = (losses * batch["weights"][:, 1:]).sum() / len(examples)
    value.backward()
    return value.item(), gradients(model)


# Rows


def test_a_row_has_the_tokens_that_the_engines_read(chat):
    row = Row(messages=({"role": "user", "content": "Is it?"},), reply=(("a [", 0), ("right", 1.0), ("]", 0.5)))
    encoder = Encoder(chat, "activated")
    example = encoder(row)
    read = chat.prompt_tokens([Message(role="user", content="Is it?")])
    reply = [chat.plain_tokens(text) for text, _ in row.reply]
    assert [*example.prefix, *example.suffix] == [*read, *reply[0], *reply[1], *reply[2], chat.end]
    learned = [(token, weight) for token, weight in zip(example.suffix, example.weights, strict=True) if weight]
    assert learned == [*[(t, 1.0) for t in reply[1]], *[(t, 0.5) for t in reply[2]], (chat.end, 0.5)]
    assert example.suffix[: len(encoder.invocation)] == encoder.invocation
    assert chat.tokenizer.decode(encoder.invocation, skip_special_tokens=False) == "<|im_start|>assistant\n"


def test_a_critic_example_has_weight_on_its_verdicts_and_its_reason(chat):
    problem = Problem(text="How much are 3 pens at 4 dollars?")
    attempt = labelled(problem, ("3 × 4 = 13", "It is 13."), 0, "13", "3 × 4 is 12.")
    example = Encoder(chat, "activated")(critic_row(attempt))
    learned = [token for token, weight in zip(example.suffix, example.weights, strict=True) if weight]
    assert chat.tokenizer.decode(learned, skip_special_tokens=False).endswith("] 3 × 4 is 12.<|im_end|>")
    assert 1.0 in example.weights


def test_a_bad_line_is_named(tmp_path):
    (tmp_path / "rows.jsonl").write_text(ROWS[0].model_dump_json() + '\n{"messages": []}\n')
    with pytest.raises(RowError, match=r"line 2"):
        list(read_rows(tmp_path / "rows.jsonl"))


# Loss and gradients


@pytest.mark.parametrize("architecture", ["llama", *rest("qwen2", "qwen3")])
def test_a_prefix_read_once_gives_the_loss_and_gradients_of_an_activated_adapter_on_whole_rows(
    bases, examples, invocation, architecture
):
    base = bases[architecture]
    value, found = ours(opened(base), examples[:4])
    expected_value, expected = pefts(opened(base, invocation), examples[:4])
    assert value == pytest.approx(expected_value, abs=1e-4)
    require_equal(found, expected)


@pytest.mark.parametrize("architecture", ["llama", *rest("qwen2", "qwen3")])
def test_padding_does_not_matter(bases, examples, architecture):
    model = opened(bases[architecture])
    alone = [loss(model, batch, read_prefix(model, batch)) for batch in (collate([e], PAD, "cpu") for e in examples)]
    sum(alone).div(len(examples)).backward()
    expected = gradients(model)
    model.zero_grad()
    value, found = ours(model, examples)
    assert value == pytest.approx(sum(alone).item() / len(examples), abs=1e-4)
    require_equal(found, expected)


def test_tokens_without_weight_are_not_learned(bases, chat):
    def with_last(word):
        row = Row(messages=ROWS[0].messages, reply=(("so [", 0), ("right", 1), (word, 0)), ends=False)
        return ours(opened(bases["llama"]), [Encoder(chat, "activated")(row)])

    (value, found), (other_value, other) = with_last("] yes"), with_last("] no")
    assert value == pytest.approx(other_value, abs=1e-6)
    require_equal(found, other, 1e-6)


def test_packed_rows_do_not_see_each_other(bases, chat):
    examples = [Encoder(chat, "plain")(row) for row in ROWS[:3]]
    model = opened(bases["llama"], form="plain")
    values = []
    for packing in (False, True):
        batch = whole_rows(examples, packing)
        places = {key: batch[key] for key in ("attention_mask", "position_ids") if key in batch}
        logits = model(input_ids=batch["input_ids"], use_cache=False, **places).logits[:, :-1]
        losses = -logits.log_softmax(-1).gather(2, batch["input_ids"][:, 1:, None]).squeeze(2)
        values.append((losses * batch["weights"][:, 1:]).sum().item() / batch["rows"])
    assert values[0] == pytest.approx(values[1], abs=1e-4)


# Schedule


def test_every_row_is_read_once_per_epoch_in_fixed_batches(examples):
    plan = batches(examples, 3, 2, seed=1)
    first, second = plan[: len(plan) // 2], plan[len(plan) // 2 :]
    assert sorted(i for batch in first for i in batch) == list(range(len(examples)))
    assert sorted(first) == sorted(second) and first != second


def test_the_learning_rate_reaches_zero_at_the_last_step_or_at_the_time_limit():
    assert share_of_rate(0, 10, 5) == pytest.approx(0.2)
    assert share_of_rate(5, 10, 0) == pytest.approx(0.5)
    assert share_of_rate(10, 10, 0) == share_of_rate(3, 10, 0, time_share=1.2) == pytest.approx(0)
    assert share_of_rate(5, 10, 0, time_share=0.1) == share_of_rate(5, 10, 0)


def test_progress_shows_recent_means_and_at_most_the_time_that_is_left():
    steps = [Progress(n, 12, loss=n, examples=8, tokens=400, seconds=4.0, elapsed=4.0 * n) for n in (1, 2)]
    assert progress.losses(steps, None) == "loss 1.500, 2.00 examples/s, 100 tokens/s, 0:00:40 left"
    assert progress.losses(steps, 0.5).endswith("0:00:22 left")


# Runs


@pytest.mark.parametrize(
    ("architecture", "loop"),
    [("llama", "prefix"), *rest(("qwen2", "prefix"), ("qwen3", "prefix"), ("qwen3", "trl"))],
)
def test_a_run_learns_and_leaves_an_adapter_that_peft_opens_activated(bases, data, invocation, architecture, loop):
    base, seen = bases[architecture], []
    run = Run(recipe_of(base, data, epochs=3, loop=loop, dev=data), settings.load())
    summary = run.run(seen.append)
    assert summary["finished"] and summary["steps"] == len(seen) == 12
    assert sum(summary["losses"][-4:]) < 0.7 * sum(summary["losses"][:4])
    first, *_, last = summary["dev_losses"].values()
    assert last < first
    assert summary["learned"] == sum(w > 0 for e in run.training_set.examples for w in e.weights)

    adapter = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), run.adapter)
    assert adapter.peft_config["default"].alora_invocation_tokens == list(invocation)
    example = run.training_set.examples[0]
    with torch.no_grad():
        whole = adapter(input_ids=torch.tensor([[*example.prefix, *example.suffix]])).logits[0, len(example.prefix) :]
        plain = open_for_tuning(str(base), run.recipe.model_copy(update={"init": run.adapter}), "cpu")
        cache = read_prefix(plain, collate([example], PAD, "cpu"))
        split = plain(input_ids=torch.tensor([example.suffix]), past_key_values=DynamicCache(cache)).logits[0]
    torch.testing.assert_close(whole, split, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("loop", ["prefix", *rest("trl")])
def test_a_killed_run_resumes_and_ends_with_the_same_adapter(bases, data, tmp_path, loop):
    recipe = recipe_of(bases["llama"], data, epochs=2, loop=loop, keep_prefixes=True)
    undisturbed = Run(recipe, settings.load(home=tmp_path / "undisturbed"))
    expected = undisturbed.run()

    home = tmp_path / "disturbed"
    killed_after(5, recipe, home)
    steps = []
    run = Run(recipe, settings.load(home=home))
    (run.folder / "trl" / "checkpoint-6").mkdir(parents=True)  # killed while this one was written
    with (run.folder / "progress.jsonl").open("a") as file:
        file.write('{"step": 6, "st')
    summary = run.run(lambda progress: steps.append(progress.step))
    assert steps == [5, 6, 7, 8]  # from the checkpoint after the fourth step
    assert summary["losses"] == pytest.approx(expected["losses"], abs=1e-6)
    found, wanted = (load_file(r.adapter / "adapter_model.safetensors") for r in (run, undisturbed))
    assert all(torch.equal(found[name], wanted[name]) for name in wanted) and found.keys() == wanted.keys()


@pytest.mark.rest
def test_slow_runs_save_checkpoints_by_time(bases, data, monkeypatch):
    monkeypatch.setattr(prefix_loop, "AT_RISK", 0.0)
    run = Run(recipe_of(bases["llama"], data, epochs=2, save_every=100), settings.load())
    checkpoint, kept = run.folder / "checkpoint.pt", []
    run.run(lambda progress: kept.append(torch.load(checkpoint, weights_only=True)["done"]))
    assert kept == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.rest
def test_a_run_stopped_by_its_callback_is_saved_at_that_step(bases, data, tmp_path):
    recipe = recipe_of(bases["llama"], data, epochs=2, save_every=4)
    undisturbed = Run(recipe, settings.load(home=tmp_path / "undisturbed"))
    expected = undisturbed.run()

    class EnoughError(Exception):
        """Requests an end."""

    def stop_after_two(progress):
        if progress.step == 2:
            raise EnoughError

    home, steps = settings.load(home=tmp_path / "stopped"), []
    with pytest.raises(EnoughError):
        Run(recipe, home).run(stop_after_two)
    run = Run(recipe, home)
    summary = run.run(lambda progress: steps.append(progress.step))
    assert steps[0] == 3
    assert summary["losses"] == pytest.approx(expected["losses"], abs=1e-6)
    found, wanted = (load_file(r.adapter / "adapter_model.safetensors") for r in (run, undisturbed))
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_finished_run_is_not_repeated(bases, data):
    recipe, steps = recipe_of(bases["llama"], data), []
    summary = Run(recipe, settings.load()).run()
    assert Run(recipe, settings.load()).run(steps.append) == summary and not steps


@pytest.mark.rest
def test_a_run_stops_at_its_time_limit_and_resumes_with_a_longer_one(bases, data):
    recipe = recipe_of(bases["llama"], data, minutes=1e-6)
    summary = Run(recipe, settings.load()).run()
    assert summary["steps"] == 1 and not summary["finished"]
    summary = Run(recipe.model_copy(update={"minutes": 10}), settings.load()).run()
    assert summary["steps"] == 4 and summary["finished"]


def test_skipped_rows_are_counted(bases, tmp_path):
    long = Row(messages=({"role": "user", "content": "word " * 900},), reply=(("right", 1),))
    empty = Row(messages=({"role": "user", "content": "?"},), reply=(("right", 0),))
    write_rows(tmp_path / "rows.jsonl", [*ROWS[:2], long, empty])
    summary = Run(recipe_of(bases["llama"], tmp_path / "rows.jsonl"), settings.load()).run()
    assert (summary["rows"], summary["too_long"], summary["nothing_to_learn"]) == (2, 1, 1)
    write_rows(tmp_path / "rows.jsonl", [long])
    with pytest.raises(RecipeError, match="1 are longer than 768 tokens"):
        Run(recipe_of(bases["llama"], tmp_path / "rows.jsonl"), settings.load()).run()


def test_tuning_starts_from_the_named_adapter(bases, data, examples, tmp_path):
    first = opened(bases["llama"])
    save_adapter(first, tmp_path / "first", ())
    again = open_for_tuning(str(bases["llama"]), recipe_of(bases["llama"], init=tmp_path / "first"), "cpu")
    assert ours(again, examples)[0] == pytest.approx(ours(first, examples)[0], abs=1e-6)
    with pytest.raises(RecipeError, match="same base, rank and targets"):
        open_for_tuning(str(bases["llama"]), recipe_of(bases["llama"], init=tmp_path / "first", rank=8), "cpu")


def test_a_four_bit_base_is_tuned(bases, data, examples, tmp_path):
    pytest.importorskip("bitsandbytes")
    recipe = recipe_of(bases["qwen2"], four_bit=True, epochs=2)
    model = open_for_tuning(str(bases["qwen2"]), recipe, "cpu")
    kinds = {type(module).__name__ for module in model.modules()}
    assert "Linear4bit" in kinds
    losses = [progress.loss for progress in Tuning(model, examples, loss, recipe, tmp_path, PAD).run()]
    assert sum(losses[4:]) < sum(losses[:4])


@pytest.mark.rest
def test_evaluating_the_loss_does_not_change_the_gradients_of_a_four_bit_base(bases, examples, tmp_path):
    pytest.importorskip("bitsandbytes")
    model = open_for_tuning(str(bases["qwen2"]), recipe_of(bases["qwen2"], four_bit=True), "cpu")
    tuning = Tuning(model, examples, loss, recipe_of(bases["qwen2"], four_bit=True), tmp_path, PAD)
    batch = collate(examples[:4], PAD, "cpu")

    def gradients():
        model.train()
        loss(model, batch, read_prefix(model, batch)).backward()
        found = [parameter.grad.clone() for parameter in learned_parameters(model)]
        model.zero_grad()
        return found

    before = gradients()
    tuning.held_out(examples[:2])
    assert any(grad.abs().max() > 0 for grad in before)
    assert all(torch.equal(*pair) for pair in zip(before, gradients(), strict=True))


@pytest.mark.rest
def test_packing_does_not_change_the_training_of_a_plain_adapter(bases, data):
    losses = [
        Run(recipe_of(bases["llama"], data, loop="trl", form="plain", packing=packing), settings.load()).run()["losses"]
        for packing in (False, True)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


@pytest.mark.rest
def test_both_loops_have_the_same_loss(bases, data):
    all_at_once = [recipe_of(bases["llama"], data, loop=loop, batch=len(ROWS)) for loop in ("prefix", "trl")]
    ours, theirs = (Run(recipe, settings.load()).run()["losses"] for recipe in all_at_once)
    assert len(ours) == 1 and ours == pytest.approx(theirs, abs=1e-3)


# Recipes


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("base: a\nrole: critic\ndata: []\n", "data"),
        ("base: a\nrole: critic\ndata: [x]\nlerning_rate: 1\n", "lerning_rate"),
        ("base: a\nrole: critic\ndata: [x]\npacking: true\n", "packing needs form: plain"),
        ("- a\n", "not a recipe"),
        ("a: [", "not a recipe"),
    ],
)
def test_a_bad_recipe_is_refused_with_the_reason(tmp_path, text, named):
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(RecipeError, match=named):
        read_recipe(tmp_path / "recipe.yaml", tmp_path)


def test_paths_in_a_recipe_are_relative_to_the_data_folder(tmp_path):
    (tmp_path / "recipe.yaml").write_text("base: a\nrole: critic\ndata: [examples/critic.jsonl]\n")
    recipe = read_recipe(tmp_path / "recipe.yaml", tmp_path / "here", limit=5, minutes=None)
    assert recipe.data == (tmp_path / "here" / "examples" / "critic.jsonl",) and recipe.limit == 5
    with pytest.raises(RecipeError, match=r"critic\.jsonl cannot be read"):
        Run(recipe.model_copy(update={"base": "org/model"}), settings.load())


def test_a_recipe_of_an_earlier_release_is_read(tmp_path):
    (tmp_path / "recipe.yaml").write_text("base: a\nvoice: critic\ndata: [x]\nloop: prefixed\n")
    assert read_recipe(tmp_path / "recipe.yaml", tmp_path).loop == "prefix"
    assert read_recipe(tmp_path / "recipe.yaml", tmp_path).role == "critic"
    assert read_recipe(tmp_path / "recipe.yaml", tmp_path, role="actor").role == "actor"


def test_a_run_folder_keeps_the_name_of_earlier_releases(bases, data, tmp_path):
    chosen = settings.load().with_(home=tmp_path)
    fresh = Run(recipe_of(bases["llama"], data), chosen).folder
    assert fresh.parent == tmp_path / "adapters"
    (tmp_path / "voices").mkdir()
    assert Run(recipe_of(bases["llama"], data), chosen).folder == tmp_path / "voices" / fresh.name


@pytest.mark.parametrize("path", sorted((ROOT / "trainer" / "recipes" / "sft").glob("*.yaml")), ids=str)
def test_every_recipe_that_is_shipped_can_be_read(path):
    assert path.stem.startswith(read_recipe(path, Path()).role) and path.read_text().startswith("# ")
    assert json.dumps(read_recipe(path, Path()).model_dump(mode="json"))
