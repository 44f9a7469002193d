"""Errors inserted into right solutions: exact labels, plausible consequences, comments without the answer."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import product

import pytest

from runtime.checks import arithmetic
from runtime.checks.grading import equal
from runtime.problems.worked import Quantity, Worked, WorkedStep
from runtime.types import Problem
from trainer.data.errors import WEIGHTS, InjectionError, inject, inject_random
from trainer.data.errors.comments import explain_right
from trainer.data.errors.formulas import parse, used, write
from trainer.data.gsm8k import worked_from_gsm8k

KINDS = ("calculation", "logical", "accumulation", "unrelated", "other")
ANNOTATED = [
    (
        "Rosa picked 36 apples on Monday and half as many on Tuesday. She gave 12 apples away. How many are left?",
        "On Tuesday she picked 36/2 = <<36/2=18>>18 apples.\nIn all she picked 36+18 = <<36+18=54>>54 apples.\n"
        "She has 54-12 = <<54-12=42>>42 apples left.",
        "42",
    ),
    (
        "Each of 14 boxes holds 25 pencils. A school needs 400 pencils. How many pencils are missing?",
        "The boxes hold 14*25 = <<14*25=350>>350 pencils.\nThere are 400-350 = <<400-350=50>>50 pencils missing.",
        "50",
    ),
    (
        "A ticket costs $15 and a bag of popcorn $4.50. Ana buys 6 tickets and 2 bags. How much does she pay?",
        "The tickets cost 6*15 = $<<6*15=90>>90.\nThe popcorn costs 2*4.50 = $<<2*4.5=9>>9.\n"
        "She pays 90+9 = $<<90+9=99>>99.",
        "99",
    ),
    (
        "A coat costs $80. In the sale it is 15% off. How much does it cost in the sale?",
        "The discount is 80*15/100 = $<<80*15/100=12>>12.\nThe coat costs 80-12 = $<<80-12=68>>68.",
        "68",
    ),
    (
        "A machine makes 45 parts per minute. It runs for 3 hours. How many parts does it make?",
        "3 hours are 3*60 = <<3*60=180>>180 minutes.\nIt makes 180*45 = <<180*45=8100>>8100 parts.",
        "8100",
    ),
    (
        "Lena reads 18 pages every day for 21 days. Her book has 500 pages. How many pages are left?",
        "Lena reads 18*21 = <<18*21=378>>378 pages.\nThere are 500-378 = <<500-378=122>>122 pages left.",
        "122",
    ),
    (
        "There are 120 children in 5 classes of the same size. Each class gets 3 balls more than it has children. "
        "How many balls does a class get?",
        "Each class has 120/5 = <<120/5=24>>24 children.\nEach class gets 24+3 = <<24+3=27>>27 balls.",
        "27",
    ),
    (
        "A farmer has 48 hens and 16 ducks. Each hen lays 5 eggs per week. How many eggs do the hens lay in 4 weeks?",
        "In one week the hens lay 48*5 = <<48*5=240>>240 eggs.\nIn 4 weeks they lay 240*4 = <<240*4=960>>960 eggs.",
        "960",
    ),
]


def _worked(text: str, given: tuple[str, ...], formulas: tuple[str, ...], steps: tuple[str, ...]) -> Worked:
    """A hand-made problem; each step computes the quantity of the next formula, and "-" computes none."""
    quantities = [Quantity(value=Fraction(number)) for number in given]
    for formula in formulas:
        quantities.append(Quantity(value=parse(formula).value(quantities), formula=formula))
    numbers = iter(range(len(given), len(quantities)))
    made = tuple(
        WorkedStep(text=step.lstrip("- "), makes=None if step.startswith("-") else next(numbers)) for step in steps
    )
    answer = len(quantities) - 1
    problem = Problem(text=text, answer=quantities[answer].shown)
    return Worked(problem=problem, quantities=tuple(quantities), steps=made, answer=answer)


@cache
def problems() -> tuple[Worked, ...]:
    """Twelve: eight from GSM8K solutions, four made by hand."""
    annotated = [worked_from_gsm8k(Problem(text=text, answer=answer), solution) for text, solution, answer in ANNOTATED]
    by_hand = [
        _worked(
            "Noor has 24 red and 36 blue beads. She shares them among 5 friends and 30 cups. How many for each friend?",
            ("24", "36", "5", "30"),
            ("{0} + {1}", "{4} / {2}"),
            ("-Noor shares with {2} friends.", "She has {=4} beads.", "Each friend gets {=5} beads."),
        ),
        _worked(
            "A van drives 60 miles in the morning and 45 miles in the afternoon, on each of 12 days. "
            "A gallon is enough for 15 miles. How many gallons does it need?",
            ("60", "45", "12", "15"),
            ("({0} + {1}) × {2}", "{4} / {3}"),
            ("In {2} days it drives {=4} miles.", "For {4} miles it needs {=5} gallons."),
        ),
        _worked(
            "Ivo saves 13 dollars a week for 8 weeks and spends 29 dollars. Mia has twice as much. How much has Mia?",
            ("13", "8", "29"),
            ("{0} × {1}", "{3} - {2}", "2 × {4}"),
            ("Ivo saves {=3} dollars.", "He keeps {=4} dollars.", "Mia has {=5} dollars."),
        ),
        _worked(
            "Eva buys 3.5 pounds of nuts at 8 dollars per pound and 2 cakes at 11 dollars each. What does she pay?",
            ("3.5", "8", "2", "11"),
            ("{0} × {1}", "{2} × {3}", "{4} + {5}"),
            ("The nuts cost {=4} dollars.", "The cakes cost {=5} dollars.", "Eva pays {=6} dollars."),
        ),
    ]
    return (*annotated, *by_hand)


@cache
def attempts():
    """Every error type at every step of every problem, with a dozen seeds: (worked, step, injected)."""
    made = []
    for worked in problems():
        for step, kind, seed in product(range(len(worked.steps)), KINDS, range(12)):
            if injected := inject(worked, step, kind, seed):
                made.append((worked, step, kind, injected))
    return made


def numbers(text: str) -> set[Fraction]:
    return {Fraction(number.replace(",", "")) for number in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)}


def test_the_test_problems_are_right():
    for worked in problems():
        assert worked is not None
        assert equal(worked.result, worked.problem.answer)


@pytest.mark.rest
def test_every_label_matches_the_inserted_error():
    """The labels follow from the dependencies of the formulas, without reading the texts."""
    assert len(attempts()) >= 500
    for worked, step, kind, injected in attempts():
        skipped = len(worked.lines) - len(injected.lines)
        assert injected.kind == kind and injected.first_error == step - skipped
        assert injected.error_types[injected.first_error] == kind
        verdicts = injected.labels
        assert len(verdicts) == len(injected.lines) == len(injected.error_types)
        assert verdicts.index(False) == injected.first_error
        assert set(injected.lines[: injected.first_error]) <= set(worked.lines)
        for later in range(step + 1, len(worked.steps)):
            line, verdict = injected.lines[later - skipped], verdicts[later - skipped]
            assert verdict == (line == worked.lines[later])
            if not verdict:
                assert worked.steps[step].makes in ancestors(worked, worked.steps[later].makes)
        assert equal(injected.answer, worked.problem.answer) is False
        assert injected.answer in injected.lines[-1]


def ancestors(worked: Worked, quantity: int) -> set[int]:
    formula = worked.quantities[quantity].formula
    direct = used(parse(formula)) if formula else set()
    return direct.union(*(ancestors(worked, earlier) for earlier in direct))


def test_only_calculation_errors_make_false_equations():
    for _, _, kind, injected in attempts():
        found = [arithmetic.verdict(arithmetic.check(line)) for line in injected.lines]
        wrong = [i for i, verdict in enumerate(found) if verdict == "incorrect"]
        assert wrong == ([injected.first_error] if kind == "calculation" else [])


def test_comments_never_contain_the_answer():
    for worked, _, _, injected in attempts():
        known = numbers(" ".join((worked.problem.text, *injected.lines[: injected.first_error + 1])))
        answer = Fraction(worked.problem.answer)
        assert answer in known or answer not in numbers(injected.explanation), injected.explanation


def test_numbers_stay_plausible_and_no_step_mentions_a_mistake():
    for worked, _, _, injected in attempts():
        text = " ".join(injected.lines)
        assert not re.search(r"mistake|wrong|error|= -|[{}]", text)
        if all(quantity.value.denominator == 1 for quantity in worked.quantities):
            assert all(number.denominator == 1 for number in numbers(text))


def test_every_kind_is_possible_on_every_problem_with_two_calculations():
    possible = {(worked.problem.id, kind) for worked, _, kind, _ in attempts()}
    for worked in problems():
        assert {kind for kind in KINDS if (worked.problem.id, kind) in possible} >= {*KINDS} - {"accumulation"}


def test_a_seed_is_reproducible_and_seeds_differ():
    worked = problems()[0]
    assert inject_random(worked, 5) == inject_random(worked, 5)
    assert len({inject_random(worked, seed).lines for seed in range(20)}) > 8
    comments = {inject(worked, 1, "logical", seed).explanation for seed in range(30)}
    assert len(comments) > 8


@pytest.mark.rest
def test_a_random_injection_keeps_the_mix_and_reaches_every_step():
    made = [inject_random(worked, seed) for worked in problems() for seed in range(60)]
    share = {kind: count / len(made) for kind, count in Counter(injected.kind for injected in made).items()}
    assert all(abs(share[kind] - weight) < 0.08 for kind, weight in WEIGHTS.items()), share
    assert {injected.first_error for injected in made} == {0, 1, 2}


def test_a_step_left_out_is_missing_and_the_comment_names_it():
    worked = problems()[7]
    found = [inject(worked, 1, "other", seed) for seed in range(30)]
    skipped = [injected for injected in found if injected and len(injected.lines) == 1]
    assert skipped
    assert all(injected.first_error == 0 and "48 × 5" in injected.explanation for injected in skipped)


def test_a_wrongly_copied_result_was_right_in_the_step_before():
    worked = problems()[5]
    injected = inject(worked, 1, "accumulation", 1)
    assert injected.lines[0] == worked.lines[0]
    assert "378" not in injected.lines[1] and "378" in injected.explanation


def test_praise_mentions_only_numbers_known_at_the_step():
    for worked in problems():
        for step, seed in product(range(len(worked.steps)), range(8)):
            known = numbers(" ".join((worked.problem.text, *worked.lines[: step + 1]))) | {
                Fraction(i) for i in range(9)
            }
            comment = explain_right(worked, step, seed)
            assert comment == explain_right(worked, step, seed)
            assert numbers(comment) <= known
            assert "{" not in comment


def test_a_solution_without_a_calculation_is_refused():
    worked = _worked("Sam has 3 bags. How many bags?", ("3",), (), ("-Sam has {0} bags.",))
    assert inject(worked, 0, "logical", 1) is None
    with pytest.raises(InjectionError, match="calculate"):
        inject_random(worked, 1)


@pytest.mark.parametrize(
    "formula", ["{0} + {1} × 2", "({0} + {1}) × 2", "{0} - ({1} - 2)", "{0} / (2 × {1})", "{0} × {1} / 100"]
)
def test_a_formula_survives_a_round_trip(formula):
    assert write(parse(formula)) == formula
