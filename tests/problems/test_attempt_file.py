"""Reading a person's attempt from a file: every accepted form, and the messages for the others."""

import json
import os
from pathlib import Path

import pytest

from runtime.problems.attempt_file import LIMIT, read_attempt
from runtime.text import UnreadableError

PROBLEM, STEPS = "Tom has 3 apples. How many are 3 more?", ["3 + 3 = 6", "The answer is 6."]
TEXT = f"{PROBLEM}\n\n3 + 3 = 6\nThe answer is 6.\n"
JSON = json.dumps({"problem": PROBLEM, "steps": STEPS})


def written(folder, data):
    path = folder / "attempt.txt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    "data",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        "\ufeff" + TEXT,
        "\n\n" + TEXT + "\n\n",
        TEXT.replace("\n\n", "\n\n\n\n"),
        TEXT.replace("\n\n", "\n \t\n"),
        TEXT.replace("6\nThe", "6\n\n   The"),
        JSON,
        "\ufeff" + JSON,
        "\n  " + json.dumps({"problem": PROBLEM, "steps": STEPS, "more": 1}, indent=2),
        json.dumps({"problem": PROBLEM, "steps": ["3 + 3\n = 6", " The answer is 6. "]}),
    ],
)
def test_every_form_gives_the_same_problem_and_steps(data, tmp_path):
    assert read_attempt(written(tmp_path, data)) == (PROBLEM, STEPS)


def test_a_problem_of_several_lines_stays_whole_and_every_line_is_a_step(tmp_path):
    text = "小明有 3 个苹果。\n又买了 3 个。\n\n第1步：3 + 3 = 6\n---\n答案是 6。"
    assert read_attempt(written(tmp_path, text)) == (
        "小明有 3 个苹果。\n又买了 3 个。",
        ["第1步：3 + 3 = 6", "---", "答案是 6。"],
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "has no steps"),
        (" \n\n \n", "has no steps"),
        ("Only a problem.", "has no steps"),
        ("Two lines\nof a problem.", "has no steps"),
        (b"caf\xe9\n\n2 + 3", "not text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00", "not text in UTF-8"),
        ('{"problem": ', "not valid JSON"),
        ('{"problem": "2 + 3?",\n "steps": [,]}', "not valid JSON .line 2"),
        ('{"problem": "2 + 3?"}', "`steps`"),
        ('{"steps": ["5"]}', "`question`"),
        ('{"problem": 5, "steps": ["5"]}', "`question`"),
        ('{"problem": "2 + 3?", "steps": "5"}', "`steps`"),
        ('{"problem": "2 + 3?", "steps": [5]}', "`steps`"),
        ('{"problem": "2 + 3?", "steps": []}', "has no steps"),
        ('{"problem": "2 + 3?", "steps": [" ", "\\n"]}', "has no steps"),
        ('{"problem": ' + "[" * 90_000, "nested too deeply"),
        ('{"problem": "2 + 3?", "steps": ["5"], "points": ' + "1" * 5000 + "}", "thousands of digits"),
        ('[{"problem": "2 + 3?", "steps": ["5"]}]', "one attempt is checked at a time"),
        ('{"problem": "2 + 3?", "steps": ["5"]}\n{"problem": "1?", "steps": ["1"]}', "not valid JSON .line 2"),
        ('{"problem": "half a \\ud800", "steps": ["5"]}', "not text"),
        ("x" * (LIMIT + 1), "too long"),
    ],
)
def test_an_unusable_file_is_named_with_the_reason(data, says, tmp_path):
    path = written(tmp_path, data)
    with pytest.raises(UnreadableError, match=says) as caught:
        read_attempt(path)
    assert str(path) in str(caught.value)


def test_text_that_starts_with_a_bracket_is_not_taken_for_json(tmp_path):
    assert read_attempt(written(tmp_path, "[Problem 3] 2 + 3?\n\n2 + 3 = 5")) == ("[Problem 3] 2 + 3?", ["2 + 3 = 5"])


@pytest.mark.parametrize("name", ["question", "problem"])
def test_a_problems_text_is_read_under_either_field_name(name, tmp_path):
    assert read_attempt(written(tmp_path, json.dumps({name: PROBLEM, "steps": STEPS}))) == (PROBLEM, STEPS)


def test_a_device_or_a_pipe_is_refused_without_waiting_for_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (Path("/dev/zero"), tmp_path / "pipe"):
        with pytest.raises(UnreadableError, match="device or a pipe; save its content to a file"):
            read_attempt(place)


def test_a_file_that_is_not_there_or_is_a_folder_is_named(tmp_path):
    with pytest.raises(UnreadableError, match="No such file"):
        read_attempt(tmp_path / "none.txt")
    with pytest.raises(UnreadableError, match="directory"):
        read_attempt(tmp_path)
