"""The exact check of equations in a step: a table of notations, and random equations in many of them."""

from __future__ import annotations

from fractions import Fraction

import pace
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import table

from runtime.checks.arithmetic import check, sentence, verdict

RIGHT = r"""
48 ÷ 2 = 24（个），24 + 3 = 27（个）
3 + 4 = 7
3+4=7
10 − 3 = 7
10 – 3 = 7
3 * 4 = 12
3 x 4 = 12
3x4 = 12
3 X 4 = 12
3 × 4 = 12
3 · 4 = 12
3 • 4 = 12
12 ÷ 4 = 3
12/4 = 3
12 = 3 * 4
-3 + 5 = 2
5 - -3 = 8
(3 + 4) * 2 = 14
[3 + 4] * 2 = 14
2(3+4) = 14
3(4)(5) = 60
2 + 3 * 4 = 14
48/2/3 = 8
6/2(1+2) = 9
2^3 = 8
2**3 = 8
3² + 1 = 10
(-3)^2 = 9
2 \times 10^3 = 2000
\( 3 \cdot 4 = 12 \)
\[ \dfrac{12}{4} = 3 \]
$\frac{1}{2} \times 8 = 4$
$$12 \div 4 = 3$$
\left( 3 + 4 \right) \times 2 = 14
3 \times 4 = \boxed{12}
\text{Total} = 3 \times 4 = 12 \text{ apples}
1{,}000 + 1 = 1{,}001
\$5 + \$6 = \$11
Natalia sold 48/2 = <<48/2=24>>24 clips
12/60 = $<<12/60=0.2>>0.2 per minute
1,000 + 2,500 = 3,500
3 × 40 000 = 120 000
.5 * 4 = 2
１２＋３＝１５
（３＋４）×２＝１４
8－3＝5，10÷2＝5
3 notebooks * 4 dollars/notebook = 12 dollars
5 apples + 3 apples = 8 apples
3 boys + 4 girls = 7 children
$1.50 x 4 = $6
￥12 × 3 = ￥36
12 元 × 3 = 36 元
60 min / 4 = 15 min
60 km/h × 2 h = 120 km
5 m^2 + 3 m^2 = 8 m²
3.5 million * 2 = 7 million
2 hours * 60 = 120 minutes
4 weeks * 7 days/week = 28 days
24 hours - 8 hours = 16 hours
12/60 = $0.2 per minute
20% × 50 = 10
50% of 80 = 40
1/2 of 80 = 40
20% of the 50 students = 10 students
20 percent of 50 is 10
50 - 20% of 50 = 40
15/60 = 25%
15/60 * 100 = 25%
15/60 * 100% = 25%
0.25 * 100 = 25%
0.25 = 25%
3/4 = 75%
1/2 = 0.5
1/3 = 33.3%
100% - 20% = 80%
100% - 20% = 80
3 times 4 is 12
12 plus 5 is 17
10 minus 3 equals 7
12 divided by 4 is 3
3 multiplied by 4 equals 12
3 times 4 is equal to 12
3 乘 4 等于 12
12 除以 4 等于 3
3 加 4 等于 7
9 减 2 等于 7
共花了 3×15=45 元
10/3 = 3.33
10/3 ≈ 3.33
10/3 = about 3.3
10/3 ≈ 3
2/3 = 0.67
2/3 = 0.667
1/3 = 0.333...
10000/3 ≈ 3300
10/3 is about 3
Each gets 20/3 = 7, rounded to the nearest whole number
17/5 = 3 remainder 2
17/5 = 3 with a remainder of 2
17 / 5 = 3 R 2
17÷5=3……2
17 ÷ 5 = 3 余 2
x = 3 * 4 = 12
Total = 3*4 = 12
Jane's age = 3 * Bob's age = 3 * 12 = 36
2 * 6 = 12 = 3 * 4
1. 3 + 4 = 7
1) 3 + 4 = 7
- 3 + 4 = 7
**3 + 4 = 7**
3 + 4 = **7**
5/2 = 2 1/2
2 1/2 + 1 1/2 = 4
5/2 = 2\frac{1}{2}
10^12 = 1000000000000
3 + 4 = 7 - that is a prime
3 letters * 2 pages = 6 pages, so 6*2=12 a week
$20 - $12.50 = $7.50
2 * 1 hour = 120 minutes
$3.50 + 75 cents = $4.25
50 cm * 4 = 2 m
10000/3 = 3300, rounded to the nearest hundred
sqrt(16) + 2 = 6
\sqrt{16} + 2 = 6
5! = 120
""".strip().splitlines()

WRONG = r"""
原来一共有 14 × 36 = 494（本）。
48 ÷ 2 = 26(items)
3 + 4 = 8
3 x 4 = 13
3 × 4 = 14
10 − 3 = 8
12 ÷ 4 = 4
2(3+4) = 15
2**3 = 9
3² + 1 = 11
0 * 5 = 5
60 - 60 = 3
5 apples + 3 apples = 9 apples
5kg + 3kg = 9kg
3 notebooks * 4 dollars/notebook = 13 dollars
60 km/h × 2 h = 130 km
4 weeks * 7 days/week = 30 days
$1.50 x 4 = $7
12 元 × 3 ＝ 35 元
20% × 50 = 11
1/2 of 80 is 41
15/60 = 26%
15/60 * 100 = 26%
100% - 20% = 70%
3 times 4 is 13
12 plus 5 is 18
10 minus 3 equals 8
3 乘 4 等于 13
12 除以 4 等于 4
小明有 12 个苹果，12 - 5 = 8 个
\( 3 \cdot 4 = 13 \)
$\frac{1}{2} \times 8 = 5$
$$3 + 4 = 8$$
3 \times 4 = \boxed{13}
10/3 = 3
10/3 = 4.5
10/3 ≈ 5
17/5 = 3 remainder 3
x = 3 * 4 = 13
3*4 = 12 + 2 = 15
1. 3 + 4 = 8
Step 2: 3 + 4 = 8
<<48/2=25>>
12 = 3 * 5
They made 4+4+6 = 18 hot dogs
2 hours + 3 minutes = 5 minutes
3 + 4 * 2 = 14
Around the field he made 10700 + 2675 = 13370 steps
Then we subtract the discount from the total cost: 31.50 - 9.45 = 22.
""".strip().splitlines()

UNSURE = r"""
3*4 = 12 + 2 = 14
50 + 10% = 55
12/0 = 5
2/3 = 0.66
33.33 * 3 = 100
6/2(1+2) = 1
28 / 1/5 = 140
3/4 = 75
half of 10 + 3 = 8
twice 5 + 3 = 13
Day 1 * 2 = 10
200/60 = 3 hours 20 minutes
17/3 = 5 and 2/3
20 * 5 = $1
Is 3 + 4 = 8?
It is a mistake to write 3 + 4 = 8
100 stickers / 3 friends = 33 stickers, with 1 remaining
5 thousand a day: 5 * 3 = $15,000
He worked from 9-5 = 8 hours
3-5 apples = 4
-3^2 = 9
31.5 / 4 = 8
33.333 + 33.333 + 33.333 = 100
Guests = 105 + 33.75 (rounded to the nearest whole number) = 139
""".strip().splitlines()

NOTHING = r"""
2x + 3 = 11
3x = 12
x * 3 = 12
2(x+1) = 8
x^2 = 9
5m + 3 = 18
n - 5 + 2 = 12
x = 5
12 = 12
7 + ? = 12
? - 7 + 2 = 12
f(3) + 4 = 9
1+2+3+...+10 = 55
3 + 4 < 8
3 + 4 != 8
2:30 + 1:15 = 3:45
2024-01-15 = 2008
555-123-4567 = 5
0900-0130 = 0730
3,5 + 2 = 5,5
3/4 of the class = 75
20% = $10
.1(number of minutes) + 1 = .15
Week 3 = 12/2
8 batches = 5.5 * 8
8 is 2 times 4
3 times 4 is 12 more than 0
Three times 4 is 12
2^100 = 5
101_2 + 11_2 = 1000_2
There are 3-5 apples.
She has 3 apples -
The ratio is 5:3.
""".strip().splitlines()


@table("step", RIGHT)
def test_a_right_step_is_correct(step):
    assert verdict(check(step)) == "correct", check(step)


@table("step", WRONG)
def test_a_wrong_step_is_incorrect(step):
    assert verdict(check(step)) == "incorrect", check(step)


@table("step", UNSURE)
def test_a_doubtful_step_is_unsure(step):
    assert "unsure" in {equation.verdict for equation in check(step)}
    assert verdict(check(step)) is None


@table("step", NOTHING)
def test_text_without_arithmetic_is_ignored(step):
    assert check(step) == []


def test_an_equation_has_its_position_and_its_right_value():
    step = "First, 3 * 4 = 13 apples; then 13 + 2 = 15."
    first, second = check(step)
    assert step[slice(*first.span)] == "3 * 4 = 13"
    assert (first.left, first.right, first.expected) == (12, 13, "12")
    assert second.verdict == "correct"


@pytest.mark.parametrize(
    ("step", "english", "chinese"),
    [
        ("3*4=14", "3 × 4 is 12, not 14.", "3 × 4 等于 12，而不是 14。"),
        ("15/4 = 4", "15/4 is 3.75, not 4.", "15/4 等于 3.75，而不是 4。"),
        ("10/3 = 3", "10/3 is about 3.33, not 3.", "10/3 约等于 3.33，而不是 3。"),
        ("15/60 * 100 = 26%", "15/60 × 100 is 25%, not 26%.", "15/60 × 100 等于 25%，而不是 26%。"),
        ("17/5 = 3 R 3", "17/5 is 3 R 2, not 3 R 3.", "17/5 等于 3 R 2，而不是 3 R 3。"),
        ("5/0 = 1", "5/0 has no value.", "5/0 没有值。"),
    ],
)
def test_the_message_names_the_right_value(step, english, chinese):
    (equation,) = check(step)
    assert sentence(equation, "en") == english
    assert sentence(equation, "zh-CN") == chinese


def test_the_expected_value_is_formatted_for_people():
    assert check("1/3 = 0.5")[0].expected == "1/3 ≈ 0.33"
    assert check("2 + 2 = 5")[0].left == Fraction(4)


NOTATIONS = {
    "+": "{a} + {b} = {c}|{a}+{b}={c}|{a}＋{b}＝{c}|{a} plus {b} is {c}|{a} 加 {b} 等于 {c}|\\({a} + {b} = {c}\\)",
    "-": "{a} - {b} = {c}|{a} − {b} = {c}|{a} apples - {b} apples = {c} apples|{a} minus {b} equals {c}",
    "*": "{a} * {b} = {c}|{a} x {b} = {c}|{a}x{b}={c}|${a} \\times {b} = {c}$|${a} × {b} = ${c}|{a} times {b} is {c}",
    "/": "{a} / {b} = {c}|{a} ÷ {b} = {c}|\\frac{{{a}}}{{{b}}} = {c}|{a} 除以 {b} 等于 {c}|So {a} km / {b} = {c} km.",
}


@st.composite
def equations(draw):
    op = draw(st.sampled_from("+-*/"))
    a, b = draw(st.integers(1, 9999)), draw(st.integers(2, 999))
    if op == "-":
        a += b
    if op == "/":
        a *= b
    c = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[op]
    return draw(st.sampled_from(NOTATIONS[op].split("|"))), a, b, c


@given(equations())
@settings(max_examples=300, deadline=None)
def test_a_true_equation_is_correct_in_every_notation(equation):
    notation, a, b, c = equation
    assert verdict(check(notation.format(a=a, b=b, c=c))) == "correct"


@given(equations(), st.integers(1, 50))
@settings(max_examples=300, deadline=None)
def test_a_false_equation_is_never_correct(equation, off):
    notation, a, b, c = equation
    assert verdict(check(notation.format(a=a, b=b, c=c + off))) != "correct"


@given(st.integers(2, 999), st.integers(2, 999), st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_a_false_plain_product_is_found(a, b, off):
    assert verdict(check(f"So there are {a} * {b} = {a * b + off} of them.")) == "incorrect"


@given(st.integers(1, 9999), st.integers(1, 999), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_a_right_rounding_is_never_incorrect(a, b, digits):
    assert verdict(check(f"{a} / {b} = {a / b:.{digits}f}")) != "incorrect"


SIGNS = "0123456789+-*/=()[]{}$%.,: x×÷\\frac<>^²"
WORDS = ["times", "plus", "apples", "of", "is", "km", "hours", "minutes", "dollars", "加", "等于", "个", "元", "余"]


@given(st.lists(st.sampled_from([*SIGNS, *(f" {word} " for word in WORDS)]), max_size=60).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_read(text):
    for equation in check(text):
        assert 0 <= equation.span[0] < equation.span[1] <= len(text)
        assert sentence(equation, "en")


@pytest.mark.parametrize(
    "step",
    [
        "1+" * 50_000 + "1=3",
        "(" * 50_000 + "1+1" + ")" * 50_000,
        "(1+" * 33_000,
        "1+1=2=" * 16_000,
        "1.11*1.11*1.11=9; " * 5_500,
        "2 times " * 12_500,
        "9^9^9" * 20_000,
        "<<" * 50_000,
        "\\text{" * 16_000,
        "\n" * 100_000,
    ],
)
def test_a_hundred_thousand_characters_are_read_within_the_time_limit(step):
    assert pace.units(lambda: check(step)) < pace.SOON
