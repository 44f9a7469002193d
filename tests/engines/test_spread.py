"""Several engines as one: the work is shared, and goes on when a server dies."""

import threading
from contextlib import ExitStack, closing

import pytest
from asking import ask, drained
from servers import stand_in, stream

from runtime.engines.base import Cancelled, ContextOverflow, EngineError, Sampling
from runtime.engines.openai import OpenAIEngine
from runtime.engines.scripted import ScriptedEngine
from runtime.engines.spread import SpreadEngine

pytestmark = pytest.mark.timeout(60)

ASK = ask("What is 2 + 3?")


def texts(engine, requests=3, **more):
    return [[one.text for one in group] for group in engine.sample([ASK] * requests, Sampling(), **more)]


class Remembering(ScriptedEngine):
    """Keeps the seed of each call."""

    def __init__(self, replies):
        super().__init__(replies)
        self.seeds = []

    def sample(self, requests, sampling, *more, **others):
        self.seeds.append(sampling.seed)
        yield from super().sample(requests, sampling, *more, **others)


def test_calls_side_by_side_use_every_engine():
    engines = [ScriptedEngine(["a"] * 4, delay=0.1), ScriptedEngine(["b"] * 4, delay=0.1)]
    both = SpreadEngine(engines)
    found, threads = [], [threading.Thread(target=lambda: found.extend(texts(both, 1))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [["a"], ["b"]]
    assert both.parallel == 8


def test_a_call_goes_on_with_another_engine_and_keeps_its_order_and_seeds():
    failing, other = Remembering(["1", "2", EngineError("It is gone.")]), Remembering(["3", "4", "5", "6"])
    both = SpreadEngine([failing, other])
    assert texts(both, n=2) == [["1", "2"], ["3", "4"], ["5", "6"]]
    assert (failing.seeds, other.seeds) == ([0], [2])


def test_an_engine_that_failed_is_not_used_again_and_named_once(caplog):
    first, second = ScriptedEngine([EngineError("Server one is gone.")]), ScriptedEngine(["a"] * 6)
    both = SpreadEngine([first, second])
    assert texts(both, 1) + texts(both, 1) == [["a"], ["a"]]
    assert len(first.calls) == 1
    assert [record.getMessage() for record in caplog.records] == ["Server one is gone. 1 of 2 servers are left."]


def test_the_last_failure_is_the_error_of_the_call():
    both = SpreadEngine([ScriptedEngine([EngineError("One is gone.")]), ScriptedEngine([EngineError("Two is gone.")])])
    with pytest.raises(EngineError, match=r"No server is left\. Two is gone\."):
        texts(both)
    with pytest.raises(EngineError, match="No server is left"):
        both.count(ASK)


@pytest.mark.parametrize("kind", [ContextOverflow, Cancelled])
def test_an_error_of_the_request_is_not_one_of_the_engine(kind):
    both = SpreadEngine([ScriptedEngine([kind("too long"), "a"]), ScriptedEngine(["b"])])
    with pytest.raises(kind):
        texts(both, 1)
    assert texts(both, 1) == [["a"]]


def test_a_reply_that_breaks_off_is_not_begun_again():
    both = SpreadEngine([ScriptedEngine([EngineError("It is gone.")]), ScriptedEngine(["all of it"])])
    with pytest.raises(EngineError, match="A reply was lost: It is gone"):
        drained(both.stream(ASK, Sampling()))
    assert drained(both.stream(ASK, Sampling()))[1].text == "all of it"


def test_different_models_are_refused():
    other = ScriptedEngine()
    other.model = "another"
    with pytest.raises(EngineError, match="different models"):
        SpreadEngine([ScriptedEngine(), other])


def test_a_closed_engine_answers_nothing():
    both = SpreadEngine([ScriptedEngine(["a"]), ScriptedEngine(["b"])])
    both.close()
    with pytest.raises(EngineError, match="The connections were closed"):
        texts(both, 1)


# Real connections


def dying_after(number):
    """The answers of a server that breaks every connection from its request of this number on."""

    def answer(handler, count):
        if count >= number:
            handler.connection.close()
        else:
            stream(handler, "The answer", " is 9.")

    return answer


def test_the_work_of_a_server_that_dies_is_done_by_the_other():
    with ExitStack() as opened:
        (dying, came), (living, others) = (opened.enter_context(stand_in(dying_after(n))) for n in (5, 1000))
        servers = [OpenAIEngine(url, "m", parallel=1, retries=1) for url in (dying, living)]
        with closing(SpreadEngine(servers)) as both:
            found = [text for _ in range(5) for text in texts(both)]
    assert found == [["The answer is 9."]] * 15
    assert len(came) >= 5
    assert len(others) == 15 - 4
    seeds = [body["seed"] for _, _, body in [*came[:4], *others]]
    assert sorted(seeds) == sorted([0, 1, 2] * 5)  # each request once, with its own seed
