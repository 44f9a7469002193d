"""Pretraining an actor: trees of conversations, the rates of errors in what is read, and a run that resumes."""

import random
import re
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from runtime import engines, settings
from runtime.engines.hf.chat import Chat
from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.text import split_steps
from trainer.data.rows import Encoder
from trainer.reproductions.ground import pretraining
from trainer.reproductions.ground.attempts import MIXTURE
from trainer.reproductions.ground.diagnosis import diagnose
from trainer.reproductions.ground.pretraining import PLANS, Lessons, Plan, begun, learn_tokenizer, pretrain, untaught
from trainer.reproductions.ground.problems import level_of, stream
from trainer.reproductions.ground.setting import fitness_of
from trainer.reproductions.ground.texts import lesson
from trainer.reproductions.ground.trees import Tree, batch, loss

PLAN = Plan("2m", blocks=24, width=64, layers=1, heads=2, hidden=96, vocabulary=400, words_from=20, block=96, batch=4)


@pytest.fixture(scope="module")
def tokenizer():
    return learn_tokenizer(PLAN)


def lessons(count):
    rng = random.Random(0)
    return [(worked, lesson(worked, rng)) for worked in islice(stream(2), count)]


@pytest.mark.rest
def test_what_is_read_errs_as_often_as_planned():
    """The first line of every first attempt: wrong with the probability of its level."""
    wrong, seen = Counter(), Counter()
    for worked, rows in lessons(160):
        for row in rows:
            if len(row.messages) == 2 and row.messages == tuple(conversation(worked.problem)):
                found = diagnose(worked, split_steps(row.reply[0][0]))
                seen[level_of(worked)] += 1
                wrong[level_of(worked)] += found is not None and found.place == 0
    shares = [wrong[level] / seen[level] for level in range(5)]
    # A forgotten second step leaves a wrong first line too.
    assert all(rate - 0.15 < share < rate + 0.2 for rate, share in zip(MIXTURE.rates, shares, strict=True))


def test_half_of_the_conversations_are_attempts_with_critiques_and_rewrites():
    kinds = Counter(len(row.messages) for _, rows in lessons(60) for row in rows)
    assert kinds[4] / kinds.total() == pytest.approx(0.45, abs=0.08)
    requests = [row.messages[3]["content"] for _, rows in lessons(60) for row in rows if len(row.messages) == 4]
    asked = Counter(request.partition("\n")[0].split("Step")[0] for request in requests)
    known = (templates.template(name).partition("\n")[0].split("Step")[0] for name in ("refine", "again", "accepted"))
    assert set(asked) == set(known)


def test_a_tree_is_read_like_its_conversations_one_by_one(tokenizer):
    torch.manual_seed(0)
    model, encode = untaught(PLAN, tokenizer), Encoder(Chat(tokenizer, "tiny"), "plain")
    examples = [encode(row) for row in lessons(1)[0][1]]
    tree, total, weight = Tree(), 0.0, 0.0
    for example in [*examples, examples[0]]:  # the same conversation twice counts twice
        tree.add(example)
        ids = torch.tensor([[*example.prefix, *example.suffix]])
        found = model(input_ids=ids).logits.log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
        weights = torch.tensor([*[0.0] * len(example.prefix), *example.weights])[1:]
        total, weight = total - (found * weights).sum().item(), weight + weights.sum().item()
    inputs = batch([tree, Tree([1, 2], [-1, 0], [0.0, 0.0])], tokenizer.pad_token_id)
    read = {name: inputs[name] for name in ("input_ids", "position_ids", "attention_mask")}
    assert loss(model(**read).logits, inputs).item() == pytest.approx(total / weight, rel=1e-4)
    assert len(tree.tokens) < 0.7 * sum(example.length for example in examples)


def test_a_block_is_full_and_of_sums_only_results_and_copies_are_learned(tokenizer):
    blocks = Lessons(replace(PLAN, block=200), tokenizer)
    assert [len(blocks[number].tokens) for number in range(4)] == [200] * 4
    learned = [token for token, weight in zip(blocks[0].tokens, blocks[0].weights, strict=True) if weight]
    lines = [re.split(" = |: ", line) for line in tokenizer.decode(blocks[0].tokens).split("\n")[:-1]]
    assert tokenizer.decode(learned).startswith("\n".join(right for _, right in lines))
    copied = [left == right for left, right in lines]
    summed = ["×" in left or len(left.split()) == 3 for left, _ in lines]
    assert all(a != b for a, b in zip(copied, summed, strict=True)) and any(copied) and any(summed)
    sums = [(left.replace("×", "*"), right) for (left, right), is_sum in zip(lines, summed, strict=True) if is_sum]
    assert all(eval(left) == int(right) for left, right in sums)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return pretrain(PLAN, settings.load(threads=1).with_(home=tmp_path_factory.mktemp("trained")))


def test_a_killed_run_resumes_to_the_same_actor(made, tmp_path, monkeypatch):
    chosen = settings.load(threads=1).with_(home=tmp_path)
    steps = []

    def killed(*given):
        steps.append(1)
        if len(steps) == 5:
            raise KeyboardInterrupt
        return loss(*given)

    monkeypatch.setattr(pretraining, "SAVE_EVERY", 3)
    monkeypatch.setattr(pretraining, "loss", killed)
    with pytest.raises(KeyboardInterrupt):
        pretrain(PLAN, chosen)
    again = pretrain(PLAN, chosen)
    assert len(steps) == 5 + PLAN.steps - 3  # from the checkpoint on
    assert again.gguf.read_bytes() == made.gguf.read_bytes()
    written = again.gguf.stat().st_mtime_ns
    assert pretrain(PLAN, chosen).gguf.stat().st_mtime_ns == written  # trained once


def test_an_actor_is_served_in_the_format_that_it_was_taught(made, tmp_path):
    chosen = settings.load(threads=1).with_(home=tmp_path)
    engine = engines.open_engine(chosen.with_(model=str(made.gguf), context=512), 2)
    tokenizer = AutoTokenizer.from_pretrained(made.folder)
    for worked in islice(stream(5, "test"), 3):
        asked = conversation(worked.problem)
        taught = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
        assert engine.count(asked) == len(taught)
    engine.close()
    found = fitness_of(made.gguf, chosen, problems=3, samples=2)
    assert len(found.attempts) == 3 and found.criteria[0].value == 0.0  # it has learned next to nothing
    assert fitness_of(made.gguf, chosen, problems=3, samples=2) == found


def test_the_sizes_are_what_their_names_say(tokenizer):
    for name, millions in (("2m", 2), ("5m", 5)):
        plan = PLANS[name]
        with torch.device("meta"):
            model = untaught(replace(plan, vocabulary=768), tokenizer)
        parameters = sum(weight.numel() for weight in model.parameters()) + (768 - len(tokenizer)) * plan.width
        assert parameters == pytest.approx(millions * 1e6, rel=0.15)
        assert plan.width % 32 == plan.hidden % 32 == 0  # rows of Q8_0


@pytest.mark.rest
def test_an_actor_can_begin_as_another_model(tiny):
    plan = replace(PLAN, start=str(tiny.hf))
    model, tokenizer = begun(plan, settings.load())
    other = AutoModelForCausalLM.from_pretrained(tiny.hf, dtype=torch.float32).state_dict()
    assert all(torch.equal(weight, other[name]) for name, weight in model.state_dict().items())
    asked = conversation(next(stream(0)).problem)
    ids = [one.apply_chat_template(asked)["input_ids"] for one in (tokenizer, AutoTokenizer.from_pretrained(tiny.hf))]
    assert ids[0] == ids[1] and replace(plan, start=None) != plan
