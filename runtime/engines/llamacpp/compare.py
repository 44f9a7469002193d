"""Compares the greedy choices of two models, to check that a copy in another format may replace a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import llama_cpp as llama
import numpy as np

from runtime.engines.llamacpp.measure import CHUNK, Bench, Token
from runtime.engines.llamacpp.model import vocab_of

SURE = 0.25
"""Margin in nats between the first and the second choice above which a choice is sure. Measured with lossless copies:
below it one token in six changes, above it none of 1,694."""
TEXT = """A shop sells notebooks at 4 dollars each and pens at 1.50 dollars each. Nadia buys 3 notebooks and 6 pens \
and pays with a 50 dollar note. How much change does she get?
The notebooks cost 3 × 4 = 12 dollars.
The pens cost 6 × 1.50 = 9 dollars.
Together that is 12 + 9 = 21 dollars.
Her change is 50 - 21 = 29 dollars.
Answer: 29

A train leaves at 9:15 and travels 180 km at a speed of 72 km/h. At what time does it arrive?
The journey takes 180 / 72 = 2.5 hours, which is 2 hours and 30 minutes.
9:15 plus 2 hours is 11:15, and 30 minutes later it is 11:45.
Answer: 11:45

Is the second step right? The first step says that 15% of 80 is 12, because 0.15 × 80 = 12. The second step subtracts \
12 from 80 and gets 78. That is wrong: 80 - 12 = 68, so everything that follows from it is wrong as well.

小明有24颗糖，他把其中的三分之一给了妹妹，又吃了5颗。他还剩多少颗糖？
给妹妹的糖是 24 ÷ 3 = 8 颗。
还剩 24 - 8 - 5 = 11 颗。
答案：11
"""


class Choice(NamedTuple):
    """The likeliest next token, and its margin over the second in nats."""

    token: int
    margin: float


def greedy_choices(model: llama.llama_model_p, text: str, threads: int) -> list[Choice]:
    """The greedy choice after each token of a text."""
    vocab = vocab_of(model)
    data = text.encode("utf-8")
    buffer = (llama.llama_token * (len(data) + 8))()
    tokens = buffer[: llama.llama_tokenize(vocab, data, len(data), buffer, len(buffer), True, False)]
    size, choices = llama.llama_vocab_n_tokens(vocab), []
    with Bench(model, 1, len(tokens), threads) as bench:
        for start in range(0, len(tokens), CHUNK):
            rows = [Token(token, start + i) for i, token in enumerate(tokens[start : start + CHUNK])]
            bench.decode(rows)
            logits = np.ctypeslib.as_array(llama.llama_get_logits(bench.context), shape=(len(rows), size))
            highest = np.partition(logits, -2, axis=1)[:, -2:]
            margins = (highest[:, 1] - highest[:, 0]).tolist()
            choices += map(Choice, logits.argmax(axis=1).tolist(), margins)
    return choices


def same_answers(original: Sequence[Choice], other: Sequence[Choice]) -> float:
    """The share of equal choices among those of which the original is sure. Near ties are left out, as rounding decides
    them."""
    sure = [a.token == b.token for a, b in zip(original, other, strict=True) if a.margin >= SURE]
    return sum(sure) / len(sure)
