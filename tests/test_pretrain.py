"""The bench model: made from nothing, the same each time, and spoken to as it was taught."""

from dataclasses import replace

import pytest
from transformers import AutoTokenizer

from runtime import arithmetic, engines, settings
from runtime.actor import conversation
from trainer.pretrain import Blocks, Plan, learn_tokenizer, pass_rates, pretrain, short, solved

PLAN = Plan(blocks=8, block=128, words_from=100, vocabulary=500, width=64, layers=1, batch=4)


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


def test_blocks_are_full_of_short_stories_or_of_sums():
    tokenizer = learn_tokenizer(PLAN)
    blocks = Blocks(replace(PLAN, most_steps=2, block=1024), tokenizer)
    stories, sums = tokenizer.decode(blocks[1]["input_ids"]), tokenizer.decode(blocks[0]["input_ids"])
    assert len(blocks[0]["input_ids"]) == len(blocks[1]["input_ids"]) == 1024
    replies = [part.partition("<|im_end|>")[0] for part in stories.split("assistant\n")[1:-1]]
    assert len(replies) > 2 and all(reply.count("\n") <= 2 for reply in replies)
    assert all(arithmetic.verdict(arithmetic.check(line)) == "correct" for line in sums.splitlines()[:-1])
    assert len(tokenizer("1234.5")["input_ids"]) == 6


def test_the_answer_is_taught_in_the_words_that_are_read_back():
    worked = next(short(PLAN, "train"))
    assert solved(worked)[-1]["content"].endswith(f"The answer is {worked.result}.")
