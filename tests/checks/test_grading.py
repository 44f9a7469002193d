"""Equality of answers: a table of everyday notations, and the worker with threads, hangs and unusual callers."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from tables import table

from runtime.checks import algebra
from runtime.checks.grading import equal, grade
from runtime.types import Problem

SAME = [
    ("12", "12"),
    ("12", "12.0"),
    ("1,234", "1234"),
    ("1{,}234", "1234"),
    ("40 000", "40000"),
    ("$5", "5"),
    (r"\$5", "5"),
    ("5 dollars", "$5"),
    ("$5 dollars", "5"),
    ("$1,250.00", "1250"),
    ("£3.20", "3.2"),
    ("3.20 €", "€3.2"),
    ("12 元", "12"),
    ("14 dollars", "14"),
    ("18 km/h", "18"),
    ("18 km/h", "18 km per hour"),
    ("5 apples", "5"),
    ("5 m^2", "5"),
    ("3/4", "0.75"),
    ("1/2", "0.5"),
    (".5", "0.5"),
    ("1 1/2", "1.5"),
    ("1 1/2", "3/2"),
    (r"\frac{3}{4}", "3/4"),
    (r"\dfrac{3}{4}", "0.75"),
    (r"1\frac{1}{2}", "1.5"),
    ("50%", "0.5"),
    ("50 %", "1/2"),
    (r"50\%", "50%"),
    ("66.67%", "2/3"),
    ("12.", "12"),
    ("12。", "12"),
    (r"\boxed{12}", "12"),
    (r"$\boxed{\frac{1}{2}}$", "0.5"),
    ("#### 12", "12"),
    ("The answer is 12.", "12"),
    ("The final answer is: $12", "12"),
    ("答案是 12", "12"),
    ("答案：12 元", "12"),
    ("**12**", "12"),
    ("$12$", "12"),
    (r"\(12\)", "12"),
    ("１２", "12"),
    ("－５", "-5"),
    ("−5", "-5"),
    ("-$5", "-5"),
    ("$-5", "-5"),
    ("x = 4", "4"),
    ("y=-3", "-3"),
    ("4", "x = 4"),
    ("3:45", "3:45"),
    ("3:45 PM", "3:45 pm"),
    ("33.33", "100/3"),
    ("33.33", "33.333"),
    ("0.67", "2/3"),
    ("B", "(B)"),
    ("b", "B."),
    ("(C)", "C)"),
    ("Monday", "monday"),
    ("the  red Ball", "red ball"),
    (r"\text{even}", "even"),
    ("1 hour", "60 minutes"),
    ("500 cents", "$5"),
    ("2 m", "200 cm"),
    ("2.5 million", "2,500,000"),
    ("3 dozen", "36"),
    ("2^10", "1024"),
    ("(1, 2)", "(1,2)"),
    ("[1/2, 3]", "0.5, 3"),
    ("x^2 + 2x + 1", "(x+1)^2"),
    (r"\sqrt{2}", "sqrt(2)"),
    (r"2\pi", r"\pi \cdot 2"),
]
DIFFERENT = [
    ("12", "13"),
    ("12", "-12"),
    ("3", "3.4"),
    ("33.3", "100/3"),
    ("33.33", "33.34"),
    ("3.3", "3.33"),
    ("50%", "5"),
    ("50%", "50"),  # but see `matches`
    ("50%", "51%"),
    ("1/2", "1/3"),
    ("1,234", "1.234"),
    ("3 hours", "3 minutes"),
    ("5 kg", "5 m"),
    ("18 km/h", "18 km"),
    ("5 dollars", "5 cents"),
    ("10 am", "10 pm"),
    ("3:45", "4:45"),
    ("A", "B"),
    ("Monday", "Tuesday"),
    ("even", "odd"),
    ("2x", "2y"),
    ("(1, 2)", "(2, 1)"),
    ("3 hours 20 minutes", "3 hours"),
]
UNJUDGED = [("", "12"), ("12", ""), ("12", " . "), ("twelve", "12"), ("1" * 2000, "1")]


@table(("a", "b"), SAME)
def test_equal_answers_are_graded_right(a, b):
    assert equal(a, b) is True
    assert equal(b, a) is True


@table(("a", "b"), DIFFERENT)
def test_different_answers_are_graded_wrong(a, b):
    assert equal(a, b) is False
    assert equal(b, a) is False


@pytest.mark.parametrize(("a", "b"), UNJUDGED)
def test_undecidable_answers_are_not_graded(a, b):
    assert equal(a, b) is None


def test_without_a_reference_or_an_answer_there_is_no_grade():
    assert grade("12", Problem(text="?")) is None
    assert grade(None, Problem(text="?", answer="12")) is None
    assert grade("$12", Problem(text="?", answer="12")) is True


NUMBERS = st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=500)


@given(NUMBERS)
@settings(max_examples=200, deadline=None)
def test_a_fraction_equals_itself_in_other_notation(number):
    plain = f"{number.numerator}/{number.denominator}"
    assert equal(plain, rf"The answer is \boxed{{{plain}}}.")
    assert equal(f"{number.numerator * 3}/{number.denominator * 3}", plain)


@given(st.integers(-(10**9), 10**9), st.integers(1, 1000))
@settings(max_examples=200, deadline=None)
def test_other_whole_numbers_are_never_equal(number, off):
    assert equal(f"{number:,}", f"${number}") is True
    assert equal(f"{number} apples", f"{number + off}") is False


@pytest.mark.rest
def test_many_threads_may_compare_at_once():
    pairs = [(f"x^2 + {n}x", f"x(x+{n})") for n in range(1, 17)] + [(f"x + {n}", f"x - {n}") for n in range(1, 17)]
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(lambda pair: equal(*pair), pairs)) == [True] * 16 + [False] * 16


def test_a_hanging_comparison_ends_at_the_deadline_and_the_next_one_works():
    assert equal("x+x", "2x") is True
    process = algebra.WORKER.process
    started = time.monotonic()
    assert algebra.equal("9^{9^{9^{9}}}", "7y") is None
    assert time.monotonic() - started < algebra.DEADLINE + 1
    assert process.poll() is not None
    assert equal("x+x", "2x") is True


@pytest.mark.rest
def test_a_script_without_a_main_guard_can_grade_and_leaves_no_process_behind(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "print('started')\n"
        "import threading\n"
        "from runtime.checks import algebra, grading\n"
        "thread = threading.Thread(target=lambda: print(grading.equal('x+x', '2x')))\n"
        "thread.start(); thread.join(); print(algebra.WORKER.process.pid)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    started, judged, worker = done.stdout.split()
    assert (started, judged) == ("started", "True")
    if sys.platform == "linux":
        assert not Path(f"/proc/{worker}").exists()


def test_everyday_answers_are_graded_without_the_worker(monkeypatch):
    monkeypatch.setattr(algebra.WORKER, "ask", lambda *_: pytest.fail("asked"))
    assert equal("$1,234.50", "1234.5 dollars") is True
    assert equal("Saturday", "Sunday") is False
