"""The bench model: made from nothing, the same each time, and spoken to as it was taught."""

from dataclasses import replace

import pytest
from transformers import AutoTokenizer

from runtime import engines, settings
from runtime.actor import conversation
from trainer.pretrain import Plan, Stories, learn_tokenizer, pass_rates, pretrain, short, solved

PLAN = Plan(examples=48, words_from=100, vocabulary=500, width=64, layers=1, batch=8)


@pytest.fixture
def made():
    return pretrain(PLAN, settings.load())


def test_the_file_reads_conversations_as_they_were_taught(made):
    engine = engines.open_engine(settings.load(model=str(made.gguf), context=1024), 2)
    tokenizer = AutoTokenizer.from_pretrained(made.folder)
    for worked, _ in zip(short(PLAN, "train"), range(5), strict=False):
        asked = conversation(worked.problem)
        taught = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
        assert engine.count(asked) == len(taught)
    rates = pass_rates(PLAN, engine, 4)
    assert {name: row["all"]["n"] for name, row in rates.items()} == {"fresh seeds": 4, "held-out templates": 4}
    engine.close()


def test_a_plan_makes_the_same_model_and_makes_it_once(made, tmp_path):
    written = made.gguf.stat().st_mtime_ns
    assert pretrain(PLAN, settings.load()).gguf.stat().st_mtime_ns == written
    again = pretrain(PLAN, settings.load().with_(home=tmp_path / "elsewhere"))
    assert again.gguf.read_bytes() == made.gguf.read_bytes()


def test_stories_are_short_end_and_take_every_digit_alone():
    tokenizer = learn_tokenizer(PLAN)
    stories = Stories(replace(PLAN, most_steps=2), tokenizer)
    for number in range(20):
        ids = stories[number]["input_ids"]
        assert tokenizer.decode(ids[-1]) == tokenizer.eos_token
        reply = tokenizer.decode(ids).rpartition("assistant\n")[2]
        assert reply.count("\n") <= 2
    assert len(tokenizer("1234.5")["input_ids"]) == 6


def test_the_answer_is_taught_in_the_words_that_are_read_back():
    worked = next(short(PLAN, "train"))
    assert solved(worked)[-1]["content"].endswith(f"The answer is {worked.result}.")
