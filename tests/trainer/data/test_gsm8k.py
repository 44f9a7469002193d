"""GSM8K solutions as worked problems: their text, their dependencies, and which are skipped."""

from __future__ import annotations

from fractions import Fraction

import pytest

from runtime.checks import arithmetic
from runtime.types import Problem
from trainer.data.gsm8k import worked_from_gsm8k

READ = [
    (
        "Rosa sold 36 cups on Monday and half as many on Tuesday. How many in all?",
        "Rosa sold 36/2 = <<36/2=18>>18 cups on Tuesday.\nShe sold 36+18 = <<36+18=54>>54 cups in all.",
        "54",
        ("Rosa sold 36 / 2 = 18 cups on Tuesday.", "She sold 36 + 18 = 54 cups in all."),
    ),
    (  # the dollar sign moves behind the result; units inside a calculation are removed
        "A pen costs $2.50. Ben buys 4 pens and a bag for $13. How much does he pay?",
        "The pens cost 4 pens * $2.50/pen = $<<4*2.5=10.00>>10.00.\nHe pays $10 + $13 = $<<10+13=23>>23 in all.",
        "23",
        ("The pens cost 4 × 2.50 = 10 dollars.", "He pays 10 + 13 = 23 dollars in all."),
    ),
    (  # percentages, and a later line that repeats a result
        "A coat costs $80 and is 20% off. What is the price now?",
        "The discount is 80*20/100 = $<<80*20/100=16>>16.\nWithout the $16 it costs $80 - $16 = $<<80-16=64>>64.",
        "64",
        ("The discount is 80 × 20 / 100 = 16 dollars.", "Without the $16 it costs 80 - 16 = 64 dollars."),
    ),
    (  # two calculations in a line, one of them without calculator marks
        "Ali has 7 boxes of 9 nails and 11 loose ones. How many nails does he have?",
        "There are 7 x 9 = 63 nails in boxes, so 63 + 11 = <<63+11=74>>74 nails.",
        "74",
        ("There are 7 × 9 = 63 nails in boxes, so 63 + 11 = 74 nails.",),
    ),
    (  # a label before the calculation, a chain of equations
        "Tom is 4. Ida is 5 times as old, and 3 years more. How old is Ida?",
        "Ida = 4 * 5 + 3 = 20 + 3 = <<4*5+3=23>>23 years",
        "23",
        None,  # 20 is an intermediate result without a line of its own
    ),
]
IN_DOUBT = {
    "algebra": ("Sam has 3 more than Eva, 21 in all. How many has Eva?", "2x + 3 = 21\nx = <<18/2=9>>9", "9"),
    "a wrong mark": ("Sam has 3 bags of 8. How many?", "Sam has 3*8 = <<3*8=25>>25.", "25"),
    "another answer": ("Sam has 3 bags of 8. How many?", "Sam has 3*8 = <<3*8=24>>24.", "23"),
    "a number from nowhere": ("Sam has 3 bags of 8. How many?", "Sam has 3*8 = <<3*8=24>>24, not 917.", "24"),
    "a result that is also told": (
        "Sam has 30 bags, 15 of them red. Each red one holds 4. How many?",
        "There are 30/2 = <<30/2=15>>15 red bags.\nSo the 15 hold 15*4 = <<15*4=60>>60.",
        "60",
    ),
    "rounding": ("7 people share 100 dollars. How much for each?", "Each gets 100/7 = <<100/7=14.29>>14.29.", "14.29"),
    "a result nobody uses": (
        "Sam has 3 bags of 8 and 5 caps. How many caps?",
        "Bags hold 3*8 = <<3*8=24>>24.\nCaps: 5*1 = <<5*1=5>>5.",
        "5",
    ),
    "an ordinal": ("Ann is on floor 9 and goes 7 down. Which floor?", "She is on the 9-7 = <<9-7=2>>2nd floor.", "2"),
    "no calculation": ("Sam has 3 bags. How many?", "Sam has 3 bags.", "3"),
}


@pytest.mark.parametrize(("question", "solution", "answer", "lines"), READ, ids=[row[0][:20] for row in READ])
def test_a_gsm8k_solution_is_read_as_written(question, solution, answer, lines):
    worked = worked_from_gsm8k(Problem(text=question, answer=answer), solution)
    if lines is None:
        assert worked is None
        return
    assert worked.lines == lines
    assert worked.quantities[worked.answer].value == Fraction(answer)
    assert all(arithmetic.verdict(arithmetic.check(line)) == "correct" for line in lines)


@pytest.mark.parametrize("reason", IN_DOUBT)
def test_ambiguous_solutions_are_skipped(reason):
    question, solution, answer = IN_DOUBT[reason]
    assert worked_from_gsm8k(Problem(text=question, answer=answer), solution) is None


def test_a_changed_result_is_carried_into_every_later_line():
    question, solution, answer, _ = READ[2]
    worked = worked_from_gsm8k(Problem(text=question, answer=answer), solution)
    made = worked.steps[0].makes
    wrong = worked.quantities[made].model_copy(update={"value": Fraction(14)})
    assert worked.changed({made: wrong}).lines == (
        "The discount is 80 × 20 / 100 = 14 dollars.",
        "Without the $14 it costs 80 - 14 = 66 dollars.",
    )
