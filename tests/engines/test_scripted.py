"""The scripted engine, on which the loop is tested, and the meter that counts calls and tokens of an engine."""

import math
from threading import Event

import pytest
from asking import ask, drained

from runtime.engines.base import Completion, EngineError, Metered, Sampling
from runtime.engines.scripted import ScriptedEngine

ASK = ask("What is 2 + 3?")
GREEDY = Sampling()


@pytest.mark.parametrize(
    ("reply", "sampling", "stop", "text", "finish"),
    [
        ("2 + 3 = 5\nThe answer is 5.\n", GREEDY, (), "2 + 3 = 5\nThe answer is 5.\n", "stop"),
        ("  两 步\n\n完 ", GREEDY, (), "  两 步\n\n完 ", "stop"),
        ("", GREEDY, (), "", "stop"),
        ("one\ntwo", GREEDY, ("\n",), "one", "stop"),
        ("one two three", GREEDY, ("o t",), "one tw", "stop"),
        ("one two three", Sampling(max_tokens=2), (), "one two", "length"),
        ("one two", Sampling(max_tokens=2), (), "one two", "stop"),
    ],
)
def test_a_reply_is_replayed_word_by_word(reply, sampling, stop, text, finish):
    pieces, completion = drained(ScriptedEngine([reply]).stream(ASK, sampling, stop=stop))
    assert "".join(pieces) == completion.text == text
    assert completion.finish == finish
    (sampled,) = next(ScriptedEngine([reply]).sample([ASK], sampling, stop=stop))
    assert sampled == completion


def test_replies_come_in_order_and_every_call_is_kept():
    engine = ScriptedEngine(["a", "b", "c"])
    assert drained(engine.stream(ASK, GREEDY))[1].text == "a"
    assert [[c.text for c in found] for found in engine.sample([ASK], GREEDY, n=2)] == [["b", "c"]]
    assert engine.calls == [ASK] * 3
    with pytest.raises(EngineError, match="no reply left"):
        drained(engine.stream(ASK, GREEDY))


def test_an_exception_in_the_script_is_raised():
    engine = ScriptedEngine([EngineError("Out of memory."), "on we go"])
    with pytest.raises(EngineError, match="Out of memory"):
        drained(engine.stream(ASK, GREEDY))
    assert drained(engine.stream(ASK, GREEDY))[1].text == "on we go"


def test_cancelling_ends_a_reply_at_once():
    cancel = Event()
    stream = ScriptedEngine(["one two three four"]).stream(ASK, GREEDY, cancel=cancel)
    assert next(stream) == "one"
    cancel.set()
    assert drained(stream) == ([], Completion("one", "cancelled", 5, 1))
    (found,) = next(ScriptedEngine(["one two"]).sample([ASK], GREEDY, cancel=cancel))
    assert found.finish == "cancelled"


@pytest.mark.parametrize("right", [0.0, 0.2, 0.99, 1.0])
def test_verdicts_are_probabilities_of_the_first_choice(right):
    engine = ScriptedEngine(verdicts=[right])
    first, second = engine.choice_logprobs(ASK, ["2 + 3 = 5\n", "so 5\n"], ["+", "-"])
    assert [math.exp(value) for value in first] == pytest.approx([right, 1 - right], abs=1e-6)
    assert math.exp(second[0]) > 0.9
    assert engine.calls == [[*ASK, {"role": "assistant", "content": "2 + 3 = 5\nso 5\n"}]]


def test_more_than_two_choices_are_equally_likely_and_use_no_queued_verdict():
    engine = ScriptedEngine(verdicts=[0.2])
    rows = engine.choice_logprobs(ASK, ["2 +", " 3"], "0123456789")
    assert [math.exp(value) for row in rows for value in row] == pytest.approx([0.1] * 20)
    assert len(engine.calls) == 1
    assert math.exp(engine.choice_logprobs(ASK, ["5"], "+-")[0][0]) == pytest.approx(0.2)


def test_a_metered_engine_gives_the_same_replies_and_counts_them():
    def script():
        return ScriptedEngine(["one two", "three", "four five six", "seven"], verdicts=[0.3])

    plain, metered = script(), Metered(script())
    assert (metered.name, metered.model, metered.parallel) == (plain.name, plain.model, plain.parallel)
    assert drained(metered.stream(ASK, GREEDY)) == drained(plain.stream(ASK, GREEDY))
    assert list(metered.sample([ASK], GREEDY, n=2)) == list(plain.sample([ASK], GREEDY, n=2))
    assert metered.choice_logprobs(ASK, ["a b"], "+-") == plain.choice_logprobs(ASK, ["a b"], "+-")
    assert metered.count(ASK) == plain.count(ASK) == 5
    usage = metered.usage
    assert (usage.calls, usage.prompt_tokens, usage.completion_tokens) == (4, 5 + 5 + 5 + 7, 2 + 1 + 3)
    metered.close()
    with pytest.raises(EngineError):
        drained(metered.stream(ASK, GREEDY))
