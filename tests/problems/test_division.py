"""Which problems are kept apart, and how many corrections are missing."""

from runtime.problems.division import LEARN, TEST, TESTED, Shortage, kept_apart, shortage
from runtime.types import Problem

PROBLEMS = [Problem(text=f"What is {number} + 1?") for number in range(200)]
APART = [problem for problem in PROBLEMS if kept_apart(problem, TESTED)]
OTHERS = [problem for problem in PROBLEMS if not kept_apart(problem, TESTED)]


def test_the_division_depends_on_the_words_alone_and_a_larger_share_keeps_what_a_smaller_one_keeps():
    assert {problem.text for problem in PROBLEMS if kept_apart(problem)} < {problem.text for problem in APART}
    assert 0.3 < len(APART) / len(PROBLEMS) < 0.5
    respelt = [Problem(text=f"  what is {number} +  1?", answer="9", source="elsewhere") for number in range(200)]
    assert [kept_apart(problem, TESTED) for problem in respelt] == [kept_apart(one, TESTED) for one in PROBLEMS]


def test_corrections_to_learn_from_count_each_and_those_to_test_on_count_by_problem():
    assert shortage([]) == Shortage(LEARN, TEST)
    assert shortage([OTHERS[0]] * LEARN + [APART[0]] * 9) == Shortage(0, TEST - 1)
    assert shortage(OTHERS[:3] + APART[:TEST]) == Shortage(LEARN - 3, 0)
    assert shortage(OTHERS[:LEARN] + APART[:TEST]).total == 0
