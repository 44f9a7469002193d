"""A growing reply: characters and stop strings that are split over tokens."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.engines.reply import Reply


def shown(chunks, stop=()):
    """The pieces shown, and the reply at its end."""
    reply, pieces = Reply(stop), []
    for chunk in chunks:
        pieces.append(reply.push(chunk))
        assert reply.text == "".join(pieces)
    pieces.append(reply.finish())
    assert reply.text == "".join(pieces)
    return pieces, reply


@pytest.mark.parametrize(
    ("chunks", "stop", "pieces"),
    [
        (["a", "b"], [], ["a", "b", ""]),
        (["a\n", "b"], ["\n"], ["a", "", ""]),
        (["ab", "cd", "ef"], ["cde"], ["ab", "", "", ""]),
        (["ab", "cd", "xf"], ["cde"], ["ab", "", "cdxf", ""]),
        (["ab", "c"], ["cde"], ["ab", "", "c"]),
        (["aa", "ab"], ["aab"], ["", "a", ""]),
        (["<", "end", ">", "more"], ["<end>"], ["", "", "", "", ""]),
        (["xyz"], ["z", "y"], ["x", ""]),
        (["x", ""], ["x"], ["", "", ""]),
        ([], ["x"], [""]),
    ],
)
def test_shown_text_is_final_and_ends_before_a_stop_string(chunks, stop, pieces):
    assert shown([chunk.encode() for chunk in chunks], stop)[0] == pieces


@pytest.mark.parametrize(
    ("chunks", "stopped"), [([b"a\n"], True), ([b"a", b"\n", b"b"], True), ([b"a"], False), ([], False)]
)
def test_a_completion_records_whether_a_stop_string_ended_it(chunks, stopped):
    assert shown(chunks, ["\n"])[1].stopped is stopped


@pytest.mark.parametrize("text", ["é", "模型", "√2 ≤ 2", "🙂!", "a\u0301"])
def test_a_character_split_over_tokens_is_shown_whole(text):
    pieces, reply = shown([bytes([byte]) for byte in text.encode()])
    assert reply.text == text
    assert "\ufffd" not in "".join(pieces)


def test_a_character_that_is_never_completed_is_shown_as_a_replacement_sign():
    assert shown([b"a", "模".encode()[:2]])[1].text == "a\ufffd"
    assert shown([b"a\xff", b"b"])[1].text == "a\ufffdb"


def test_a_stop_string_of_split_characters_is_found():
    data = "甲检查乙".encode()
    assert shown([data[i : i + 2] for i in range(0, len(data), 2)], ["检查"])[1].text == "甲"


def cut(data, cuts):
    places = [0, *sorted(min(place, len(data)) for place in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


CUTS = st.lists(st.integers(0, 60))
WORDS = st.text("ab\né模🙂", max_size=20)
STOPS = st.lists(st.text("ab\né模", min_size=1, max_size=4), max_size=3)


@given(WORDS, STOPS, CUTS)
@example("abc", ["abc", "b"], [1, 2])
def test_the_text_does_not_depend_on_how_its_bytes_are_split(text, stop, cuts):
    data = text.encode()
    whole, cut_up = shown([data], stop)[1], shown(cut(data, cuts), stop)[1]
    assert (cut_up.text, cut_up.stopped) == (whole.text, whole.stopped)


@given(WORDS, STOPS, CUTS)
def test_the_text_ends_before_the_first_stop_string(text, stop, cuts):
    reply = shown(cut(text.encode(), cuts), stop)[1]
    assert text.startswith(reply.text)
    assert not any(word in reply.text for word in stop)
    assert reply.stopped == any(word in text for word in stop)
    if reply.stopped:
        assert text[len(reply.text) :].startswith(tuple(stop))
    else:
        assert reply.text == text


@given(st.binary(max_size=30), CUTS)
def test_invalid_bytes_decode_the_same_however_they_are_split(data, cuts):
    assert shown(cut(data, cuts))[1].text == data.decode("utf-8", "replace")
