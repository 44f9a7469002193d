"""The claim of a line: a plan makes none, and missing data is no number."""

import pytest
from tables import table

from runtime.checks.claims import (
    claims_something,
    ends_without_data,
    is_plan,
    is_unsupported,
    lacks_data,
    states_missing_data,
)
from runtime.checks.stated import stated_answer
from runtime.solving.outcomes import outcome_of
from runtime.text import LONGEST_CIRCLE, repeated
from runtime.types import Critique, Evidence, Step, StepVerdict, Trajectory


def attempt(*lines, answer=None, **changes):
    return Trajectory(problem_id="p", steps=tuple(Step(text=line) for line in lines), answer=answer, **changes)


CLAIMS = [
    "The pens cost 3 × 4 = 12 dollars.",
    "3x + 4 = 19",
    "x > y",
    "Ann has 3 bags with 4 apples each.",
    "She has twelve apples.",
    "Multiply 3 by 4 to get 12.",
    "We need to add 5, which gives 17.",
    "Half of 48 is 24.",
    "她一共有十二个苹果。",
    "小红有 3 袋苹果，每袋 4 个。",
    "先算苹果总数：3 × 4 = 12（个）",
    r"The perimeter is \(2a + 2b \approx c\).",
]
PLANS = [
    "First, we need to find how many apples are in the bags.",
    "We need to find how many apples are in 3 bags.",
    "Multiply the number of bags by the number of apples in each bag.",
    "Multiply 3 by 4.",
    "Let's call the number of pens by a letter.",
    "Then subtract the apples that she gives away.",
    "To find the total cost, add the price of the book.",
    "She gives some of them away.",
    "先求一共有多少个苹果。",
    "首先，我们需要算出 3 袋里有多少个苹果。",
    "然后用总数减去送出的苹果。",
    "第二步，求剩下的。",
]


@table("line", CLAIMS)
def test_a_line_with_a_calculation_or_a_number_can_be_checked(line):
    assert claims_something(line)
    assert not is_plan(line)


@table("line", PLANS)
def test_a_plan_holds_nothing_to_check(line):
    assert is_plan(line)


@pytest.mark.parametrize("line", ["The answer is 7.", "答案是 7。", "#### 7", "7 apples"])
def test_a_line_that_only_states_the_answer_is_no_plan(line):
    assert not is_plan(line)


@table(
    "line",
    [
        "We cannot calculate this without the price of a pen.",
        "It is impossible to determine how many are left.",
        "There is not enough information to solve the problem.",
        "The price of a pen is not given.",
        "The problem does not say how many pens she buys.",
        "We can't tell how old 2 of them are.",
        "The answer is unknown.",
        "The answer cannot be determined.",
        "题目没有给出每支笔的价格。",
        "条件不足，无法计算。",
        "缺少每支笔的价格这个条件。",
        "答案是无法确定。",
    ],
)
def test_a_statement_of_missing_data_is_recognised(line):
    assert states_missing_data(line)


@table(
    "line",
    [
        "Since we can't have half a motorcycle, we know there are 20 motorcycles.",
        "Since we can't give away a fraction of a cone, we know that Dan gave away 8.",
        "We need to know how many pens she buys.",
        "He cannot find 3 pens, so 12 - 3 = 9.",
        "The answer is 9.",
        *PLANS,
    ],
)
def test_text_that_only_resembles_missing_data_is_not_taken_for_it(line):
    assert not states_missing_data(line)


def test_a_number_after_missing_data_is_invented_and_one_that_was_calculated_is_not():
    assert stated_answer("We cannot calculate this without the price of 3 pens.") is None
    assert stated_answer("The price is not given.\nThe answer is 12.") is None
    assert stated_answer("The answer is not given.") is None
    assert stated_answer("The total is not given, so we add.\n3 × 4 = 12\nThe answer is 12.") == "12"
    assert ends_without_data(["3 × 4 = 12", "The price is not given."])


@table(
    ("text", "answer"),
    [
        ("The total cost is 6 * P.", "6P"),
        ("She pays 6P dollars.\nThe answer is 6P.", "6P"),
        ("The answer is 6x.", "6x"),
        ("The answer is 6 m.", "6 m"),
        ("The answer is 6 a day.", "6"),
        ("The answer is 6.", "6"),
        ("x = 6", "6"),
        ("P is the price.\nThe answer is 12 apples.", "12"),
    ],
)
def test_a_number_is_not_cut_out_of_a_term_with_an_unknown(text, answer):
    assert stated_answer(text) == answer


@table(
    ("made", "status", "answer"),
    [
        (attempt("3 × 4 = 12", answer="12"), "settled", "12"),
        (attempt(*PLANS[:1], answer="12"), "unchecked", "12"),
        (attempt(answer="12"), "unchecked", "12"),
        (attempt("The answer is 12.", answer="12"), "unchecked", "12"),
        (attempt("The triangle has equal sides.", answer="isosceles"), "settled", "isosceles"),
        (attempt("3 × 4 = 12"), "unsettled", None),
        (attempt("The price is not given."), "unanswerable", None),
        (attempt("The price is not given.", finish="length"), "unsettled", None),
        (attempt("The price is not given.", finish="cancelled"), "stopped", None),
        (attempt("48 ÷ 2 = 24", origin="student"), "settled", None),
        (attempt("Half are left.", "The answer is 24.", answer="24", origin="student"), "unchecked", "24"),
    ],
)
def test_the_ending_of_an_attempt_is_classified(made, status, answer):
    found = outcome_of(made)
    assert (found.status, found.answer) == (status, answer)


def test_an_answer_that_other_solutions_reach_is_checked_without_steps_too():
    agreed = StepVerdict(verdict="correct", evidence=(Evidence(by="solutions", verdict="correct"),))
    made = attempt(PLANS[0], answer="12")
    assert is_unsupported(made)
    assert outcome_of(made, Critique(trajectory_id=made.id, verdicts=(agreed,))).status == "settled"
    word = StepVerdict(verdict="correct", evidence=(Evidence(by="model", verdict="correct"),))
    assert outcome_of(made, Critique(trajectory_id=made.id, verdicts=(word,))).status == "unchecked"


def test_a_statement_of_missing_data_before_further_calculation_is_no_ending():
    assert not lacks_data(attempt("The total is not given.", "3 × 4 = 12", answer="12"))


@table(
    ("lines", "count"),
    [
        (["a", "a"], 0),
        (["a", "a", "a"], 2),
        (["a", "A.", "a "], 2),
        (["x", *["a", "b"] * 3], 4),
        (["a", "b", "a", "c", "a", "b"], 0),
        ([*"abcd"] * 3, 8),
        ([str(number) for number in range(LONGEST_CIRCLE + 1)] * 3, 0),
        (["She buys 1.", "She buys 2.", "She buys 3."], 0),
        ([], 0),
    ],
)
def test_repeated_lines_are_counted(lines, count):
    assert repeated(lines) == count
