"""Every format on small handwritten rows: read as what it is, written and read again the same, or refused with the
field and the remedy."""

import json

import pytest

from runtime.problems.formats import FORMATS, format_of, read
from runtime.problems.json_rows import RowError
from runtime.problems.labelled import LabelledTrajectory, StepLabel, WrittenCritique, labelled
from runtime.studio.importing import import_attempts
from runtime.types import Problem
from trainer.data.sources import read_attempts, read_judged, read_problems

ASKED = "Tom has 3 pens for 4 dollars each. What do they cost with a book for 5?"
STEPS = ["3 * 4 = 12", "12 - 5 = 7", "The answer is 7."]


def rated(*ratings, **more):
    """An element of PRM800K's `label.steps`: completions with these ratings."""
    completions = [{"text": text, "rating": rating, "flagged": False} for text, rating in ratings]
    return {"completions": completions, "human_completion": None, "chosen_completion": 0, **more}


MADE_BY = {"labeler": "a", "timestamp": "2023-01-22T04:34:27", "is_quality_control_question": False}
ROWS = {
    "ProcessBench": {
        "id": "gsm8k-0", "generator": "Qwen2-7B", "source": "gsm8k", "licence": "MIT", "problem": ASKED, "steps": STEPS,
        "label": 1, "final_answer_correct": False,
    },
    "MR-GSM8K": {
        "uuid": "u1", "question": ASKED, "ground_truth_answer": "17", "question_type": "original",
        "ground_truth_solution": "3 * 4 = 12\n12 + 5 = 17\n#### 17", "model_output_steps": STEPS,
        "model_output_answer_correctness": "wrong", "model_output_solution_correctness": "wrong",
        "model_output_solution_first_error_step": 2,
        "model_output_solution_first_error_reason": "The book has to be added.",
    },
    "PRM800K": {  # phase 1: two completions for each step, then a person's own
        **MADE_BY, "generation": None,
        "question": {"problem": ASKED, "ground_truth_answer": "17"},
        "label": {
            "steps": [
                rated(("3 * 4 = 13", -1), ("3 * 4 = 12", 1), chosen_completion=1),
                rated(("12 - 5 = 7", -1), chosen_completion=None,
                      human_completion={"text": "12 + 5 = 17", "rating": None, "source": "human", "flagged": False}),
                rated(("So it is 17.", 1)),
            ],
            "total_time": 30500, "finish_reason": "solution",
        },
    },
    "PRM800K, phase 2": {
        **MADE_BY, "generation": 9,
        "question": {"problem": ASKED, "ground_truth_answer": "17", "pre_generated_steps": STEPS,
                     "pre_generated_answer": "7", "pre_generated_verifier_score": 0.1},
        "label": {"steps": [rated((STEPS[0], 1)), rated((STEPS[1], -1), chosen_completion=None)],
                  "total_time": 1000, "finish_reason": "found_error"},
    },
    "Math-Shepherd": {
        "input": f"{ASKED} Step 1: 3 * 4 = 12 ки\nStep 2: 12 - 5 = 7 ки\nStep 3: The answer is: 7 ки",
        "label": f"{ASKED} Step 1: 3 * 4 = 12 +\nStep 2: 12 - 5 = 7 -\nStep 3: The answer is: 7 -",
        "task": "GSM8K",
    },
    "MATH-Minos": {  # the first stage; the second has only the label of the answer
        "query": f"Evaluate it.\n\nQ: {ASKED}\nA: Step 1: 3 * 4 = 12\nStep 2: 12 - 5 = 7\nStep 3: The answer is 7.",
        "response": "Step 1: True. It is 12.\nStep 2: False. Add it.\nStep 3: False.\nThe final answer is False",
    },
    "MATH-Minos, stage 2": {
        "text": f"Human: {ASKED}\n\nAssistant: Step 1: 3 * 4 = 12 Step 2: 12 - 5 = 7 Step 3: The answer is 7.",
        "label": 0,
    },
    "Math-Step-DPO-10K": {
        "dataset": "gsm8k", "prompt": ASKED, "answer": "17",
        "initial_reason_steps": "Let's think step by step.\nStep 1: 3 * 4 = 12\nStep 2:",
        "chosen": " 12 + 5 = 17", "rejected": " 12 - 5 = 7",
        "full_chosen": " 12 + 5 = 17\nStep 3: The answer is 17.",
        "full_rejected": "Let's think step by step.\nStep 1: 3 * 4 = 12\nStep 2: 12 - 5 = 7\nStep 3: The answer is 7.",
    },
    "Math-Step-DPO-10K, as `trainer pairs` writes them": {
        "dataset": "own", "prompt": ASKED, "answer": "17", "licence": "MIT", "chosen_by": "a", "rejected_by": "b",
        "initial_reason_steps": "Let's think step by step.\nStep 1: 3 * 4 = 12\nStep 2:",
        "chosen": "12 + 5 = 17", "rejected": "12 - 5 = 7", "full_rejected": "12 - 5 = 7\nStep 3: The answer is 7.",
        "chosen_labels": [{"step": 1, "by": "rollouts", "k": 2, "n": 4}],
        "rejected_labels": [{"step": 0, "by": "rollouts", "value": 1, "drawn": "derived"}],
        "reference_solution": "3 * 4 = 12\n5 + 12 = 17",
    },
    "MathCritique": {
        "idx": 4, "dataset_type": "gsm8k", "question": ASKED, "answer": "17", "actor_model": "actor",
        "origin_response": "\n".join(STEPS), "correctness-origin": False, "critic_model": "critic",
        "critic": "Step sentence: 3 * 4 = 12\nCorrectness of the step: Correct\nExplanation: Yes.\n\n"
                  "Step sentence: 12 - 5 = 7\nCorrectness of the step: Wrong\nExplanation: Add it.\n\n"
                  "Correctness of the final answer: Wrong\nExplanation: It is more.",
        "new_response": "3 * 4 = 12\n12 + 5 = 17\nThe answer is 17.", "correctness-new": True,
    },
    "BIG-Bench-Mistake": {"input": ASKED, "steps": STEPS[:2], "answer": "7", "target": "17", "mistake_index": 1},
    "PRMBench": {
        "idx": "confidence_1", "original_question": ASKED, "modified_question": ASKED,
        "original_process": ["3 * 4 = 12", "12 + 5 = 17"], "modified_process": STEPS, "modified_steps": [2, 3],
        "error_steps": [2, 3], "reason": "The book is subtracted.", "classification": "confidence",
    },
    "TRL stepwise": {"prompt": ASKED, "completions": STEPS, "labels": [True, False, False]},
    "TRL preference": {"prompt": f"{ASKED}\n\n3 * 4 = 12\n", "chosen": "12 + 5 = 17", "rejected": "12 - 5 = 7"},
    "messages": {
        "messages": [
            {"role": "system", "content": "You solve."}, {"role": "user", "content": ASKED},
            {"role": "assistant", "content": "3 * 4 = 12\n12 + 5 = 17\nThe answer is 17."},
        ]
    },
    "rated steps": {"id": "p1", "source": "s", "licence": "MIT", "question": ASKED, "prefix": [STEPS[0]],
                    "step": STEPS[1], "rating": -1},
    "our own rows": {
        "question": ASKED, "answer": "17", "steps": STEPS[:2], "first_error_index": 1, "attempt_answer": "7",
        "correct": False, "explanation": "The book is subtracted.", "error_type": "calculation", "source": "own",
        "licence": "MIT", "id": "3", "reference_solution": "3 * 4 = 12\n12 + 5 = 17",
        "labels": [{"step": 0, "by": "rollouts", "k": 2, "n": 4}],
    },
    "our own rows, as the shared files have them": {
        "question": ASKED, "steps": STEPS, "first_error": 1, "error_category": "Extra quantity or Missing quantity",
        "error_description": "Down payment is not added.",
    },
    "our own rows, as `trainer labels` writes them": {
        "key": "k", "problem": {"text": ASKED, "answer": "17", "source": "own"}, "steps": STEPS[:2],
        "labels": [{"step": 0, "by": "rollouts", "k": 1, "n": 4, "drawn": "all"},
                   {"step": 1, "by": "rollouts", "k": 0, "n": 4, "drawn": "all"}],
    },
}  # fmt: skip
KNOWN = labelled(
    Problem(text=ASKED, answer="17", source="own", licence="MIT"), STEPS[:2], 1, "7", "Add it.", "calculation",
    correct=False, critiques=(WrittenCritique(text="Wrong.", by="m"),),
    labels=(StepLabel(step=0, by="human", value=1), StepLabel(step=1, by="human", value=-1, reason="calculation")),
)  # fmt: skip
ROWS["Soliloquy"] = FORMATS[0].write([KNOWN])
every_row = pytest.mark.parametrize("name", ROWS)


def written(folder, *rows):
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def test_every_format_has_a_row_here():
    assert {name.split(",")[0] for name in ROWS} == {one.name for one in FORMATS}


@every_row
def test_a_row_is_recognised_by_its_fields_and_written_and_read_again_the_same(name):
    row = ROWS[name]
    found = format_of(row)
    assert found.name == name.split(",")[0]
    attempts = read(row)
    again = json.loads(json.dumps(found.write(attempts), ensure_ascii=False))
    assert format_of(again) is found
    assert read(again) == attempts


# What each format states, with every place counted from 0; "unknown" is what it does not state.
STATED = {
    "ProcessBench": [(1, False, 3)],
    "MR-GSM8K": [(1, False, 3), (None, True, 3)],
    "PRM800K": [("unknown", None, 3), (0, None, 1), (1, None, 2)],
    "PRM800K, phase 2": [(1, None, 3)],
    "Math-Shepherd": [(1, False, 3)],
    "MATH-Minos": [("unknown", False, 3)],
    "MATH-Minos, stage 2": [("unknown", False, 3)],
    "Math-Step-DPO-10K": [("unknown", True, 3), (1, False, 3)],
    "Math-Step-DPO-10K, as `trainer pairs` writes them": [("unknown", None, 2), (1, False, 3), (None, True, 2)],
    "MathCritique": [("unknown", False, 3), ("unknown", True, 3)],
    "BIG-Bench-Mistake": [(1, False, 2)],
    "PRMBench": [(1, None, 3), (None, None, 2)],
    "TRL stepwise": [(1, None, 3)],
    "TRL preference": [("unknown", None, 2), ("unknown", None, 2)],
    "messages": [("unknown", None, 2)],
    "rated steps": [(1, None, 2)],
    "our own rows": [(1, False, 2), (None, True, 2)],
    "our own rows, as the shared files have them": [(1, None, 3)],
    "our own rows, as `trainer labels` writes them": [(1, None, 2)],
    "Soliloquy": [(1, False, 2)],
}


@every_row
def test_what_a_format_does_not_state_stays_unknown(name):
    attempts = read(ROWS[name])
    assert [(one.first_error_index, one.correct, len(one.steps)) for one in attempts] == STATED[name]
    assert {one.problem.text for one in attempts} == {ASKED}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MR-GSM8K", ("The book has to be added.", None)),
        ("PRMBench", ("The book is subtracted.", "confidence")),
        ("our own rows", ("The book is subtracted.", "calculation")),
        (
            "our own rows, as the shared files have them",
            ("Down payment is not added.", "Extra quantity or Missing quantity"),
        ),
    ],
)
def test_what_a_teacher_says_of_an_error_arrives(name, said):
    attempt = read(ROWS[name])[0]
    assert (attempt.explanation, attempt.error_type) == said


def test_labels_say_who_gave_them():
    assert {name: {label.by for one in read(row) for label in one.labels} for name, row in ROWS.items()} == {
        "ProcessBench": set(), "MR-GSM8K": set(), "PRM800K": {"human"}, "PRM800K, phase 2": {"human"},
        "Math-Shepherd": {"rollouts"}, "MATH-Minos": set(), "MATH-Minos, stage 2": set(),
        "Math-Step-DPO-10K": {"annotator"},
        "Math-Step-DPO-10K, as `trainer pairs` writes them": {"rollouts"}, "MathCritique": {"critic"},
        "BIG-Bench-Mistake": set(), "PRMBench": {"injection"}, "TRL stepwise": {None}, "TRL preference": set(),
        "messages": set(), "rated steps": {"human"}, "our own rows": {"rollouts"},
        "our own rows, as the shared files have them": set(),
        "our own rows, as `trainer labels` writes them": {"rollouts"}, "Soliloquy": {"human"},
    }  # fmt: skip


def test_the_rating_and_the_own_version_of_a_person_are_read_from_prm800k():
    solution, *others = read(ROWS["PRM800K"])
    assert solution.steps == ("3 * 4 = 12", "12 + 5 = 17", "So it is 17.")
    assert [(label.step, label.value, label.correction) for label in solution.labels] == [
        (0, 1, None), (1, None, "12 + 5 = 17"), (2, 1, None),
    ]  # fmt: skip
    assert [one.steps for one in others] == [("3 * 4 = 13",), ("3 * 4 = 12", "12 - 5 = 7")]
    assert (solution.provenance.annotator, solution.provenance.seconds, solution.provenance.ending) == (
        "a", 30.5, "solution",
    )  # fmt: skip


def test_a_stray_tag_in_a_problem_of_math_shepherd_is_left_out():
    row = ROWS["Math-Shepherd"]
    stray = {"input": f"Note: ки {row['input']}", "label": f"Note: + {row['label']}"}
    (attempt,) = read({**row, **stray})
    assert (attempt.problem.text, len(attempt.steps)) == (f"Note:   {ASKED}", 3)


# Refused

BAD = {
    "ProcessBench": ({"label": 3}, "`label` must be a step's index from 0, or -1; it is 3"),
    "MR-GSM8K": ({"model_output_solution_first_error_step": 4}, "a step's number from 1; it is '4'"),
    "PRM800K": ({"label": {"steps": []}}, r"`label.steps` \(a list that is not empty\) is missing"),
    "Math-Shepherd": ({"label": f"{ASKED} Step 1: 3 * 4 = 12 +"}, "`label` is not `input`"),
    "MATH-Minos": ({"response": "Step 1: True."}, "`response` must end in `The final answer is True` or `False`"),
    "MATH-Minos, stage 2": ({"label": 2}, r"`label` must be 1 \(the answer is right\) or 0; it is 2"),
    "Math-Step-DPO-10K": ({"full_rejected": "Something else."}, "`full_rejected` does not go on with `rejected`"),
    "MathCritique": ({"correctness-origin": "perhaps"}, "`correctness-origin` must be correct or wrong"),
    "BIG-Bench-Mistake": ({"mistake_index": 2}, "`mistake_index` must be a step's index from 0, or null; it is 2"),
    "PRMBench": ({"error_steps": [0]}, "`error_steps` must be a list of steps' numbers from 1"),
    "TRL stepwise": ({"labels": [True]}, "`labels` must hold true or false for each of `completions`"),
    "TRL preference": ({"rejected": None}, "`rejected` .* is missing"),
    "messages": ({"messages": [{"role": "user", "content": "?"}]}, "one message of the user and one of the assistant"),
    "rated steps": ({"rating": 2}, "`rating` must be 1, 0 or -1; it is 2"),
    "our own rows": ({"first_error_index": 2}, "`first_error_index` must be a step's index"),
    "Soliloquy": ({"trajectory": None}, "`trajectory`"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_looks_like_a_format_and_is_not_is_refused_with_line_field_and_remedy(name, log, tmp_path):
    changes, said = BAD[name]
    path = written(tmp_path, ROWS[name], {**ROWS[name], **changes})
    known = name.split(",")[0]
    named = "" if name == "our own rows" else f"it looks like a row of {known}, but "
    for reader in (read_attempts, lambda path: import_attempts(path, log)):
        with pytest.raises(RowError, match=rf"rows\.jsonl, line 2: {named}.*{said}.*\. .*(needs|have)"):
            reader(path)
    assert log.count_runs() == 0


@every_row
def test_every_format_is_imported_for_review_without_what_it_says_of_the_attempts(name, log, tmp_path):
    done = import_attempts(written(tmp_path, ROWS[name]), log)
    attempts = [one for one in read(ROWS[name]) if one.provenance.role != "reference"]
    assert done.new == len(attempts)
    runs = log.ended_runs()
    assert {run.transcript.talk.problem.text for run in runs} == {ASKED}
    assert not any(run.labels for run in runs)


@every_row
def test_every_format_in_which_first_errors_are_known_is_measured_on(name, tmp_path):
    path = written(tmp_path, ROWS[name])
    known = [one for one in read(ROWS[name]) if one.is_judged]
    if known:
        assert read_judged(path) == known
    else:
        with pytest.raises(RowError, match="`first_error_index` is missing, and no labels decide it"):
            read_judged(path)


def test_problems_are_read_from_the_formats_that_have_an_answer(tmp_path):
    (problem,) = read_problems(written(tmp_path, ROWS["Math-Step-DPO-10K"]))
    assert (problem.text, problem.answer) == (ASKED, "17")
    with pytest.raises(RowError, match="the reference answer of a row of TRL stepwise is missing"):
        read_problems(written(tmp_path, ROWS["TRL stepwise"]))


# From one format to another

SAYS = "cannot express|needs|holds|must|up to|only"


@pytest.mark.parametrize("to", FORMATS, ids=lambda one: one.name)
@every_row
def test_an_attempt_is_written_in_another_format_with_its_facts_or_refused_with_the_reason(name, to):
    for attempt in read(ROWS[name]):
        try:
            row = to.write([attempt])
        except ValueError as error:
            assert str(error)
            continue
        (again,) = read(row)
        assert (again.problem.text, again.problem.id) == (attempt.problem.text, attempt.problem.id)
        assert again.steps[: len(attempt.steps)] == attempt.steps[: len(again.steps)]
        for fact in ("first_error_index", "correct"):
            assert getattr(again, fact) in (getattr(attempt, fact), None, "unknown")


def test_a_rated_step_and_the_accepted_ones_before_it_become_stepwise_labels():
    stepwise = next(one for one in FORMATS if one.name == "TRL stepwise")
    assert stepwise.write(read(ROWS["rated steps"])) == {
        "prompt": ASKED, "completions": STEPS[:2], "labels": [True, False],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["ProcessBench", "MR-GSM8K", "BIG-Bench-Mistake", "TRL stepwise", "Math-Shepherd"])
def test_a_first_error_that_is_not_known_is_not_written_as_none(name):
    unknown: LabelledTrajectory = labelled(Problem(text=ASKED, answer="17"), STEPS, correct=False)
    with pytest.raises(ValueError, match=SAYS):
        next(one for one in FORMATS if one.name == name).write([unknown])
