"""AutoMathCritique: flawed attempts, critiques, the filter, and resumption after any interruption."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import datasets
import pytest
from places import ROOT
from pydantic import ValidationError
from tables import table

from runtime.engines.base import Completion, ContextOverflow
from runtime.engines.scripted import ScriptedEngine
from runtime.problems import critique_text, wordproblems
from runtime.problems.critique_text import Block, parse, write
from runtime.problems.worked import Quantity, Worked, WorkedStep
from runtime.prompts import templates
from runtime.types import Problem
from trainer.data import problems
from trainer.data.critiques import command, report
from trainer.data.critiques.annotators import Annotation, Job, PromptedCritic, Structural
from trainer.data.critiques.generators import WARMER, Actor, from_scratch, inserted, location_aware
from trainer.data.critiques.guards import announces_error, is_shortcut, leaks, parrots
from trainer.data.critiques.pipeline import Critiques, Recipe, agrees, mixed
from trainer.data.critiques.records import FirstError, Path, Record, RecordStep, from_json, to_json
from trainer.data.critiques.refinement import refine
from trainer.data.critiques.rules import known_by_rule
from trainer.data.critiques.structure import gold, injected
from trainer.data.critiques.tasks import Task, answer_type, read_tasks, seed_of

RIGHT = "4 × 3 = 12 dollars\n12 + 2 = 14 dollars\nThe answer is 14."
WRONG = "4 × 3 = 11 dollars\n11 + 2 = 13 dollars\nThe answer is 13."


def worked(price=4, pens=3, name="Lena"):
    text = f"{name} buys {pens} notebooks for {price} dollars each and a pen for 2 dollars. How much in all?"
    numbers = (price, pens, 2)
    quantities = [Quantity(value=Fraction(number)) for number in numbers]
    quantities += [Quantity(value=Fraction(price * pens), formula="{0} × {1}")]
    quantities += [Quantity(value=Fraction(price * pens + 2), formula="{3} + {2}")]
    steps = (WorkedStep(text="{=3} dollars", makes=3), WorkedStep(text="{=4} dollars", makes=4))
    problem = Problem(text=text, answer=str(price * pens + 2), source="generated", split="train")
    return Worked(problem=problem, quantities=quantities, steps=steps, answer=4)


def task_of(story=None):
    story = story or worked()
    return Task(story.problem, story, story.lines)


def slipped(first_error=None):
    """An error inserted into the first step or the last, as requested."""
    task = task_of()
    tries = (made for seed in range(50) for made in injected(task, task.worked, seed))
    return next(made for made in tries if first_error in (None, made.known.first_error.i))


class Answering(ScriptedEngine):
    """Replies by request, so that order and interruptions do not matter; records the seeds."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.samplings = answer, []

    def sample(self, requests, sampling, adapter=None, n=1, stop=(), cancel=None, enough=None):
        for messages in requests:
            self.samplings.append(sampling)
            self.calls.append(messages)
            texts = [self.answer(messages, sampling.seed + i, sampling.temperature) for i in range(n)]
            yield [t if isinstance(t, Completion) else Completion(t, "stop", 10, len(t.split())) for t in texts]


def queue(*replies):
    return Actor(ScriptedEngine(replies), seed=1, samples=len(replies))


# Generators


def test_rg1_keeps_distinct_finished_samples_wrong_and_right():
    cut = Completion("4 × 3 = 11", "length", 1, 1)
    replies = iter([WRONG, RIGHT, WRONG, cut, "No idea.", "4 × 3 = 12\nThe answer is N."])
    actor = Actor(Answering(lambda *asked: next(replies)), seed=1, samples=6)
    made = from_scratch(actor, task_of())
    assert [(m.path.origin, m.path.correct, m.path.final) for m in made] == [
        ("rg1", False, "13"),
        ("sample", True, "14"),
    ]
    assert actor.temperature == made[0].path.gen.T and made[1].path.gen.index == 1
    assert made[0].path.lines == ("4 × 3 = 11 dollars", "11 + 2 = 13 dollars")


def test_attempts_can_be_sampled_without_filters():
    for unfiltered, filters in ((False, (40, 0.95, 0.05)), (True, (0, 1.0, 0.0))):
        actor = Actor(Answering(lambda *asked: WRONG), seed=1, samples=2, unfiltered=unfiltered)
        from_scratch(actor, task_of())
        [sampling] = actor.engine.samplings
        assert (sampling.top_k, sampling.top_p, sampling.min_p, sampling.temperature) == (*filters, 1.0)


def test_rg2_keeps_a_prefix_and_raises_the_temperature_until_the_answer_is_wrong():
    task, rest = task_of(), "12 + 2 = 14 dollars\nThe answer is 14."
    actor = queue(rest, rest, "12 × 2 = 24 dollars\nThe answer is 24.", "never asked for")
    *right, wrong = location_aware(actor, task, gold(task).path)
    assert wrong.path.lines == ("4 × 3 = 12 dollars", "12 × 2 = 24 dollars")
    assert wrong.path.gen.T_schedule == WARMER[:3] and WARMER[2] == wrong.path.gen.T
    assert wrong.path.parent.kept == 1 and wrong.path.location_hint == 2
    assert (wrong.known.first_error.i, wrong.known.first_error.by) == (2, "rg2")
    assert [m.path.origin for m in right] == ["sample"] and right[0].path.location_hint is None
    assert all(call[-1]["content"] == "4 × 3 = 12 dollars\n" for call in actor.engine.calls)


def test_rg2_gives_up_at_the_highest_temperature_and_needs_two_steps():
    task, rest = task_of(), "12 + 2 = 14 dollars\nThe answer is 14."
    actor = queue(*[rest] * len(WARMER))
    assert all(made.path.correct for made in location_aware(actor, task, gold(task).path))
    assert not actor.engine.replies
    assert location_aware(actor, task, gold(replace(task, gold=("4 × 3 + 2 = 14",))).path) == []


def test_rg3_takes_the_first_valid_rewrite_and_lets_the_actor_continue():
    task = task_of()
    asked = []

    def answer(messages, seed, temperature):
        asked.append(messages)
        if messages[-1]["role"] == "assistant":
            return "The answer is 99." if len(messages[-1]["content"].splitlines()) == 2 else WRONG
        step = re.search(r"which is right:\n(.*)", messages[-1]["content"])[1]
        versions = [step, "Oops, a mistake: 4 + 3 = 7", step.replace("=", "= 1"), "two\nlines"]
        return versions[len([call for call in asked if call[-1]["role"] == "user"]) - 1]

    [made] = inserted(Actor(Answering(answer), seed=3), task, gold(task).path, Answering(answer))
    place = made.path.inject.step - 1
    assert made.path.lines[place] == task.gold[place].replace("=", "= 1")
    assert made.path.lines[:place] == task.gold[:place]
    assert made.path.correct is False and made.path.inject.by == "scripted"
    assert made.path.steps[place].error_type.type == made.path.inject.type


def test_rg3_gives_nothing_if_the_actor_always_recovers_or_no_rewrite_is_valid():
    task = task_of()
    back = Answering(lambda messages, *rest: RIGHT if messages[-1]["role"] == "assistant" else "4 + 3 = 7 dollars")
    assert inserted(Actor(back, seed=3), task, gold(task).path, back) == []
    same = Answering(lambda messages, *rest: re.search(r"which is right:\n(.*)", messages[-1]["content"])[1])
    assert inserted(Actor(same, seed=3), task, gold(task).path, same) == []


def test_rg3_by_rule_labels_every_step():
    early, late = slipped(1), slipped(2)
    assert early.known.labels == (False, False) and late.known.labels == (True, False)
    for made in (early, late):
        assert made.path.correct is False and made.path.inject.by == "structure"
        assert [[label.value for label in step.labels] for step in made.path.steps] == [[n] for n in made.known.labels]
        assert made.path.steps[made.known.first_error.i - 1].error_type.type == made.known.kind
    assert "step 1" in early.known.explanations[1]


def attempted(*lines, others=()):
    [made] = from_scratch(queue("\n".join(lines)), task_of())
    return known_by_rule(made, task_of(), others=others)


def test_rules_locate_a_false_calculation_and_what_follows_from_it():
    made = attempted("4 × 3 = 11 dollars", "11 + 2 = 13 dollars", "The answer is 13.")
    assert made.known.labels == (False, False) and made.known.kind == "calculation"
    assert "4 × 3 is 12, not 11." in made.known.explanations[0] and "step 1" in made.known.explanations[1]
    assert [[(label.by, label.value) for label in step.labels] for step in made.path.steps] == [[("rule", 0)]] * 2
    late = attempted("3 × 4 = 12", "12 + 2 = 15", "The answer is 15.")
    assert late.known.labels == (True, False) and "14" not in late.known.explanations[1]
    assert attempted("4 × 3 = 12", "2 + 12 = 14", "The answer is 14.").known.labels == (True, True)


def test_rules_locate_a_wrong_idea_and_name_the_right_next_step():
    made = attempted("4 + 3 = 7", "7 + 2 = 9", "The answer is 9.")
    assert made.known.labels == (False, False) and made.known.kind == "logical"
    assert "4 × 3" in made.known.explanations[0] and "12" not in made.known.explanations[0]
    late = attempted("3 × 4 = 12", "12 - 2 = 10", "The answer is 10.")
    assert late.known.labels == (True, False)
    assert "12 + 2" in late.known.explanations[1] and "14" not in late.known.explanations[1]


def test_a_number_found_in_another_right_attempt_is_no_wrong_idea():
    lines = ("4 + 2 = 6", "6 + 3 = 9", "The answer is 9.")
    [other] = from_scratch(queue("4 + 2 = 6\n6 + 2 × 4 = 14\nThe answer is 14."), task_of())
    assert other.path.correct and attempted(*lines).known.labels == (False, False)
    assert attempted(*lines, others=[other]).known.labels is None


@pytest.mark.parametrize(
    "lines",
    [
        ("4 + 2 = 6", "6 × 2 = 12", "The answer is 12."),  # returns to a number of the solution
        ("3 + 4 = 8", "8 + 2 = 10", "The answer is 10."),  # a wrong idea and a false calculation
        ("4 × 3 = 11", "12 + 3 = 15", "The answer is 15."),
        ("She pays 12 dollars.", "12 + 2 = 15", "The answer is 15."),  # no sum
        ("4 × 3 = 12", "12 + 2 = 14", "The answer is 15."),  # right steps, wrong answer
        ("4 + 4 + 4 + 2 = 14", "5 × 2 = 10", "The answer is 14."),
    ],
)
def test_rules_give_no_label_if_anything_is_uncertain(lines):
    made = attempted(*lines)
    assert made.known.labels is None and all(step.labels == () for step in made.path.steps)


def test_right_and_wrong_attempts_are_balanced_and_an_inserted_error_brings_its_reference():
    task = task_of()
    sampled = from_scratch(queue(WRONG, RIGHT, WRONG.replace("13", "15"), WRONG.replace("13", "16")), task)
    chosen = mixed([*sampled, slipped(), gold(task)], most=2)
    assert [m.path.origin for m in chosen] == ["rg1", "rg1", "rg3", "gold"]  # the reference equals a sample
    assert mixed([gold(task)], 2) == []


def test_seeds_depend_only_on_the_problem_and_the_purpose():
    engine = Answering(lambda *asked: WRONG)
    tasks = [task_of(), task_of(worked(name="Mia"))]
    for task in [*tasks, *reversed(tasks)]:
        from_scratch(Actor(engine, seed=5), task)
    first, second, *again = [sampling.seed for sampling in engine.samplings]
    assert again == [second, first] and first != second
    assert seed_of(5, "a", "b") != seed_of(6, "a", "b") != seed_of(5, "ab")


# Parsing critiques

STEPS = ("Lena pays 4 × 3 = 12 dollars.", "With the pen it is <<12+2=13>>12 + 2 = 13 dollars.", "So 13 × 1 = 13.")
FULL = write(
    [Block(STEPS[0], True, "a"), Block(STEPS[1], False, "b"), Block(STEPS[2], False, "c")], False, "It is not."
)


def test_a_written_critique_is_parsed_back_in_both_languages():
    for language in ("en", "zh-CN"):
        blocks = [Block(step, i == 0, f"because {i}") for i, step in enumerate(STEPS)]
        reading = parse(write(blocks, False, "so", language), STEPS)
        assert reading.verdicts == (True, False, False) and reading.final is False and reading.ok
        assert reading.explains == ("because 0", "because 1", "because 2") and reading.first_error == 1
    assert "<<" not in FULL


MESSY = {
    "bold labels": FULL.replace("Step sentence:", "**Step sentence:**").replace("Explanation:", "**Explanation**:"),
    "numbered": FULL.replace("Step sentence:", "1. Step sentence:"),
    "numbered label": FULL.replace("Step sentence:", "Step 2 sentence:"),
    "bulleted": FULL.replace("Correctness", "- Correctness"),
    "other case": FULL.replace("Correctness of the step", "CORRECTNESS OF THE STEP").replace(": Wrong", ": wrong."),
    "other words": FULL.replace(": Wrong", ": Incorrect").replace(": Correct", ": Right"),
    "not correct": FULL.replace(": Wrong", ": not correct, sadly"),
    "quoted": FULL.replace("Lena pays", '"Step 1: Lena pays').replace("12 dollars.\n", '12 dollars"\n', 1),
    "other spaces and signs": FULL.replace("4 × 3 = 12", "4*3  =12"),
    "with talk around": "Let's break it down step by step:\n\n" + FULL + "\n\nI hope this helps!",
    "two steps in one": write([Block(STEPS[0], True), Block(" ".join(STEPS[1:]), False)], False, "x"),
    "a step in two": write(
        [Block("Lena pays", True), Block("4 × 3 = 12", True), *(Block(s, False) for s in STEPS[1:])], False, "x"
    ),
    "half a step wrong": write(
        [Block(STEPS[0], True), Block("With the pen", True), Block("it is 12 + 2 = 13", False), Block(STEPS[2], False)],
        False,
        "x",
    ),
    "the closing line too": write(
        [*(Block(s, i == 0) for i, s in enumerate(STEPS)), Block("The answer is 13.", False)], False, "x"
    ),
    "the closing line in place of the end": "\n".join(
        [FULL[: FULL.index("Correctness of the final")], "Step sentence: The answer is 13.", "Correctness: Wrong"]
    ),
}


@pytest.mark.parametrize("text", MESSY.values(), ids=MESSY)
def test_badly_formatted_critiques_are_parsed(text):
    reading = parse(text, STEPS, "13")
    assert reading.ok
    assert (reading.verdicts, reading.final) == ((True, False, False), False)


UNREADABLE = {
    "nothing": "",
    "prose": "The second step is wrong because 12 + 2 is 14.",
    "a sentence from elsewhere": FULL.replace("Lena pays 4", "Tom pays 4"),
    "a missing step": write([Block(STEPS[0], True), Block(STEPS[2], False)], False, "x"),
    "no verdict": FULL.replace("Correctness of the step: Correct\n", ""),
    "the template": FULL.replace(": Correct\n", ": Correct or Wrong\n", 1),
    "half a verdict": FULL.replace(": Correct\n", ": Partially correct\n", 1),
    "no final verdict": FULL[: FULL.index("Correctness of the final")],
    "an empty sentence": FULL.replace(STEPS[0], ""),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_a_critique_with_unknown_steps_or_missing_verdicts_is_not_ok(text):
    reading = parse(text, STEPS, "13")
    assert not reading.ok
    assert len(reading.verdicts) == len(reading.explains) == 3


def test_the_short_format_ends_at_the_first_wrong_step():
    short = write([Block(STEPS[0], True), Block(STEPS[1], False)], False, "x")
    assert not parse(short, STEPS).ok
    reading = parse(short, STEPS, stop_at_first=True)
    assert reading.ok and reading.verdicts == (True, False, None)
    assert not parse(write([Block(STEPS[1], False)], False, "x"), STEPS, stop_at_first=True).ok


def test_repeated_lines_are_matched_in_order():
    steps = ("2 + 2 = 4", "Then again:", "2 + 2 = 4")
    text = write([Block(step, i < 2) for i, step in enumerate(steps)], False, "x")
    assert parse(text, steps).verdicts == (True, True, False)


# Guards

PROBLEM = "Lena buys 3 notebooks for 4 dollars each and a pen for 2 dollars. How much in all?"


@table(
    ("explanation", "answer", "steps", "leaked"),
    [
        ("It should be 14 dollars.", "14", ["4 × 3 = 11"], True),
        ("It should be $14.00.", "14", ["4 × 3 = 11"], True),
        ("It should be fourteen.", "14", ["4 × 3 = 11"], True),
        ("It should be 1,400.", "1400", [], True),
        ("A loss of 5.", "-5", [], True),
        ("It is 140, or 1.14, or 214.", "14", [], False),
        ("Multiply 4 by 3 again.", "14", ["4 × 3 = 11"], False),
        ("14 is right there already.", "14", ["4 × 3 + 2 = 14"], False),
        ("She buys 3 of them.", "3", [], False),
        ("This one is wrong.", "1", [], False),
        ("The colour is red.", "red", [], True),
        ("The colour is redder.", "red", [], False),
        ("It is 3/8 of it.", "3/8", ["1/2"], True),
        ("Step 14 went wrong, like steps 12 and 14.", "14", [], False),
        ("The reference answer differs.", "14", [], True),
        ("According to the hint this is off.", "14", [], True),
        ("参考答案不是这个。", "14", [], True),
    ],
)
def test_a_leak_is_the_answer_before_it_can_be_known(explanation, answer, steps, leaked):
    assert leaks([explanation], answer, PROBLEM, steps, "13") is leaked


def test_a_refinement_that_skips_the_calculations_is_a_shortcut():
    assert is_shortcut("The answer is 14.", RIGHT, None)
    assert is_shortcut("4 × 3 = 12, the answer is 14.", RIGHT, None)  # 4 numbers; at least 7 - 2 = 5 are needed
    assert not is_shortcut("4 × 3 = 12 and 2 more: 14.", RIGHT, None)
    assert not is_shortcut("The answer is 14.", "It is 13.", RIGHT)


@pytest.mark.parametrize("step", ["This is a mistake: 4", "Incorrectly 4 + 3", "4, which is wrong", "应该是 4"])
def test_a_step_that_mentions_its_own_error_is_detected(step):
    assert announces_error(step)
    assert not announces_error("4 × 3 = 11 dollars for the notebooks")


# Annotators


def job(made, stop_at_first=False, **known):
    return Job(task_of(), replace(made, known=replace(made.known, **known)), stop_at_first)


@pytest.mark.parametrize("stop_at_first", [False, True])
def test_structural_critiques_state_exactly_the_known_labels(stop_at_first):
    for made in (slipped(1), slipped(2), gold(task_of())):
        [annotation] = Structural().annotate([job(made, stop_at_first)], seed=0)
        reading = parse(annotation.text, made.path.lines, made.path.final, stop_at_first)
        first = made.known.labels.index(False) if False in made.known.labels else None
        due = len(made.path.steps) if not stop_at_first or first is None else first + 1
        assert reading.ok and reading.verdicts[:due] == made.known.labels[:due] and reading.first_error == first
        assert agrees(reading, made)
        assert not leaks(reading.explanations, "14", PROBLEM, made.path.lines[: (first or 9) + 1], made.path.final)


def test_the_structural_annotator_skips_attempts_without_labels():
    [made] = from_scratch(queue(WRONG), task_of())
    assert made.known.labels is None
    assert Structural().annotate([job(made)], seed=0) == [None]


def test_the_prompted_annotator_gets_exactly_the_hints_of_its_job():
    made = slipped(1)
    asked = job(made, kind="calculation")
    engine = Answering(lambda *_: "x")
    [annotation] = PromptedCritic(engine, scaffold=False).annotate([asked], seed=0)
    request = engine.calls[-1][-1]["content"]
    assert annotation.text == "x" and len(annotation.replies) == 1
    assert annotation.hints == ("answer", "location", "type")
    assert "answer is 14." in request and "wrong step is step 1." in request and "does not come out" in request
    assert request.index("For your eyes only") < request.index("answer is 14.")
    [blind] = PromptedCritic(engine, hinted=False, scaffold=False).annotate([asked], seed=0)
    request = engine.calls[-1][-1]["content"]
    assert blind.hints == () and "14" not in request.replace("4 × 3", "") and "(nothing)" in request
    later = job(made, stop_at_first=True, first_error=FirstError(i=1, by="rg2"))
    text = PromptedCritic(engine).messages(later)[-1]["content"]
    assert "step 1 or a later one" in text and "Stop at the first wrong step" in text


@pytest.mark.parametrize("stop_at_first", [False, True])
def test_a_scaffold_forces_the_format_on_any_model(stop_at_first):
    late, early = slipped(2), slipped(1)

    def answer(messages, *rest):
        step = messages[-1]["content"].splitlines()[-2]
        right = any(line in step for line in worked().lines)
        return f" {'Correct' if right else 'Wrong'}, I say.\nExplanation: as one sees.\nStep sentence: and so on"

    engine = Answering(answer)
    jobs = [job(late, stop_at_first), job(early, stop_at_first)]
    for made, annotation in zip((late, early), PromptedCritic(engine).annotate(jobs, 0), strict=True):
        reading = parse(annotation.text, made.path.lines, made.path.final, stop_at_first)
        due = made.known.labels.index(False) + 1 if stop_at_first else 2
        assert reading.ok and reading.verdicts[:due] == made.known.labels[:due]
        assert reading.explains[0] == "as one sees." and len(annotation.replies) == due + 1
    assert all(call[-1]["role"] == "assistant" for call in engine.calls)


# The filter


def refined(correct_of_ten, made, k=3):
    replies = iter([RIGHT] * correct_of_ten + [WRONG] * (10 - correct_of_ten))
    actor = Actor(Answering(lambda *asked: next(replies)), seed=0)
    return refine(actor, task_of(), made.path, "id", "critique", 10, k)


@pytest.mark.parametrize(("right", "kept"), [(2, False), (3, True), (10, True)])
def test_a_critique_of_a_wrong_attempt_must_help_often_enough(right, kept):
    made = slipped()
    found = refined(right, made)
    assert (found.filter.n_correct, found.filter.kept, found.filter.K) == (right, kept, 10)
    assert len(found.examples) == 1 and found.examples[0].text == RIGHT


@pytest.mark.parametrize(("right", "kept"), [(8, False), (9, True)])
def test_a_critique_of_a_right_attempt_must_leave_it_right(right, kept):
    assert refined(right, gold(task_of())).filter.kept is kept


def test_a_refinement_that_only_states_the_answer_does_not_count():
    made = slipped()
    actor = Actor(Answering(lambda *asked: "The answer is 14."), seed=0)
    found = refine(actor, task_of(), made.path, "id", "critique", 4, 1)
    assert (found.filter.n_correct, found.filter.n_shortcut, found.filter.kept) == (0, 4, False)
    messages = actor.engine.calls[0]
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert "critique" in messages[-1]["content"]


# The pipeline

NAMES = ("Lena", "Mia", "Tom", "Ali")
STORIES = [worked(3 + i, 2 + i, name) for i, name in enumerate(NAMES)]


def model(messages, seed, temperature):
    """An actor that is right half of the time, and an annotator that sometimes leaks the answer."""
    text = " ".join(message["content"] for message in messages)
    name = next(name for name in NAMES if f" {name} buys" in f" {text}")
    story = STORIES[NAMES.index(name)]
    if "You check a student" in text:
        solution = messages[-1]["content"].split("The student's solution:\n")[1].split("\n\nFor your eyes")[0]
        lines = [re.sub(r"^Step \d+: ", "", line) for line in solution.splitlines()][:-1]
        right = [line in story.lines for line in lines]
        comment = f"It is {story.result}." if len(text) % 3 == 0 else "Look again."
        blocks = [Block(line, ok, comment) for line, ok in zip(lines, right, strict=True)]
        return write(blocks, all(right) and f"is {story.result}." in solution, "So it is.")
    lines = story.changed({3: story.quantities[3].model_copy(update={"value": Fraction(seed % 4 + 30)})})
    lines, answer = (story.lines, story.result) if seed % 2 else (lines.lines, lines.result)
    prefix = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
    rest = [line for line in lines if line not in prefix]
    return "\n".join([*rest, f"The answer is {answer}."])


def run(home, recipe=None, annotator=None, stories=STORIES):
    engine = Answering(model)
    recipe = recipe or Recipe(samples=4, refinements=4, keep=1)
    tasks = [task_of(story) for story in stories]
    return Critiques(tasks, annotator or PromptedCritic(engine, scaffold=False), recipe, home, engine, engine)


def saved(critiques, out, stop_after=None):
    for count, _ in enumerate(critiques.run(), 1):
        if count == stop_after:
            return None
    critiques.save(out)
    return out.read_bytes()


def test_every_record_validates_keeps_its_provenance_and_opens_in_datasets(tmp_path):
    out = tmp_path / "out.jsonl"
    saved(run(tmp_path), out)
    records = [from_json(line) for line in out.read_text("utf-8").splitlines()]
    assert {record.traj.origin for record in records} >= {"rg1", "rg2", "rg3", "gold"}
    assert len({record.id for record in records}) == len(records) > 8
    assert [r.group for r in records] == sorted((r.group for r in records), key=[s.problem.id for s in STORIES].index)
    assert any(critique.leak for record in records for critique in record.critiques)
    for record in records:
        [critique] = record.critiques
        assert len(critique.verdicts) == len(record.traj.steps)
        assert critique.filter is None if critique.leak or not critique.agrees else critique.filter.K == 4
        assert all(cost.out_tokens > 0 for cost in record.cost)
    table = datasets.load_dataset("json", data_files=str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(table) == len(records) and table[0]["schema"] == "mr/2" and table[0]["traj"]["origin"] == "rg1"


def test_the_report_counts_by_generator_and_prints_critiques(tmp_path):
    critiques = run(tmp_path)
    list(critiques.run())
    records = list(critiques.records())
    rows = report.counts(records)
    assert rows["all"]["made"] == len(records) == sum(row["made"] for name, row in rows.items() if name != "all")
    assert rows["all"]["kept"] == sum(record.critiques[0].usable for record in records) > 0
    assert rows["rg1"]["wrong"] == rows["rg1"]["made"] and rows["gold"]["wrong"] == 0
    text = report.examples(records, n=1)
    assert text.count("Correctness of the final answer") == len(rows) - 1
    assert len(report.table(rows).rows) == len(rows)


def test_two_annotators_are_compared_on_the_attempts_that_both_judged(tmp_path):
    recipe = Recipe(generators=("rg3",), refinements=0)
    exact, guessing = run(tmp_path / "a", recipe, Structural()), run(tmp_path / "b", recipe, Accepting())
    for critiques in (exact, guessing):
        list(critiques.run())
    records = list(exact.records())
    found = report.against(records, [*guessing.records()][1:])
    wrong = sum(record.traj.correct is False for record in records[1:])
    assert (found.wins, found.losses) == (wrong, 0)
    assert found.difference == wrong / (len(records) - 1)


class Accepting(Structural):
    """Accepts every step."""

    name = "accepting"

    def annotate(self, jobs, seed):
        blocks = [[Block(step, True, "Yes.") for step in job.path.lines] for job in jobs]
        return [Annotation(write(each, True, "Yes.", "en"), ()) for each in blocks]


def test_an_interrupted_run_resumes_to_the_same_bytes(tmp_path):
    whole = saved(run(tmp_path / "whole"), tmp_path / "whole.jsonl")
    path = run(tmp_path / "whole").results.path
    for stopped in (1, 3):
        home = tmp_path / f"stopped{stopped}"
        assert saved(run(home), tmp_path / "out", stopped) is None
        assert saved(run(home), tmp_path / "out") == whole
    written = path.read_bytes()
    lines = [place + 1 for place, byte in enumerate(written) if byte == 10]
    for cut in (0, 1, lines[0] - 1, lines[0], lines[0] + 1, lines[1] + 700, lines[2], len(written) - 1, len(written)):
        path.write_bytes(written[:cut])
        assert saved(run(tmp_path / "whole"), tmp_path / "again.jsonl") == whole
        assert path.read_bytes() == written


PROGRAM = """
import sys, time
from pathlib import Path
from trainer.data.critiques.annotators import Structural
from trainer.data.critiques.pipeline import Critiques, Recipe
from trainer.data.critiques.tasks import read_tasks

home, pause = Path(sys.argv[1]), float(sys.argv[2])
tasks = read_tasks(home / "problems.jsonl")
run = Critiques(tasks, Structural(), Recipe(generators=("rg3",), refinements=0), home)
for problem in run.run():
    print(problem, flush=True)
    time.sleep(pause)
run.save(home / "out.jsonl")
"""


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path):
    lines = []
    for pens in range(3, 33):
        solution = f"4 * {pens} = <<4*{pens}={4 * pens}>>{4 * pens}\n{4 * pens} + 2 = <<{4 * pens}+2={4 * pens + 2}>>"
        question = PROBLEM.replace("3 notebooks", f"{pens} notebooks")
        row = {"question": question, "answer": str(4 * pens + 2), "solution": f"{solution}{4 * pens + 2}"}
        lines.append(json.dumps(row))
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "problems.jsonl").write_text("\n".join(lines), "utf-8")
    program = [sys.executable, "-c", PROGRAM, str(tmp_path / "killed")]
    process = subprocess.Popen([*program, "0.05"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    for _ in range(5):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL and not (tmp_path / "killed" / "out.jsonl").exists()
    for name in ("killed", "whole"):
        subprocess.run([*program[:-1], str(tmp_path / name), "0"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    finished = (tmp_path / "killed" / "out.jsonl").read_bytes()
    assert finished == (tmp_path / "whole" / "out.jsonl").read_bytes()
    ids = [from_json(line).id for line in finished.decode().splitlines()]
    assert len(ids) == len(set(ids)) == 60


def test_a_problems_records_do_not_depend_on_the_other_problems(tmp_path):
    alone = saved(run(tmp_path, stories=STORIES[2:3]), tmp_path / "alone")
    together = saved(run(tmp_path, stories=[*STORIES[::-1], STORIES[2]]), tmp_path / "together")
    assert alone in together and together.count(alone) == 1


def test_rules_alone_need_no_model_and_agree_with_every_known_label(tmp_path):
    recipe = Recipe(generators=("rg3",), refinements=0)
    critiques = Critiques([task_of(s) for s in STORIES], Structural(), recipe, tmp_path)
    list(critiques.run())
    records = list(critiques.records())
    assert [record.traj.correct for record in records] == [False, True] * len(STORIES)
    for record in records:
        [critique] = record.critiques
        assert critique.verdicts == tuple(bool(step.labels[0].value) for step in record.traj.steps)
        assert critique.usable and not record.cost


def test_a_record_that_was_changed_or_contradicts_itself_is_refused(tmp_path):
    critiques = run(tmp_path)
    next(critiques.run())
    record = next(critiques.records())
    line = to_json(record)
    assert from_json(line) == record
    with pytest.raises(ValueError, match="not what its id says"):
        from_json(line.replace('"dataset": "generated"', '"dataset": "other"'))
    with pytest.raises(ValueError, match="schema"):
        from_json(line.replace("mr/2", "mr/9"))
    with pytest.raises(ValidationError, match="do not give the text"):
        Path(text="a", steps=(RecordStep(i=1, text="b"),), final="1", valid=True, correct=True, origin="gold")
    short = record.critiques[0].model_copy(update={"verdicts": (), "parse_ok": True})
    with pytest.raises(ValidationError, match="verdicts"):
        Record.model_validate({**record.model_dump(), "critiques": [short.model_dump()]})


def test_generated_problems_are_rebuilt_with_every_number(tmp_path):
    file = tmp_path / "problems.jsonl"
    for _ in problems.write(file, 5, seed=3, split="dev", processes=1):
        pass
    assert [task.worked for task in read_tasks(file)] == [wordproblems.generate(3, i, "dev") for i in range(5)]
    other = json.loads(file.read_text().splitlines()[0]) | {"question": "How much is 3 + 4?", "answer": "7"}
    file.write_text(json.dumps(other))
    assert read_tasks(file)[0].worked is None


def test_problems_of_a_file_bring_their_solutions(tmp_path):
    file = tmp_path / "problems.jsonl"
    rows = [
        {"question": "2 + 3 + 4?", "answer": "9", "solution": "2 + 3 = <<2+3=5>>5\n5 + 4 = <<5+4=9>>9"},
        {"question": "1 + 1?", "answer": "2"},
    ]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    first, second = read_tasks(file)
    assert first.gold == ("2 + 3 = 5", "5 + 4 = 9") and second.gold == ()
    assert first.worked.result == "9" and second.worked is None
    assert read_tasks(file, 1) == [first]


def test_the_command_is_reproducible_and_reports_counts(tmp_path, capsys):
    given = tmp_path / "problems.jsonl"
    solution = "4 * 3 = <<4*3=12>>12 dollars\n12 + 2 = <<12+2=14>>14 dollars"
    given.write_text(json.dumps({"question": PROBLEM, "answer": "14", "solution": solution}), "utf-8")
    recipe = command.read_recipe("rg3", "first", seed=1, refinements=0, keep=3)
    summaries = [command.make(str(given), tmp_path / name, recipe) for name in ("a", "b")]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert summaries[0]["generators"]["all"]["kept"] == 2 and summaries[0]["done"] == 1
    command.show(summaries[0], as_json=True)
    assert json.loads(capsys.readouterr().out)["records"] == 2
    command.show(summaries[0], as_json=False)
    assert "2 records of 1 problems" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("generators", "form", "keep", "named"),
    [
        ("rg4", "full", 3, "rg1, rg2, rg3"),
        ("", "full", 3, "rg1"),
        ("rg1", "half", 3, "half"),
        ("rg1", "full", 11, "11"),
    ],
)
def test_an_impossible_recipe_is_refused(generators, form, keep, named):
    with pytest.raises(command.RecipeError, match=named):
        command.read_recipe(generators, form, seed=0, refinements=10, keep=keep)


def test_an_unknown_annotator_is_refused(tmp_path):
    with pytest.raises(command.RecipeError, match="structural or llm"):
        command.make("1", tmp_path / "out", Recipe(), annotator="gpt")


def test_the_order_of_generators_on_the_command_line_does_not_matter():
    first, second = (
        command.read_recipe(names, "full", seed=0, refinements=0, keep=3) for names in ("rg3,rg1", "rg1,rg3")
    )
    assert first == second and not first.stop_at_first


def test_a_conversation_longer_than_the_context_is_reported_and_skipped(tmp_path):
    class Small(Answering):
        def sample(self, requests, *rest, **options):
            requests = list(requests)
            if "Tom" in str(requests[0]):
                raise ContextOverflow("too long")
            return super().sample(requests, *rest, **options)

    engine = Small(model)
    critiques = Critiques(
        [task_of(s) for s in STORIES], PromptedCritic(engine, scaffold=False), Recipe(samples=2), tmp_path, engine
    )
    list(critiques.run())
    summary = critiques.summary()
    assert [failure["error"] for failure in summary["failed"]] == ["too long"]
    assert summary["done"] == 3 and {record.group for record in critiques.records()} == {
        story.problem.id for story in STORIES if "Tom" not in story.problem.text
    }


@pytest.mark.parametrize(
    ("answer", "kind"), [("14", "int"), ("1,400", "int"), ("4.50", "number"), ("3/8", "number"), ("B", "choice")]
)
def test_answers_are_classified_by_type(answer, kind):
    assert answer_type(answer) == kind


def test_labels_are_distinct_in_each_language():
    for labels in critique_text.LABELS.values():
        assert len(set(labels)) == len(labels)


def test_a_critique_that_copies_the_prompts_example_is_detected():
    prompt = templates.template("annotate", "en")
    copied = "Each of the 3 boxes holds 6 eggs, so multiplying them counts all eggs."
    assert parrots(["Fine.", copied], prompt)
    assert parrots(["Each of the 3 boxes holds 6 pebbles, so multiplying them counts all pebbles."], prompt)
    assert parrots(["Broken pens are no longer whole, so they must be taken away from the 10 pens."], prompt)
    assert not parrots(["Each of the 2 pizzas has 16 slices, so multiplying them counts all slices.", ""], prompt)
    assert not parrots(["Correct"], prompt)
