"""Overlaps of training problems with held-out ones: all are found, and nothing else."""

import json

import pytest

from runtime.problems.json_rows import RowError
from trainer.data.decontaminate import WINDOW, drop, find, read_texts, windows, words

LONG = "Lena buys three notebooks for four dollars each and then a pen for two dollars in the shop. How much in all?"
OTHER = "A train leaves the station at noon and travels at sixty miles an hour for the rest of the day until midnight."


def overlaps(text, **held_out):
    return [(o.row, o.held_out, o.held_out_row, o.how) for o in find([text], held_out).overlaps]


@pytest.mark.parametrize(
    "text", [LONG, LONG.upper(), f"  {LONG}\n".replace(" ", "  "), LONG.replace(".", " !"), LONG.replace("a", "ａ")]
)
def test_the_same_text_is_found_in_other_notation(text):
    assert overlaps(text, dev=[OTHER, LONG]) == [(0, "dev", 1, "same")]


def test_thirteen_words_in_a_row_are_an_overlap_and_twelve_are_none():
    words = LONG.split()
    thirteen, twelve = " ".join(words[2 : 2 + WINDOW]), " ".join(words[2 : 1 + WINDOW])
    assert overlaps(f"Once {thirteen} and so on", dev=[LONG]) == [(0, "dev", 0, "window")]
    assert overlaps(f"Once {twelve} and so on", dev=[LONG]) == []
    assert find([f"Once {thirteen} more"], {"dev": [LONG]}).overlaps[0].words == thirteen.lower()


def test_a_short_text_must_match_completely():
    assert overlaps("What is 2 + 3?", dev=["what is 2+3"]) == [(0, "dev", 0, "same")]
    assert overlaps("What is 2 + 3 + 4?", dev=["what is 2+3"]) == []
    assert overlaps("!?", dev=["…"]) == []


def test_numbers_count_as_words():
    assert words("It costs $1,200.50, i.e. a lot.") == ("it", "costs", "1,200.50", "i", "e", "a", "lot")
    changed = " ".join("9" if i % 6 == 3 else word for i, word in enumerate(LONG.split()))
    assert overlaps(changed, dev=[LONG]) == []


def test_chinese_is_compared_by_characters():
    text = "小明有三盒鸡蛋，每盒六个，打破了四个，还剩几个？"
    assert overlaps(f"请问：{text}", dev=[text]) == [(0, "dev", 0, "window")]
    assert len(list(windows(words(text)))) == len(words(text)) - WINDOW + 1


def test_every_set_is_reported_and_dropped_from():
    rows = [LONG, OTHER, "What is 2 + 3?", f"{OTHER} When?"]
    report = find(rows, {"dev": [LONG], "test": [OTHER, LONG]})
    assert report.rows == {0, 1, 3}
    assert drop(rows, report) == ["What is 2 + 3?"]
    summary = report.summary()
    assert summary["overlapping"] == 3 and summary["texts"] == 4
    assert summary["held_out"]["dev"] == {"texts": 1, "same": 1, "window": 0}
    assert summary["held_out"]["test"] == {"texts": 2, "same": 2, "window": 1}
    assert find(drop(rows, report), {"dev": [LONG], "test": [OTHER]}).overlaps == ()
    with pytest.raises(ValueError, match="of 4 texts"):
        drop(rows[1:], report)


def test_problems_are_read_from_rows_of_every_kind(tmp_path):
    file = tmp_path / "rows.jsonl"
    rows = [{"question": "a"}, {"problem": "b"}, {"problem": {"text": "c"}}, {"text": "d"}]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    assert read_texts(file) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("line", ['{"other": "a"}', '{"problem": {"id": 1}}', "[1]", "{"])
def test_a_row_without_a_problem_is_named(line, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"question": "a"}\n' + line, "utf-8")
    with pytest.raises(RowError, match="line 2"):
        read_texts(file)
