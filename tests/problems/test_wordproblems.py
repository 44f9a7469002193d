"""Generated word problems: solutions are right, numbers are sensible, and the splits share nothing."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from fractions import Fraction
from itertools import islice

import pytest
from places import ROOT

from runtime.checks import arithmetic
from runtime.checks.grading import grade
from runtime.checks.stated import final_answer
from runtime.problems.json_rows import RowError
from runtime.problems.wordproblems import HELD_OUT, generate, stream, themes
from runtime.problems.worked import Quantity, Worked
from runtime.text import split_attempt
from runtime.types import Problem
from trainer.data.problems import ProblemsError, report, write

SPLITS = ("train", "dev", "test")
MEASURED = re.compile(r"dollars|kilometres|metres|hours|grams|millilitres|litres|kilograms|centimetres|per |average")


@pytest.fixture(scope="module")
def problems():
    return {split: list(islice(stream(11, split), 500)) for split in SPLITS}


@pytest.fixture(scope="module")
def everything(problems):
    return [worked for split in SPLITS for worked in problems[split]]


def test_every_step_that_makes_a_number_holds_a_right_equation(everything):
    for worked in everything:
        for step, line in zip(worked.steps, worked.lines, strict=True):
            assert step.makes is not None
            assert arithmetic.verdict(arithmetic.check(line)) == "correct", line
            assert f"{{={step.makes}}}" in step.text


def test_every_answer_is_graded_right_and_a_nearby_one_wrong(everything):
    for worked in everything:
        assert grade(worked.result, worked.problem) is True
        assert grade(f"The answer is {worked.result} {worked.unit}.", worked.problem) is True
        assert grade(str(int(worked.quantities[worked.answer].value) + 1), worked.problem) is False


def test_steps_compute_every_number_that_is_not_given_and_end_with_the_answer(everything):
    for worked in everything:
        made = [number for number, quantity in enumerate(worked.quantities) if quantity.formula]
        assert [step.makes for step in worked.steps] == made
        assert worked.answer == made[-1]
        used = {int(at) for quantity in worked.quantities for at in re.findall(r"\{(\d+)\}", quantity.formula)}
        assert set(made[:-1]) <= used, worked.problem.text
        assert 1 <= len(worked.steps) <= 8


def test_numbers_are_sensible(everything):
    for worked in everything:
        for quantity in worked.quantities:
            assert 0 < quantity.value <= 200_000
            assert (quantity.value * 100).denominator == 1
            if quantity.places == 2 and quantity.value.denominator != 1:
                assert re.fullmatch(r"\d+\.\d\d", quantity.shown)
        answer = worked.quantities[worked.answer]
        if not MEASURED.search(worked.unit) and not worked.template.startswith(("averages", "compare")):
            assert answer.value.denominator == 1, worked.problem.text


def test_given_numbers_stand_in_the_question(everything):
    """A reader must be able to find each number; twice, half and the like are written as words."""
    for worked in everything:
        used = {int(at) for quantity in worked.quantities for at in re.findall(r"\{(\d+)\}", quantity.formula)}
        hidden = [
            worked.quantities[at].shown
            for at in used
            if not worked.quantities[at].formula and not _contains(worked.problem.text, worked.quantities[at].shown)
        ]
        assert not hidden, (hidden, worked.problem.text)


def _contains(text: str, number: str) -> bool:
    words = {"2": "half|twice|double", "3": "third|triple|three", "4": "quarter|four", "5": "fifth|five", "6": "sixth"}
    digits = rf"(?<![\d.]){re.escape(number)}(?!\d|\.\d)|/{number}\b"
    return bool(re.search(f"{digits}|{words.get(number, '(?!)')}", text, re.IGNORECASE))


def test_english_texts_are_grammatical(everything):
    for worked in everything:
        for text in (worked.problem.text, *worked.lines):
            assert not re.search(r"[{}@]|  | [.,?]|(?<![\d./])1 [a-z]{3,}s\b|\b(\w+) \1\b", text), text
            assert text[0].isupper() or text[0].isdigit()
        assert worked.problem.text.endswith(("?", "."))
        assert not re.search(r"\b(?:gives|from|by|to|named) (?:he|she)\b", worked.problem.text), worked.problem.text


def test_each_line_is_one_step_of_the_runtime(everything):
    for worked in everything:
        attempt = "\n".join([*worked.lines, f"The answer is {worked.result}."])
        assert len(split_attempt(attempt)) == len(worked.steps) + 1, attempt
        assert final_answer(attempt) == worked.result


def test_splits_share_no_template_and_held_out_themes_stay_in_theirs(problems):
    templates = {split: {worked.template for worked in problems[split]} for split in SPLITS}
    assert not templates["train"] & templates["dev"]
    assert not templates["train"] & templates["test"]
    assert not templates["dev"] & templates["test"]
    for split in SPLITS:
        seen = {worked.theme for worked in problems[split]}
        assert seen <= set(themes(split))
        assert {HELD_OUT[theme] for theme in seen if theme in HELD_OUT} <= {split}
    own = Counter(HELD_OUT.values())
    assert own["dev"] >= 3 and own["test"] >= 4
    assert len(themes("train")) >= 24 and len(templates["train"]) > 150
    for split in ("dev", "test"):
        assert {HELD_OUT[theme] for theme in themes(split) if theme in HELD_OUT} == {split}
        assert {theme for theme, owner in HELD_OUT.items() if owner == split} <= {w.theme for w in problems[split]}


def test_the_same_arguments_give_the_same_problem_in_any_process():
    code = "from runtime.problems.wordproblems import generate; print(repr([generate(3, n, 'test') for n in range(5)]))"
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert other.strip() == repr([generate(3, n, "test") for n in range(5)])
    assert [w.problem.id for w in islice(stream(3, "dev", 2), 3)] == [
        generate(3, n, "dev").problem.id for n in (2, 3, 4)
    ]
    assert generate(4, 0, "test") != generate(3, 0, "test")


def test_the_problems_of_a_seed_stay_what_they_were(problems):
    """Practice and data sets name a problem by its seed and number. A change of the texts changes the digest here."""
    rows = "\n".join(worked.model_dump_json() for split in SPLITS for worked in problems[split])
    assert hashlib.sha256(rows.encode()).hexdigest()[:16] == "10ce13351a75b6b8"


def test_problems_match_their_types(everything):
    for worked in everything[::10]:
        assert Worked.model_validate(worked.model_dump()) == worked
    assert everything[0].problem == Problem.model_validate(everything[0].problem.model_dump())
    assert everything[0].problem.licence == "CC0-1.0"


def test_duplicates_are_rare(everything):
    ids = Counter(worked.problem.id for worked in everything)
    assert len(everything) - len(ids) <= len(everything) // 100


def test_a_changed_number_is_propagated_to_later_steps(everything):
    for worked in everything:
        assert worked.changed({}) == worked
        first = worked.steps[0].makes
        moved = worked.changed({first: Quantity(value=worked.quantities[first].value + 1, formula="")})
        assert moved.quantities[first].value == worked.quantities[first].value + 1
        assert moved.problem == worked.problem
        for line in moved.lines[1:]:
            left, right = re.split(" = ", line, maxsplit=1)
            assert left and right
            # A wrong number may lead to a fraction; the check may then be unsure, never "incorrect".
            assert arithmetic.verdict(arithmetic.check(line)) != "incorrect", line
    longest = max(everything, key=lambda worked: len(worked.steps))
    start = next(at for at, quantity in enumerate(longest.quantities) if not quantity.formula)
    other = longest.changed({start: longest.quantities[start].model_copy(update={"value": Fraction(5)})})
    assert other.quantities[start].value == 5


def test_a_truncated_file_is_continued(tmp_path):
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    assert list(write(whole, 1200, 5, "train", processes=2))[-1] == 1200
    list(write(cut, 700, 5, "train"))
    cut.write_bytes(cut.read_bytes()[:-40])
    assert next(iter(write(cut, 1200, 5, "train"))) == 699
    list(write(cut, 1200, 5, "train"))
    assert cut.read_bytes() == whole.read_bytes()
    row = json.loads(whole.read_text("utf-8").splitlines()[0])
    assert row["solution"] == list(generate(5, 0).lines)
    assert row["id"] == Problem(text=row["question"]).id
    found = report(whole)
    assert found.count == 1200 and found.duplicates <= 12
    assert abs(sum(found.templates.values()) - 1) < 1e-9 and max(found.themes.values()) < 0.1


def test_a_file_left_by_a_killed_run_is_continued(tmp_path):
    path = tmp_path / "killed.jsonl"
    code = f"import pathlib, trainer.data.problems as p; list(p.write(pathlib.Path({str(path)!r}), 10**6, 6, 'dev'))"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    while process.poll() is None and not (path.exists() and path.stat().st_size):
        time.sleep(0.02)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = next(iter(write(path, 1, 6, "dev")))
    list(write(path, done + 20, 6, "dev"))
    numbers = [json.loads(line)["number"] for line in path.read_text("utf-8").splitlines()]
    assert numbers == list(range(done + 20))


def test_a_file_of_other_problems_is_not_overwritten(tmp_path):
    path = tmp_path / "problems.jsonl"
    list(write(path, 3, 1, "train"))
    before = path.read_bytes()
    for seed, split in ((2, "train"), (1, "test")):
        with pytest.raises(ProblemsError, match=r"seed 1, split train\. Name another file"):
            list(write(path, 5, seed, split))
    assert path.read_bytes() == before
    path.write_text('{"a": 1}\n', "utf-8")
    with pytest.raises(ProblemsError, match="something other than problems"):
        list(write(path, 5, 1, "train"))
    with pytest.raises(RowError, match="cannot be read"):
        report(tmp_path / "missing.jsonl")
