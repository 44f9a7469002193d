"""The ground's problems: small, solved exactly, and never in both splits."""

from collections import Counter
from itertools import islice

from runtime.checks import arithmetic
from runtime.checks.grading import grade
from trainer.reproductions.ground.problems import LARGEST, LEVELS, generate, level_of, stream

PROBLEMS = list(islice(stream(1), 200))


def test_every_solution_is_exact_and_small():
    for worked in PROBLEMS:
        assert 1 <= len(worked.steps) <= 3
        assert all(arithmetic.verdict(arithmetic.check(line)) == "correct" for line in worked.lines)
        assert all(2 <= quantity.value <= LARGEST for quantity in worked.quantities)
        assert grade(worked.result, worked.problem) is True
        assert worked.problem.text.endswith("?") and worked.unit in worked.problem.text


def test_every_level_and_length_occurs():
    assert set(map(level_of, PROBLEMS)) == set(range(LEVELS))
    lengths = Counter(len(worked.steps) for worked in PROBLEMS)
    assert lengths[2] > lengths[3] > lengths[1] > 10


def test_a_problem_depends_on_its_seed_and_number_only():
    assert list(islice(stream(1), 20)) == PROBLEMS[:20]
    assert list(islice(stream(2), 20)) != PROBLEMS[:20]


def test_each_number_belongs_to_one_split():
    both = [(generate(3, number, "train"), generate(3, number, "test")) for number in range(100)]
    assert all((one is None) != (other is None) for one, other in both)
    assert 8 < sum(other is not None for _, other in both) < 35
    learned = {worked.problem.id for worked in islice(stream(4), 300)}
    assert learned.isdisjoint(worked.problem.id for worked in islice(stream(4, "test"), 100))
