"""The answer stated by an attempt, in English and Chinese."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import table

from runtime.checks.arithmetic.units import UNITS
from runtime.checks.stated import final_answer, tidy_answer
from runtime.text import split_attempt, split_steps


@table(
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


@table(
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


@table(
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


@table(
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


@table(
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
