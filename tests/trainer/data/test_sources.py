"""Problems and labelled attempts from public files."""

import json

import pytest

from runtime.problems.labelled import LabelProvenance, labelled
from runtime.types import Problem
from trainer.data.sources import RowError, read_judged, read_problems


def written(folder, *rows, prefix="", ends="\n"):
    path = folder / "rows.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_bytes((prefix + "".join(line + ends for line in lines)).encode("utf-8"))
    return path


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("5", "5"),
        (" 5 ", "5"),
        (12, "12"),
        (0, "0"),
        (-3, "-3"),
        (2.5, "2.5"),
        ("\\frac{1}{2}", "\\frac{1}{2}"),
        ("She has 5 + 7 = <<5+7=12>>12 eggs.\n#### 12", "12"),
        ("So it is $1,200.\n#### 1,200", "1200"),
        ("#### -7", "-7"),
        ("十二", "十二"),
    ],
)
def test_an_answer_is_read_in_every_form(answer, read, tmp_path):
    path = written(tmp_path, {"question": " How many?\n", "answer": answer})
    assert read_problems(path) == [Problem(text="How many?", answer=read, source="")]


def test_problems_keep_their_source_and_licence_and_either_name_of_the_text(tmp_path):
    path = written(
        tmp_path,
        {"question": "a?", "answer": "1", "source": "gsm8k", "license": "MIT", "other": [1]},
        {"problem": "b?", "answer": "2", "licence": "CC-BY-4.0"},
        {"problem": "c?", "answer": "3", "source": None},
    )
    assert read_problems(path) == [
        Problem(text="a?", answer="1", source="gsm8k", licence="MIT"),
        Problem(text="b?", answer="2", source="", licence="CC-BY-4.0"),
        Problem(text="c?", answer="3", source=""),
    ]


@pytest.mark.parametrize(
    ("prefix", "ends"), [("\ufeff", "\n"), ("", "\r\n"), ("\n \n", "\n\n"), ("\ufeff", "\r\n\r\n")]
)
def test_byte_order_marks_line_endings_and_blank_lines_are_accepted(prefix, ends, tmp_path):
    rows = [{"question": f"{i} + 1?\u2028 é 模\x85", "answer": i + 1} for i in range(3)]
    found = read_problems(written(tmp_path, *rows, prefix=prefix, ends=ends))
    assert [(problem.text, problem.answer) for problem in found] == [
        (r["question"].strip(), str(r["answer"])) for r in rows
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 9, None])
def test_the_limit_counts_rows_and_reads_no_further(limit, tmp_path):
    good = [{"question": f"{i}?", "answer": "1"} for i in range(3)]
    path = written(tmp_path, *good, *([] if limit is None or limit > 3 else ["broken"]))
    assert len(read_problems(path, limit)) == min(limit or 3, 3)


BENCH = {"id": "gsm8k-0", "problem": "2 + 3 + 4?", "steps": ["2 + 3 = 5", "5 + 4 = 8"],
         "label": 1, "final_answer_correct": False}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "first_error"),
    [({}, 1), ({"label": 0}, 0), ({"label": -1}, None), ({"final_answer_correct": True}, 1)],
)
def test_a_row_of_processbench_is_one_attempt(changes, first_error, tmp_path):
    (found,) = read_judged(written(tmp_path, {**BENCH, **changes}))
    assert found.problem == Problem(text="2 + 3 + 4?", source="")
    assert (found.steps, found.first_error, found.answer) == (("2 + 3 = 5", "5 + 4 = 8"), first_error, None)
    assert found.correct is changes.get("final_answer_correct", False)


def test_a_reference_solution_counts_as_a_right_attempt(tmp_path):
    row = {"question": "2 + 3?", "steps": ["2 + 3 = 6"], "first_error": 0, "source": "handmade"}
    reference = "1. 2 + 3 = 5\n\nThe answer is 5."
    path = written(tmp_path, {**row, "reference_solution": reference}, {**row, "reference_solution": "  "}, BENCH)
    problem = Problem(text="2 + 3?", source="handmade")
    wrong = labelled(problem, ("2 + 3 = 6",), 0)
    found = read_judged(path, limit=2)
    reference = LabelProvenance(role="reference")
    right = labelled(problem, ("2 + 3 = 5", "The answer is 5."), None, correct=True, provenance=reference)
    assert found == [wrong, right]


GOOD = {"question": "2 + 3?", "answer": "5"}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "not valid JSON"),
        ("[1]", "not a JSON object"),
        ("null", "not a JSON object"),
        ({"answer": "5"}, "`question`"),
        ({"question": " ", "answer": "5"}, "`question`"),
        ({"question": 5, "answer": "5"}, "`question`"),
        ({"question": "2 + 3?"}, "`answer`"),
        ({"question": "2 + 3?", "answer": None}, "`answer`"),
        ({"question": "2 + 3?", "answer": ""}, "`answer`"),
        ({"question": "2 + 3?", "answer": True}, "`answer`"),
        ({"question": "2 + 3?", "answer": ["5"]}, "`answer`"),
        ({"question": "2 + 3?", "answer": "no number\n####"}, "`answer`"),
    ],
)
def test_a_bad_problem_is_named_by_its_line(row, says, tmp_path):
    path = written(tmp_path, GOOD, "", row, GOOD)
    with pytest.raises(RowError, match=f"rows.jsonl, line 3: .*{says}"):
        read_problems(path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": None}, "`steps`"),
        ({"steps": []}, "`steps`"),
        ({"steps": "2 + 3"}, "`steps`"),
        ({"steps": [1, 2]}, "`steps`"),
        ({"label": None}, "None"),
        ({"label": 2}, "it is 2"),
        ({"label": -2}, "it is -2"),
        ({"label": "1"}, "it is '1'"),
        ({"label": True}, "it is True"),
        ({"problem": ""}, "`question`"),
    ],
)
def test_a_bad_attempt_is_named_by_its_line(changes, says, tmp_path):
    with pytest.raises(RowError, match=f"line 2: .*{says}"):
        read_judged(written(tmp_path, BENCH, {**BENCH, **changes}))


@pytest.mark.parametrize("read", [read_problems, read_judged])
@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "holds no rows"), (b"\n \n\xef\xbb\xbf"[:3], "holds no rows"), (b"\xff\xfe{}", "cannot be read")],
)
def test_a_file_without_rows_or_text_is_named(read, data, says, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(data)
    with pytest.raises(RowError, match=f"rows.jsonl {says}"):
        read(path)


@pytest.mark.parametrize("read", [read_problems, read_judged])
def test_a_missing_file_is_named(read, tmp_path):
    with pytest.raises(RowError, match=r"none\.jsonl cannot be read"):
        read(tmp_path / "none.jsonl")
