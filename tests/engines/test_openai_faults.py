"""Faults between the engine and a server of the OpenAI protocol, simulated by a stand-in on this computer."""

import logging
import time
import traceback
from contextlib import contextmanager
from threading import Event, Lock, Thread

import pytest
from servers import stand_in, stream

from runtime import settings
from runtime.critic.critic import open_critic
from runtime.engines.base import EngineError, Metered, Sampling
from runtime.engines.openai import OpenAIEngine
from runtime.engines.openai.server import Model, Options, Server
from runtime.types import Message

pytestmark = pytest.mark.timeout(30)

ASK = [Message(role="user", content="What is 2 + 3?")]
GREEDY = Sampling(max_tokens=16)
KEY = "sk-3141592653589793"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def sampled(engine, **more):
    return [reply.text for group in engine.sample([ASK], GREEDY, **more) for reply in group]


@contextmanager
def connected(answer, **options):
    with stand_in(answer) as (url, came):
        engine = OpenAIEngine(url, **options)
        try:
            yield engine, came
        finally:
            engine.close()


def reply_five(handler, _):
    stream(handler, "fi", "ve")


def test_an_overloaded_server_is_retried_after_the_time_it_names():
    def answer(handler, number):
        reply_five(handler, 2) if number == 2 else handler.reply(
            429, {"error": {"message": "slow down"}}, Retry_After=1
        )

    with connected(answer) as (engine, came):
        began = time.monotonic()
        assert sampled(engine) == ["five"]
        assert time.monotonic() - began >= 1
        assert len(came) == 2


def test_a_server_that_keeps_failing_is_given_up():
    with connected(lambda handler, _: handler.reply(500, {"error": {"message": "out of paper"}}), retries=1) as (
        e,
        came,
    ):
        with pytest.raises(EngineError, match=r"127\.0\.0\.1:\d+ failed: out of paper"):
            sampled(e)
        assert len(came) == 2


def test_an_interrupted_reply_is_an_error():
    with connected(lambda handler, _: stream(handler, "2 + ", finish=None)) as (engine, _):
        pieces = engine.stream(ASK, GREEDY)
        assert next(pieces) == "2 + "
        with pytest.raises(EngineError, match="ended the connection in the middle"):
            next(pieces)


@pytest.mark.parametrize("lost", [lambda handler: handler.connection.close(), lambda h: stream(h, "fi", finish=None)])
def test_a_lost_connection_is_restored(lost):
    with connected(lambda handler, number: lost(handler) if number == 1 else reply_five(handler, 2)) as (engine, came):
        assert sampled(engine) == ["five"]
        assert len(came) == 2


def test_a_silent_server_is_given_up_after_the_timeout():
    silent = connected(lambda *_: time.sleep(2), timeout=0.2, retries=0)
    with silent as (engine, _), pytest.raises(EngineError, match=r"did not respond for 0\.2 s"):
        sampled(engine)


def test_an_unreachable_server_is_named():
    with stand_in(reply_five) as (url, _):
        pass
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:\d+ cannot be reached"):
        OpenAIEngine(url, retries=0)


def test_a_wrong_address_or_model_gets_an_error_with_the_available_ones():
    with stand_in(reply_five) as (url, _):
        with pytest.raises(EngineError, match=r"has no model z\. Choose one of: m"):
            OpenAIEngine(url, model="z")
        with pytest.raises(EngineError, match=r"whole address of its API, such as .*/v1"):
            OpenAIEngine(f"{url}/pages")


def test_the_key_is_sent_and_never_shown(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv("SOLILOQUY_API_KEY", KEY)

    def answer(handler, _):
        handler.reply(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})

    with connected(answer) as (engine, came):
        with pytest.raises(EngineError, match=r"refused the key.*SOLILOQUY_API_KEY") as caught:
            sampled(engine)
        texts = [repr(engine), *traceback.format_exception(caught.value), caplog.text]
    assert came[0][1]["Authorization"] == f"Bearer {KEY}"
    assert len(caplog.records) > 0
    assert not [text for text in texts if KEY in text]


def test_a_key_for_another_server_is_not_sent(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    with connected(reply_five) as (engine, came):
        assert sampled(engine) == ["five"]
    assert not [value for value in came[0][1].values() if KEY in value]


@pytest.mark.parametrize(
    ("url", "overheard"),
    [
        ("http://127.0.0.1:8080/v1", False),
        ("http://localhost:8080/v1", False),
        ("http://[::1]:8080/v1", False),
        ("https://models.example/v1", False),
        ("http://models.example/v1", True),
        ("HTTP://192.168.1.5:8080/v1", True),
        ("http://127.0.0.1.example/v1", True),
    ],
)
def test_an_unencrypted_key_causes_a_warning(monkeypatch, caplog, url, overheard):
    monkeypatch.setenv("SOLILOQUY_API_KEY", KEY)
    monkeypatch.setattr(Server, "ask", lambda *_: {"m": Model("m", "somebody", None)})
    Server(url, None, 1, None, 1.0, 0).close()
    assert ("unencrypted" in caplog.text) == overheard and KEY not in caplog.text


def test_other_kinds_of_server_get_only_standard_fields():
    with connected(reply_five) as (engine, came):
        sampled(engine, stop=["\n"])
        path, _, body = came[0]
    assert path == "/v1/chat/completions"
    assert body["messages"] == ASK
    assert body["stop"] == ["\n"]
    assert body.keys() <= {"messages", "model", "max_tokens", "temperature", "top_p", "seed", "stop"} | {
        "stream",
        "stream_options",
    }


def test_full_sampling_is_requested_as_no_filter_at_all():
    with connected(reply_five) as (engine, came):
        list(engine.sample([ASK], GREEDY.full()))
    body = came[0][2]
    assert (body["temperature"], body["top_p"]) == (1.0, 1.0)
    with stand_in(reply_five) as (url, came):
        vllm = Server(url, "m", 1, None, 1.0, 0)
        vllm.model = Model("m", "vllm", None)
        prompt = {"messages": ASK}
        asked = vllm._request(prompt, Options(GREEDY.full(), "m", ()), live=False)["extra_body"]
        vllm.close()
    assert (asked["top_k"], asked["min_p"]) == (0, 0.0)


def test_an_adapter_is_served_as_a_model_and_a_missing_one_is_reported_once(caplog):
    with connected(reply_five) as (engine, came):
        for adapter in ("critic", "poet", "poet", None):
            sampled(engine, adapter=adapter)
    assert [body["model"] for _, _, body in came] == ["critic", "m", "m", "m"]
    assert [record.message for record in caplog.records if "poet" in record.message] == [
        "The server of m has no adapter 'poet'; the base model is used."
    ]


def test_concurrent_requests_are_limited_and_replies_keep_their_order():
    at_once, most, lock, drawn = 0, 0, Lock(), []

    def answer(handler, number):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.002 * (7 - number % 7))
        with lock:
            at_once -= 1
        stream(handler, came[number - 1][2]["messages"][0]["content"])

    def requests():
        for number in range(1000):
            drawn.append(number)
            yield [Message(role="user", content=str(number))]

    with connected(answer, parallel=3) as (engine, came):
        other = engine.sample(requests(), GREEDY, n=2)
        groups = engine.sample(requests(), GREEDY, n=2)
        next(other)
        assert [[reply.text for reply in next(groups)] for _ in range(20)] == [[str(i)] * 2 for i in range(20)]
        other.close()
        groups.close()
    assert most == 3
    assert len(drawn) <= 21 + 2 * 8 * 3


def test_closing_the_engine_ends_a_running_reply():
    arrived = Event()

    def answer(handler, number):
        arrived.set()
        time.sleep(5)

    with connected(answer) as (engine, _):
        closing = Thread(target=lambda: (arrived.wait(), engine.close()))
        closing.start()
        began = time.monotonic()
        with pytest.raises(EngineError, match="was closed"):
            sampled(engine)
        closing.join()
        assert time.monotonic() - began < 4
        with pytest.raises(EngineError, match="was closed"):
            engine.count(ASK)


def test_a_critic_judges_with_a_server_that_has_no_file_of_the_model(home):
    with connected(lambda handler, number: None) as (engine, _):
        critic = open_critic(Metered(engine), settings.load())
    assert critic.engine.path is None
    assert not critic.fitted
