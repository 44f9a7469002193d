"""A verifier's training: the loss at the marks themselves, and the scores that the served adapter then gives."""

import json
import math
from contextlib import closing
from pathlib import Path

import pytest
import torch
from places import ROOT
from public_rows import MINOS, MINOS_OUTCOME, PRM800K, SHEPHERD
from safetensors.torch import load_file
from tables import rest
from tuning import PAD, gradients, killed_after, opened, recipe_of, require_equal
from typer.testing import CliRunner

from runtime import settings
from runtime.engines.hf import HfEngine
from runtime.engines.llamacpp import LlamaCppEngine
from runtime.problems.json_rows import RowError
from runtime.types import Message
from trainer.__main__ import app
from trainer.data.rows import Encoder, Row, ScoredRow, read_rows, write_rows
from trainer.training.modelling import collate, open_for_tuning, read_prefix
from trainer.training.recipe import RecipeError, read_recipe
from trainer.training.run import Run
from trainer.training.verifier import BalancedLoss, attempt_scores, log_odds
from trainer.weights.export import to_gguf_adapter

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]

RECIPES = sorted((ROOT / "trainer" / "recipes" / "verifier").glob("*.yaml"))
WORDS = ("right", "wrong")
PLAIN = BalancedLoss(1.0, 1.0)


def scored(number, *labels, outcome=None):
    """A turn whose steps say whether they are right, so that a verifier can learn it."""
    steps = [f"the {'good' if label else 'bad'} step number {place}" for place, label in enumerate(labels)]
    return ScoredRow(
        messages=({"role": "user", "content": "word " * number + "?"},),
        parts=tuple(f"]\n{step} [" if place else f"{step} [" for place, step in enumerate(steps)),
        words=WORDS,
        labels=labels,
        outcome=outcome,
    )


ROWS = [
    scored(1, 1, 0, None, outcome=0),
    scored(2, 1, outcome=1),
    scored(3, 0.25, 1, 0, outcome=0),
    scored(4, 0, outcome=0),
    scored(5, 1, 1, outcome=1),
    scored(6, 1, 0, outcome=1),
]


@pytest.fixture
def examples(chat):
    return [Encoder(chat, "activated")(row) for row in ROWS]


@pytest.fixture
def data(tmp_path):
    write_rows(tmp_path / "rows.jsonl", ROWS)
    return tmp_path / "rows.jsonl"


def verifier_of(base, data, **changes):
    return recipe_of(base, data, **{"role": "verifier", "objective": "prm", **changes})


def value_of(model, examples, loss=PLAIN):
    batch = collate(examples, PAD, "cpu")
    return loss(model, batch, read_prefix(model, batch))


def closed_form(model, examples, loss=PLAIN, shift=0):
    """The formula, from all logits of rows read whole and one at a time by peft's own activated adapter."""
    total = 0.0
    for example in examples:
        tokens = torch.tensor([[*example.prefix, *example.suffix]])
        logits = model(input_ids=tokens).logits[0]
        for mark, label in zip(example.marks, example.labels, strict=True):
            right, wrong = logits[len(example.prefix) + mark + shift, list(example.words)].log_softmax(0)
            total -= loss.right * label * right + loss.wrong * (1 - label) * wrong
    return total / len(examples)


# Rows


def test_a_scored_row_has_the_tokens_that_the_engines_read(chat):
    example = Encoder(chat, "activated")(ROWS[0])
    tokens, ends = chat.prompt_tokens([*ROWS[0].messages, Message(role="assistant", content="")]), []
    for part in ROWS[0].parts:  # as `choice_logprobs` joins them
        tokens += chat.plain_tokens(part)
        ends.append(len(tokens) - 1)
    assert [*example.prefix, *example.suffix] == tokens
    assert [len(example.prefix) + mark for mark in example.marks] == ends[:2]  # the third label is ignored
    assert example.labels == (1, 0) and example.learned == 2
    assert [chat.tokenizer.decode([example.suffix[mark]]) for mark in example.marks] == [" ["] * 2
    assert example.words == tuple(chat.plain_tokens(word)[0] for word in WORDS)


def test_one_reader_recognises_written_and_scored_turns(tmp_path):
    written = Row(messages=ROWS[0].messages, reply=(("so it is", 1),))
    write_rows(tmp_path / "rows.jsonl", [written, ROWS[0]])
    assert list(read_rows(tmp_path / "rows.jsonl")) == [written, ROWS[0]]
    bad = {**ROWS[0].model_dump(), "labels": [1, 0]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(bad))
    with pytest.raises(RowError, match="2 labels of 3 parts"):
        list(read_rows(tmp_path / "rows.jsonl"))


def test_an_ignored_label_stays_ignored_in_a_file(data):
    assert next(row.labels for row in read_rows(data)) == (1, 0, None)


def test_words_with_the_same_first_token_are_refused(chat):
    with pytest.raises(ValueError, match="the same token"):
        Encoder(chat, "activated")(ROWS[0].model_copy(update={"words": ("right", "right")}))


# The loss


@pytest.mark.parametrize("architecture", ["llama", *rest("qwen2", "qwen3")])
def test_the_loss_and_its_gradients_are_those_of_the_closed_form(bases, chat, examples, architecture):
    invocation, loss = Encoder(chat, "activated").invocation, BalancedLoss(0.5, 3.0)
    model, whole = opened(bases[architecture]), opened(bases[architecture], invocation)
    value, expected = value_of(model, examples, loss), closed_form(whole, examples, loss)
    assert value.item() == pytest.approx(expected.item(), abs=1e-4)
    value.backward()
    expected.backward()
    require_equal(gradients(model), gradients(whole))


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_label_at_the_neighbouring_token_is_another_loss(bases, chat, examples, shift):
    # A causal loss would put the labels of the marks to the logits of the tokens before them.
    inner = [e for e in examples if max(e.marks) < len(e.suffix) - 1] if shift > 0 else examples
    whole = opened(bases["llama"], Encoder(chat, "activated").invocation)
    value = value_of(opened(bases["llama"]), inner).item()
    assert value == pytest.approx(closed_form(whole, inner).item(), abs=1e-4)
    assert abs(value - closed_form(whole, inner, shift=shift).item()) > 0.01


def test_ignored_labels_change_nothing(bases, chat):
    def learned(*labels):
        model = opened(bases["llama"])
        parts = tuple(f"step {place} [" for place in range(3))
        row = ScoredRow(messages=ROWS[0].messages, parts=parts, words=WORDS, labels=labels)
        value = value_of(model, [Encoder(chat, "activated")(row)])
        value.backward()
        return value.item(), gradients(model)

    (first, some), (second, others), (all_three, _) = learned(1, None, 0), learned(None, 1, None), learned(1, 1, 0)
    assert first + second == pytest.approx(all_three, abs=1e-5)
    assert some.keys() == others.keys()


@pytest.mark.parametrize("architecture", ["llama", *rest("qwen2", "qwen3")])
def test_padding_does_not_matter(bases, examples, architecture):
    model = opened(bases[architecture])
    alone = sum(value_of(model, [example]) for example in examples) / len(examples)
    alone.backward()
    expected = gradients(model)
    model.zero_grad()
    value = value_of(model, examples)
    value.backward()
    assert value.item() == pytest.approx(alone.item(), abs=1e-4)
    require_equal(gradients(model), expected)


def test_both_classes_count_the_same_and_guessing_costs_log_two(chat, examples):
    loss = BalancedLoss.of(examples)
    labels = [label for example in examples for label in example.labels]
    masses = loss.right * sum(labels), loss.wrong * sum(1 - label for label in labels)
    assert masses[0] == masses[1] == pytest.approx(len(examples) / 2)
    guessing = sum(masses) * math.log(2) / len(examples)
    assert guessing == pytest.approx(math.log(2))
    with pytest.raises(RecipeError, match="All 2 labels are the same"):
        BalancedLoss.of([Encoder(chat, "activated")(scored(1, 1, 1))])


# Runs


@pytest.mark.parametrize("objective", ["prm", *rest("orm")])
def test_a_trained_verifier_scores_what_it_learned_where_it_is_served(tiny, data, tmp_path, objective):
    run = Run(verifier_of(tiny.hf, data, objective=objective, epochs=12), settings.load())
    summary = run.run()
    assert summary["learned"] == (11 if objective == "prm" else 6)
    assert sum(summary["losses"][-3:]) < 0.5 * sum(summary["losses"][:3])

    trained = open_for_tuning(str(tiny.hf), run.recipe.model_copy(update={"init": run.adapter}), "cpu")
    batch = collate(run.training_set.examples, PAD, "cpu")
    with torch.no_grad():
        ours = log_odds(trained, batch, read_prefix(trained, batch)).tolist()
    to_gguf_adapter(run.adapter, tmp_path / "verifier.gguf", tiny.gguf, type="f32")
    engines = (
        HfEngine(tiny.hf, adapters={"verifier": run.adapter}, dtype="float32"),
        LlamaCppEngine(tiny.gguf, 1024, threads=1, adapters={"verifier": tmp_path / "verifier.gguf"}),
    )
    for engine in engines:
        with closing(engine):
            rows = [engine.choice_logprobs(row.messages, row.parts, WORDS, "verifier") for row in ROWS]
        odds = [[right - wrong for right, wrong in row] for row in rows]
        if objective == "orm":
            learned = [(row[-1], source.outcome) for row, source in zip(odds, ROWS, strict=True)]
        else:
            pairs = (zip(row, source.labels, strict=True) for row, source in zip(odds, ROWS, strict=True))
            learned = [pair for row in pairs for pair in row if pair[1] is not None]
        assert [one for one, _ in learned] == pytest.approx(ours, abs=5e-3), engine.name
        assert all((one > 0) == (label > 0.5) for one, label in learned), engine.name


@pytest.mark.rest
@pytest.mark.parametrize("objective", ["orm", *rest("prm")])
def test_the_outcomes_of_the_validation_attempts_are_predicted_at_every_checkpoint(tiny, data, tmp_path, objective):
    recipe = verifier_of(tiny.hf, data, objective=objective, epochs=12, dev=data)
    summary = Run(recipe, settings.load()).run()
    assert summary["meta_evaluation"].keys() == summary["dev_losses"].keys()
    last = list(summary["meta_evaluation"].values())[-1]
    assert last["n"] == len(ROWS)
    if objective == "orm":
        assert last["accuracy"] == last["macro_f1"] == last["auc"] == 1.0


def test_an_attempts_score_is_that_of_its_worst_step(bases, chat):
    model, rows = opened(bases["llama"]), [scored(1, 1, 0, 1, outcome=0), scored(2, 1, outcome=1)]
    examples = [Encoder(chat, "activated")(row) for row in rows]
    scores = attempt_scores(model, examples, 1, PAD)
    batch = collate(examples, PAD, "cpu")
    with torch.no_grad():
        odds = log_odds(model, batch, read_prefix(model, batch)).sigmoid().tolist()
    assert scores == pytest.approx([min(odds[:3]), odds[3]], abs=1e-5)


@pytest.mark.rest
def test_a_killed_run_resumes_and_ends_with_the_same_adapter(tiny, data, tmp_path):
    recipe = verifier_of(tiny.hf, data, epochs=3)
    undisturbed = Run(recipe, settings.load(home=tmp_path / "undisturbed"))
    expected = undisturbed.run()
    home = tmp_path / "disturbed"
    killed_after(5, recipe, home)
    run, steps = Run(recipe, settings.load(home=home)), []
    summary = run.run(lambda progress: steps.append(progress.step))
    assert steps == [5, 6, 7, 8, 9]
    assert summary["losses"] == pytest.approx(expected["losses"], abs=1e-6)
    found, wanted = (load_file(r.adapter / "adapter_model.safetensors") for r in (run, undisturbed))
    assert found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_objectives_are_different_runs_and_refuse_each_others_rows(tiny, data, tmp_path):
    prm, orm = (Run(verifier_of(tiny.hf, data, objective=name), settings.load()) for name in ("prm", "orm"))
    assert prm.folder != orm.folder
    with pytest.raises(RowError, match=r"Row 1 of .*scored turn, which objective: prm or orm"):
        Run(recipe_of(tiny.hf, data), settings.load()).run()
    write_rows(tmp_path / "written.jsonl", [Row(messages=ROWS[0].messages, reply=(("so", 1),))])
    with pytest.raises(RowError, match="turn to write, and objective: prm"):
        Run(verifier_of(tiny.hf, tmp_path / "written.jsonl"), settings.load()).run()


# Recipes


@pytest.mark.parametrize("path", [RECIPES[0], *rest(*RECIPES[1:])], ids=lambda path: path.stem)
def test_every_recipe_makes_two_steps_on_a_tiny_model_of_its_architecture(bases, data, path):
    name = read_recipe(path, data.parent).base.lower()
    architecture = "qwen3" if "qwen3" in name else "qwen2" if "qwen" in name else "llama"
    for file in ("verifier.jsonl", "verifier-dev.jsonl"):
        write_rows(data.parent / file, ROWS)
    read = read_recipe(path, data.parent, base=str(bases[architecture]), batch=3, dtype="float32")
    assert (read.role, read.objective) == ("verifier", "prm") and path.read_text().startswith("# ")
    summary = Run(read, settings.load()).run()
    assert summary["steps"] == 2 and all(map(math.isfinite, summary["losses"]))


@pytest.mark.rest
def test_a_verifier_starts_from_an_adapter_that_wrote_evaluations(tiny, data, tmp_path):
    write_rows(tmp_path / "written.jsonl", [Row(messages=ROWS[0].messages, reply=(("so it is", 1),))])
    first = Run(recipe_of(tiny.hf, tmp_path / "written.jsonl"), settings.load()).run()
    path = tmp_path / "recipe.yaml"
    path.write_text(f"base: {tiny.hf}\nrole: verifier\nobjective: prm\ndata: [rows.jsonl]\nrank: 4\ndtype: float32\n")
    plain, minos = (read_recipe(path, tmp_path, init=init) for init in (None, first["adapter"]))
    losses = [Run(recipe, settings.load()).run()["losses"] for recipe in (plain, minos)]
    assert losses[0] != losses[1]


PUBLIC = (SHEPHERD, PRM800K, MINOS, MINOS_OUTCOME)


@pytest.mark.rest
def test_public_labels_become_an_adapter_by_command(tiny, tmp_path):
    (tmp_path / "public.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PUBLIC))
    (tmp_path / "recipe.yaml").write_text(
        f"base: {tiny.hf}\nrole: verifier\nobjective: prm\ndata: [verifier.jsonl]\nrank: 4\nbatch: 2\ndtype: float32\n"
    )
    making = ["verifier-examples", "--generated", "0", "--labelled", f"{tmp_path}/public.jsonl", "--out", str(tmp_path)]
    training = ["verifier", f"{tmp_path}/recipe.yaml", "--data", str(tmp_path), "--objective", "orm", "--json"]
    made, trained = (CliRunner().invoke(app, command) for command in (making, training))
    assert (made.exit_code, trained.exit_code) == (0, 0), made.output + trained.output
    summary = json.loads(trained.stdout)
    assert (summary["rows"], summary["learned"], summary["steps"]) == (5, 5, 3)
    assert summary["recipe"]["objective"] == "orm"
    to_gguf_adapter(Path(summary["adapter"]), tmp_path / "verifier.gguf", tiny.gguf, type="q8_0")
    with closing(
        LlamaCppEngine(tiny.gguf, 512, threads=1, adapters={"verifier": tmp_path / "verifier.gguf"})
    ) as engine:
        assert len(engine.choice_logprobs(ROWS[0].messages, ROWS[0].parts, WORDS, "verifier")) == 3


def test_a_verifier_is_not_trained_by_the_other_loop(tiny):
    with pytest.raises(ValueError, match="objective: orm needs loop: prefix"):
        verifier_of(tiny.hf, "rows.jsonl", objective="orm", loop="trl")
