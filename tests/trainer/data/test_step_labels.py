"""Step labels from rollouts: what is sampled, what is counted, and the effect of interruptions and bad rows."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from answering import Answering
from places import ROOT
from pydantic import ValidationError
from servers import stand_in, stream
from tables import rest

from runtime import settings
from runtime.engines import open_engine
from runtime.engines.base import ContextOverflow, EngineError, Sampling
from runtime.engines.openai import OpenAIEngine
from runtime.engines.scripted import ScriptedEngine
from runtime.problems.labelled import LabelProvenance, StepLabel, by_labels
from runtime.problems.labelled import labelled as labelled_trajectory
from runtime.types import Problem
from trainer.data.completer import Completer
from trainer.data.sources import RowError, read_attempts
from trainer.data.step_labels import Labelling, key_of

PROBLEM = Problem(text="What is 2 + 3 + 4?", answer="9")
STEPS = ("2 + 3 = 5", "5 + 4 = 9")
RIGHT, WRONG = "The answer is 9.", "The answer is 8."


def attempt(*steps, problem=PROBLEM, answer=None):
    return labelled_trajectory(problem, steps or STEPS, answer=answer)


def prepared(attempts, engine, n=2, by="every-step", wrong_only=False, temperature=0.7, stop_early=False):
    chosen = settings.load()
    sampling = Sampling(temperature=temperature, max_tokens=chosen.max_tokens, seed=chosen.seed)
    return Labelling(attempts, Completer(engine, chosen, sampling, n, stop_early), by, wrong_only)


def labelled(attempts, engine, n=2, **options):
    labelling = prepared(attempts, engine, n, **options)
    list(labelling.run())
    return labelling


def labels(labelling, place=0):
    row = labelling.results.rows[key_of(labelling.attempts[place])]
    return [StepLabel(**label) for label in row.get("labels", ())]


def counts(labelling, place=0):
    return [(label.k, label.n) for label in labels(labelling, place)]


def always(text):
    return Answering(lambda prefix, count: text)


# Counting


def test_k_of_n_completions_reach_the_reference_answer():
    done = labelled([attempt()], ScriptedEngine([WRONG, WRONG, RIGHT, WRONG, "It is 9.", "9 eggs\n#### 9.0"]))
    assert labels(done) == [StepLabel(by="rollouts", step=0, k=1, n=2), StepLabel(by="rollouts", step=1, k=2, n=2)]
    assert [(label.hard, label.soft) for label in labels(done)] == [(True, 0.5), (True, 1.0)]
    assert "soft" not in json.dumps(done.results.rows)


def test_a_truncated_completion_counts_as_failed(monkeypatch):
    monkeypatch.setenv("SOLILOQUY_MAX_TOKENS", "16")
    done = labelled([attempt("2 + 3 = 5")], always("so " * 14 + "is 9 and so on"))
    assert counts(done) == [(0, 2)]
    assert done.summary()["unfinished"] == 4  # with those of the problem alone


@pytest.mark.parametrize(("reply", "k"), [("", 2), ("\n", 2), ("Done.", 2), ("No, 8.", 0), ("The answer is N.", 0)])
def test_an_empty_completion_takes_the_answer_of_the_last_step(reply, k):
    assert counts(labelled([attempt()], always(reply))) == [(0, 2), (k, 2)]


@pytest.mark.parametrize(
    ("last", "k"),
    [
        ("The answer is 9.", 1),
        ("So the answer is 8.", 0),
        ("Altogether 5 + 4 = 9, so the answer is: 9", 1),
        ("Therefore \\boxed{9}.", 1),
        ("5 + 4 = 8\n#### 8", 0),
        ("答案是 9。", 1),
        ("The answer is N.", 0),
    ],
)
def test_a_last_step_that_states_the_answer_is_graded_and_not_completed(last, k):
    engine = always(WRONG)
    done = labelled([attempt(*STEPS, last)], engine)
    assert labels(done)[2] == StepLabel(by="rollouts", step=2, k=k, n=1, drawn="none")
    assert labels(done)[2].soft == k
    assert engine.beginnings == ["2 + 3 = 5\n", "2 + 3 = 5\n5 + 4 = 9\n"]


def test_a_step_that_states_an_answer_and_is_not_the_last_is_completed():
    engine = always(RIGHT)
    done = labelled([attempt("The answer is 8.", "No. The answer is 9.")], engine)
    assert labels(done) == [
        StepLabel(by="rollouts", step=0, k=2, n=2),
        StepLabel(by="rollouts", step=1, k=1, n=1, drawn="none"),
    ]


@pytest.mark.parametrize("wrong", [{"k": 0, "n": 0}, {"k": -1, "n": 2}, {"k": 3, "n": 2}])
def test_impossible_counts_are_refused(wrong):
    with pytest.raises(ValidationError):
        StepLabel(by="rollouts", step=0, **wrong)


# Sampling


def test_shared_prefixes_are_completed_once_in_order_of_length():
    engine = always(RIGHT)
    tree = [attempt("a", "b", "c"), attempt("a", "d"), attempt("a", "b"), attempt("a", "b", "e"), attempt("a", "d")]
    done = labelled(tree, engine, n=3)
    assert engine.beginnings == ["a\n", "a\nb\n", "a\nb\nc\n", "a\nb\ne\n", "a\nd\n"]
    assert len(engine.continued) == 15
    assert all(engine.lazy)
    assert [len(labels(done, place)) for place in range(5)] == [3, 2, 2, 3, 2]
    assert done.summary()["labelled"] == 4  # the same attempt twice is one


def test_a_graded_step_is_completed_if_another_attempt_continues_from_it():
    engine = always(WRONG)
    done = labelled([attempt("a", "The answer is 9."), attempt("a", "The answer is 9.", "b")], engine)
    assert engine.beginnings == ["a\n", "a\nThe answer is 9.\n", "a\nThe answer is 9.\nb\n"]
    assert counts(done, 0) == [(0, 2), (1, 1)]
    assert counts(done, 1) == [(0, 2)] * 3


def test_the_seeds_of_a_prefix_depend_only_on_its_length():
    engine = always(RIGHT)
    labelled([attempt("a", "b", "c"), attempt("a", "b", "d"), attempt("e")], engine, n=5)
    assert engine.seeds == [0, 5, 15, 5]
    other = Problem(text="Another?", answer="9")
    engine = always(RIGHT)
    labelled([attempt("a", "b", "c"), attempt("a", "b", "d", problem=other)], engine, n=5)
    assert engine.seeds == [0, 5]  # the first was labelled before


def test_the_completer_gets_the_actors_prompt_without_the_answer():
    engine = always(RIGHT)
    labelled([attempt("a", problem=Problem(text="What is it?", answer="REFERENCE"))], engine, n=1)
    alone, continued = engine.calls
    assert [message["role"] for message in continued] == ["system", "user", "assistant"]
    assert alone == continued[:2]
    assert "REFERENCE" not in str(continued)


# Bisection


def failing_from(place):
    """A completer that reaches the answer from fewer than `place` steps only."""
    return Answering(lambda prefix, count: RIGHT if prefix.count("\n") < place else WRONG)


LETTERS = tuple("abcdefgh")


@pytest.mark.parametrize("first", range(8))
def test_bisection_finds_the_first_error_with_few_completions(first):
    engine = failing_from(first + 1)
    done = labelled([attempt(*LETTERS, "The answer is 8.")], engine, n=3, by="bisection")
    found = labels(done)
    assert by_labels(found, 9) == first
    assert [label.step for label in found] == list(range(first + 1))  # nothing is claimed of the steps after it
    assert (found[first].k, found[first].n) == (0, 3)
    assert first == 0 or found[first - 1].k == 3  # the prefix before the error was seen to reach the answer
    assert len(engine.continued) <= 3 * 4
    assert done.summary()["first_errors"] == 1


def test_steps_before_a_good_prefix_are_derived_and_have_no_soft_label():
    done = labelled([attempt(*LETTERS, "The answer is 8.")], failing_from(7), n=3, by="bisection")
    derived = [label.drawn == "derived" for label in labels(done)]
    assert derived == [True, True, True, True, False, False, False]
    assert [(label.hard, label.soft, label.k) for label in labels(done)][:5] == [(True, None, None)] * 4 + [
        (True, 1, 3)
    ]
    assert done.summary()["derived"] == 4


def test_bisection_finds_the_error_that_the_labels_of_every_step_find():
    for first in range(4):
        attempts = [attempt(f"a {first}", "b", "c", "d", answer="8")]
        every, half = (labelled(attempts, failing_from(first + 1), by=by) for by in ("every-step", "bisection"))
        assert by_labels(labels(every), 4) == by_labels(labels(half), 4) == first
        assert half.summary()["calls"] <= every.summary()["calls"]


def test_every_way_uses_the_completions_of_the_other():
    attempts = [attempt(*LETTERS)]
    labelled(attempts, failing_from(5))
    engine = Answering(lambda prefix, count: AssertionError("nothing is missing"))
    assert by_labels(labels(labelled(attempts, engine, by="bisection")), 8) == 4
    assert engine.calls == []


def test_without_a_success_before_the_first_step_nothing_is_claimed():
    done = labelled([attempt("a", "b", answer="8")], always(WRONG), by="bisection")
    assert labels(done) == []
    assert (done.summary()["undecided"], done.summary()["first_errors"]) == (1, 0)
    assert read_attempts(done.results.path)[0].is_judged is False


def test_a_wrong_attempt_that_reaches_the_answer_from_every_step_is_undecided():
    wrong = attempt("a", "b").model_copy(update={"correct": False})
    assert labels(labelled([wrong], always(RIGHT), by="bisection")) == []
    unknown = labelled([attempt("a", "c")], always(RIGHT), by="bisection")
    assert [label.step for label in labels(unknown)] == [0, 1]


def test_the_last_step_of_a_wrong_answer_is_wrong_if_all_before_it_reach_the_answer():
    done = labelled([attempt("a", "b", answer="8")], always(RIGHT), n=3, by="bisection")
    assert counts(done) == [(3, 3), (0, 1)]
    assert labels(done)[1].drawn == "none"


def test_a_right_answer_costs_a_bisection_nothing():
    engine = always(WRONG)
    done = labelled([attempt("a", "b", answer="9")], engine, by="bisection")
    assert engine.continued == []
    assert [(label.hard, label.drawn) for label in labels(done)] == [(True, "derived"), (True, "none")]


# Exact arithmetic


def test_a_false_equation_is_an_error_without_a_completion_of_it():
    engine = always(RIGHT)
    done = labelled([attempt("2 + 3 = 5", "5 + 4 = 8", "so it is 8", answer="8")], engine, by="exact")
    assert engine.beginnings == ["2 + 3 = 5\n"]
    assert labels(done) == [
        StepLabel(by="rollouts", step=0, k=2, n=2),
        StepLabel(by="rule", step=1, value=-1),
    ]
    assert by_labels(labels(done), 3) == 1


def test_the_first_error_may_lie_before_a_false_equation():
    done = labelled([attempt("2 × 3 = 6", "so far 6", "6 + 4 = 11", answer="11")], failing_from(1), by="exact")
    assert [(label.step, label.by, label.hard) for label in labels(done)] == [(0, "rollouts", False)]


@pytest.mark.parametrize("by", ["bisection", "exact"])
def test_without_a_false_equation_exact_is_bisection(by):
    done = labelled([attempt(*LETTERS, answer="8")], failing_from(4), n=3, by=by)
    assert by_labels(labels(done), len(LETTERS)) == 3


# Order and confidence


class Solving(Answering):
    """Solves "What is i?" `rates[i]` times, and never from a prefix."""

    def __init__(self, rates):
        super().__init__(lambda prefix, count: RIGHT if not prefix and count <= self.rate else WRONG)
        self.rates = rates

    def _next(self, messages):
        self.rate = self.rates[int(re.search(r"\d+", messages[1]["content"])[0])]
        return super()._next(messages)


def test_wrong_attempts_at_problems_that_are_mostly_solved_come_first():
    problems = [Problem(text=f"What is {i}?", answer="9") for i in range(4)]
    rows = [attempt("a", problem=problems[0], answer="9")]
    rows += [attempt("b", problem=problem, answer="8") for problem in problems]
    labelling = prepared(rows, Solving([2, 0, 1, 2]))
    list(labelling.measure_confidence())
    assert [rows.index(one) for group in labelling.ordered() for one in group] == [1, 4, 3, 2, 0]


def test_the_confidence_of_the_completer_is_kept_with_the_row():
    done = labelled([attempt("a")], ScriptedEngine([RIGHT, WRONG, WRONG, WRONG]), n=2)
    [row] = read_attempts(done.results.path)
    assert (row.provenance.confidence, row.provenance.annotator) == (0.5, "scripted")


def test_graded_attempts_of_the_completer_itself_are_its_confidence():
    written = {"generator": "scripted", "format": None}
    rows = [
        attempt(letter, answer="9" if letter == "a" else "8").model_copy(
            update={"correct": letter == "a", "provenance": LabelProvenance(**written)}
        )
        for letter in "abcd"
    ]
    engine = always(WRONG)
    done = labelled(rows, engine)
    assert len(engine.calls) == len(engine.continued) == 0  # every answer is graded
    assert {row.provenance.confidence for row in read_attempts(done.results.path)} == {0.25}
    engine = always(WRONG)
    labelled(rows[:3], engine)  # too few to rely on
    assert len(engine.calls) == 2


def test_right_attempts_can_be_left_out():
    rows = [attempt("a", answer="9"), attempt("b", answer="8"), attempt("c", "The answer is 9.")]
    done = labelled(rows, always(WRONG), by="bisection", wrong_only=True)
    assert list(done.results.rows) == [key_of(rows[1])]
    assert (done.summary()["labelled"], done.summary()["failed"]) == (1, [])


def test_what_people_know_of_the_error_is_not_written_beside_the_labels():
    known = labelled_trajectory(PROBLEM, ("a", "b"), 0, "8", "It is twice as much.", "logical")
    done = labelled([known], failing_from(2), by="bisection")
    [row] = read_attempts(done.results.path)
    assert (row.first_error, row.explanation, row.error_type, row.answer) == (1, "", None, "8")


# Stopping early


def test_with_stop_early_one_success_ends_a_step_and_there_is_no_soft_label():
    engine = Answering(lambda prefix, count: RIGHT if prefix == "2 + 3 = 5\n" and count == 3 else WRONG)
    done = labelled([attempt()], engine, n=5, stop_early=True)
    first, second = labels(done)
    assert (first.k, first.n, second.k, second.n) == (1, 3, 0, 5)
    assert (first.hard, second.hard) == (True, False)
    assert first.drawn == second.drawn == "until_success"
    assert first.soft is second.soft is None
    assert len(engine.continued) == 8


def test_stopping_early_never_changes_the_hard_label():
    def answer(prefix, count):
        return RIGHT if (len(prefix) * 7 + count) % 11 == 0 else WRONG

    tree = [attempt("a", "bb", "ccc"), attempt("a", "dddd"), attempt("eeeee", "The answer is 9.")]
    full = labelled(tree, Answering(answer), n=4)
    early = labelled(tree, Answering(answer), n=4, stop_early=True)
    assert full.results.path != early.results.path
    hard = [[label.hard for label in labels(full, place)] for place in range(3)]
    assert hard == [[label.hard for label in labels(early, place)] for place in range(3)]
    assert {True, False} == {each for row in hard for each in row}


def test_every_problem_is_graded_by_its_own_answer():
    problems = [Problem(text=f"What is {i}?", answer=str(i % 3)) for i in range(9)]
    done = labelled(
        [attempt("a", problem=problem) for problem in problems], always("The answer is 1."), n=4, stop_early=True
    )
    assert [counts(done, i) for i in range(9)] == [[(0, 4)], [(1, 1)], [(0, 4)]] * 3


# Resuming


def test_a_finished_run_is_reused_and_a_longer_file_resumes_it():
    first = labelled([attempt("a", "b")], always(RIGHT))
    engine = always(WRONG)
    again = labelled([attempt("a", "b"), attempt("a", "c"), attempt("x")], engine)
    assert engine.beginnings == ["a\nc\n", "x\n"]
    assert engine.seeds == [4, 2]
    assert counts(again, 0) == counts(first) == [(2, 2), (2, 2)]
    assert counts(again, 1) == [(2, 2), (0, 2)]


@pytest.mark.parametrize("options", [{"n": 3}, {"temperature": 0.5}, {"stop_early": True}])
def test_other_options_start_another_run(options):
    engine = always(RIGHT)
    labelled([attempt()], always(RIGHT))
    labelled([attempt()], engine, **options)
    assert engine.calls


def test_an_engine_error_ends_the_run_and_keeps_its_labels():
    def answer(prefix, count):
        return EngineError("It is gone.") if prefix == "c\n" and failing else RIGHT if count == 1 else WRONG

    rows, failing = [attempt("a"), attempt("b"), attempt("c"), attempt("d")], True
    with pytest.raises(EngineError, match="gone"):
        labelled(rows, Answering(answer))
    failing, engine = False, Answering(answer)
    done = labelled(rows, engine)
    assert engine.beginnings == ["c\n", "d\n"]
    assert [counts(done, place) for place in range(4)] == [[(1, 2)]] * 4


def test_leaving_early_cancels_and_stores_no_partial_label():
    engine = Answering(lambda prefix, count: "word " * 200 if prefix.startswith("slow") else RIGHT)
    engine.delay = 0.02
    rows = [attempt(first, problem=Problem(text=f"{first}?", answer="9")) for first in ("quick", "slow", "slower")]
    labelling = prepared(rows, engine)
    run = labelling.run()
    assert next(run) == key_of(rows[0])
    started = time.monotonic()
    run.close()
    assert time.monotonic() - started < 1
    assert list(labelling.results.rows) == [key_of(rows[0])]
    assert counts(labelling) == [(2, 2)]


KILLED = """
import sys
sys.path[:0] = ["tests", "tests/trainer/data"]
from answering import Answering
from test_step_labels import RIGHT, many, prepared
engine = Answering(lambda prefix, count: RIGHT)
engine.delay = 0.02
for _ in prepared(many(), engine, by=sys.argv[1]).run():
    print("one", flush=True)
"""


def many(answer=None):
    problems = [Problem(text=f"What is {i}?", answer="9") for i in range(12)]
    return [attempt("a", str(i), problem=problems[i // 2], answer=answer) for i in range(24)]


@pytest.mark.parametrize(
    ("by", "found"), [("bisection", [(None, None), (2, 2)]), *rest(("every-step", [(2, 2), (2, 2)]))]
)
def test_a_killed_run_resumes_to_the_same_labels(by, found):
    command = [sys.executable, "-c", KILLED, by]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=dict(os.environ))
    for _ in range(4):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    engine = always(RIGHT)
    labelling = prepared(many(), engine, by=by)
    kept, completed = len(labelling.results.rows), len(labelling.completer.results.rows)
    assert 4 <= kept < 24
    assert completed > kept
    list(labelling.run())
    assert [counts(labelling, place) for place in range(24)] == [found] * 24
    assert len(engine.calls) == 2 * (len(labelling.completer.results.rows) - completed)  # nothing is sampled twice


def vllm_dying_after(number):
    """Requests to a server of vLLM's kind, which breaks every connection from the request of this number on."""

    def answer(handler, count):
        if count >= number:
            handler.connection.close()
        elif handler.path == "/tokenize":
            handler.reply(200, {"tokens": [1, 2, 3]})
        else:
            stream(handler, "The answer", " is 9.")

    return answer


def test_two_servers_share_the_work_and_one_finishes_it_if_the_other_dies(caplog, monkeypatch):
    monkeypatch.setattr(OpenAIEngine.__init__, "__defaults__", (None, 8, None, 60.0, 0))  # without retries
    with ExitStack() as opened:
        urls = [opened.enter_context(stand_in(vllm_dying_after(number), "vllm"))[0] for number in (20, 10_000)]
        engine = opened.enter_context(closing(open_engine(settings.load(server=", ".join(urls)), parallel=2)))
        done = labelled(many("8"), engine, by="bisection")
    assert "1 of 2 servers are left" in caplog.text
    assert done.summary()["first_errors"] == 24
    with pytest.raises(EngineError, match="No server is left"):
        labelled([attempt("another")], engine)


# Rows that cannot be labelled


def test_a_row_that_cannot_be_labelled_is_reported_and_skipped():
    def answer(prefix, count):
        return ContextOverflow("This is too long for the model.") if "LONG" in prefix else RIGHT

    rows = [
        attempt("a"),
        labelled_trajectory(PROBLEM, ()),
        attempt("a", " "),
        attempt("a", problem=Problem(text="Why?")),
        attempt("a", problem=Problem(text="Why?", answer="9" * 2000)),
        attempt("a", "LONG"),
        attempt("a", "b"),
    ]
    done = labelled(rows, Answering(answer))
    summary = done.summary()
    assert [failure["row"] for failure in summary["failed"]] == [2, 3, 4, 5, 6]
    errors = [failure["error"] for failure in summary["failed"]]
    assert [re.search("no steps|empty step|reference answer|too long", error)[0] for error in errors] == [
        "no steps",
        "empty step",
        "reference answer",
        "reference answer",
        "too long",
    ]
    assert (summary["n"], summary["labelled"], summary["steps"], summary["right"]) == (7, 2, 3, 3)
    assert counts(done, 6) == [(2, 2), (2, 2)]


def written(folder, *rows):
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(
    ("answer", "read"), [("9", "9"), (9, "9"), (0, "0"), ("5 + 4 = 9\n#### 9", "9"), (None, ""), (" ", "")]
)
def test_attempts_are_read_with_their_reference_answer(answer, read, tmp_path):
    row = {"question": "What is it?", "steps": ["a", "b"], "answer": answer, "source": "own"}
    expected = labelled_trajectory(Problem(text="What is it?", answer=read or None, source="own"), ("a", "b"))
    assert read_attempts(written(tmp_path, row, {**row, "steps": []}), limit=1) == [expected]


@pytest.mark.parametrize("wrong", [{"steps": "a"}, {"steps": [1]}, {"steps": None}, {"question": ""}])
def test_a_row_of_another_form_is_named_by_its_line(wrong, tmp_path):
    row = {"question": "What is it?", "steps": ["a"], "answer": "9"}
    with pytest.raises(RowError, match="line 2"):
        read_attempts(written(tmp_path, row, {**row, **wrong}))


# The real model


@pytest.mark.model
@pytest.mark.rest
@pytest.mark.timeout(60)
def test_the_small_model_labels_a_short_solution(small_engine, monkeypatch):
    monkeypatch.setenv("SOLILOQUY_MAX_TOKENS", "24")
    problem = Problem(text="What is 2 + 2?", answer="4")
    tree = [attempt("2 + 2 = 4", "The answer is 4.", problem=problem), attempt("The answer is 22.", problem=problem)]
    done = labelled(tree, small_engine, n=24)  # four of ten succeed
    [first, last], [wrong] = labels(done, 0), labels(done, 1)
    assert (first.n, last, wrong) == (
        24,
        StepLabel(by="rollouts", step=1, k=1, n=1, drawn="none"),
        StepLabel(by="rollouts", step=0, k=0, n=1, drawn="none"),
    )
    assert first.hard
    assert done.summary()["calls"] == 48


@pytest.mark.model
@pytest.mark.timeout(60)
@pytest.mark.rest
def test_the_command_labels_and_reports(tmp_path):
    row = {"question": "What is 2 + 2?", "steps": ["2 + 2 = 4", "The answer is 4."], "answer": "4"}
    path = written(tmp_path, row, {**row, "steps": []})
    command = [sys.executable, "-m", "trainer", "labels", "--trajectories", path, "--n", "2", "--stop-early", "--json"]
    command += ["--out", tmp_path / "labels.jsonl"]
    options = {"SOLILOQUY_MAX_TOKENS": "16", "SOLILOQUY_THREADS": "1", "SOLILOQUY_MODEL": "smollm2-135m"}
    finished = subprocess.run(
        [*command, "--parallel", "2"],
        cwd=ROOT,
        env={**os.environ, **options},
        capture_output=True,
        text=True,
        check=True,
    )
    summary = json.loads(finished.stdout)
    assert (summary["n"], summary["labelled"], summary["steps"]) == (2, 1, 2)
    assert "tokens/s" in finished.stderr
    assert [failure["row"] for failure in summary["failed"]] == [2]
    [stored] = Path(summary["results"]).read_text("utf-8").splitlines()
    assert [label["drawn"] for label in json.loads(stored)["labels"]] == ["until_success", "none"]
    [written_row] = read_attempts(tmp_path / "labels.jsonl")
    assert [label.drawn for label in written_row.labels] == ["until_success", "none"]
