"""The API beside the page, called by the `openai` client and by raw requests: access, replies whole and streamed, error
messages, and disconnecting clients, which free the model."""

import json
import time
from contextlib import suppress
from http.client import HTTPConnection
from threading import Event, Thread
from urllib.parse import urljoin, urlsplit
from urllib.request import Request, urlopen

import openai
import pytest
import uvicorn
from program import get
from solver import QUESTION, RIGHT
from starlette.applications import Starlette

from runtime import settings as configuration
from runtime.api import routes, shapes
from runtime.api.texts import solution, thinking
from runtime.engines.base import ContextOverflow, EngineError
from runtime.engines.scripted import ScriptedEngine
from runtime.log.store import SessionLog
from runtime.session.loader import Loading
from runtime.session.session import Session

KEY = "sk-of-the-test"
SLIP = "The pens cost 3 × 4 = 14 dollars.\nIn all she pays 14 + 5 = 19 dollars.\nThe answer is 19."
CORRECTED = " dollars.\nIn all she pays 12 + 5 = 17 dollars.\nThe answer is 17."
DOUBTING = (
    "The pens cost 3 × 4 = 12 dollars.\nCheck: right.\nThe book makes 12 - 5 = 7 dollars.\nCheck: wrong. Add it.\n"
    "In all she pays 12 + 5 = 17 dollars.\nCheck: right.\nThe answer is 17."
)
WHOLE = "The pens cost 3 × 4 = 12 dollars.\nIn all she pays 12 + 5 = 17 dollars.\nThe answer is 17."
NINES = b"9" * 5000
AGREED = [RIGHT, RIGHT]


@pytest.fixture
def served(home):
    """Start the API alone, on queued replies or on a function that loads an engine."""
    up = []

    def start(*replies, load=None, delay=0.0, keep=True):
        settings = configuration.load()
        log = SessionLog(settings.database) if keep else None
        engine = ScriptedEngine(replies, delay=delay)
        model = Loading(load or (lambda: engine))
        model.start()
        api = routes.Api(model, settings, log, KEY)
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=api.routes), port=0, log_level="error"))
        thread = Thread(target=server.run, daemon=True)
        thread.start()
        up.append((server, thread, log))
        wait_until(lambda: server.started)
        address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
        if not load:
            wait_until(lambda: model.readiness.state == "ready")
        return Served(address, log, engine)

    yield start
    for server, thread, log in up:
        server.should_exit = server.force_exit = True
        thread.join(5)
        if log:
            log.close()


class Served:
    def __init__(self, address, log, engine):
        self.address, self.log, self.engine = address, log, engine

    def client(self, key=KEY):
        return openai.OpenAI(base_url=f"{self.address}v1", api_key=key, max_retries=0, timeout=20)

    def complete(self, mode, content=QUESTION, **options):
        messages = [{"role": "user", "content": content}]
        return self.client().chat.completions.create(model=f"soliloquy-{mode}", messages=messages, **options)

    def ask(self, body, headers=None, path="/v1/chat/completions", method="POST"):
        """Status, headers and JSON of a raw request."""
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=20)
        headers = {"Authorization": f"Bearer {KEY}", **(headers or {})}
        connection.request(method, path, body, headers)
        answered = connection.getresponse()
        reply = answered.read()
        is_json = answered.headers["content-type"] == "application/json"
        return answered.status, answered.headers, json.loads(reply) if is_json else reply


def wait_until(true, seconds=10):
    deadline = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found, "it did not happen in time"
    return found


def streamed(stream):
    """The reasoning and content of a stream joined, its last piece with a choice, and its usage piece, if any."""
    texts, last, usage = {"reasoning_content": "", "content": ""}, None, None
    with stream:
        for piece in stream:
            usage = piece.usage or usage
            for choice in piece.choices:
                last = piece
                for name in texts:
                    texts[name] += getattr(choice.delta, name, None) or ""
    return texts, last, usage


@pytest.mark.parametrize("wanted", [True, False])
def test_the_api_is_served_beside_the_page_only_if_requested(home, wanted):
    import app
    from runtime.page import serving

    settings, model = configuration.load(), Loading(lambda: ScriptedEngine([RIGHT], delay=0.02))
    page = app.build(model, settings, None)
    added = routes.Api(model, settings, None, KEY).routes if wanted else ()
    try:
        address = serving.serve(page, settings, "127.0.0.1", routes=added)
        assert "Soliloquy" in get(address)
        up = Served(urljoin(address, "/"), None, None)
        if wanted:
            texts, *_ = streamed(up.complete("direct", stream=True))
            assert texts["content"] == WHOLE
            assert up.ask("", {"Host": "evil.com"}, "/v1/models", "GET")[0] == 400
        else:
            with pytest.raises(openai.PermissionDeniedError):
                up.client().models.list()
    finally:
        page.close(verbose=False)


def test_the_three_modes_are_listed_as_models(served):
    client = served().client()
    names = ["soliloquy-direct", "soliloquy-critic", "soliloquy-selftalk"]
    assert [model.id for model in client.models.list()] == names
    assert client.models.retrieve("soliloquy-critic").owned_by == "soliloquy"
    with pytest.raises(openai.NotFoundError, match="soliloquy-direct"):
        client.models.retrieve("gpt-9")


def test_the_direct_mode_has_no_reasoning_content(served):
    up = served(RIGHT)
    reply = up.complete("direct")
    message = reply.choices[0].message
    assert (message.role, message.content, message.reasoning_content) == ("assistant", WHOLE, None)
    assert (reply.object, reply.model) == ("chat.completion", "soliloquy-direct")
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.completion_tokens == len(RIGHT.split())
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.soliloquy["status"] == "settled" and reply.soliloquy["answer"] == "17"
    assert up.log.run(reply.soliloquy["run"]).transcript.talk.outcome.answer == "17"


def test_rejected_attempts_are_reasoning_content_and_the_refined_one_is_the_answer(served):
    message = served(SLIP, CORRECTED, *AGREED).complete("critic").choices[0].message
    assert message.content == WHOLE
    lines = message.reasoning_content.splitlines()
    assert lines[0] == "The pens cost 3 × 4 = 14 dollars."
    assert lines[1].startswith("✗ Step 1: looks wrong – ") and "3 × 4 is 12" in lines[1]
    assert lines[2] == "Trying again from step 1…"
    assert lines[3:5] == WHOLE.splitlines()[:2]
    assert lines[5:] == ["✓ Step 1: looks right", "✓ Step 2: looks right"]


def test_self_talk_streams_its_doubts_as_reasoning(served):
    message = served(DOUBTING).complete("selftalk").choices[0].message
    assert message.content == WHOLE
    assert "The book makes 12 - 5 = 7 dollars.\n" in message.reasoning_content
    assert "✗ Step 2: looks wrong – " in message.reasoning_content
    assert message.reasoning_content.count("✓ Step 1") == 1


@pytest.mark.parametrize(
    ("mode", "replies"), [("direct", [RIGHT]), ("critic", [SLIP, CORRECTED, *AGREED]), ("selftalk", [DOUBTING])]
)
def test_a_stream_has_the_content_of_a_whole_reply(served, mode, replies):
    whole = served(*replies).complete(mode)
    up = served(*replies, delay=0.02)
    stream = up.complete(mode, stream=True, stream_options={"include_usage": True})
    texts, last, usage = streamed(stream)
    message = whole.choices[0].message
    assert texts == {"reasoning_content": message.reasoning_content or "", "content": message.content}
    assert last.choices[0].finish_reason == "stop" and last.soliloquy["answer"] == "17"
    assert usage == whole.usage


def test_a_stream_sends_each_step_as_soon_as_it_is_written(served):
    up = served(RIGHT, delay=0.1)
    began, first = time.monotonic(), None
    for piece in up.complete("direct", stream=True):
        if first is None and piece.choices[0].delta.content:
            first = time.monotonic() - began
            assert piece.choices[0].delta.content.startswith("The pens")
            assert "17" not in piece.choices[0].delta.content
    assert first < 0.75 * (time.monotonic() - began)


def test_a_stream_is_events_that_end_with_done(served):
    up = served(RIGHT)
    connection = HTTPConnection(urlsplit(up.address).netloc, timeout=20)
    body = {"model": "soliloquy-direct", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": f"Bearer {KEY}"})
    answered = connection.getresponse()
    events = answered.read().decode().split("\n\n")
    assert answered.headers["content-type"].startswith("text/event-stream")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(json.loads(event.removeprefix("data: "))["object"] == "chat.completion.chunk" for event in events[:-2])


def test_a_silent_stream_is_kept_open(served, monkeypatch):
    monkeypatch.setattr(routes, "SILENCE", 0.1)
    up = served(RIGHT, RIGHT, delay=0.1)
    body = {"model": "soliloquy-direct", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    request = Request(f"{up.address}v1/chat/completions", json.dumps(body).encode())
    request.add_header("Authorization", f"Bearer {KEY}")
    with urlopen(request) as answered:
        assert b": thinking\n\n" in answered.read()
    texts, *_ = streamed(up.complete("direct", stream=True))
    assert texts["content"] == WHOLE


def test_streamed_text_is_never_taken_back():
    plan = "Add the apples.\nThe answer is N."
    direct = [("direct", [RIGHT]), ("direct", [plan, RIGHT])]
    for mode, replies in [*direct, ("critic", [SLIP, CORRECTED, *AGREED]), ("selftalk", [DOUBTING])]:
        session = Session(configuration.load(mode=mode), lambda given=replies: ScriptedEngine(given), None)
        before = ("", "")
        for progress in session.solve(QUESTION):
            now = (thinking(progress.run), solution(progress.run))
            assert all(text.startswith(earlier) for text, earlier in zip(now, before, strict=True))
            before = now
        assert before[1] == ("Add the apples.\n" if plan in replies else "") + WHOLE


def test_a_chinese_problem_gets_chinese_reasoning(served):
    wrong, continuation = "小红有 3 × 4 = 14 个苹果。\n答案是 14。", " 个苹果。\n答案是 12。"
    right = "小红有 3 × 4 = 12 个苹果。\n答案是 12。"
    up = served(wrong, continuation, right, right)
    reply = up.complete("critic", "小红有 3 袋苹果，每袋 4 个。一共有多少个苹果？")
    assert "重新做" in reply.choices[0].message.reasoning_content
    assert reply.choices[0].message.content.endswith("答案是 12。")


def test_the_last_message_of_the_user_is_the_problem(served):
    up = served(RIGHT)
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 1 + 1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
    ]
    up.client().chat.completions.create(model="soliloquy-direct", messages=messages, temperature=0.5, seed=3)
    assert QUESTION in up.engine.calls[0][-2]["content"]
    made_by = next(iter(up.log.runs()))
    assert made_by["problem"] == QUESTION and made_by["status"] == "settled"


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer sk-wrong", f"Basic {KEY}", "Bearer schlüssel"])
def test_requests_without_the_key_are_refused(served, given):
    up = served(RIGHT)
    for method, path in (("GET", "/v1/models"), ("POST", "/v1/chat/completions")):
        status, headers, body = up.ask("{}", {"Authorization": given or ""}, path, method)
        assert status == 401 and headers["www-authenticate"] == "Bearer"
        assert body["error"]["code"] == "invalid_api_key" and "bearer token" in body["error"]["message"]
    assert not up.engine.calls


def test_the_client_understands_a_refusal(served):
    with pytest.raises(openai.AuthenticationError, match="printed at the start"):
        served().client("sk-wrong").models.list()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": [{"role": "user", "content": " "}]}, "is empty. Write the problem"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "2"}]}, "is empty. Write the problem"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url. Send text only"),
        ({"messages": [{"role": "user", "content": "x" * 5000}]}, "at most 4,000 can be read. Shorten it"),
        ({"temperature": 9}, "temperature"),
        ({"max_tokens": 1}, "max_tokens"),
        ({"n": 2}, "Leave n out"),
    ],
)
def test_invalid_requests_get_an_error_with_a_remedy(served, change, message):
    up = served(RIGHT)
    asked = {"model": "soliloquy-direct", "messages": [{"role": "user", "content": QUESTION}], **change}
    status, _, answered = up.ask(json.dumps(asked))
    assert status == 400 and message in answered["error"]["message"]
    assert answered["error"]["type"] == "invalid_request_error"
    assert not up.engine.calls


def test_an_invalid_or_too_large_body_is_refused(served):
    up = served()
    assert up.ask("{nonsense")[0] == 400
    assert up.ask("[1]")[0] == 400
    assert up.ask(b"x" * (routes.LARGEST + 1))[0] == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"model": "soliloquy-direct", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"model": "soliloquy-direct", "messages": [{"role": "user", "content": "1 + 1"}], "seed": %b}' % NINES,
        b'{"model": "soliloquy-direct", "messages": [{"role": "user", "content": "1 + 1"}], "max_tokens": 1e400}',
        b'{"model": "soliloquy-direct", "messages": [{"role": "user", "content": "1 + 1"}], "temperature": NaN}',
        b'{"model": "soliloquy-direct", "messages": [{"role": "user", "content": {"deep": 1}}]}',
        b'{"model": 5, "messages": "all"}',
        b'{"messages": [{"role": "user", "content": "1 + 1"}]}',
    ],
    ids=lambda body: body[-24:].decode("latin-1"),
)
def test_an_unreadable_body_gets_an_error_message(served, body):
    status, _, reply = served(RIGHT).ask(body)
    assert status == 400 and reply["error"]["message"].endswith((".", "them)."))
    assert len(reply["error"]["message"]) < 500


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(served):
    up, sent = served(), 0
    connection = HTTPConnection(urlsplit(up.address).netloc, timeout=20)
    connection.putrequest("POST", "/v1/chat/completions")
    connection.putheader("Authorization", f"Bearer {KEY}")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    with suppress(OSError):
        while sent < 100 << 20:
            connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536
    assert sent < 20 << 20


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("mode", ["direct", "critic", "selftalk"])
def test_a_problem_longer_than_the_context_is_a_client_error(served, mode, stream):
    wrong = ContextOverflow("This is too long for the model (900 tokens of at most 512). Shorten the text.")
    with pytest.raises(openai.BadRequestError, match="Shorten the text") as refused:
        served(wrong).complete(mode, stream=stream)
    assert refused.value.code == "context_length_exceeded"


def test_an_unknown_model_is_refused_with_the_known_ones(served):
    with pytest.raises(openai.NotFoundError, match="soliloquy-selftalk") as refused:
        served().complete("genius")
    assert refused.value.code == "model_not_found"


def test_while_the_model_loads_clients_get_a_retry_time(served):
    ready = Event()

    def load():
        ready.wait(20)
        return ScriptedEngine([RIGHT])

    up = served(load=load)
    with pytest.raises(openai.InternalServerError) as refused:
        up.complete("direct")
    assert refused.value.status_code == 503 and int(refused.value.response.headers["retry-after"]) > 0
    ready.set()
    patient = up.client().with_options(max_retries=2)
    messages = [{"role": "user", "content": QUESTION}]
    reply = patient.chat.completions.create(model="soliloquy-direct", messages=messages)
    assert reply.choices[0].message.content == WHOLE


def test_without_a_model_the_reason_is_returned_and_a_later_request_succeeds(served):
    found = []

    def load():
        if not found:
            raise EngineError("There is no model yet: run `python -m runtime models pull`.")
        return found[0]

    up = served(load=load)
    time.sleep(0.2)
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError, match="models pull") as refused:
            up.complete("direct", stream=stream)
        assert refused.value.status_code == 503
    found.append(ScriptedEngine([RIGHT]))
    assert up.complete("direct").choices[0].message.content == WHOLE


def test_a_failed_run_is_reported_in_streams_and_whole_replies(served):
    wrong = EngineError("The model ran out of memory. Close other programs and try again.")
    with pytest.raises(openai.InternalServerError, match="Close other programs") as refused:
        served(wrong).complete("direct")
    assert refused.value.response.headers["x-should-retry"] == "false"
    with pytest.raises(openai.InternalServerError, match="Close other programs"):
        served(wrong).complete("direct", stream=True)


def test_a_truncated_solution_has_the_finish_reason_length(served):
    reply = served("word " * 100).complete("direct", max_tokens=20)
    assert reply.choices[0].finish_reason == "length"


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_disconnects_stops_its_run(served, stream):
    up = served("The pens cost 3 × 4 = 12 dollars.\n" * 400, delay=0.05)
    connection = HTTPConnection(urlsplit(up.address).netloc, timeout=20)
    body = {"model": "soliloquy-direct", "stream": stream, "messages": [{"role": "user", "content": QUESTION}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": f"Bearer {KEY}"})
    wait_until(lambda: up.log.runs())
    connection.sock.close() if connection.sock else connection.close()
    left = time.monotonic()
    wait_until(lambda: up.log.runs()[0]["status"] == "stopped", 5)
    assert time.monotonic() - left < 2


def test_excess_runs_are_refused(served, monkeypatch):
    monkeypatch.setattr(routes, "AT_ONCE", 1)
    up = served("The pens cost 3 × 4 = 12 dollars.\n" * 50, RIGHT, delay=0.05)
    first = up.complete("direct", stream=True)
    next(first)
    wait_until(lambda: up.log.runs())
    with pytest.raises(openai.RateLimitError, match="Try again later"):
        up.complete("direct")
    first.close()
    wait_until(lambda: up.log.runs()[0]["status"] == "stopped")
    wait_until(lambda: up.ask("", path="/v1/models", method="GET")[0] == 200)
    assert up.complete("direct").choices[0].message.content == WHOLE


def test_without_a_log_nothing_is_kept(served, home):
    assert served(RIGHT, keep=False).complete("direct").choices[0].message.content == WHOLE
    assert not (home / "soliloquy.db").exists()


def test_every_generated_key_differs():
    keys = {routes.new_key() for _ in range(50)}
    assert len(keys) == 50 and all(len(key) > 30 for key in keys)


def test_a_key_can_be_set_but_not_one_that_no_header_can_carry(monkeypatch):
    monkeypatch.setenv("SOLILOQUY_API_KEY_SERVED", "sk-from-the-environment")
    assert configuration.load().api_key_served == "sk-from-the-environment"
    assert "sk-from" not in repr(configuration.load())
    for unusable in ("short", "with a space in it", "schlüssel-länger"):
        with pytest.raises(configuration.SettingsError, match="api_key_served"):
            configuration.load(api_key_served=unusable)


def test_every_mode_is_a_model():
    assert set(shapes.MODELS.values()) == {"direct", "critic", "selftalk"}


def test_the_old_model_plain_is_served_as_direct():
    assert shapes.mode_of("soliloquy-plain") == "direct"
