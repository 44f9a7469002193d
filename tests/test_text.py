"""The text format: lines, steps, closing lines, answers and check lines, in English and Chinese."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.checks.arithmetic.units import UNITS
from runtime.text import (
    CHECK,
    LineReader,
    UnreadableError,
    clean,
    closing_line,
    final_answer,
    is_answer_line,
    is_check,
    is_closing,
    join_steps,
    language_of,
    numbered,
    only_states_answer,
    read_check,
    read_line,
    split_attempt,
    split_steps,
    tidy_answer,
    tidy_step,
)


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("2 + 3 = 5", "2 + 3 = 5"),
        ("  2 + 3 = 5\t", "2 + 3 = 5"),
        ("Step 1: Add 2 and 3.", "Add 2 and 3."),
        ("step 12. Add.", "Add."),
        ("**Step 2:** Add.", "Add."),
        ("第1步：先加。", "先加。"),
        ("第 2 步: 再减。", "再减。"),
        ("- Add.", "Add."),
        ("* Add.", "Add."),
        ("• Add.", "Add."),
        ("3. Add.", "Add."),
        ("3) Add.", "Add."),
        ("(3) Add.", "Add."),
        ("The sum is **5**.", "The sum is 5."),
        ("-5 + 3 = -2", "-5 + 3 = -2"),
        ("3.5 + 1 = 4.5", "3.5 + 1 = 4.5"),
        ("12 apples", "12 apples"),
        ("(2 + 3) * 4 = 20", "(2 + 3) * 4 = 20"),
        ("x * y = 6", "x * y = 6"),
        ("Stepwise, 2 + 3 = 5", "Stepwise, 2 + 3 = 5"),
        ("\\frac{1}{2} + 1", "\\frac{1}{2} + 1"),
        ("", ""),
        ("---", ""),
        ("$$", ""),
        ("**", ""),
    ],
)
def test_numbering_and_markup_are_removed_from_a_step_and_nothing_else(line, step):
    assert tidy_step(line) == step


@pytest.mark.parametrize("line", ["第3天小明吃了 5 个苹果", "第 2 个数是 7", "Step 2 costs 5 dollars more than step 1"])
def test_words_that_only_resemble_a_step_number_are_kept(line):
    assert tidy_step(line) == line


@pytest.mark.parametrize("line", ["2**3 = 8", "x**2 + 1 = 10", "2 ** 3 = 8"])
def test_a_power_written_with_stars_is_kept(line):
    assert tidy_step(line) == line
    assert split_attempt(line) == [line]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", []),
        ("\n \n", []),
        ("2 + 3 = 5\n5 + 1 = 6", ["2 + 3 = 5", "5 + 1 = 6"]),
        ("2 + 3 = 5\r\n\r\n5 + 1 = 6\r\n", ["2 + 3 = 5", "5 + 1 = 6"]),
        ("Step 1: 2 + 3 = 5\nThe answer is 5.", ["2 + 3 = 5"]),
        ("1. Add.\n---\n2. Take.\n#### 7", ["Add.", "Take."]),
        ("第1步：2 + 3 = 5\n答案是 5。", ["2 + 3 = 5"]),
        ("The answer is 5.", []),
    ],
)
def test_the_steps_of_a_text_are_its_lines_without_the_closing_one(text, steps):
    assert split_steps(text) == steps


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("2 + 3 = 5\nThe answer is 5.", ["2 + 3 = 5", "The answer is 5."]),
        ("1) 2 + 3 = 5\n\n  2) 5 + 1 = 6", ["2 + 3 = 5", "5 + 1 = 6"]),
        ("2 + 3\n---\n= 5", ["2 + 3", "---", "= 5"]),
        ("答案是 5。", ["答案是 5。"]),
        (" \n", []),
    ],
)
def test_all_lines_of_a_person_are_kept_so_that_line_numbers_match(text, lines):
    assert split_attempt(text) == lines


@pytest.mark.parametrize(
    "line",
    [
        "The answer is 5.",
        "the answer is: 5",
        "The final answer is $\\boxed{5}$.",
        "The correct answer is 5",
        "So the answer is 5.",
        "So, the final answer is 5.",
        "Thus, the answer is 5.",
        "Therefore, the answer is 5.",
        "Hence the answer is 5",
        "Finally, the answer is 5",
        "**The answer is 5.**",
        "Answer: 5",
        "**Answer:** 5",
        "Final answer: 5",
        "Final Answer： 5",
        "Step 4: The answer is 5.",
        "#### 5",
        "  The answer is 5",
        "The answer = 5",
        "答案是 5。",
        "答案为5",
        "答案：5",
        "答案: 5",
        "所以答案是 5。",
        "因此，答案是 5。",
        "故答案为 5",
        "因此，最终答案是 5。",
        "最终的答案是：5",
        "正确答案是 5",
    ],
)
def test_a_line_that_states_the_answer_is_a_closing_line(line):
    assert is_closing(line)
    assert read_line(line).kind == "closing"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2 + 3 = 5",
        "So 2 + 3 = 5.",
        "We look for the answer.",
        "To find the answer, add 2 and 3.",
        "The total is 5.",
        "Her answer was 7, and 7 - 2 = 5.",
        "# 5",
        "5",
        "我们来求答案。",
        "一共是 5 个。",
        "Check: the answer is right.",
    ],
)
def test_a_line_of_reasoning_is_not_a_closing_line(line):
    assert not is_closing(line)


@pytest.mark.parametrize("line", ["### Step 1: Add 2 and 3", "#### Step 2: 5 + 1 = 6"])
def test_a_heading_is_not_a_closing_line(line):
    assert not is_closing(line)


@pytest.mark.parametrize("answer", ["5", "-3", "1/2", "x = 5", "12%", "3.5", "12:30"])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_written_closing_line_is_recognised_with_its_answer(language, answer):
    line = closing_line(answer, language)
    assert is_closing(line)
    assert final_answer(line) == answer
    text = join_steps(["2 + 3 = 7"], answer, language)
    assert (split_steps(text), final_answer(text)) == (["2 + 3 = 7"], answer)
    assert join_steps(["a", "b"]) == "a\nb"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", None),
        ("No idea.", None),
        ("2 + 3 = 5", "5"),
        ("2 + 3 = 5\nThe answer is 5.", "5"),
        ("The answer is 4. Wait, no.\nThe answer is 5.", "5"),
        ("The answer is \\boxed{7}.\nThe answer is 8.", "7"),
        ("Work out the cost of 3 pens.\nThe answer is N.", None),
        ("The answer is N", None),
        ("The answer is N dollars.", None),
        ("3 pens.\n答案是 N 元。", None),
        ("The answer is North.", "North"),
        ("3 × 4 = 12 dollars\nThe answer is **N**.", None),
        ("The answer is N = $12.40.", "12.40"),
        ("\\boxed{4} no, \\boxed{5}", "5"),
        ("\\boxed{\\frac{1}{2}}", "1/2"),
        ("\\boxed{\\dfrac{3}{4}}", "3/4"),
        ("\\boxed{\\text{Monday}}", "Monday"),
        ("\\boxed{5", "5"),
        ("\\boxed{}\nThe answer is 3.", "3"),
        ("Final answer: $1,200.", "1200"),
        ("The answer is $18$.", "18"),
        ("The answer is 1,234,567", "1234567"),
        ("The answer is 3.50.", "3.50"),
        ("The answer is -4.", "-4"),
        ("The answer is −4.", "-4"),
        ("The answer is 3/4 of a cup.", "3/4"),
        ("The answer is 14 dollars.", "14"),
        ("The answer is 25%.", "25%"),
        ("The answer is\n\n42", "42"),
        ("The answer is:\n42", "42"),
        ("The answer is", None),
        ("So 9 is left.\nThe answer is", None),
        ("20 - 2 = 18\n#### 18", "18"),
        ("She pays $1,200.", "1200"),
        ("2 + 3 = 5\n\n", "5"),
        ("It is 3 more than 4, so 7 apples", "7"),
        ("答案是 5。", "5"),
        ("所以答案为：12个", "12"),
        ("答案：5元", "5"),
        ("最终答案是 1/2。", "1/2"),
        ("先加。\n2 + 3 = 5", "5"),
        ("答案是 4。\n不对，答案是 5。", "5"),
    ],
)
def test_the_final_answer_of_a_text_is_found(text, answer):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is -$6.", "-6"),
        ("So it is -$6.", "-6"),
        ("The answer is $-6$.", "-6"),
        ("\\boxed{- 6}", "-6"),
        ("The answer is 2½ cups.", "2½"),
        ("The answer is ½.", "½"),
        ("The answer is 3 1/2.", "3 1/2"),
        ("The answer is 4e3.", "4e3"),
        ("The answer is 2 dozen.", "2 dozen"),
        ("The answer is 1.5 million.", "1.5 million"),
        ("答案是 3万2千。", "3万2千"),
        ("一共3万人", "3万"),
        ("The answer is 25 percent.", "25%"),
        ("The answer is about 20 minutes.", "20 minutes"),
        ("It takes 20 minutes.", "20 minutes"),
        ("答案是3千米。", "3千米"),
        ("The answer is 12 cm².", "12 cm²"),
        ("The answer is 60 km/h.", "60 km/h"),
        ("The answer is 2 hours and 10 minutes.", "2 hours and 10 minutes"),
        ("The answer is 20 t-shirts.", "20"),
        ("The answer is 6 pm.", "6 pm"),
        ("The answer is 5-6.", "5-6"),
        ("The answer is 3 : 7.", "3 : 7"),
        ("The answer is (1, 6].", "(1, 6]"),
        ("The answer is $12 and $14.", "$12 and $14"),
        ("The answer is x = 2 and y = 3.", "x = 2 and y = 3"),
        ("20 - 2 = <<20-2=18>>18 left", "18"),
    ],
)
def test_an_answer_keeps_everything_that_belongs_to_its_number(text, answer):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is - 6", None),
        ("The answer is - 5.", None),
        ("The answer is:\n- 6", None),
        ("2 - 8 = -6\nThe answer is - 6.", "-6"),
        ("12 - 6 = 6\nThe answer is - 6.", "6"),
        ("6 - 12 = -6\nThe answer is - 6.", None),
        ("The answer is — 6.", "6"),
        ("The answer is − 6.", "-6"),
        ("The answer is -6.", "-6"),
    ],
)
def test_a_dash_is_a_minus_only_if_earlier_lines_show_it(text, answer):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is:\n\n\\[\n35\n\\]", "35"),
        ("The answer is:\n$$\n35\n$$", "35"),
        ("The answer is \\[\n35\n\\]", "35"),
        ("The answer is:\n\\[ 35 \\]\nWell done.", "35"),
        ("The answer is:\n```\n35\n```", "35"),
        ("The answer is:\n```python\n35\n```\nDone.", "35"),
        ("The answer is `35`.", "35"),
        ("**Answer:**\n35", "35"),
        ("The final answer is:\n\n**42**\n\nLet me know!", "42"),
        ("The answer is:\n\\[\nx = 2, \\\\\ny = 3\n\\]", "x = 2, y = 3"),
        ("The answer is:\n- x = 2\n- y = 3", "x = 2, y = 3"),
        ("答案是：\n$$\n35\n$$", "35"),
    ],
)
def test_an_answer_may_be_in_a_block_of_its_own(text, answer):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("x = \\boxed{4} or x = \\boxed{-4}", "4 or -4"),
        ("$\\boxed{4}$ and $\\boxed{5}$", "4 and 5"),
        ("x = \\boxed{2}, y = \\boxed{3}", "x = 2, y = 3"),
        ("\\boxed{1}, \\boxed{2}, and \\boxed{3}", "1, 2, and 3"),
        ("\\boxed{4}、\\boxed{5}", "4, 5"),
        ("\\boxed{4} no, \\boxed{5}", "5"),
        ("\\boxed{840}, but let me explain.\n\\boxed{840}", "840"),
    ],
)
def test_boxes_in_a_row_are_one_answer(text, answer):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 14.\nCheck: right, the answer is correct.", "14"),
        ("The answer is 14.\nSo the answer is right.", "14"),
        ("The answer is 14.\nTherefore, the answer is indeed correct!", "14"),
        ("答案是 14。\n检查：对，答案是正确的。", "14"),
        ("7 × 2 = 14\nSo the answer is correct.", "14"),
        ("2 + 12 = 14\nCheck: 12 is right.", "14"),
        ("The answer is correct to 2 places: 3.14", "3.14"),
    ],
)
def test_a_line_that_judges_states_no_answer(text, answer):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 14 because 2 × 7 = 14.", "14"),
        ("The answer is 14, which is 2 × 7.", "14"),
        ("The answer is 5. We get this from 2 + 3.", "5"),
        ("答案是 5。因为 2 + 3 = 5。", "5"),
        ("答案是5，因为2+3=5", "5"),
        ("The answer is the sum of 4 and 5, which is 9.", "the sum of 4 and 5, which is 9"),
    ],
)
def test_a_reason_after_an_answer_is_not_part_of_it(text, answer):
    assert final_answer(text) == answer


def test_units_of_measurement_are_kept_in_an_answer():
    measuring = {"time", "length", "mass", "volume"}
    words = [word for word, (dimension, _) in UNITS.items() if dimension in measuring]
    lost = [word for word in words if tidy_answer(f"5 {word}" if word.isascii() else f"5{word}") == "5"]
    assert set(lost) <= {"s", "h", "inche"}  # single letters have many other meanings, and "inche" is no word


@pytest.mark.parametrize(
    ("text", "answer"),
    [("一共有12个苹果", "12"), ("还剩5个。", "5"), ("所以她付了1,200元", "1200"), ("共3/4杯", "3/4")],
)
def test_a_number_between_chinese_words_is_found(text, answer):
    assert final_answer(text) == answer
    assert tidy_answer(text) == answer


def test_a_minus_sign_is_read_the_same_in_every_answer_form():
    assert final_answer("So it is −5") == final_answer("The answer is −5") == "-5"


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("5", "5"),
        (" 5. ", "5"),
        ("$1,200.", "1200"),
        ("$1,200.50.", "1200.50"),
        ("\\$18", "18"),
        ("$18$", "18"),
        ("\\(18\\)", "18"),
        ("\\[18\\]", "18"),
        ("**18**", "18"),
        ("14 dollars", "14"),
        ("14\\text{ dollars}", "14"),
        ("12\\%", "12%"),
        ("\\frac{1}{2}", "1/2"),
        ("\\tfrac{-1}{2}", "-1/2"),
        ("1\\!000", "1000"),
        (".5", ".5"),
        ("−3", "-3"),
        ("5元", "5"),
        ("x = 5", "x = 5"),
        ("x^2", "x^2"),
        ("2x", "2x"),
        ("3:30", "3:30"),
        ("(1, 2)", "(1, 2)"),
        ("x < 5", "x < 5"),
        ("\\sqrt{2}", "\\sqrt{2}"),
        ("3 and 4", "3 and 4"),
        ("Monday", "Monday"),
        ("星期一。", "星期一"),
        ("", None),
        (" . ", None),
        ("$", None),
    ],
)
def test_an_answer_is_normalised_to_common_notation(raw, answer):
    assert tidy_answer(raw) == answer


@given(st.text())
def test_any_text_can_be_split_into_steps_and_answer(text):
    answer = final_answer(text)
    assert answer is None or answer
    assert all(step == step.strip() != "" for step in split_steps(text) + split_attempt(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is 2 + 3?", "en"),
        ("", "en"),
        ("小明有 3 个苹果。", "zh-CN"),
        ("Xiaoming (小) has 3 apples", "en"),
        ("Wieviel ist 2 + 3?", "en"),
    ],
)
def test_the_language_of_a_problem_is_detected(text, expected):
    assert language_of(text) == expected


# Cleaning


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  2 + 3 \n", "2 + 3"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("１２＋３＝１５", "12+3=15"),
        ("ｘ＝３．５％", "x=3.5%"),
        ("１／２＜３", "1/2<3"),
        ("小明，有３个（苹果）？", "小明，有3个（苹果）？"),
        ("\u3000２ 个\u3000", "2 个"),
        ("a\x07b\x1b[31mc", "ab[31mc"),
        ("a\tb", "a\tb"),
        ("\\frac{1}{2} × 3 ÷ 4 − 1", "\\frac{1}{2} × 3 ÷ 4 − 1"),
        ("one \ufffd sign is let be in a long text", "one \ufffd sign is let be in a long text"),
        ("x" * 4000, "x" * 4000),
    ],
)
def test_unsafe_characters_are_removed_from_a_persons_text(raw, text):
    assert clean(raw) == text


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("", "problem is empty"),
        (" \n\t", "problem is empty"),
        ("\x07\x1b", "problem is empty"),
        ("\u3000", "problem is empty"),
        ("x" * 4001, "4,001 characters; at most 4,000"),
        ("GGUF\x00\x00", "not text"),
        ("\ufffd\ufffd\ufffd", "not text"),
        ("2 + 3 \ud800", "not text"),
    ],
)
def test_an_unusable_text_is_refused_with_a_reason(raw, says):
    with pytest.raises(UnreadableError, match=says):
        clean(raw)


def test_the_reason_names_the_kind_of_text():
    with pytest.raises(UnreadableError, match="The solution is empty"):
        clean("", "solution")
    with pytest.raises(UnreadableError, match="at most 3 "):
        clean("1234", limit=3)


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_cleaning_is_idempotent(raw):
    try:
        text = clean(raw)
    except UnreadableError:
        return
    assert clean(text) == text == text.strip() != ""
    assert "\r" not in text


# Lines of a growing reply


def read_in(pieces):
    reader = LineReader()
    return [line for piece in pieces for line in reader.push(piece)] + reader.finish()


REPLY = st.lists(
    st.sampled_from(
        [
            "Step 1: 2 + 3 = 5",
            "\n",
            "\n",
            "\n\n",
            "The answer is 5.",
            "Check: right.",
            "检查：错误",
            "---",
            "é",
            " ",
            "\r",
        ]
    )
).map("".join)


@given(REPLY, st.lists(st.integers(0, 200)))
def test_the_lines_of_a_reply_do_not_depend_on_how_it_is_split(text, cuts):
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]
    assert "".join(pieces) == text
    expected = [line for line in map(read_line, text.split("\n")) if line]
    assert read_in(pieces) == read_in([text]) == read_in(text) == expected


def test_each_line_is_emitted_once_when_it_is_complete():
    reader = LineReader()
    assert reader.push("2 + 3") == []
    assert reader.rest == "2 + 3"
    assert [line.text for line in reader.push(" = 5\nThe ans")] == ["2 + 3 = 5"]
    assert reader.rest == "The ans"
    assert [(line.text, line.kind) for line in reader.push("wer is 5.")] == []
    assert [(line.text, line.kind) for line in reader.finish()] == [("The answer is 5.", "closing")]
    assert reader.finish() == []


@pytest.mark.parametrize(
    ("line", "text", "kind"),
    [
        ("Step 3: 2 + 3 = 5 ", "2 + 3 = 5", "step"),
        ("  Check: right.", "Check: right.", "check"),
        ("检查：正确。", "检查：正确。", "check"),
        ("#### 5", "#### 5", "closing"),
    ],
)
def test_lines_are_classified(line, text, kind):
    assert (read_line(line).text, read_line(line).kind) == (text, kind)


@pytest.mark.parametrize("line", ["", "   ", "\t", "---", "**"])
def test_a_line_without_words_is_dropped(line):
    assert read_line(line) is None


# Check lines


@pytest.mark.parametrize(
    ("line", "accepts", "words"),
    [
        ("Check: right.", True, "right."),
        ("check : yes", True, "yes"),
        ("**Check:** 2 + 3 is 5, right.", True, "** 2 + 3 is 5, right."),
        ("- Check: correct, no errors.", True, "correct, no errors."),
        ("Check: without mistakes", True, "without mistakes"),
        ("Check: nothing wrong here.", True, "nothing wrong here."),
        ("Check: wrong, 3 * 4 is 12.", False, "wrong, 3 * 4 is 12."),
        ("Check: That is incorrect.", False, "That is incorrect."),
        ("Check: Wait, it is 12.", False, "Wait, it is 12."),
        ("Check: it should be 12", False, "it should be 12"),
        ("Check: there is a mistake, not wrong only once", False, "there is a mistake, not wrong only once"),
        ("Check:", True, ""),
        ("检查：正确。", True, "正确。"),
        ("检查：没有错误。", True, "没有错误。"),
        ("检查: 没错", True, "没错"),
        ("检查：计算无误", True, "计算无误"),
        ("检查：错误，3 * 4 = 12。", False, "错误，3 * 4 = 12。"),
        ("检查：不对，应该是 12。", False, "不对，应该是 12。"),
        ("检查：不正确", False, "不正确"),
    ],
)
def test_a_check_line_accepts_or_doubts_the_step_before_it(line, accepts, words):
    assert is_check(line)
    accepted, said = read_check(line)
    assert (accepted, said.lstrip("* ")) == (accepts, words.lstrip("* "))


@pytest.mark.parametrize(
    "line", ["2 + 3 = 5", "Checking: fine", "She checks: 5", "The check: 5 dollars", "检查一下", ""]
)
def test_other_lines_are_not_check_lines(line):
    assert not is_check(line)


@pytest.mark.parametrize("word", CHECK.values())
def test_the_requested_keyword_starts_a_check_line(word):
    assert is_check(f"{word} 5")


def test_steps_are_numbered_in_the_language_of_the_problem():
    assert numbered(["a", "{b}"]) == "Step 1: a\nStep 2: {b}"
    assert numbered(["甲"], "zh-CN") == "第 1 步：甲"
    assert numbered([]) == ""


def test_a_line_ending_in_a_colon_and_the_displayed_formula_after_it_are_one_step():
    text = (
        "Work out the cost:\n\\[\n3 \\times 4 = 12\n\\]\n\nNow add:\n- 12 + 5 = 17\nThe answer is:\n\\[\\boxed{17}\\]\n"
    )
    assert split_steps(text) == ["Work out the cost: \\[ 3 \\times 4 = 12 \\]", "Now add: 12 + 5 = 17"]
    assert final_answer(text) == "17"


def test_a_final_colon_and_an_unclosed_formula_are_steps():
    assert split_steps("We know this:") == ["We know this:"]
    assert split_steps("So \\[ 3 + 4") == ["So \\[ 3 + 4"]
    assert len(split_steps("So \\[\n" + "3 + 4 = 7, again and again\n" * 40)) > 10


def test_a_numbered_closing_line_is_still_the_closing_one():
    assert split_steps("1. 3 + 4 = 7\n2. The answer is:\n\\[ \\boxed{7} \\]") == ["3 + 4 = 7"]
    assert split_steps("1. 3 + 4 = 7\n**Step 2:** So the answer is 7.") == ["3 + 4 = 7"]


@pytest.mark.parametrize(
    ("line", "bare"),
    [
        *((line, True) for line in ("10", " 46000", "$5.50", "12 dollars", "= 12", "12 元", "3/4", "The answer is 4.")),
        *((line, False) for line in ("5*3=15", "5 + 3", "She has 5", "x = 5", "7 apples left", "3 × 4 = 12", "")),
    ],
)
def test_a_line_with_only_an_answer_is_not_a_step(line, bare):
    assert is_answer_line(line) is bare


@pytest.mark.parametrize(
    "line",
    [
        *("#### 25", "Step 7: #### 25", "Step 7: The answer is 25", "**Step 7:** The answer is: 25", "7. #### 25"),
        *("(3) The answer is 25.", "Step 8: 25", "- Answer: 25", "Ans: 25", "Final answer: x = 25", "#### x = 5"),
        *("\\boxed{25}", "So \\[ \\boxed{25} \\]", "Step 4: $\\boxed{\\frac{1}{2}}$", "Hence answer is 25"),
        *("第7步：答案是 25。", "步骤 7：答案：25", "答：小明有 25 元。", "所以答案是 25 元", "第 3 步：25"),
    ],
)
def test_an_answer_line_is_recognised_with_any_label(line):
    assert is_answer_line(line)
    assert only_states_answer(line)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "Step 7: 5 × 5 = 25",
            "She answers 25 questions",
            "Step 2: She has 25 pens left",
            "第3步：5 × 5 = 25",
            "Step 3",
        ),
        *("The answers are 5 and 6 apart", "boxed goods: 25 boxes of 3", "第3步：5 × 5 = 25"),
    ],
)
def test_a_labelled_step_is_no_answer_line(line):
    assert not is_answer_line(line)


@pytest.mark.parametrize("line", ["The answer is 3 × 4 = 13.", "#### 3*4 = 13", "答：3 × 4 = 13", "Answer: 13 = 3 + 9"])
def test_an_answer_line_with_a_calculation_is_a_step(line):
    assert is_answer_line(line)
    assert not only_states_answer(line)
