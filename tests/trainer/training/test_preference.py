"""Preference training: the loss of Step-DPO and DPO, its reference, what of a pair is learned, and runs."""

import json
import math
from contextlib import closing
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from places import ROOT
from safetensors.torch import load_file
from tables import rest
from torch.nn.functional import logsigmoid
from tuning import PAD, gradients, killed_after, opened, recipe_of, require_equal
from typer.testing import CliRunner

from runtime import settings
from runtime.engines.hf import HfEngine
from runtime.engines.hf.loading import load_tokenizer
from runtime.engines.llamacpp import LlamaCppEngine
from runtime.problems.json_rows import RowError
from runtime.types import Message
from trainer.__main__ import app
from trainer.data.examples.preference import read_pairs
from trainer.data.rows import Encoder, PairRow
from trainer.runs import ResultFile
from trainer.training import preference
from trainer.training.modelling import collate, open_for_tuning, read_prefix, save_adapter
from trainer.training.preference import PreferenceLoss, judged, log_probabilities, with_references
from trainer.training.recipe import read_recipe
from trainer.training.run import Run
from trainer.weights.export import to_gguf_adapter

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]

RECIPES = sorted((ROOT / "trainer" / "recipes" / "preference").glob("*.yaml"))
LOSS = PreferenceLoss(0.5)


def asked(number):
    return ({"role": "user", "content": "word " * number + "?"},)


ROWS = [
    PairRow(messages=asked(1), begun="3 pens cost 12.\n", chosen="12 and 2 are 14.\n", rejected="12 and 2 are 13\n"),
    PairRow(messages=asked(4), chosen="one good step\n", rejected="a bad step, which is longer\n"),
    PairRow(messages=asked(2), begun="a\nb\n", chosen="The answer is 9.", rejected="so\n", ends=(True, False)),
    PairRow(messages=asked(3), begun="a\n", chosen="b\nc\nThe answer is 9.", rejected="d", ends=(True, True)),
]


def public(number, good="good", bad="bad"):
    """A row of the public set, whose words say which step is right."""
    return {
        "dataset": "own", "prompt": "word " * number + "?", "answer": "9",
        "initial_reason_steps": "Let's think step by step.\nStep 1: We begin.\nStep 2:",
        "chosen": f"a {good} step", "rejected": f"a {bad} step",
        "full_chosen": f"a {good} step\nStep 3: The answer is 9.",
        "full_rejected": f"a {bad} step\nStep 3: The answer is 8.",
    }  # fmt: skip


@pytest.fixture
def examples(chat):
    return [Encoder(chat, "activated")(row) for row in ROWS]


@pytest.fixture
def data(tmp_path):
    """A file of pairs."""
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(public(number)) + "\n" for number in range(1, 7)))
    return path


def preferring(base, data, **changes):
    return recipe_of(base, data, **{"role": "actor", "objective": "preference", **changes})


def compared(model, examples, change=0.05, loss=LOSS, tmp=None):
    """The loss after the adapter was changed, with its state before as the reference."""
    recipe = recipe_of("unused", batch=len(examples))
    known = with_references(model, examples, recipe, ResultFile(tmp, str(id(model)), {}), PAD)
    shake(model, change)
    batch = collate(known, PAD, "cpu")
    value = loss(model, batch, read_prefix(model, batch))
    value.backward()
    return value.item(), gradients(model)


@torch.no_grad()
def shake(model, change):
    generator = torch.Generator().manual_seed(2)
    for name, weight in model.named_parameters():
        if "lora_A.default" in name:
            weight += change * torch.randn(weight.shape, generator=generator)


def whole_log_probabilities(model, example):
    """Of both ways, each read as a row of its own by peft's own adapter."""
    shared, chosen = example.suffix[: example.shared], example.suffix[example.shared :][: example.chosen]
    for way in (chosen, example.suffix[example.shared + example.chosen :]):
        tokens = torch.tensor([[*example.prefix, *shared, *way]])
        scores = model(input_ids=tokens).logits[0, :-1].log_softmax(-1).gather(1, tokens[0, 1:, None])
        yield scores[-len(way) :].sum()


# Tokens


def test_a_pair_has_the_tokens_that_the_engines_read(chat):
    encoder = Encoder(chat, "activated")
    example = encoder(ROWS[0])
    shared = [*example.prefix, *example.suffix[: example.shared]]
    chosen, rejected = example.suffix[example.shared :][: example.chosen], example.suffix[-example.rejected :]
    for text, way in ((ROWS[0].chosen, chosen), (ROWS[0].rejected, rejected)):
        said = Message(role="assistant", content=ROWS[0].begun + text)
        assert [*shared, *way] == chat.prompt_tokens([*ROWS[0].messages, said])
        assert chat.tokenizer.decode(list(way)) == text
    assert example.suffix[: len(encoder.invocation)] == encoder.invocation


def test_tokens_that_merge_with_the_beginning_belong_to_both_ways(chat):
    row = PairRow(messages=asked(1), begun="The pen", chosen="cil is here", rejected="alty is here")
    example = Encoder(chat, "activated")(row)
    said = chat.prompt_tokens([*row.messages, Message(role="assistant", content="The pencil is here")])
    chosen = example.suffix[example.shared :][: example.chosen]
    assert [*example.prefix, *example.suffix[: example.shared], *chosen] == said
    assert chat.tokenizer.decode(list(chosen)) == " pencil is here"


def test_the_end_is_compared_only_after_the_last_line(chat, examples):
    ends = [[way[-1] == chat.end for way in ways_of(example)] for example in examples]
    assert ends == [list(row.ends) for row in ROWS]
    assert all(chat.end not in way[:-1] for example in examples for way in ways_of(example))


def ways_of(example):
    first = example.shared + example.chosen
    return example.suffix[example.shared : first], example.suffix[first:]


# The loss


@pytest.mark.parametrize("architecture", ["llama", *rest("qwen2", "qwen3")])
@pytest.mark.parametrize("normalised", [False, *rest(True)])
def test_the_loss_and_its_gradients_are_those_of_the_closed_form(
    bases, chat, examples, architecture, normalised, tmp_path
):
    loss = PreferenceLoss(0.5, normalised)
    value, found = compared(opened(bases[architecture]), examples, loss=loss, tmp=tmp_path)
    whole, total = opened(bases[architecture], Encoder(chat, "activated").invocation), 0.0
    with torch.no_grad():
        before = [list(whole_log_probabilities(whole, example)) for example in examples]
    shake(whole, 0.05)
    for example, (chosen_before, rejected_before) in zip(examples, before, strict=True):
        chosen, rejected = whole_log_probabilities(whole, example)
        counts = (example.chosen, example.rejected) if normalised else (1, 1)
        margin = (chosen - chosen_before) / counts[0] - (rejected - rejected_before) / counts[1]
        total -= logsigmoid(0.5 * margin) / len(examples)
    total.backward()
    assert value == pytest.approx(total.item(), abs=1e-4) and abs(value - math.log(2)) > 0.01
    require_equal(found, gradients(whole), 2e-5)


@pytest.mark.parametrize("architecture", ["llama", *rest("qwen2", "qwen3")])
def test_padding_and_the_other_way_do_not_matter(bases, chat, examples, architecture):
    model = opened(bases[architecture])
    other = [Encoder(chat, "activated")(row.model_copy(update={"rejected": "else"})) for row in ROWS]
    with torch.no_grad():
        together, beside = (
            log_probabilities(model, batch, read_prefix(model, batch))
            for batch in (collate(rows, PAD, "cpu") for rows in (examples, other))
        )
        alone = [
            log_probabilities(model, batch, read_prefix(model, batch))[0]
            for batch in (collate([example], PAD, "cpu") for example in examples)
        ]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(together[:, 0], beside[:, 0], atol=1e-4, rtol=1e-5)
    assert (together[:, 1] - beside[:, 1]).abs().min() > 0.1


def test_a_beginning_that_both_ways_share_cancels(bases, chat, tmp_path):
    # DPO on whole solutions that share their first steps is DPO on what follows them.
    begun = ROWS[0].begun
    whole = ROWS[0].model_copy(
        update={"begun": "", "chosen": begun + ROWS[0].chosen, "rejected": begun + ROWS[0].rejected}
    )
    (value, found), (expected, wanted) = (
        compared(opened(bases["llama"]), [Encoder(chat, "activated")(row)], tmp=tmp_path) for row in (ROWS[0], whole)
    )
    assert value == pytest.approx(expected, abs=1e-4) and abs(value - math.log(2)) > 0.01
    require_equal(found, wanted, 2e-5)


def test_the_loss_is_that_of_trl_on_the_same_rows(bases, chat, tmp_path):
    from trl import DPOConfig, DPOTrainer

    rows = [row.model_copy(update={"ends": (True, True)}) for row in ROWS]
    encoder = Encoder(chat, "plain")
    value, found = compared(opened(bases["llama"], form="plain"), list(map(encoder, rows)), 0.05, LOSS, tmp_path)

    def prompt(row):
        said = Message(role="assistant", content=row.begun)
        return chat.tokenizer.decode(chat.prompt_tokens([*row.messages, said]), skip_special_tokens=False)

    columns = [{"prompt": prompt(row), "chosen": row.chosen, "rejected": row.rejected} for row in rows]
    arguments = DPOConfig(
        output_dir=str(tmp_path), beta=LOSS.beta, per_device_train_batch_size=len(rows), use_cpu=True, bf16=False,
        gradient_checkpointing=False, report_to="none", disable_tqdm=True, max_length=None,
    )  # fmt: skip
    trainer = DPOTrainer(
        model=opened(bases["llama"], form="plain"), args=arguments, train_dataset=Dataset.from_list(columns),
        processing_class=load_tokenizer(bases["llama"]),
    )  # fmt: skip
    shake(trainer.model, 0.05)
    batch = trainer.data_collator(list(trainer.train_dataset))
    theirs = trainer.compute_loss(trainer.model, batch)
    theirs.backward()
    assert value == pytest.approx(theirs.item(), abs=1e-4) and abs(value - math.log(2)) > 0.01
    wanted = {name: grad for name, grad in gradients(trainer.model).items() if ".ref." not in name}
    require_equal(found, wanted, 2e-5)


def test_at_the_start_nothing_is_preferred_whatever_the_adapter_is(bases, examples, tmp_path):
    value, _ = compared(opened(bases["llama"], noise=0.3), examples, change=0.0, tmp=tmp_path)
    assert value == pytest.approx(math.log(2), abs=1e-6)


def test_a_loss_without_reference_is_refused(bases, examples):
    model, batch = opened(bases["llama"]), collate(examples, PAD, "cpu")
    with pytest.raises(ValueError, match="the reference are missing"):
        LOSS(model, batch, read_prefix(model, batch))


def test_the_reference_is_computed_once_and_a_truncated_line_again(bases, examples, tmp_path, monkeypatch):
    model, recipe = opened(bases["llama"]), recipe_of("unused")

    def referred():
        return with_references(model, examples, recipe, ResultFile(tmp_path, "reference", {}), PAD)

    expected = referred()
    [file] = tmp_path.glob("reference-*/results.jsonl")
    lines = file.read_text()
    file.write_text(lines[: lines.index("\n") + 5])
    calls = []
    real = preference.log_probabilities
    monkeypatch.setattr(preference, "log_probabilities", lambda *given: calls.append(1) or real(*given))
    assert referred() == expected
    assert len(calls) == 1 and file.read_text() == lines
    shake(model, 0.3)
    assert referred() == expected and len(calls) == 1


# Runs


def reference_of(run):
    """The stored log-probabilities of a run's examples."""
    [file] = run.folder.glob("reference-*/results.jsonl")
    return file.read_bytes()


def test_a_run_prefers_the_chosen_steps_and_says_how_it_judges_others(tiny, data, tmp_path):
    dev = tmp_path / "dev.jsonl"
    dev.write_text("".join(json.dumps(public(number)) + "\n" for number in (7, 8)))
    run = Run(preferring(tiny.hf, data, epochs=6, dev=dev), settings.load())
    summary = run.run()
    assert summary["rows"] == 6 and summary["losses"][0] == pytest.approx(math.log(2), abs=1e-3)
    assert sum(summary["losses"][-3:]) < 0.5 * sum(summary["losses"][:3])
    assert list(summary["judging"]) == list(summary["dev_losses"])
    first, *_, last = summary["judging"].values()
    assert last["accuracy"] == 1 and last["n"] == 2 and last["margin"] > first["margin"]
    assert Path(summary["plot"]).read_bytes().startswith(b"\x89PNG")

    # The exported adapter prefers them where it is served.
    to_gguf_adapter(run.adapter, tmp_path / "actor.gguf", tiny.gguf, type="f32")
    engines = (
        HfEngine(tiny.hf, adapters={"actor": run.adapter}, dtype="float32"),
        LlamaCppEngine(tiny.gguf, 1024, threads=1, adapters={"actor": tmp_path / "actor.gguf"}),
    )
    row = next(iter(read_pairs(data, "step")))
    for engine in engines:
        with closing(engine):
            choices, parts = (" good", " bad"), [row.begun + "a"]
            before, after = (
                good - bad
                for [[good, bad]] in (
                    engine.choice_logprobs(row.messages, parts, choices, name) for name in (None, "actor")
                )
            )
        assert after > before + 1, engine.name


@pytest.mark.rest
def test_no_end_is_learned_in_the_middle_of_a_solution(tiny, chat, data):
    def change_of_end(file):
        """How many times as probable the end of the turn is after the chosen step of the first row."""
        row = next(iter(read_pairs(file, "step")))
        said = [*row.messages, Message(role="assistant", content=row.begun + row.chosen)]
        run = Run(preferring(tiny.hf, file, epochs=6), settings.load())
        run.run()
        shares = []
        for init in (None, run.adapter):
            recipe = preferring(tiny.hf, file, init=init)
            model = open_for_tuning(str(tiny.hf), recipe, "cpu", Encoder(chat, "activated").invocation)
            with torch.no_grad():
                scores = model(input_ids=torch.tensor([chat.prompt_tokens(said)])).logits[0, -1]
            shares.append(scores.softmax(-1)[chat.end].item())
        return shares[1] / shares[0], any(chat.end in example.suffix for example in run.training_set.examples)

    grown, is_compared = change_of_end(data)
    assert grown < 2 and not is_compared
    # As the last step, of which the end is a part, it is learned with its end.
    last = data.with_name("last.jsonl")
    step = "a good step, so the answer is 9"
    rows = [{**public(number), "chosen": step, "full_chosen": step} for number in range(1, 7)]
    last.write_text("".join(json.dumps(row) + "\n" for row in rows))
    grown, is_compared = change_of_end(last)
    assert grown > 10 and is_compared


@pytest.mark.rest
def test_a_killed_run_resumes_and_ends_with_the_same_adapter(tiny, data, tmp_path):
    recipe = preferring(tiny.hf, data, epochs=3, dev=data)
    undisturbed = Run(recipe, settings.load(home=tmp_path / "undisturbed"))
    expected = undisturbed.run()
    home = tmp_path / "disturbed"
    killed_after(5, recipe, home)
    run, steps = Run(recipe, settings.load(home=home)), []
    reference = reference_of(run)
    summary = run.run(lambda progress: steps.append(progress.step))
    assert steps == [5, 6, 7, 8, 9]
    assert reference_of(run) == reference
    assert summary["losses"] == pytest.approx(expected["losses"], abs=1e-6)
    assert summary["judging"] == expected["judging"]
    found, wanted = (load_file(r.adapter / "adapter_model.safetensors") for r in (run, undisturbed))
    assert found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.rest
def test_a_run_starts_from_the_named_adapter_and_is_held_to_it(tiny, data, tmp_path):
    save_adapter(opened(tiny.hf, noise=0.3), tmp_path / "first", ())
    recipe = preferring(tiny.hf, data, init=tmp_path / "first")
    first = Run(recipe, settings.load())
    assert first.run()["losses"][0] == pytest.approx(math.log(2), abs=1e-3)
    bare = Run(preferring(tiny.hf, data), settings.load())
    bare.run()
    assert reference_of(first) != reference_of(bare)


def test_what_is_compared_names_the_run_and_only_of_preference_training(tiny, data):
    def folder(**changes):
        return Run(preferring(tiny.hf, data, **changes), settings.load()).folder.name

    assert len({folder(), folder(kind="full"), folder(beta=0.1), folder(length_normalised=True)}) == 4
    assert folder(objective="sft") == folder(objective="sft", kind="full", beta=0.1)


def test_a_kind_that_no_pair_of_a_file_has_is_refused(tiny, data):
    for kind in ("independent", "foreign"):
        with pytest.raises(RowError, match=f"no pairs of the kind {kind}"):
            Run(preferring(tiny.hf, data, kind=kind), settings.load()).run()


def test_judging_counts_the_pairs_whose_chosen_way_gained_more(bases, examples, tmp_path):
    model, recipe = opened(bases["llama"]), recipe_of("unused")
    known = with_references(model, examples, recipe, ResultFile(tmp_path, "reference", {}), PAD)
    assert judged(model, LOSS, known, 2, PAD)["margin"] == pytest.approx(0, abs=1e-5)
    shake(model, 0.3)
    batch = collate(known, PAD, "cpu")
    with torch.no_grad():
        margins = LOSS.margins(model, batch, read_prefix(model, batch)).tolist()
    found = judged(model, LOSS, known, 2, PAD)
    assert found["accuracy"] == sum(margin > 0 for margin in margins) / 4
    assert found["margin"] == pytest.approx(sum(margins) / 4, abs=1e-4)


@pytest.mark.parametrize("path", [RECIPES[0], *rest(*RECIPES[1:])], ids=lambda path: path.stem)
def test_every_recipe_makes_two_steps_on_a_tiny_model_of_its_architecture(bases, data, path):
    name = read_recipe(path, data.parent).base.lower()
    architecture = "qwen3" if "qwen3" in name else "qwen2" if "qwen" in name else "llama"
    data.with_name("pairs-dev.jsonl").write_text(json.dumps(public(9)) + "\n")
    read = read_recipe(path, data.parent, base=str(bases[architecture]), batch=3, epochs=1, dtype="float32")
    assert (read.role, read.objective, read.kind) == ("actor", "preference", "step")
    assert path.read_text().startswith("# ")
    summary = Run(read, settings.load()).run()
    assert summary["steps"] == 2 and all(map(math.isfinite, summary["losses"]))


@pytest.mark.rest
def test_public_pairs_become_an_adapter_by_command(tiny, data, tmp_path):
    (tmp_path / "recipe.yaml").write_text(
        f"base: {tiny.hf}\nrole: actor\nobjective: preference\ndata: [pairs.jsonl]\nrank: 4\nbatch: 3\ndtype: float32\n"
    )
    training = ["preference", f"{tmp_path}/recipe.yaml", "--data", str(tmp_path), "--kind", "full", "--beta", "0.1"]
    done = CliRunner().invoke(app, [*training, "--length-normalised", "--json"])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["steps"]) == (6, 2)
    recipe = summary["recipe"]
    assert (recipe["kind"], recipe["beta"], recipe["length_normalised"]) == ("full", 0.1, True)
    out = tmp_path / "actor.gguf"
    to_gguf_adapter(Path(summary["adapter"]), out, tiny.gguf, type="q8_0")
    with closing(LlamaCppEngine(tiny.gguf, 512, threads=1, adapters={"actor": out})) as engine:
        assert engine.choice_logprobs(asked(1), ["a"], ("b", "c"), "actor")
    refused = CliRunner().invoke(app, [*training, "--kind", "half"])
    assert refused.exit_code and "kinds are step, full, independent, foreign" in refused.output.replace("\n", " ")
