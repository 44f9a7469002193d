"""Training examples for the verifier: the labels of steps and answers from every format, and what becomes of them."""

import json

import pytest
from public_rows import PRM800K, PROCESSBENCH, SHEPHERD
from tables import table

from runtime.problems.formats import math_shepherd, prm800k
from runtime.problems.json_rows import RowError
from runtime.problems.labelled import LabelProvenance, StepLabel, labelled
from runtime.prompts.verifier_turn import put_to_verifier, score_parts
from runtime.types import Problem
from trainer.data.examples.verifier import (
    Sources,
    labelled_attempts,
    outcome,
    scored_row,
    step_labels,
    write_examples,
)
from trainer.data.rows import read_rows

PENS = Problem(
    text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much?", answer="17", source="made"
)
CHINESE = Problem(text="小明有3支笔，每支4元，又买了一本5元的书，一共多少元？")
STEPS = ("3 × 4 = 12", "12 - 5 = 7", "so 7")


def rolled(*counts, n=4, drawn="all"):
    return tuple(StepLabel(step=i, by="rollouts", k=k, n=n, drawn=drawn) for i, k in enumerate(counts))


def attempt(place="unknown", labels=(), **known):
    return labelled(PENS, STEPS, place, labels=labels, **known)


@pytest.mark.parametrize("place", [0, 1, 2, None])
def test_a_row_is_the_turn_that_is_served(place):
    row = scored_row(attempt(place))
    assert list(row.messages) == put_to_verifier(PENS) and list(row.parts) == score_parts(STEPS)
    assert (row.words, row.source) == (("right", "wrong"), "made")
    assert scored_row(labelled(CHINESE, STEPS, place)).words != row.words


MONOTONE = rolled(3, 0, 1)


@table(
    ("given", "options", "labels"),
    [
        (attempt(None), {}, [1, 1, 1]),
        (attempt(1), {}, [1, 0, None]),
        (attempt(1), {"after_error": "wrong"}, [1, 0, 0]),
        (attempt(1), {"after_error": "labelled"}, [1, 0, None]),
        (attempt(1, MONOTONE), {}, [1, 0, None]),
        (attempt(1, MONOTONE), {"estimate": "soft"}, [0.75, 0, None]),
        (attempt(1, MONOTONE), {"after_error": "labelled"}, [1, 0, 1]),
        (attempt(1, MONOTONE), {"after_error": "labelled", "estimate": "soft"}, [0.75, 0, 0.25]),
        # without a first error, the first step that is labelled wrong ends what is known
        (
            attempt("unknown", (StepLabel(step=1, value=-1), StepLabel(step=2, value=1))),
            {},
            [None, 0, None],
        ),
        (attempt(), {}, [None, None, None]),
        # the share is not known where sampling ended at a success
        (attempt("unknown", rolled(1, 1, drawn="until_success", n=2)), {"estimate": "soft"}, [None, None, None]),
        (attempt("unknown", rolled(1, 1, drawn="until_success", n=2)), {}, [1, 1, None]),
        # a rating is hard, also where labels of rollouts are soft; 0 of PRM800K is not wrong
        (attempt("unknown", (StepLabel(step=0, value=0),)), {"estimate": "soft"}, [1, None, None]),
        (attempt("unknown", (StepLabel(step=0, p=0.3),)), {"estimate": "soft"}, [0.3, None, None]),
        (attempt("unknown", (StepLabel(step=0, p=0.3),)), {}, [None, None, None]),
        # a critic's labels are what a verifier is compared with
        (attempt("unknown", (StepLabel(step=0, by="critic", value=-1),)), {}, [None, None, None]),
        # of an alternative only its own step is new
        (attempt(2, provenance=LabelProvenance(role="alternative")), {}, [None, None, 0]),
    ],
)
def test_labels_of_steps(given, options, labels):
    assert step_labels(given, **options) == labels


@table(
    ("given", "right"),
    [
        (attempt(correct=True), 1),
        (attempt(1, correct=True), 1),  # a right answer in spite of a wrong step
        (attempt(None, correct=False), 0),
        (attempt(None), 1),
        (attempt(1), 0),
        (attempt(), None),
        (attempt(None, provenance=LabelProvenance(ending="solution")), 1),
        (attempt(None, provenance=LabelProvenance(ending="give_up")), None),
        (attempt(None, provenance=LabelProvenance(role="alternative")), None),
        (attempt(2, provenance=LabelProvenance(role="alternative")), 0),
    ],
)
def test_the_label_of_the_answer(given, right):
    assert outcome(given) == right


# Files


def write(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def test_public_formats_become_rows(tmp_path):
    path = write(tmp_path / "all.jsonl", SHEPHERD, PROCESSBENCH, PRM800K)
    found = [scored_row(one, after_error="labelled") for one in labelled_attempts(path)]
    assert [(row.labels, row.outcome) for row in found] == [
        ((1, 0, 0), 0),
        ((1, 0), 0),
        ((1, 1), 1),
        ((0,), 0),  # an alternative to the first step
    ]
    assert {one.provenance.format for one in labelled_attempts(path)} == {
        math_shepherd.NAME, prm800k.NAME, "ProcessBench",
    }  # fmt: skip


def test_attempts_of_which_nothing_is_known_are_left_out(tmp_path):
    bare = {"question": "Di has 7?", "steps": ["7 + 1 = 8"]}
    path = write(tmp_path / "rows.jsonl", bare, {**bare, "question": "Ed has 7?", "correct": True})
    assert [one.problem.text for one in labelled_attempts(path)] == ["Ed has 7?"]
    with pytest.raises(RowError, match="no attempts with labels"):
        write_examples(Sources(labelled=(write(tmp_path / "bare.jsonl", bare),)), tmp_path / "out")


def test_examples_are_split_by_problem_and_held_out_problems_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("trainer.data.examples.attempts.FITTED_FROM", 0)
    many = [{**PROCESSBENCH, "id": f"a-{i}", "problem": f"Bo has {i} pens and buys {i} more?"} for i in range(40)]
    held_out = write(tmp_path / "held_out.jsonl", {"question": many[0]["problem"]})
    path = write(tmp_path / "many.jsonl", *many)
    report = write_examples(Sources(generated=40, labelled=(path,), held_out=(held_out,)), tmp_path / "out")
    learned, watched = (list(read_rows(tmp_path / "out" / f"verifier{name}.jsonl")) for name in ("", "-dev"))
    assert len(learned) + len(watched) == 40 + 39 and watched
    asked = [{row.messages[-1]["content"] for row in rows} for rows in (learned, watched)]
    assert not asked[0] & asked[1] and not any(many[0]["problem"] in text for text in asked[0] | asked[1])
    fitted = list(labelled_attempts(tmp_path / "out" / "verifier-fit.jsonl"))
    assert [scored_row(one) for one in fitted] == watched
    labels = [label for row in learned for label in row.labels]
    assert report["labels"]["steps"] == {
        name: labels.count(label) for name, label in (("right", 1), ("wrong", 0), ("ignored", None))
    }
