"""Self-talk traces: every step keeps its label, errors are corrected, and the wording varies."""

import json
from collections import Counter
from itertools import islice

import pytest

from runtime.problems import wordproblems
from runtime.prompts.actor_turn import conversation
from runtime.text import language_of
from runtime.types import Problem
from trainer.data.examples.selftalk import sound, write_traces
from trainer.data.rows import read_rows
from trainer.data.traces.material import from_worked, generated, gsm8k, rollouts
from trainer.data.traces.trace import DECISION, CheckedStep, Trace, smoothed

PROBLEM = Problem(text="Ana buys 3 pens for 4 dollars each. How much does she pay?", answer="12")
RIGHT = CheckedStep("3 × 4 = 12 dollars", True, "Right: 3 × 4 is 12.")
WRONG = CheckedStep("3 + 4 = 7 dollars", False, "You have to multiply here.")

DOUBTED = CheckedStep("3 + 4 = 7 dollars", False, "wait, I have to multiply here.")


@pytest.mark.rest
def test_hundreds_of_traces_are_sound_and_half_of_them_correct_an_error():
    kept, left_out = sound(generated(400, seed=1))
    assert len(kept) + sum(left_out.values()) == 400
    assert len(kept) > 395
    slips = Counter(sum(not one.right for one in trace.steps) for trace in kept)
    assert set(slips) == {0, 1}
    assert 0.35 < slips[1] / len(kept) < 0.6


def test_a_wrong_step_is_followed_by_its_correction():
    for worked in islice(wordproblems.stream(3), 100):
        steps = from_worked(worked, 3).steps
        right = [one.step for one in steps if one.right]
        assert right == list(worked.lines)
        for place, one in enumerate(steps):
            if not one.right:
                assert one.step != steps[place + 1].step and steps[place + 1].right


def test_checks_have_many_wordings_in_the_first_person():
    checks = [one.words for seed in range(60) for one in smoothed(Trace(PROBLEM, (WRONG, RIGHT), "12"), seed).steps]
    assert len(set(checks)) > 12
    assert not any(word in f" {words} " for words in checks for word in (" you ", " You ", " your "))
    assert any("I have to multiply" in words for words in checks)


def test_the_second_person_becomes_the_first():
    wrong = CheckedStep(
        "3 + 4 = 7", False, "Adding does not bring you closer; you need to multiply, and your sum is 7."
    )
    checks = {smoothed(Trace(PROBLEM, (wrong, RIGHT), "12"), seed).steps[0].words for seed in range(20)}
    assert all("bring me closer; I need to multiply, and my sum is 7." in words for words in checks)


def test_a_wrong_step_is_read_and_not_learned():
    pieces = Trace(PROBLEM, (DOUBTED, RIGHT), "12").pieces
    assert [text for text, weight in pieces if not weight] == ["3 + 4 = 7 dollars\n"]
    assert "".join(text for text, _ in pieces) == Trace(PROBLEM, (DOUBTED, RIGHT), "12").text


def test_the_first_word_of_a_check_has_the_largest_weight():
    kept, _ = sound(generated(200, seed=4))
    first = {
        right: {one.words.split()[0].strip(",.:") for trace in kept for one in trace.steps if one.right == right}
        for right in (True, False)
    }
    assert first == {True: {"right", "yes"}, False: {"wait", "no"}}
    weighed = {text.strip() for trace in kept for text, weight in trace.pieces if weight == DECISION}
    assert weighed == first[True] | first[False]


def test_human_solutions_become_traces_and_held_out_problems_are_left_out(tmp_path):
    question = (
        "Weng earns $12 an hour for babysitting. Yesterday, she did 3 hours of babysitting. How much did she earn?"
    )
    solution = "Weng earned 12 * 3 = $<<12*3=36>>36."
    source, other = tmp_path / "gsm8k.jsonl", tmp_path / "held_out.jsonl"
    source.write_text(json.dumps({"question": question, "solution": solution, "answer": "36", "source": "gsm8k"}))
    [trace] = gsm8k(source, seed=0)
    assert trace.answer == "36" and any("12 × 3 = 36" in one.step for one in trace.steps)
    other.write_text(json.dumps({"question": question}))
    report = write_traces(tmp_path, gsm8k(source, seed=0), [other])
    assert report["traces"] == 0 and report["left out"] == {"overlaps with a held-out problem": 1}


def test_right_rollouts_become_traces_in_the_models_own_words(tmp_path):
    path = tmp_path / "attempts.jsonl"
    question = "Weng earns $12 an hour for babysitting. Yesterday she did 3 hours of babysitting. What did she earn?"
    steps = [r"She worked 3 hours at 12 dollars: \[ 12 \times 3 = 36 \]"]
    attempt = {"question": question, "steps": steps, "attempt_answer": "36", "correct": True, "source": "gsm8k"}
    wrong = {**attempt, "steps": ["12 + 3 = 15"], "attempt_answer": "15", "correct": False}
    by_luck = {**attempt, "steps": ["12 + 3 = 15"]}
    path.write_text("".join(json.dumps(row) + "\n" for row in (attempt, wrong, by_luck)))
    talks = list(rollouts(path, seed=0, wordings=8))
    assert len(talks) == 8 and not any(trace.fault for trace in talks)
    assert all(trace.steps[-1].step.endswith("12 dollars: 12 × 3 = 36") for trace in talks)
    assert {len(trace.steps) for trace in talks} == {1, 2}


@pytest.mark.parametrize(
    "steps, answer, named",
    [
        ((RIGHT,), "13", "answer"),
        ((CheckedStep("3 × 4 = 13 dollars", True, "yes."),), "12", "false equation"),
        ((RIGHT, DOUBTED), "12", "ends with a doubt"),
        ((CheckedStep("3 × 4 = 12 dollars", False, "fine."), RIGHT), "12", "contradict the labels"),
        ((CheckedStep("The answer is 12.", True, "yes."), RIGHT), "12", "cannot be parsed"),
        ((), "12", "ends with a doubt"),
    ],
)
def test_a_faulty_trace_names_its_fault(steps, answer, named):
    assert named in Trace(PROBLEM, steps, answer).fault
    assert Trace(PROBLEM, (DOUBTED, RIGHT), "12").fault is None


def test_rows_are_split_into_training_and_validation(tmp_path):
    report = write_traces(tmp_path, generated(150, seed=2))
    learned, apart = (list(read_rows(tmp_path / name)) for name in ("selftalk.jsonl", "dev.jsonl"))
    assert report["traces"] == len(learned) + len(apart)
    assert report["kept apart"] == len(apart) > 0
    asked = {json.dumps(row.messages) for row in learned} & {json.dumps(row.messages) for row in apart}
    assert not asked
    assert all(language_of(row.messages[-1]["content"]) == "en" for row in learned)


def test_actor_examples_hold_solutions_without_checks(tmp_path):
    write_traces(tmp_path, [Trace(PROBLEM, (DOUBTED, RIGHT), "12"), Trace(PROBLEM, (RIGHT,), "12")])
    [example] = [row for name in ("actor", "actor-dev") for row in read_rows(tmp_path / f"{name}.jsonl")]
    assert example.reply == ((f"{RIGHT.step}\nThe answer is 12.", 1.0),)
    assert example.messages == tuple(conversation(PROBLEM))
