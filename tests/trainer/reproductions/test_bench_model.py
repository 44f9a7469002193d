"""The bench model: trained from scratch, reproducible, with the same prompt format in training and use."""

from dataclasses import replace

import pytest
from transformers import AutoTokenizer

from runtime import engines, settings
from runtime.checks import arithmetic
from runtime.prompts.actor_turn import conversation
from trainer.reproductions.bench_model import Blocks, Plan, judged, learn_tokenizer, pass_rates, pretrain, short, sums
from trainer.reproductions.mathcritique.examples import corrected, reasoned, refined, talked

PLAN = Plan(blocks=8, talk_blocks=8, block=128, words_from=100, vocabulary=500, width=64, layers=1, batch=4)


@pytest.fixture
def made():
    return pretrain(PLAN, settings.load())


@pytest.mark.rest
def test_the_file_formats_conversations_as_in_training(made):
    engine = engines.open_engine(settings.load(model=str(made.gguf), context=1024), 2)
    tokenizer = AutoTokenizer.from_pretrained(made.folder)
    for worked, _ in zip(short(PLAN, "train"), range(5), strict=False):
        asked = conversation(worked.problem)
        taught = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
        assert engine.count(asked) == len(taught)
    rates = pass_rates(PLAN, engine, 4)
    assert {name: row["all"]["n"] for name, row in rates.items()} == {"fresh seeds": 4, "held-out templates": 4}
    engine.close()


@pytest.mark.rest
def test_a_schedule_is_reproducible_and_trained_once(made, tmp_path):
    written = made.gguf.stat().st_mtime_ns
    assert pretrain(PLAN, settings.load()).gguf.stat().st_mtime_ns == written
    again = pretrain(PLAN, settings.load().with_(home=tmp_path / "elsewhere"))
    assert again.gguf.read_bytes() == made.gguf.read_bytes()


@pytest.mark.parametrize("kind", [sums, reasoned, judged, refined, talked, corrected])
def test_a_block_is_filled_with_short_texts_of_one_kind(kind):
    tokenizer = learn_tokenizer(PLAN)
    [block] = Blocks(replace(PLAN, most_steps=2, block=1024), tokenizer, [kind], range(3, 4))
    assert len(block["input_ids"]) == 1024
    text = tokenizer.decode(block["input_ids"])
    if kind is sums:
        assert all(arithmetic.verdict(arithmetic.check(line)) == "correct" for line in text.splitlines()[:-1])
    else:
        assert text.startswith("<|im_start|>system") and text.count("<|im_end|>") > 3


def test_only_short_problems_are_used():
    brief = replace(PLAN, most_steps=2)
    assert max(len(worked.lines) for worked, _ in zip(short(brief, "train"), range(40), strict=False)) == 2


def test_every_digit_is_a_token_of_its_own():
    assert len(learn_tokenizer(PLAN)("1234.5")["input_ids"]) == 6


def test_the_answer_is_taught_in_the_format_that_is_parsed():
    worked = next(short(PLAN, "train"))
    assert reasoned(worked).reply[-1][0].endswith(f"The answer is {worked.result}.")
