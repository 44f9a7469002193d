"""Files of JSON rows: each row is read by its own fields, or refused with the line, the field and the remedy."""

import json
import logging
import os
from pathlib import Path

import pytest

from runtime.problems.json_rows import LONGEST_ROW, RowError, read_rows, reference
from runtime.studio.importing import import_attempts
from trainer.data.critiques.records import read_records
from trainer.data.critiques.tasks import read_tasks
from trainer.data.decontaminate import read_texts
from trainer.data.examples import critic
from trainer.data.gsm8k import gsm8k_problems
from trainer.data.problems import report
from trainer.data.rows import read_rows as read_examples
from trainer.data.sources import read_attempts, read_graded, read_judged, read_problems
from trainer.weights.promote import read_outcomes

PROCESSBENCH = {
    "id": "gsm8k-0", "problem": "2 + 3 + 4?", "steps": ["2 + 3 = 5", "5 + 4 = 8"],
    "final_answer_correct": False, "label": 1,
}  # fmt: skip
OFFICIAL = {
    "question": "Natalia sold 48 clips in April and half as many in May. How many in all?",
    "answer": "In May she sold 48/2 = <<48/2=24>>24 clips.\nIn all she sold 48+24 = <<48+24=72>>72 clips.\n#### 72",
}


def written(folder, *rows, name="rows.jsonl"):
    path = folder / name
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return path


READERS = {
    "import": lambda path, log: import_attempts(path, log),
    "problems": lambda path, log: read_problems(path),
    "judged": lambda path, log: read_judged(path),
    "graded": lambda path, log: read_graded(path),
    "attempts": lambda path, log: read_attempts(path),
    "gsm8k": lambda path, log: list(gsm8k_problems(path, 0)),
    "records": lambda path, log: read_records(path),
    "tasks": lambda path, log: read_tasks(path),
    "held out": lambda path, log: read_texts(path),
    "examples": lambda path, log: list(read_examples(path)),
    "results": lambda path, log: read_outcomes(path, "critic"),
    "generated": lambda path, log: report(path),
}
every_reader = pytest.mark.parametrize("reader", READERS)


@every_reader
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n  \n", "holds no rows"),
        ("[]", "holds no rows"),
        ("nonsense\n", "line 1: it is not valid JSON"),
        ("\n[1]\n", "row 1: it is not a JSON object"),
        ("5\n", "line 1: it is not a JSON object"),
        ('["{}"]', "row 1: it is not a JSON object"),
        ("{}\n", "line 1: "),
        ('[{"question": "1?"},\n {"answer": }]', "it begins as a JSON array, but it is not valid JSON .line 2"),
        ('{"question": ' + "[" * 90_000 + "\n", "line 1: it is nested too deeply"),
        ('{"question": "1?", "answer": ' + "7" * 5000 + "}\n", "line 1: .* thousands of digits"),
        ('{"question": "half a \\ud800"}\n', "line 1: it is not text"),
        ('{"question": "1?",\n "answer": "1"}\n', "line 1: it is not valid JSON"),
    ],
)
def test_every_reader_refuses_invalid_rows(reader, text, said, log, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(RowError, match=rf"rows\.jsonl.*{said}"):
        READERS[reader](path, log)
    assert log.count_runs() == 0


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader != "examples"])
def test_an_empty_file_is_an_error(reader, log, tmp_path):
    with pytest.raises(RowError, match=r"rows\.jsonl holds no rows\. "):
        READERS[reader](written(tmp_path), log)


def test_a_small_data_set_has_no_validation_rows(tmp_path):
    assert list(read_examples(written(tmp_path))) == []


@every_reader
def test_every_reader_refuses_devices_pipes_and_binary_files(reader, log, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b'{"question": "caf\xe9"}\n')
    (tmp_path / "endless").touch()
    os.truncate(tmp_path / "endless", LONGEST_ROW + 2)  # a sparse file of zeros
    for place, said in {
        "/dev/zero": "device or a pipe; save its content to a file",
        "pipe": "device or a pipe",
        ".": "Is a directory",
        "none": "No such file",
        "latin": "line 1 is not text in UTF-8",
        "endless": "line 1 is longer than 16 MiB",
    }.items():
        with pytest.raises(RowError, match=said):
            READERS[reader](tmp_path / place, log)


def test_an_array_in_one_file_is_read_like_lines(log, tmp_path):
    rows = [PROCESSBENCH, {**PROCESSBENCH, "steps": ["9"], "label": -1, "final_answer_correct": True}]
    path = tmp_path / "rows.json"
    path.write_text("\ufeff\n" + json.dumps(rows, indent=2), "utf-8")
    assert read_judged(path) == read_judged(written(tmp_path, *rows))
    assert import_attempts(path, log).new == 2
    path.write_text(json.dumps([PROCESSBENCH, {**PROCESSBENCH, "label": 5}]), "utf-8")
    with pytest.raises(RowError, match=r"rows\.json, row 2: it looks like a row of ProcessBench, but `label` must be"):
        read_judged(path)


def test_a_too_long_problem_does_not_reject_the_whole_file(log, tmp_path):
    rows = [{"problem": f"{i} + 1?", "steps": [f"{i} + 1 = {i + 1}"]} for i in range(30)]
    rows[7]["problem"] = "x" * 4415
    assert import_attempts(written(tmp_path, *rows), log).new == 30


MULTIPLE = {"question": "Which is 2 + 3?", "choices": ["4", "5"]}


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"answer": 1}, "5"),
        ({"answer": 0}, "4"),
        ({"answer": "5"}, "5"),
        ({"answer": "B"}, "5"),
        ({"answer": "(b)"}, "5"),
        ({"choices": None, "options": {"A": "$$4$$", "B": "$$5$$"}, "answer": "B"}, "$$5$$"),
        ({"choices": None, "options": {"a": "24", "b": "120"}, "answer": "b"}, "120"),
        ({"choices": None, "options": ["A)4", "B)5"], "answer": "A"}, "4"),
        ({"choices": {"text": ["four", "five"], "label": ["A", "B"]}, "answer": "B"}, "five"),
        ({"choices": [4, 5], "answer": 0}, "4"),
        ({"choices": ["0", "1"], "answer": 1}, "1"),
        ({"choices": ["1", "2"], "answer": 1}, "may be an index or a choice's text"),
        ({"choices": {"A": "B", "B": "A"}, "answer": "A"}, "may be an index or a choice's text"),
        ({"answer": 2}, "is none of them"),
        ({"answer": "7"}, "is none of them"),
        ({"answer": -1}, "is none of them"),
        ({"choices": [], "answer": 0}, "`choices` or `options` must be"),
        ({"choices": "4, 5", "answer": 0}, "`choices` or `options` must be"),
        ({"choices": [["4"], ["5"]], "answer": 0}, "`choices` or `options` must be"),
    ],
)
def test_the_answer_of_a_multiple_choice_row_is_the_text_of_the_choice(changes, answer, log, tmp_path):
    row = {**MULTIPLE, **changes}
    if " " not in answer:
        assert reference(row) == answer
        assert read_problems(written(tmp_path, row))[0].answer == answer
    else:
        for reader in ("problems", "attempts", "import"):
            with pytest.raises(RowError, match=f"line 1: .*{answer}"):
                READERS[reader](written(tmp_path, {**row, "steps": ["2 + 3 = 5"]}), log)


@pytest.mark.parametrize("wrong", [True, ["5"], {"text": "5"}, float("nan"), float("inf")])
def test_every_reader_accepts_an_answer_as_text_or_number(wrong, log, tmp_path):
    row = {"question": "2 + 3?", "steps": ["2 + 3 = 5 <<2+3=5>>"], "answer": wrong, "solution": "2+3=<<2+3=5>>5"}
    for reader in ("problems", "attempts", "import", "gsm8k", "tasks"):
        with pytest.raises(RowError, match="line 1: `answer`"):
            READERS[reader](written(tmp_path, row), log)


def test_two_texts_of_a_problem_that_differ_are_refused(tmp_path):
    with pytest.raises(RowError, match="`question` and `problem` differ"):
        read_problems(written(tmp_path, {"question": "1 + 1?", "problem": "2 + 2?", "answer": "2"}))
    assert read_problems(written(tmp_path, {"question": "1 + 1?", "problem": " 1 + 1? ", "answer": "2"}))


# The place of the first error


def judged(tmp_path, *changes):
    return read_judged(written(tmp_path, *({**PROCESSBENCH, **change} for change in changes)))


@pytest.mark.parametrize("name", ["first_error_index", "first_error"])
@pytest.mark.parametrize(("place", "read"), [(-1, None), (0, 0), (1, 1)])
def test_the_first_error_is_counted_from_0_under_every_name(name, place, read, tmp_path):
    row = {"question": "2 + 3 + 4?", "steps": PROCESSBENCH["steps"], name: place}
    assert [attempt.first_error for attempt in read_judged(written(tmp_path, row))] == [read]


@pytest.mark.parametrize("label", [0, 1, -1])
def test_a_bare_label_may_mean_right_or_wrong_and_is_refused(label, tmp_path):
    row = {"question": "2 + 3?", "steps": ["2 + 3 = 5", "It is 5."], "label": label}
    with pytest.raises(
        RowError, match=r"line 1: `label` .* only beside ProcessBench's `final_answer_correct`; call it"
    ):
        read_judged(written(tmp_path, row))


def test_two_names_of_the_first_error_that_differ_are_refused(tmp_path):
    with pytest.raises(RowError, match="`first_error_index` and `label` differ"):
        judged(tmp_path, {"first_error_index": 0})


def test_contradicting_rows_are_named_and_left_out(tmp_path, caplog):
    (other,) = judged(tmp_path, {}, {"steps": ["9"], "label": 0}, {"label": -1}, {"label": 1})
    assert other.steps == ("9",)
    assert "attempts, such as line 1 (first error 1) and line 3 (no error). They are left out." in caplog.text
    with pytest.raises(RowError, match=r"attempts, such as line 1 .* and line 2 .*\. Remove one of each"):
        judged(tmp_path, {}, {"label": 0})
    assert len(judged(tmp_path, {}, {})) == 1


def test_attempts_on_which_two_sources_contradict_each_other_are_left_out(tmp_path, caplog):
    (wrong,) = judged(tmp_path, {})
    (right,) = judged(tmp_path, {"label": -1})
    (other,) = judged(tmp_path, {"steps": ["9"], "label": 0})
    assert critic.mixed([[wrong, other], [right, wrong]], 0) == [other]
    assert "1 attempts are left out, because two sources" in caplog.text


def test_error_descriptions_are_read_under_every_field_name(tmp_path):
    told = {"error_description": "Tires are no bicycles.", "error_category": "Unit conversion error"}
    own = {"explanation": "Tires are no bicycles.", "error_type": "Unit conversion error"}
    for names in (told, own):
        (attempt,) = judged(tmp_path, names)
        assert (attempt.explanation, attempt.error_type) == tuple(told.values())
    pieces = "".join(text for text, _ in critic.critic_row(attempt).reply)
    assert pieces.endswith("Tires are no bicycles.")


def test_unused_soft_labels_are_reported(tmp_path, caplog, log):
    row = {**PROCESSBENCH, "scores": [0.9, 0.2]}
    with caplog.at_level(logging.WARNING):
        read_judged(written(tmp_path, row, row))
    assert caplog.text.count("has `scores` of its steps. They are not used") == 1
    done = import_attempts(written(tmp_path, row, {"problem": "1?", "steps": ["1"]}), log)
    assert (done.new, done.left_out) == (2, {"label": 1, "scores": 1})


# GSM8K solutions


def test_rows_of_gsm8k_are_read_with_the_solution_in_their_answer(tmp_path):
    (worked,) = gsm8k_problems(written(tmp_path, OFFICIAL), 0)
    assert (worked.problem.answer, worked.result, len(worked.lines)) == ("72", "72", 2)
    solution = OFFICIAL["answer"].removesuffix("\n#### 72")
    row = {"problem": OFFICIAL["question"], "solution": solution, "answer": 72}
    (same,) = gsm8k_problems(written(tmp_path, row), 0)
    assert same.lines == worked.lines


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "2 + 3?", "answer": "5", "solution": "2 + 3 = 5"}, "holds no solution with calculations"),
        (
            {"question": "Some?", "answer": "5", "solution": "9 - 4 = <<9-4=5>>5"},
            "each of 1 solutions has a number of ambiguous",
        ),
        ({"answer": "5", "solution": "2 + 3 = <<2+3=5>>5"}, "line 1: `question`"),
        ({"question": "2 + 3?", "solution": "2 + 3 = <<2+3=5>>5"}, "line 1: `answer`"),
    ],
)
def test_gsm8k_solutions_that_give_no_example_are_an_error(row, said, tmp_path):
    with pytest.raises(RowError, match=said):
        list(gsm8k_problems(written(tmp_path, row), 0))


def test_no_training_examples_is_an_error(tmp_path):
    right = written(tmp_path, {**PROCESSBENCH, "label": -1})
    with pytest.raises(RowError, match=r"rows\.jsonl has no attempts to learn from"):
        critic.write_examples(critic.Sources(judged=right), tmp_path / "out")
    with pytest.raises(RowError, match="There is nothing to learn from"):
        critic.write_examples(critic.Sources(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# The shared reader


def test_a_limit_counts_rows_and_reads_no_further(tmp_path):
    path = written(tmp_path, {"n": 1}, "", {"n": 2}, "broken")
    assert list(read_rows(path, lambda row: row["n"], "It needs `n`.", 2)) == [("line 1", 1), ("line 3", 2)]
    with pytest.raises(RowError, match=r"rows.jsonl, line 4: it is not valid JSON .*\. It needs `n`\.$"):
        list(read_rows(path, lambda row: row["n"], "It needs `n`."))


def test_a_name_in_other_bytes_is_imported(log, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jsonl"))
    path.write_text(json.dumps({"problem": "1 + 1?", "steps": ["2"]}) + "\n", "utf-8")
    assert import_attempts(path, log).new == 1
    assert [run.model for run in log.ended_runs()] == ["caf\ufffd"]
