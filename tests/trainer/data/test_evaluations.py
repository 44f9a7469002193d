"""Evaluations in words (MATH-Minos): explained labels, the filter, rows without a label, and types of errors."""

import json
from pathlib import Path

import pytest
from places import ROOT
from public_rows import MINOS, SHEPHERD
from tables import table

from runtime.engines.base import Completion, ContextOverflow
from runtime.engines.scripted import ScriptedEngine
from runtime.problems import wordproblems
from runtime.problems.formats import read
from runtime.problems.json_rows import RowError
from runtime.problems.labelled import StepLabel, WrittenCritique, labelled
from runtime.types import Problem
from trainer.data.critiques.annotators import Annotation
from trainer.data.evaluations import command, error_types, sources, text
from trainer.data.evaluations.annotators import Labelled, Model, Structural, Teacher
from trainer.data.evaluations.consequences import carried_on
from trainer.data.evaluations.labels import step_labels
from trainer.data.evaluations.pipeline import AT_ONCE, Evaluations
from trainer.data.examples.attempts import wrong_attempt
from trainer.data.examples.evaluation import evaluation_row
from trainer.data.rows import read_rows
from trainer.training.recipe import read_recipe

PROBLEM = Problem(text="Mia has 3 boxes of 6 eggs and breaks 4 eggs. How many are whole?", answer="14", source="own")
CHINESE = Problem(text="小美有 3 盒鸡蛋，每盒 6 个，打破了 4 个。还有多少个完好的鸡蛋？", answer="14")
RIGHT = ("There are 3 × 6 = 18 eggs.", "18 - 4 = 14 eggs are whole.")
SLIP = ("There are 3 × 6 = 16 eggs.", "16 - 4 = 12 eggs are whole.")


def attempt(steps=SLIP, labels=(False, False), by="rollouts", problem=PROBLEM, **known):
    marks = tuple(StepLabel(step=i, by=by, value=1 if right else -1) for i, right in enumerate(labels))
    place = labels.index(False) if False in labels else None
    return labelled(problem, steps, place, answer=steps[-1].split("= ")[1].split()[0], labels=marks, **known)


def job(*given, **known):
    found = sources.known(attempt(*given, **known))
    assert isinstance(found, Labelled)
    return found


def written(annotator, *jobs):
    return [annotation and annotation.text for annotation in annotator.annotate(jobs, seed=0)]


# The text


@table(
    ("line", "verdict", "rest"),
    [
        ("Step 1: True. Each box holds 6.", True, "Each box holds 6."),
        ("Step 1: False, because 3 × 6 is 18.", False, "because 3 × 6 is 18."),
        ("**Step 1:** Incorrect. It is 18.", False, "It is 18."),
        ("step 1. is True", True, ""),
        ("Step 1: not correct: it is 18", False, "it is 18"),
        ("Step 1: The numbers are right, but not the sum.", None, "The numbers are right, but not the sum."),
        ("Step 1: True or False", None, "True or False"),
        ("第 1 步：错误。应该是 18。", False, "应该是 18。"),
    ],
)
def test_a_verdict_is_read_at_the_beginning_of_its_line(line, verdict, rest):
    reading = text.parse(line, 1)
    assert (reading.verdicts, reading.explanations) == ((verdict,), (rest,))


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_what_is_written_is_read_again(language):
    labels, words = (True, False), ("Yes, it is 18.", "It is 14, not 12.")
    reading = text.parse(text.write(labels, words, False, language), 2)
    assert (reading.verdicts, reading.explanations, reading.final) == (labels, words, False)
    assert reading.is_complete and not text.parse(text.write(labels, words, False, language), 3).is_complete


def test_the_text_ends_as_in_the_paper():
    assert text.write((True,), ("Yes.",), True) == "Step 1: True. Yes.\nThe final answer is True"


# Labels


def test_steps_that_go_on_from_a_wrong_number_are_wrong():
    steps = ("There are 3 × 6 = 16 eggs.", "Each box had 6 eggs.", "16 - 4 = 12 eggs.", "The answer is 12.")
    people = labelled(PROBLEM, steps, 0)
    assert step_labels(people) == [False, None, False, False]
    assert carried_on(people, [False, True, False, False]) == [None, None, 0, 2]


def test_a_number_that_a_right_step_makes_is_not_wrong():
    steps = ("3 + 6 = 9 eggs", "3 × 6 = 18 eggs", "18 - 9 = 9 eggs", "9 + 5 = 14")
    assert carried_on(labelled(PROBLEM, steps), [False, True, True, True])[3] is None


def test_attempts_without_all_labels_are_counted_by_reason():
    odd = attempt(RIGHT, (True, True), correct=False)
    reasons = [sources.known(each).reason for each in (labelled(PROBLEM, ("So it is.",)), odd)]
    assert reasons == ["not every step is labelled", "the last step's label is not the outcome"]
    people = sources.known(labelled(PROBLEM, SLIP, 0))
    assert (people.labels, people.correct) == ((False, False), False)


def test_fresh_attempts_have_the_labels_of_the_insertion():
    right, wrong = sources.generated(2, seed=3)
    assert right.correct and all(right.labels) and not wrong.correct
    inserted = wrong_attempt(next(wordproblems.stream(3, start=1)), 3)
    assert wrong.attempt == inserted and wrong.labels == tuple(label.value == 1 for label in inserted.labels)
    assert [label.reason is None for label in inserted.labels] == list(wrong.labels)


# Annotators


def test_rules_explain_slips_their_consequences_and_right_steps():
    slip, right = written(Structural(), job(), job(RIGHT, (True, True)))
    reading = text.parse(slip, 2)
    assert reading.verdicts == (False, False) and reading.final is False
    assert "3 × 6 is 18, not 16" in reading.explanations[0] and "step 1" in reading.explanations[1]
    assert text.parse(right, 2).verdicts == (True, True) and "18" in right and right.endswith("True")


def test_rules_write_nothing_that_they_do_not_know():
    wrong_idea = ("There are 3 + 6 = 9 eggs.", "9 - 4 = 5 eggs are whole.")
    doubtful = attempt(SLIP, (True, False))
    assert written(Structural(), job(wrong_idea), sources.known(doubtful)) == [None, None]


def test_rules_use_the_comment_of_an_inserted_error_and_no_words_of_people():
    wrong_idea = ("There are 3 + 6 = 9 eggs.", "9 - 4 = 5 eggs are whole.")
    inserted, human = (job(wrong_idea, by=by, explanation="Multiply 3 by 6.") for by in ("injection", "human"))
    assert written(Structural(), human) == [None]
    for annotator, known in ((Structural(), inserted), (Teacher(), human)):
        [made] = written(annotator, known)
        assert made.startswith("Step 1: False. Multiply 3 by 6.\nStep 2: False. ") and "step 1" in made


def test_chinese_attempts_are_evaluated_in_chinese():
    [made] = written(Structural(), job(problem=CHINESE, steps=("共 3 × 6 = 16 个。", "剩 16 - 4 = 12 个。")))
    assert made.startswith("第 1 步：错误。") and made.endswith("\n最终答案错误")


def test_a_model_sees_the_labels_only_if_they_are_shown():
    engine = ScriptedEngine(["Yes.", "No.\nStep 3: True."] * 2, verdicts=[0.9, 0.2, 0.1] * 2)
    asked = job(RIGHT, (True, False))
    shown, hidden = Model(engine), Model(engine, hinted=False)
    [aided], [unaided] = shown.annotate([asked], 0), hidden.annotate([asked], 0)
    assert aided.text == "Step 1: True. Yes.\nStep 2: False. No.\nThe final answer is False" == unaided.text
    assert (aided.hints, unaided.hints) == (("labels",), ())
    told, blind = (call[0]["content"].rpartition("Problem:")[2] for call in (engine.calls[0], engine.calls[5]))
    assert "18 eggs. (label: True)" in told and "whole. (label: False)" in told and "answer is False" in told
    assert "label:" not in blind and "False" not in blind
    ends = ("Step 1:", "Step 1: True.", "Step 2:", "Step 2: False.", "The final answer is")
    assert all(call[-1]["content"].endswith(end) for call, end in zip(engine.calls, ends, strict=False))


def test_a_model_can_write_without_a_scaffold():
    engine = ScriptedEngine(["Step 1: False. It is 18.\nStep 2: False. It is 14.\nThe final answer is False"])
    [made] = Model(engine, scaffold=False).annotate([job()], 0)
    assert text.parse(made.text, 2).is_complete and len(engine.calls) == 1


# The filter


class Saying:
    """Writes given texts."""

    name, prompt, hinted, scaffold = "saying", "explain", True, True

    def __init__(self, *texts):
        self.texts, self.jobs = list(texts), []

    def annotate(self, jobs, seed):
        self.jobs += jobs
        found = [self.texts.pop(0) for _ in jobs]
        return [each and Annotation(each, ("labels",), (Completion(each, "stop", 9, 7),)) for each in found]


EXAMPLE = "Each of the 3 boxes holds 6 eggs, so multiplying them counts all eggs."
FAULTS = {
    "Step 1: False. It is 18.\nStep 2: False. It goes on.\nThe final answer is False": None,
    "Step 1: True. Yes.\nStep 2: False. It goes on.\nThe final answer is False": "a verdict differs from the label",
    "Step 1: False. No.\nStep 2: False. No.\nThe final answer is True": "the last line differs from the outcome",
    "Step 1: False. No.\nThe final answer is False": "unreadable",
    "Step 1: False. Its label says so.\nStep 2: False. No.\nThe final answer is False": "leak",
    "Step 1: False. The end must be 14.\nStep 2: False. No.\nThe final answer is False": "leak",
    f"Step 1: False. {EXAMPLE}\nStep 2: False. No.\nThe final answer is False": "copied from the prompt",
    None: "not explained",
}


def test_texts_that_do_not_agree_with_the_labels_are_dropped_and_counted(tmp_path):
    jobs = [job(problem=Problem(text=f"{PROBLEM.text} ({i})", answer="14")) for i in range(len(FAULTS))]
    run = Evaluations(jobs, Saying(*FAULTS), 0, tmp_path)
    list(run.run())
    assert [one.fault for one in run.evaluations()] == list(FAULTS.values())
    summary = run.summary()
    assert summary["kept"] == 1 and summary["dropped"]["leak"] == 2 and sum(summary["dropped"].values()) == 7
    assert summary["accuracy"]["wrong steps"] == {"n": 16, "agree": 12, "unjudged": 3}
    assert summary["completion_tokens"] == 49


def test_a_run_resumes_without_asking_again(tmp_path):
    jobs = [*sources.generated(AT_ONCE + 4, seed=1)]
    texts = [text.write(each.labels, ["Yes."] * len(each.labels), each.correct) for each in jobs]
    first = Evaluations(jobs, Saying(*texts), 0, tmp_path)
    next(first.run())
    assert len(list(first.evaluations())) == AT_ONCE
    again = Saying(*texts[AT_ONCE:])
    second = Evaluations(jobs, again, 0, tmp_path)
    list(second.run())
    assert len(again.jobs) == 4 and [one.text for one in second.evaluations()] == texts


def test_an_attempt_that_is_too_long_costs_no_other(tmp_path):
    class Narrow(Saying):
        def annotate(self, jobs, seed):
            if len(jobs) > 1 or jobs[0].steps == RIGHT:
                raise ContextOverflow("too long")
            return super().annotate(jobs, seed)

    run = Evaluations([job(), job(RIGHT, (True, True))], Narrow(next(iter(FAULTS))), 0, tmp_path)
    list(run.run())
    assert [one.fault for one in run.evaluations()] == [None, "not explained"]


# Rows


def made(jobs, tmp_path):
    run = Evaluations(jobs, Structural(), 0, tmp_path)
    list(run.run())
    return list(run.evaluations())


def test_a_rows_prompt_shows_no_label(tmp_path):
    """Two attempts that differ only in their labels have the same prompt."""
    steps = ("There are 3 + 6 = 9 eggs.", "9 - 4 = 5 eggs are whole.")
    wrong = job(steps, by="injection", explanation="Multiply.")
    [good], [bad] = made([job(steps, (True, True))], tmp_path), made([wrong], tmp_path)
    good, bad = (evaluation_row(one.job.attempt, one.text) for one in (good, bad))
    assert good.messages == bad.messages and good.reply != bad.reply
    assert "label" not in good.messages[-1]["content"] and "3 + 6 = 9" in good.messages[-1]["content"]


def test_teachers_words_keep_their_licence(tmp_path):
    licensed = Problem(text=PROBLEM.text, answer="14", licence="CC-BY-SA-4.0")
    run = Evaluations([job(problem=licensed, by="human", explanation="It is 18.")], Teacher(), 0, tmp_path)
    list(run.run())
    [one] = run.evaluations()
    assert one.fault is None and evaluation_row(one.job.attempt, one.text).licence == "CC-BY-SA-4.0"


def test_published_evaluations_are_learned_as_they_are(tmp_path):
    path = tmp_path / "minos.jsonl"
    path.write_text(json.dumps(MINOS) + "\n" + json.dumps(SHEPHERD) + "\n")
    summary = command.make(command.Order(trajectories=(path,), annotator="given"), tmp_path)
    assert (summary["kept"], summary["unusable"]) == (1, {"no evaluation": 1})
    [row] = [*read_rows(tmp_path / "evaluations.jsonl"), *read_rows(tmp_path / "evaluations-dev.jsonl")]
    assert row.reply == ((MINOS["response"], 1.0),)
    assert "Di has 4 hens" in row.messages[-1]["content"] and "4 + 1 = 6" in row.messages[-1]["content"]
    path.write_text(json.dumps(SHEPHERD) + "\n")
    with pytest.raises(RowError, match="No row of --trajectories carries an evaluation"):
        command.make(command.Order(trajectories=(path,), annotator="given"), tmp_path)


def test_the_command_writes_rows_and_attempts_and_leaves_held_out_problems_out(home, tmp_path, capsys):
    held_out = tmp_path / "held-out.jsonl"
    first = next(iter(sources.generated(1, seed=5))).attempt.problem
    held_out.write_text(json.dumps({"question": first.text, "answer": first.answer}) + "\n")
    order = command.Order(generated=40, held_out=(held_out,), seed=5)
    summary = command.make(order, tmp_path / "out", show=1)
    rows = [row for name in ("evaluations", "evaluations-dev") for row in read_rows(tmp_path / "out" / f"{name}.jsonl")]
    assert summary["overlaps with a held-out problem"] == 1
    assert len(rows) == summary["learned"] + summary["kept apart"] == summary["kept"] - 1 >= 36
    assert not any(first.text in row.messages[-1]["content"] for row in rows)
    lines = (tmp_path / "out" / "evaluated.jsonl").read_text().splitlines()
    attempts = [attempt for line in lines for attempt in read(json.loads(line))]
    assert len(attempts) == len(rows) and all(a.critiques[0].by == "structural" for a in attempts)
    assert all((label.reason is None) == label.hard for a in attempts for label in a.labels)
    assert "--- kept" in capsys.readouterr().err
    command.show(summary, as_json=False)
    assert "of 40 texts kept" in capsys.readouterr().out


# Types of errors


def test_every_wrong_step_has_a_type_by_rule():
    steps = ("3 × 6 = 16 eggs", "6 + 4 = 10", "16 - 4 = 12 eggs", "12 + 3 = 15 eggs")
    labels = (False, False, False, True)
    assert error_types.by_rule(attempt(steps, labels)) == ["calculation", "unrelated", "accumulation", None]
    reasoned = attempt(("So 6 boxes hold 3 each, hence 3 + 6 = 9.", "9 - 4 = 5"), (False, False))
    assert error_types.by_rule(reasoned) == ["logical", "accumulation"]
    assert error_types.by_rule(attempt(("?!", "3 × 6 = 18"), (False, True)))[0] == "other"


def test_given_types_are_projected():
    teacher = attempt(RIGHT, (False, False), error_type="Unit conversion error")
    assert error_types.by_rule(teacher)[0] == "calculation"
    assert error_types.projected("misread") == error_types.projected("missing") == "logical"
    assert error_types.projected("no such type") is None
    for number in range(20):
        inserted = wrong_attempt(wordproblems.generate(2, number), 2)
        assert error_types.by_rule(inserted) == [label.reason for label in inserted.labels]


def test_a_model_chooses_a_word_with_the_evaluation_before_it():
    class Choosing(ScriptedEngine):
        def choice_logprobs(self, messages, parts, choices, adapter=None, since=0, cancel=None):
            self.calls.append(messages)
            return [[-1.0 if choice == "logical" else -2.0 for choice in choices] for _ in parts]

    engine, told = Choosing(), "Step 1: False. It is 18.\nStep 2: False. It goes on.\nThe final answer is False"
    evaluated = attempt(critiques=(WrittenCritique(text=told),))
    assert error_types.by_model(engine)(evaluated) == ["logical", "logical"]
    assert "said of step 1: It is 18." in engine.calls[0][0]["content"]
    assert "said of step 2: It goes on." in engine.calls[1][0]["content"]


def test_types_are_counted_by_set():
    counts = error_types.counts([attempt(), attempt(RIGHT, (True, True))])
    assert counts == {"own": {"calculation": 1, "logical": 0, "accumulation": 1, "unrelated": 0, "other": 0}}


# Recipes


RECIPES = ROOT / "trainer" / "recipes"


@pytest.mark.parametrize("path", sorted((RECIPES / "sft").glob("verifier-*.yaml")), ids=lambda path: path.stem)
def test_the_second_stage_can_start_from_the_first(path):
    first = read_recipe(path, Path())
    second = read_recipe(RECIPES / "verifier" / f"{first.base}.yaml", Path())
    shared = {"base", "role", "rank", "alpha", "targets", "form", "four_bit"}
    assert first.model_dump(include=shared) == second.model_dump(include=shared)
