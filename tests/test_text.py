"""The text format: lines, steps, closing lines, answers and check lines, in English and Chinese."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import table

from runtime.checks.stated import final_answer
from runtime.text import (
    CHECK,
    LineReader,
    UnreadableError,
    clean,
    closing_line,
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
    tidy_step,
)


@table(
    ("line", "step"),
    [
        ("2 + 3 = 5", "2 + 3 = 5"),
        ("  2 + 3 = 5\t", "2 + 3 = 5"),
        ("Step 1: Add 2 and 3.", "Add 2 and 3."),
        ("step 12. Add.", "Add."),
        ("**Step 2:** Add.", "Add."),
        ("第1步：先加。", "先加。"),
        ("第 2 步: 再减。", "再减。"),
        ("第一步：3 × 4 = 12", "3 × 4 = 12"),
        ("**第十二步:** 再减。", "再减。"),
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


@pytest.mark.parametrize("line", ["第3天小明吃了 5 个苹果", "第一步台阶高 15 厘米", "第 2 个数是 7", "Step 2 costs 5 dollars more than step 1"])
def test_words_that_only_resemble_a_step_number_are_kept(line):
    assert tidy_step(line) == line


@pytest.mark.parametrize("line", ["2**3 = 8", "x**2 + 1 = 10", "2 ** 3 = 8"])
def test_a_power_written_with_stars_is_kept(line):
    assert tidy_step(line) == line
    assert split_attempt(line) == [line]


@table(
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


@table(
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


@table(
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


@table(
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


@table(
    ("raw", "message"),
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
def test_an_unusable_text_is_refused_with_a_reason(raw, message):
    with pytest.raises(UnreadableError, match=message):
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


@table(
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
    accepted, comment = read_check(line)
    assert (accepted, comment.lstrip("* ")) == (accepts, words.lstrip("* "))


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


@table(
    ("line", "bare"),
    [
        *((line, True) for line in ("10", " 46000", "$5.50", "12 dollars", "= 12", "12 元", "3/4", "The answer is 4.")),
        *((line, False) for line in ("5*3=15", "5 + 3", "She has 5", "x = 5", "7 apples left", "3 × 4 = 12", "")),
    ],
)
def test_a_line_with_only_an_answer_is_not_a_step(line, bare):
    assert is_answer_line(line) is bare


@table(
    "line",
    [
        *("#### 25", "Step 7: #### 25", "Step 7: The answer is 25", "**Step 7:** The answer is: 25", "7. #### 25"),
        *("(3) The answer is 25.", "Step 8: 25", "- Answer: 25", "Ans: 25", "Final answer: x = 25", "#### x = 5"),
        *("\\boxed{25}", "So \\[ \\boxed{25} \\]", "Step 4: $\\boxed{\\frac{1}{2}}$", "Hence answer is 25"),
        *("第7步：答案是 25。", "步骤 7：答案：25", "答：小明有 25 元。", "所以答案是 25 元", "第 3 步：25", "第三步：25"),
    ],
)
def test_an_answer_line_is_recognised_with_any_label(line):
    assert is_answer_line(line)
    assert only_states_answer(line)


@table(
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
