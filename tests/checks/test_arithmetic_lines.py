"""Lines in the many ways people write them: false ones are found; right or possibly right ones are never rejected.

The lines of each table were written before the checker was run on them.
"""

from __future__ import annotations

import pace
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import table

from runtime.checks.arithmetic import check, verdict

FALSE = r"""
∴ 7 × 8 = 54
7 × 8 = 54 ✅
(1) 7 × 8 = 54
| 7 × 8 = 54 |
\begin{aligned} 7 \times 8 &= 54 \end{aligned}
√16 = 8
100的20%=25
7*8=56 56+4=61
7 × 8 = 54 \implies 54 + 1 = 55
60 km/h × 30 min = 1800 km
Think about it: 10 / 4 = 3.
每小时收入 10 ÷ 4 = 3 元。
5 - 8 = 3
10 - 2 × 3 = 24
At 5 p.m. 3 × 4 = 13 hours had passed.
She bought 6 boxes of 7 pens, so she has 6 × 7 = 43 pens.
Total cost: 3 * $4.50 = $14.50
48 plus 25 equals 74.
The sum of 19 and 4 is found by 19 + 4 = 24.
15 minus 8 gives 6.
9 times 8 makes 71.
96 divided by 4 is 23.
7 multiplied by 6 is equal to 48.
He then has 250 - 75 = 185 dollars left.
Each child gets 84 ÷ 7 = 13 sweets.
∴ 12 × 12 = 140
∵ 45 + 38 = 73, ∴ she needs more.
✅ 9 × 9 = 82
👉 14 + 17 = 32
➡ 60 - 24 = 46
56 ÷ 8 = 8 ✔
★ 5 × 15 = 70 ★
• 23 + 19 = 43
▪ 81 / 9 = 8
| apples | 4 × 6 = 26 |
|step|13 + 9 = 21|done|
\begin{aligned} 25 + 17 &= 43 \end{aligned}
\begin{align*} 8 \times 9 &= 71 \\ 71 + 1 &= 72 \end{align*}
$$\begin{aligned} 100 - 37 &= 73 \\ &= 73 \end{aligned}$$
\[ 15 \times 4 = 65 \]
\( \frac{36}{4} = 8 \)
$\frac{1}{2} + \frac{1}{4} = \frac{2}{6}$
\dfrac{3}{4} \times 20 = 16
$2^5 = 30$
\sqrt{49} = 8
$\sqrt{81} + 1 = 11$
√25 = 6
√(9 + 16) = 6
5² + 12² = 168
2^3 × 3 = 25
10^3 = 100
4! = 20
3^2 + 4^2 = 24
½ × 18 = 8
¾ of 40 is 32
2½ + 1½ = 5
1/2 + 1/3 = 2/5
2/3 × 9 = 7
3 1/2 + 2 = 6 1/2
25% of 80 = 25
15% × 200 = 40
30 percent of 90 is 30
100% - 35% = 75%
12/48 = 24%
0.2 × 0.3 = 0.6
1.5 + 2.75 = 4.5
3.6 ÷ 0.9 = 0.4
1,250 + 750 = 2,100
12,000 ÷ 8 = 1,600
$45.50 - $20.75 = $25.75
£12 + £9.50 = £22.50
€30 × 4 = €150
12 cents + 30 cents = 45 cents
3 kg + 4 kg = 8 kg
1 hour 15 minutes + 50 minutes = 115 minutes
2 km + 500 m = 2600 m
60 km/h × 3 h = 190 km
150 km ÷ 3 h = 60 km/h
80 miles/hour * 2 hours = 170 miles
3 weeks × 7 days/week = 24 days
8 × 7 = 56 = 50 + 5
12 + 8 = 20, 20 × 3 = 70
6 × 4 = 24 + 6 = 32
5 × 5 = 25 → 25 + 5 = 35
18 - 9 = 9 ⟹ 9 × 3 = 28
7 × 8 = 54 \Rightarrow x = 54
3 + 4 = 7; 7 × 2 = 15; 15 - 1 = 14
(a) 32 + 29 = 62
(2) 17 × 3 = 41
Step 3: 64 ÷ 16 = 5
4. 70 - 28 = 52
**Total:** 35 + 45 = **90**
Therefore, the number of seats is 24 * 15 = 350.
x = 15 + 27 = 43
Total = 12 × 11 = 121
Perimeter = 2 × (8 + 5) = 21 cm
2(6 + 4) = 16
(15 + 5) / 4 = 6
[20 - (3 + 4)] × 2 = 36
100 - 3 × 20 = 1940
50 - 30 - 10 = 30
-7 + 3 = -10
6 - 10 = 4
-4 × -5 = -20
Natalia sold 48/2 = <<48/2=23>>23 clips.
4*3=<<4*3=13>>13
<<15+26=42>>
23 / 4 = 5 remainder 2
17 ÷ 3 = 4 R 5
10 / 3 ≈ 4.2
22 / 7 is approximately 3.5
小明一共有 24 + 18 = 43 个苹果。
每人分到 72 ÷ 9 = 7（个）。
买 5 支铅笔需要 5 × 3 = 16 元。
35 加 27 等于 63。
9 乘以 7 得 64。
84 除以 6 等于 13。
100 减去 45 是 65。
因为 6×8=46，所以还剩 4 个。
∴ 周长 = (12 + 8) × 2 = 42 厘米
200 的 15% = 35
80的四分之一=80÷4=25
共 3×12+4=50 元
3千克 + 500克 = 3050克
1小时30分 + 45分 = 125分
２５＋３６＝６２
25÷4=6……2
所以一共花了 45.5+4.5=60（元）
1.5万 + 5000 = 25000
⇒ 13 × 6 = 76
☞ 45 ÷ 5 = 8
❗ 27 + 38 = 66
7 + 6 = 14 🎉
✓ 90 - 35 = 45
→ 8 × 12 = 94
1) 55 + 27 = 83
(b) 120 ÷ 8 = 16
(iii) 9 × 13 = 107
【1】 14 × 5 = 60
③ 36 ÷ 4 = 8
| Day 1 | 3 × 15 = 55 |
|总价|12 × 5 = 50|
\begin{align} 6 \times 14 &= 74 \end{align}
\begin{cases} 3 + 8 = 12 \end{cases}
$$\begin{array}{l} 9 \times 6 = 56 \end{array}$$
\therefore 18 + 7 = 26
\because 5 \times 9 = 40
11 × 4 = 45 \Longrightarrow n = 45
32 - 15 = 18 ⇔ 18 + 15 = 33
√64 = 7
√(36) + 2 = 9
\sqrt{100} \times 3 = 33
3! + 2 = 9
5! = 100
2¼ + 1¾ = 5
⅓ × 27 = 8
1½ × 4 = 8
80 的 25% = 30
60 的 1/3 = 25
12×5=60 60÷4=16
3*7=21 21-6=14
72 km/h × 30 min = 2160 km
2 h + 30 min = 32 min
45 分钟 + 15 分钟 = 50 分钟
2小时15分 + 50分 = 195分
1千克 + 300克 = 1400克
4 m + 60 cm = 64 cm
1.5 L + 500 mL = 3 L
2 dozen + 5 = 30
3万 + 5000 = 36000
7百 + 50 = 760
2.5 million + 1.5 million = 5 million
Walking around the park, 7 / 2 = 4.
Nearly everyone came: 13 + 8 = 22.
About the cost: 9 × 7 = 64 dollars.
他买入 15 + 9 = 25 元的货。
收入一共 8 × 12 = 86 元
4 - 9 = 5
20 - 4 × 3 = 48
6 + 2 × 5 = 40
At 3 p.m. they had 4 × 6 = 26 loaves.
It was 11 a.m. so 9 - 4 = 6 hours remain.
18×3=<<18*3=56>>56
She paid <<4*2.5=11>>11 dollars.
40 ÷ 7 = 5 remainder 4
50÷8=6……3
30 ÷ 4 = 7 余 3
所以 48 除以 6 得 9。
15 与 4 的积是 15×4=65。
""".strip().splitlines()

RIGHT = r"""
7/2 = 3½
1½ + 2½ = 4
1 hour 20 minutes + 50 minutes = 130 minutes
1时20分+50分=130分
3 kg 200 g + 900 g = 4100 g
1 dozen + 4 = 16
5千+300=5300
1.2万+8000=20000
30^3 = 27,\!000
4*3*2*1 = 4!
12*4=48 48+2=50
5/2 = 2½
3¼ + ¾ = 4
½ + ¼ = ¾
9/4 = 2¼
2 hours 30 minutes + 45 minutes = 195 minutes
2 小时 30 分钟 + 45 分钟 = 195 分钟
3时10分-50分=140分
5 m 20 cm - 80 cm = 440 cm
2 kg 500 g × 2 = 5 kg
3 dozen + 4 = 40
2 thousand + 500 = 2500
7千-500=6500
3.5万+5000=40000
1.2亿-2000万=1亿
45^2 = 2,\!025
3*2*1 = 3!
4! = 24
4! + 1 = 25
√144 = 12
\sqrt{49} + 1 = 8
√(9+16) = 5
50的10%=5
80 的 1/4 = 20
∴ 7 × 8 = 56
7 × 8 = 56 ✅
(1) 7 × 8 = 56
| 7 × 8 = 56 |
\begin{aligned} 7 \times 8 &= 56 \\ &= 50 + 6 \end{aligned}
60 km/h × 30 min = 30 km
2 km + 500 m = 2500 m
1 m ÷ 25 cm = 4
7*8=56 56+4=60
12 + 3 = 15, 15 × 2 = 30
7 × 8 = 56 \implies 56 + 1 = 57
At 5 p.m. 3 × 4 = 12 hours had passed.
Think about it: 10 / 4 = 2.5.
10 / 4 ≈ 2.5
20/3 = 6.67 (rounded to 2 decimals)
100/7 约 14.3
23 ÷ 4 = 5 R 3
26 / 4 = 6 remainder 2
25÷4=6……1
8 × 7 = 56 pages
3 × 5 = 15 of them
4 × 6 = 24 more
Natalia sold 48/2 = <<48/2=24>>24 clips
4*3=<<4*3=12>>12
5 - 8 = -3
10 - 2 × 3 = 4
-3^2 = -9
$5 × 3 = $15
3 × 5元 = 15元
""".strip().splitlines()

SILENT = r"""
0.1(6) = 1/6
2 k + 1 = 9
36 - 16 = 2l
50 - 8 = 6k
100 - 40 = 3 times x
The remainder of 23 divided by 4 is 3.
The last digit of 13^2 is 9.
The ceiling of 9/4 is 3.
2/5 = 3.2 hectares
26 / 4 = 6 boxes, 2 left
He can fill 50 / 8 = 6 full boxes.
So they need 20 / 3 = 7 buses.
17 / 5 = 3 boxes, with 2 left
2 + 3 = 6, which is impossible
4 + 1 = 2 (False)
They walk around the field: 10 / 4 = 3 laps.
10 / 4 is about 3
20 ÷ 1/4 = 5
50/2=25-5=20
""".strip().splitlines()
"""Undecidable: neither incorrect nor correct."""

NOT_FALSE = r"""
$15\%$ of $\$2.00 = 0.15 \times \$2.00$
23 \div 4 = 5\, R\, 3
2 × 2 quarts = 1 gallon
2 × 1.5 kWh = 3000 Wh
The remainder of 47 divided by 6 is 5.
The units digit of 7^2 is 9.
The floor of 17/5 is 3.
The square root of 9 + 16 is 5.
The tens digit of 6 × 7 is 4.
The average of 3 + 5 + 7 is 5.
The reciprocal of 2/3 is 3/2.
The number of divisors of 2^3 is 4.
3/8 = 12 pupils
2/3 = 14, so the whole is 21.
They fill 75 / 8 = 9 full bags.
She needs 25 / 4 = 7 trips.
100 / 30 = 4 packs
29 / 6 = 4 boxes, with 5 left over
29 ÷ 6 = 4, R 5
29 ÷ 6 = 4 \text{ R } 5
29 ÷ 6 = 4 \cdots 5
29÷6=4（组）……5（个）
50 ÷ 7 = 7 weeks R 1
4 × 5 = 21, which is wrong.
If 3 + 4 = 8, that would be a contradiction.
"2 + 2 = 5" is a famous false equation.
We cannot have 6 - 2 = 3.
9 + 1 = 11 ✗
7 × 8 = 54? No, that is not right.
He wrote 12 - 5 = 8 instead of 7.
8 + 5 = 14 (wrong)
8 + 5 ≠ 14
3 + 4 = 10 in base 7
10 + 5 = 3 (mod 12)
9 + 5 = 2 o'clock
2 × 3 ft = 2 yd
3 × 4 quarts = 3 gallons
5 × 2 half-hours = 5 hours
2 × 12 = 2 dozen
3 × 20 min = 1 h
1500 m + 500 m = 2 km
4 × 25 cents = $1
4 × 250 g = 1 kg
3 × 500 毫升 = 1.5 升
2 × 30 分钟 = 1 小时
2 MB × 3 = 6000 kB
1 day - 6 hours = 18 hours
1天-6小时=18小时
3 dozen + 6 = 42
2千+500=2500
3万+2000=32000
1.5 million + 500 thousand = 2 million
3 x + 2 = 14
5 n - 3 = 2 n
12 - 4 = 2y
30 / 6 = 5 p
20 = 4 t
7 a + 3 a = 10 a
f(2) + 1 = 9
sin 30 + 1 = 1.5
log 100 + 1 = 3
0.3 + 0.(3) = 0.6333
0.(3) + 0.(6) = 1
0.\overline{3} = 1/3
1/3 = 0.3̇
5! + 1 = 121
\sqrt{2} = 1.414
√2 ≈ 1.41
√16 + √9 = 7
\sqrt[3]{27} = 3
3√4 = 6
12:30 + 1:15 = 13:45
The score was 3 - 2 = a win
pages 10-15 = 6 pages
Ages 5 - 12 = 8 years
The ratio is 6 : 3 = 2 : 1.
2 : 3 = 4 : 6
18 : 450 × 1000 = 18 : 450000
40 ÷ 1/2 = 20
40 / 1/2 = 80
12 / 2 × 3 = 2
2 + 4 / 3 = 2
60 × 40 / 60 + 40 = 24
10 + 20 + 30 / 3 = 20
50/5=10+4=14
20×3=60+5=65÷5=13
6 + 4 = 10 × 2 = 20
Speed = 50 × 2 + 10 remaining = 110
1 / 5 remaining work = 1 - 1 / 5
15 men + 20 women = 1 job
2 pens + 3 books = $27
8 men + 4 boys = 12 men
1000 / 3 = 333
18000 / 52 = 346
2/3 = .66
10/3 = 3.3333
5 ÷ 6 ≈ 0.83
about 7 / 2 = 3
100 ÷ 6 = 16.7
7 ÷ 3 = 2.3 (rounded)
20 ÷ 3 = 7 to the nearest whole number
30 ÷ 7 约为 4
8.30 + 15 = 8.45am
26 × 26 × 10 = 6, 760
3 - - > 4 = 5
80 -- 78 = 2
. 9 × 240 = 216
5 kg × $3/kg = $15
120 km ÷ 40 km/h = 3 h
4 m × 3 m = 12 m²
4 m × 3 m = 12 square meters
边长 5 米的正方形面积 5 × 5 = 25 平方米
2 × 2 = 4 = 2²
3×3 = 3^{2} = 9
7^{-1} = 1/7
(-2)^3 = -8
-2^2 = 4
1 + 1 = 2 = 4 / 2
x + 3 = 10, x = 10 - 3 = 7
Let 2a + 3 = 9.
The remainder when dividing: 35 / 8 is 3.
The units digit of 3 × 7 is 1.
The tens digit of 8 × 9 is 7.
2^10 的个位是 2^10 = 4
38 除以 5 的余数: 38 ÷ 5 = 3
gcd: 12 × 5 = 60 and 18 × 2 = 36
The product of the digits of 3 + 12 = 5.
0.(3) × 3 = 1
0.1(6) + 0.3 = 7/15
1.2(3) = 37/30
3 k - 1 = 8
45 - 9 = 4t
24 + 6 = 3 times n
72 / 6 = 4x
56 = 7 y
x = 5, so 4 x + 2 = 22
3/4 = 36 students
2/3 = 10 km
5/8 = 40 页
41 / 6 = 6 bags, 5 left over
41 / 6 = 7 taxis are needed
We can cut 50 / 12 = 4 whole ribbons.
每车坐 45 人, 需要 100 ÷ 45 = 3 辆车
100 ÷ 30 = 3 盒, 还剩 10 个
33 ÷ 4 = 8（人）余 1（人）
33 / 4 = 8 R1
33 / 4 = 8, remainder 1
33 \div 4 = 8 \text{ remainder } 1
5 + 5 = 11 is impossible.
5 + 5 = 11 — wrong!
这里 5 + 5 = 11 是错的。
不可能 5 + 5 = 11
4 + 1 = 6 ✘
4 + 1 = 6 ❌
Is 4 + 1 = 6?
Suppose 4 + 1 = 6; this is a contradiction.
2 × 3 pints = 3 quarts
4 × 500 Wh = 2 kWh
3 × 1024 KB = 3 MB
2 × 5 斤 = 5 千克
36 inches + 2 feet = 5 feet
10 / 4 is roughly 3
10 / 4 ≈ 3
17 / 6 is approximately 3
30 ÷ 1/3 = 10
30 ÷ 1/3 = 90
12 ÷ 3/4 = 16
40/2=20+5=25
8×5=40-10=30÷3=10
12+8=20÷4=5
30% of $\$50 = 0.3 \times \$50$
5 pens + 2 books = 30 yuan
6 women + 4 men = 8 women
4 : 6 = 2 : 3
8 + 4 : 6 = 2
day 5 - 3 = 2 days
Pages 12-20 = 9 pages
from 8-5 = 9 hours
(2) + (3) = ?
f(2) = 3 + 1 = 4
5 ◇ 3 = 5 × 3 - 2 = 13
a ⊕ b: 2 ⊕ 3 = 7
|3 - 8| = 5
|-4| + 3 = 7
⌊7/2⌋ = 3
⌈7/2⌉ = 4
log 8 / log 2 = 3
sin 30° = 1/2
3 ∘ 4 = 14
C(5,2) = 10
5C2 = 10
A = 1/2 × 3 × 4 = 6
2^{3^2} = 512
9 am + 4 = 1 pm
base 2: 10 + 1 = 11
1 + 1 = 0 (mod 2)
""".strip().splitlines()
"""Right in at least one reading, or no equation of numbers."""


@table("line", FALSE)
def test_a_false_line_is_found(line):
    assert verdict(check(line)) == "incorrect", check(line)


@table("line", RIGHT)
def test_a_right_line_is_confirmed(line):
    assert verdict(check(line)) == "correct", check(line)


@table("line", SILENT)
def test_an_undecidable_line_is_unsure(line):
    assert verdict(check(line)) is None, check(line)


@table("line", NOT_FALSE)
def test_a_line_that_may_be_right_is_not_called_incorrect(line):
    assert verdict(check(line)) != "incorrect", check(line)


@pytest.mark.parametrize(
    "line",
    [
        "5 hours ÷ 100 km/h = 0.05",
        "5小时 ÷ 100千米/小时 = 0.05",
        "60 km/h × 3 km = 180 km",
        "100 km ÷ 50 km/h = 2 km",
        "3 hours + 5 km = 8 km",
        "$12 + 3 kg = 15",
    ],
)
def test_numbers_that_agree_are_not_confirmed_where_their_units_contradict_each_other(line):
    assert verdict(check(line)) is None, check(line)


BESIDE = [
    "∴ {}",
    "✅ {}",
    "{} ✅",
    "| {} |",
    "(1) {}",
    "⇒ {}",
    "\\[ {} \\]",
    "$${}$$",
    "**{}**",
    "So {}.",
    "所以 {}。",
    "{} → ok",
]


@given(st.integers(2, 99), st.integers(2, 99), st.integers(1, 9), st.sampled_from(BESIDE), st.sampled_from("+×"))
@settings(max_examples=200, deadline=None)
def test_text_around_an_equation_does_not_hide_an_error(a, b, off, manner, sign):
    value = a + b if sign == "+" else a * b
    assert verdict(check(manner.format(f"{a} {sign} {b} = {value}"))) == "correct"
    assert verdict(check(manner.format(f"{a} {sign} {b} = {value + off}"))) == "incorrect"


@given(st.integers(2, 999), st.integers(2, 99), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_a_calculator_mark_and_the_text_around_it_are_one_equation(a, b, off):
    (one,) = check(f"It is {a}*{b}=<<{a}*{b}={a * b}>>{a * b} in all.")[:1]
    assert one.verdict == "correct"
    assert verdict(check(f"It is {a}*{b}=<<{a}*{b}={a * b}>>{a * b} in all.")) == "correct"
    assert verdict(check(f"It is {a}*{b}=<<{a}*{b}={a * b + off}>>{a * b} in all.")) == "incorrect"
    assert verdict(check(f"It is {a * b + off} in all: <<{a}*{b}={a * b + off}>>")) == "incorrect"


@given(st.integers(1, 9), st.integers(1, 59), st.integers(1, 59))
@settings(max_examples=100, deadline=None)
def test_hours_and_minutes_are_one_quantity(hours, minutes, more):
    total = hours * 60 + minutes + more
    assert verdict(check(f"{hours} hours {minutes} minutes + {more} minutes = {total} minutes")) == "correct"
    assert verdict(check(f"{hours}小时{minutes}分+{more}分={total + 7}分")) == "incorrect"


PIECES = ["1", "23", "9^9^9", "(", ")", "[", "{", "}", "√", "½", "!", "%", "+", " - ", "*", "/", "÷", "=", " = ", "≈"]
PIECES += [
    "$",
    "\\frac",
    "\\sqrt{",
    "5 km/h",
    " 3 h 20 min ",
    "万",
    "约",
    " of ",
    " R ",
    "…",
    ",",
    ".",
    ":",
    "|",
    "∴",
    "x",
]


@given(st.lists(st.sampled_from(PIECES), max_size=400), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_lines_of_two_thousand_characters_are_checked_within_the_time_limit(pieces, times):
    line = ("".join(pieces) * times)[:2000]
    assert pace.units(lambda: check(line), rounds=1) < 2 * pace.SOON


@pytest.mark.parametrize(
    "line",
    [
        "$" * 2000,
        "(" * 1000 + "1" + ")" * 1000,
        "9^9^9 = 5",
        "9" * 5000 + " + 1 = 2",
        "1/" * 999 + "1=3",
        "2 1/2 + " * 250 + "1 = 4",
        "1 - " * 500 + "= 3",
        "[1/2]*" * 300 + "2=3",
        "12/3/4/5/6/7/8/9/2/3/4/5/6/7/8/9/3/4/5/6 = 7",
        "3 h 20 min + " * 150 + "1 min = 5",
        "√" * 2000,
        "1=2=" * 500,
    ],
)
def test_the_worst_lines_are_checked_within_the_time_limit(line):
    assert pace.units(lambda: check(line)) < 2 * pace.SOON
