"""Sampling from logits, and speculative guesses: faster than llama.cpp's way, with the same text."""

import ctypes

import llama_cpp as llama
import numpy as np
import pytest
from asking import drained
from hypothesis import given
from hypothesis import strategies as st

from runtime.engines.base import Sampling
from runtime.engines.llamacpp import LlamaCppEngine
from runtime.engines.llamacpp.drafts import LONGEST, PromptLookup
from runtime.engines.llamacpp.sampling import Sampler, log_softmax_at, top_candidates
from runtime.types import Message

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]

VOCABULARY = 5003


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 30, 38, 39, 40, 5000]), st.sampled_from([0.0, 1.0, 5.0]))
def test_the_candidates_hold_the_largest_logits(seed, k, spread):
    logits = (np.random.default_rng(seed).normal(size=VOCABULARY) * spread).astype(np.float32)
    largest = np.sort(logits)[::-1][:k]
    found = top_candidates(logits, k)
    assert len(set(found.tolist())) == len(found)
    assert np.array_equal(np.sort(logits[found])[::-1][:k], largest)


def test_top_candidates_are_few():
    logits = np.random.default_rng(0).normal(size=150_000).astype(np.float32)
    assert len(top_candidates(logits, 40)) < 300


@pytest.mark.parametrize("seed", range(20))
def test_the_sampler_matches_llama_cpps_sampler_chain(seed):
    sampling = Sampling(temperature=0.8, seed=seed)
    all_of_them = Sampler(Sampling(temperature=0.8, top_k=40, seed=seed))
    few = Sampler(sampling)
    generator = np.random.default_rng(seed)
    for _ in range(30):
        logits = generator.normal(size=VOCABULARY).astype(np.float32) * 3
        tokens = np.zeros(VOCABULARY, [("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        tokens["id"], tokens["logit"] = range(VOCABULARY), logits
        data = tokens.ctypes.data_as(ctypes.POINTER(llama.llama_token_data))
        array = llama.llama_token_data_array(data=data, size=VOCABULARY, selected=-1, sorted=False)
        llama.llama_sampler_apply(all_of_them._chain, ctypes.byref(array))
        assert few.pick(logits) == array.data[array.selected].id
    few.free()
    all_of_them.free()


def test_log_softmax():
    logits = np.log(np.array([0.5, 0.25, 0.25], np.float32))
    assert log_softmax_at(logits + 100, [0, 2]) == pytest.approx([np.log(0.5), np.log(0.25)], abs=1e-5)


# guesses


def test_guesses_repeat_what_followed_the_same_three_tokens():
    lookup = PromptLookup([1, 2, 3, 4, 5, 6, 7, 1, 2, 3])
    assert lookup.propose(10) == [4, 5, 6]
    assert lookup.propose(2) == [4, 5]
    assert PromptLookup([1, 2, 3, 4]).propose(5) == []
    assert PromptLookup([]).propose(5) == []


def test_guesses_come_from_the_latest_match():
    assert PromptLookup([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3]).propose(1) == [5]


def test_guesses_grow_with_success_and_pause_after_failure():
    lookup = PromptLookup([*range(30), 0, 1, 2])
    assert len(lookup.propose(30)) == 3
    lookup.judged(3, 3)
    assert len(lookup.propose(30)) == LONGEST
    lookup.judged(LONGEST, 0)
    assert [len(lookup.propose(30)) for _ in range(2 * LONGEST + 1)] == [0] * 2 * LONGEST + [3]


REPEATED = "Start with 3 notebooks at 4 dollars each, then add the pen for 2 dollars and write the sum. " * 3


def refinement():
    return [
        Message(role="user", content="How much in all?"),
        Message(role="assistant", content=REPEATED),
        Message(role="user", content="Say exactly the same again."),
        Message(role="assistant", content=REPEATED[:60]),
    ]


@pytest.fixture(scope="module")
def lone_engine(small_model):
    engine = LlamaCppEngine(small_model, context=1024, parallel=1, threads=1)
    yield engine
    engine.close()


def with_and_without(engine, monkeypatch, sampling, stop=()):
    steps = []
    for guess in (True, False):
        with monkeypatch.context() as patch:
            if not guess:
                patch.setattr(PromptLookup, "propose", lambda *_: [])
            before = engine._decoder._step
            steps.append((drained(engine.stream(refinement(), sampling, stop=stop))[1], engine._decoder._step - before))
    return steps


def test_guessing_changes_no_greedy_word_and_saves_steps(lone_engine, monkeypatch):
    (guessed, few), (plain, many) = with_and_without(lone_engine, monkeypatch, Sampling(max_tokens=60))
    assert guessed == plain
    assert few < many * 0.7


@pytest.mark.parametrize("tokens", range(1, 9))
def test_a_guess_never_runs_past_the_limit(tokens, lone_engine, monkeypatch):
    (guessed, _), (plain, _) = with_and_without(lone_engine, monkeypatch, Sampling(max_tokens=tokens))
    assert guessed == plain


def test_a_stop_string_inside_a_guess_ends_the_reply(lone_engine, monkeypatch):
    (guessed, _), (plain, _) = with_and_without(lone_engine, monkeypatch, Sampling(max_tokens=60), stop=["add the"])
    assert guessed == plain
    assert guessed.finish == "stop"


@pytest.mark.rest
def test_guessing_changes_no_sampled_token_and_saves_steps(lone_engine, monkeypatch):
    taken = []
    for seed in range(6):
        hot = Sampling(temperature=1.0, max_tokens=20, seed=seed)
        (guessed, few), (plain, many) = with_and_without(lone_engine, monkeypatch, hot)
        assert guessed == plain
        taken.append((few, many))
    few, many = map(sum, zip(*taken, strict=True))
    assert few < many
