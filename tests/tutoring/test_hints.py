"""Hints from the exact structure: their parts, and that none reveals what is still hidden."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from tables import table

from runtime.problems.wordproblems import generate
from runtime.tutoring.hints import KEYS, RUNGS, Hint, gives_away, ladder
from runtime.view.guided import hint_text
from runtime.view.words import LANGUAGES

APPLES = "Ann has 3 bags with 4 apples each. She gives away 5 apples. How many apples are left?"
APPLE_STEPS = ["Ann has 3 * 4 = 12 apples.", "She gives away 5, so 12 - 5 = 7 are left.", "So 7 apples are left."]


def hint_texts(problem: str, steps: list[str], position: int, answer: str | None, language: str = "en") -> list[str]:
    return [hint_text(hint, language) for hint in ladder(problem, steps, position, answer)]


def test_hints_go_from_the_known_numbers_to_the_first_operation():
    assert hint_texts(APPLES, APPLE_STEPS, 0, "7") == [
        "Look at what you know: 3 bags and 4 apples. What can you work out from that?",
        "The idea: the same amount again and again. Which operation does that?",
        "Begin like this: 3 × 4 = …",
    ]


def test_hints_mention_earlier_results():
    known, _, move = hint_texts(APPLES, APPLE_STEPS, 1, "7")
    assert "5 apples and 12 (found before)" in known or "12 (found before)" in known
    assert move == "Begin like this: 12 - 5 = …"


def test_hints_are_written_in_chinese():
    problem = "小明有 48 张邮票，他把其中的一半送给小红，又买了 10 张。小明现在有多少张邮票？"
    steps = ["送出 48 ÷ 2 = 24（张）", "剩下 48 - 24 = 24（张）", "现在有 24 + 10 = 34（张）"]
    known, idea, move = hint_texts(problem, steps, 0, "34", "zh-CN")
    assert "48 张" in known and "平均分" in idea and "48 ÷ 2" in move
    assert "24（前面求得）" in hint_texts(problem, steps, 2, "34", "zh-CN")[0]


@table(
    ("step", "idea", "move"),
    [
        ("3 + 4 * 2 = 11", "several", "4 × 2"),
        ("(3 + 4) * 2 = 14", "several", "3 + 4"),
        ("25% of it: 40 * 25/100 = 10", "percent", "40 × 25"),
        (r"\(6 \times 8 = 48\)", "multiply", "6 × 8"),
        ("48/2 = <<48/2=24>>24", "divide", "48 ÷ 2"),
        ("14 = 7 + 7", "add", "7 + 7"),
        ("2^3 = 8", "power", "2^3"),
        ("３ × ４ ＝ １２", "multiply", "3 × 4"),
    ],
)
def test_a_step_gives_a_hint_at_its_idea_and_one_at_its_first_operation(step, idea, move):
    second, third = ladder("", [step], 0, None)  # without a problem no numbers are known
    assert (second.about, third.sum) == (idea, move)


@pytest.mark.parametrize(
    ("steps", "about"),
    [
        (["3x = 15"], ["equation"] * 3),
        (["3x + 4 = 19", "3x = 15"], ["line"]),
        (["Let us think."], []),
        (["3 * 4 = 12", "She has that many apples."], ["end"] * 3),
    ],
)
def test_a_step_without_a_sum_gets_a_special_hint_or_none(steps, about):
    assert [hint.about for hint in ladder("Solve.", steps, len(steps) - 1, None)] == about


PLANS = ["First find how many apples there are.", "Then take some away.", "Then count them.", "That is all."]


def test_a_plan_gets_hints_at_the_problem_only_once():
    assert hint_texts(APPLES, PLANS, 0, "7") == [
        "The problem gives you: 3 bags, 4 apples and 5 apples. How do these fit together?",
        "The problem asks: How many apples are left?",
    ]
    assert [hint_texts(APPLES, PLANS, position, "7") for position in (1, 2, 3)] == [[], [], []]
    assert hint_texts(APPLES, PLANS, 0, "5")[0].startswith("The problem gives you: 3 bags and 4 apples. How")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_hint_is_repeated_in_one_solution(language):
    for number in range(60):
        worked = generate(2, number)
        steps = [line for line in worked.lines for line in ("Think about it.", line)]
        for plan in range(0, len(steps), 2):
            found = hint_texts(worked.problem.text, steps, plan, worked.result, language)
            assert bool(found) == (plan == 0), (plan, found)


@pytest.mark.parametrize(
    ("problem", "step", "known"),
    [
        ("一辆车 2 小时行驶 120 千米，每小时行多少千米？", "120 ÷ 2 = 60（千米）", ("120 千米", "2 小时")),
        ("每袋 3千克，4 袋共多少千克？", "3 × 4 = 12（千克）", ("3千克", "4 袋")),
        ("小红每天跑 800米，5 天跑多少米？", "800 × 5 = 4000（米）", ("800米", "5 天")),
        ("一块地 6 平方米，种 3 块地要多少平方米？", "6 × 3 = 18（平方米）", ("6 平方米", "3 块")),
        ("30 分钟看 15 页书，1 分钟看几页？", "15 ÷ 30 = 0.5（页）", ("15 页", "30 分钟")),
        ("瓶里有 500 毫升水，倒掉 200毫升，还剩多少？", "500 - 200 = 300（毫升）", ("500 毫升", "200毫升")),
        ("工资 3 万元，用了 2 万元，还剩多少万元？", "3 - 2 = 1（万元）", ("3 万元", "2 万元")),
    ],
)
def test_hints_keep_whole_units_in_chinese(problem, step, known):
    assert ladder(problem, [step], 0, None)[0].known == known


def test_removing_a_revealing_number_leaves_a_whole_sentence():
    assert hint_texts("Tom has 7 pens.", ["So there are 7 pens."], 0, "7") == []


def test_a_number_that_is_also_a_result_is_left_out():
    problem = "Tom has 12 red pens and 24 blue pens, and gives away 12. How many are left?"
    steps = ["In all 12 + 24 = 36 pens.", "Then 36 - 12 = 24 are left."]
    known, idea = ladder(problem, steps, 0, "24")
    assert known.known == ("12 red",)
    assert idea.about == "add"


@table(
    ("text", "answer", "leaks"),
    [
        ("7 apples", "7", True),
        ("7.0", "7", True),
        ("1,200 dollars", "1200", True),
        ("a half is 0.5", "1/2", True),
        (r"\frac{1}{2}", "0.5", True),
        ("25%", "0.25", True),
        ("1 of 2", "1/2", False),
        ("17 apples", "7", False),
        ("-7", "7", True),
        ("It is on Tuesday", "Tuesday", True),
        ("考虑星期二", "星期二", True),
        ("y = x + 2", "x + 2", True),
        ("nothing", None, False),
    ],
)
def test_an_answer_is_found_in_a_text_however_it_is_written(text, answer, leaks):
    assert gives_away(text, [], answer) == leaks


@pytest.mark.parametrize("text", ["You get 12.", "12.00", "It is 24/2"])
def test_the_result_of_a_hidden_step_is_found_in_a_text(text):
    assert gives_away(text, APPLE_STEPS[:1], None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_wordings_hold_no_numbers(language):
    for rung in RUNGS:
        for about in KEYS[rung]:
            words = hint_text(Hint(rung, about), language)
            assert words.strip() and not any(character.isdigit() for character in words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_hint_at_a_generated_problem_reveals_its_step_or_the_answer(language):
    """Compared with the values that the story was made from, not with what the tested module reads."""
    moves = 0
    for number in range(300):
        worked = generate(1, number)
        for position, step in enumerate(worked.steps):
            secrets = {worked.quantities[i].value for i in (step.makes, worked.answer) if i is not None}
            for hint in ladder(worked.problem.text, worked.lines, position, worked.result):
                words = hint_text(hint, language).replace(",", "")
                shown = {Fraction(number) for number in re.findall(r"\d+(?:\.\d+)?", words)}
                assert not shown & secrets, (worked.problem.text, worked.lines[position], words)
                moves += hint.about == "sum"
    assert moves > 500  # most steps have their own first operation
