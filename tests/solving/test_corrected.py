"""Correcting a wrong step at its first incorrect equation: a table of notations, and random products."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tables import table

from runtime.checks.arithmetic import check, corrected, verdict

CORRECTED = r"""
6 × 7 = 41 pens in all -> 6 × 7 = 42
6*7=41 -> 6*7=42
So, 6 × 7 =  41. -> So, 6 × 7 =  42
60 km/h × 30 min = 1800 km -> 60 km/h × 30 min = 30
2 km + 500 m = 2600 m -> 2 km + 500 m = 2500
6 × 7 = 42, and 42 + 5 = 46 -> 6 × 7 = 42, and 42 + 5 = 47
3*4 = 12 + 2 = 15 -> 3*4 = 12 + 2 = 14
1 + 1 = 3, 2 + 2 = 5 -> 1 + 1 = 2
The total is 85° + 110° + 95° = 390° -> The total is 85° + 110° + 95° = 290
6.5 × 2.3 = $15.55 -> 6.5 × 2.3 = $14.95
$5.00 x 4 = \$21 -> $5.00 x 4 = \$20
12 元 × 3 ＝ ￥35 -> 12 元 × 3 ＝ ￥36
2,500 * 4 = 1,000 apples -> 2,500 * 4 = 10000
33/32 = 2 -> 33/32 = 1.03125
10/4 ≈ 5 -> 10/4 ≈ 2.5
6 × 7 = about 61 -> 6 × 7 = about 42
15/60 * 100 = 26% -> 15/60 * 100 = 25%
The sum is 5 + 3 = a total of 9 -> The sum is 5 + 3 = a total of 8
\[ 2 \times 3 = 7 \] -> \[ 2 \times 3 = 6
$$3 + 4 = 8$$ -> $$3 + 4 = 7
3 \times 4 = \boxed{13} -> 3 \times 4 = \boxed{12
3 + 4 = **8** -> 3 + 4 = **7
\frac{9}{2} = \frac{7}{2} -> \frac{9}{2} = 4.5
<<48/2=25>>25 -> <<48/2=24
""".strip().splitlines()

UNCORRECTED = r"""
6 × 7 = 42
They went home.
2x + 3 = 11
10/3 = 3
10/3 ≈ 5
12/0 = 5
3 times 4 is 13
10 minus 3 equals 8
3 乘 4 等于 13
17/5 = 3 remainder 3
It is a mistake to write 3 + 4 = 8
10 - 2 * 7 = 4
5 - 8 = 3
10 - 2 × 3 = 24
3 + 4 × 2 = 14
12 = 3 * 5
12 = 2 + 3 + 6
36 - 16 = 2l
20 / 3 = 7 buses
3/4 = 75
""".strip().splitlines()


@table("row", CORRECTED)
def test_a_wrong_step_is_corrected_at_its_first_right_hand_side(row):
    step, right = row.split(" -> ")
    assert corrected(step) == right


@table("step", UNCORRECTED)
def test_steps_that_are_right_ambiguous_or_without_decimal_are_not_corrected(step):
    assert corrected(step) == ""


@given(st.integers(1, 9999), st.integers(2, 999), st.sampled_from(["=", " = ", " = $", " ≈ ", "\n= "]))
@settings(max_examples=200, deadline=None)
def test_a_corrected_step_is_correct(a, b, sign):
    wrong = a * b + a * b // 5 + 7
    assume(sign != " ≈ " or wrong % 10)  # a round number may be meant as an approximation
    step = f"So it is {a} * {b}{sign}{wrong} in all"
    assert corrected(step) == f"So it is {a} * {b}{sign}{a * b}"
    assert verdict(check(corrected(step))) == "correct"
