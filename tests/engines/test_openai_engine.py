"""The engine for servers of the OpenAI protocol alone, on real servers with the real small model."""

import json
import math
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import servers
from asking import ask, drained

from runtime.engines.base import ContextOverflow, EngineError, Sampling
from runtime.engines.openai import OpenAIEngine
from trainer.benchmarks import peers

pytestmark = [pytest.mark.model, pytest.mark.timeout(60)]

GREEDY = Sampling(max_tokens=16)
HOT = Sampling(temperature=1.5, min_p=0.0, max_tokens=8)
ENDLESS = Sampling(temperature=1.5, min_p=0.0, max_tokens=900)


SUM = ask("What is 2 + 3? Explain.")
COUNT = ask("Count from 1 to 1000.", "1, 2, 3, 4, 5, 6, 7, 8,")


def sampled(engine, messages, sampling, **more):
    return [completion for group in engine.sample([messages], sampling, **more) for completion in group]


@pytest.fixture(scope="module")
def llama_server(small_model):
    """The engine on llama.cpp's own server, which offers everything but adapters."""
    if not peers.BINARY.is_file():
        pytest.skip("llama.cpp's server is not here: make llama-server")
    with peers.llama_server(small_model, slots=4, context=1024, threads=1) as url:
        engine = OpenAIEngine(url, parallel=4)
        engine.url = url
        yield engine
        engine.close()


@pytest.fixture(scope="module")
def llama_cpp_server(small_model):
    """The engine on llama-cpp-python's server: one conversation at a time, and no unfinished replies."""
    with servers.llama_cpp_server(small_model, context=1024, threads=1) as url:
        engine = OpenAIEngine(url, parallel=2)
        yield engine
        engine.close()


@pytest.fixture(params=["llama_server", "llama_cpp_server"])
def engine(request):
    return request.getfixturevalue(request.param)


def slots_at_work(engine):
    with urllib.request.urlopen(engine.url.replace("/v1", "/slots")) as answer:
        return sum(slot["is_processing"] for slot in json.load(answer))


def idle_within(seconds, engine):
    """Whether the server becomes idle; a request that was just cancelled may still be on its way to it."""
    deadline, quiet = time.monotonic() + seconds, 0
    while quiet < 4 and time.monotonic() < deadline:
        quiet = 0 if slots_at_work(engine) else quiet + 1
        time.sleep(0.05)
    return quiet == 4


def test_cancelling_and_closing_end_a_stream_and_free_the_server(engine):
    cancel = Event()
    stream = engine.stream(SUM, ENDLESS, cancel=cancel)
    next(stream)
    cancel.set()
    _, cancelled = drained(stream)
    assert cancelled.finish == "cancelled"
    assert cancelled.prompt_tokens > 0
    stream = engine.stream(SUM, ENDLESS)
    next(stream)
    stream.close()
    began = time.monotonic()
    assert sampled(engine, SUM, Sampling(max_tokens=1))[0].completion_tokens == 1
    assert time.monotonic() - began < 5  # 900 tokens would take longer


def test_a_prompt_longer_than_the_context_is_refused_before_it_is_sent(engine):
    with pytest.raises(ContextOverflow, match=r"1024.*Shorten"):
        drained(engine.stream(ask("word " * 1100), GREEDY))
    with pytest.raises(ContextOverflow, match=r"1024.*Shorten"):
        sampled(engine, ask("word " * 1100), GREEDY)


def test_a_servers_model_has_a_readable_name(engine):
    assert engine.model == "SmolLM2-135M-Instruct.Q4_1"


def test_each_reply_has_its_own_seed_and_repeats_with_it(engine):
    groups = list(engine.sample([SUM, SUM], HOT, n=2))
    assert len({completion.text for group in groups for completion in group}) >= 3
    assert sampled(engine, SUM, HOT) == sampled(engine, SUM, HOT)


def test_a_reply_with_an_empty_prefix_starts_a_new_turn(engine):
    unfinished = ask("What is 2 + 3? Explain.", "")
    assert sampled(engine, unfinished, GREEDY)[0].text == sampled(engine, SUM, GREEDY)[0].text
    assert engine.count(unfinished) == engine.count(SUM)


def test_an_unfinished_reply_is_continued_to_the_letter(llama_server):
    pieces, whole = drained(llama_server.stream(COUNT, GREEDY))
    assert whole.text.startswith(" 9, 10,")
    for kept in (1, 2, 5):
        unfinished = ask("Count from 1 to 1000.", COUNT[-1]["content"] + "".join(pieces[:kept]))
        (rest,) = sampled(llama_server, unfinished, Sampling(max_tokens=4))
        assert rest.text == "".join(pieces[kept : kept + 4])
        assert rest.prompt_tokens == llama_server.count(unfinished) == whole.prompt_tokens + kept


def test_servers_read_and_score_conversations_like_our_own_engine(llama_server, small_engine):
    steps = ["2 + 3 = 5 [", "+]\n5 + 5 = 11 ["]
    assert llama_server.count(COUNT) == small_engine.count(COUNT)
    theirs = llama_server.choice_logprobs(SUM, steps, ["+", "-", " 1"])
    ours = small_engine.choice_logprobs(SUM, steps, ["+", "-", " 1"])
    for their_row, our_row in zip(theirs, ours, strict=True):
        assert their_row == pytest.approx(our_row, abs=0.3)  # floats are summed in other batches


def test_a_choice_that_is_not_among_the_likeliest_gets_a_bound(llama_server, small_engine):
    choices = ["2", " Xavier", "戏"]
    (theirs,), (ours,) = (each.choice_logprobs(SUM, ["2 + 3 ="], choices) for each in (llama_server, small_engine))
    assert min(ours) < -15
    assert theirs[ours.index(min(ours))] >= min(ours)
    assert math.exp(min(theirs)) < 1e-4


def test_a_server_without_the_needed_feature_is_named(llama_cpp_server):
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:\d+ cannot continue.*Use llama-server or vLLM"):
        sampled(llama_cpp_server, COUNT, GREEDY)
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:\d+ does not return probabilities"):
        llama_cpp_server.choice_logprobs(SUM, ["5 ["], ["+", "-"])


def test_enough_ends_requests_that_are_no_longer_needed(llama_server):
    asked = []

    def two(replies):
        asked.append(len(replies))
        return len(replies) >= 2

    (group,) = llama_server.sample([COUNT], HOT, n=40, enough=two)
    assert 2 <= len(group) <= 5
    assert asked[0] <= llama_server.parallel  # at most `parallel` requests run at once
    assert {reply.finish for reply in group} <= {"stop", "length"}
    assert idle_within(5, llama_server)


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_cancelling_and_closing_a_batch_empty_the_slots(llama_server, end):
    cancel, drawn = Event(), []
    requests = (drawn.append(number) or COUNT for number in range(60))
    groups = llama_server.sample(requests, ENDLESS, cancel=cancel)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(next, groups)
        while not slots_at_work(llama_server):
            time.sleep(0.05)
        cancel.set()
        assert first.result(10)[0].finish == "cancelled"
    assert len(drawn) == 4
    if end == "cancel":
        assert [group[0].finish for group in groups] == ["cancelled"] * 59
    groups.close()
    assert idle_within(5, llama_server)
