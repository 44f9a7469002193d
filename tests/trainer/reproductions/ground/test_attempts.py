"""The mixture of errors: its rates are those planned, and a critique changes only the step that it blames."""

import random
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import islice

import pytest

from runtime.checks import arithmetic
from runtime.types import content_hash
from trainer.reproductions.ground.attempts import KINDS, MIXTURE, USE, Mixture, drawn, rewritten
from trainer.reproductions.ground.diagnosis import by_first_error, diagnose
from trainer.reproductions.ground.problems import level_of, stream
from trainer.statistics import wilson

PROBLEMS = list(islice(stream(1), 600))


@pytest.fixture(scope="module")
def attempts():
    rng = random.Random(0)
    return [drawn(worked, rng) for worked in PROBLEMS]


def test_errors_are_as_frequent_as_planned(attempts):
    errors, steps = Counter(), Counter()
    for attempt in attempts:
        errors[level_of(attempt.worked)] += len(attempt.errors)
        steps[level_of(attempt.worked)] += len(attempt.worked.steps)
    for level, rate in enumerate(MIXTURE.rates):
        low, high = wilson(errors[level], steps[level])
        assert low - 0.03 <= rate <= high + 0.03, level


def test_every_kind_of_error_occurs_and_a_trap_is_mostly_a_wrong_operation(attempts):
    kinds = defaultdict(Counter)
    for attempt in attempts:
        kinds[level_of(attempt.worked)].update(error.kind for error in attempt.errors.values())
    assert set(kinds[3]) == set(KINDS)
    assert kinds[4]["operation"] > 0.5 * kinds[4].total() > kinds[3]["operation"]


def test_the_mixture_is_frozen(attempts):
    """A change of an injected error, of a wording or of a rate changes the ground: it then needs new actors."""
    texts = [
        text
        for attempt in attempts[:200]
        for text in (*attempt.lines, attempt.comment(attempt.first_error or 0, random.Random(0)))
    ]
    assert content_hash(*texts) == "cd93e2e5af6083e5"


def test_everything_after_an_error_follows_from_it(attempts):
    for attempt in attempts[:200]:
        false = [arithmetic.verdict(arithmetic.check(line)) == "incorrect" for line in attempt.lines]
        slips = [attempt.errors[step].kind == "slip" if step in attempt.errors else False for step in attempt.written]
        assert false == slips
        assert attempt.lines[-1].split(" = ")[1].split(" ")[0] == attempt.carried.result


def test_a_diagnosis_finds_the_first_error_and_its_kind(attempts):
    wrong = [attempt for attempt in attempts[:150] if attempt.errors]
    found = [diagnose(attempt.worked, attempt.lines) for attempt in wrong]
    assert [one.place for one in found] == [attempt.first_error for attempt in wrong]
    kinds = [attempt.errors[min(attempt.errors)].kind for attempt in wrong]
    assert sum(one.kind == kind for one, kind in zip(found, kinds, strict=True)) > 0.95 * len(wrong)
    for attempt, one in zip(wrong, found, strict=True):
        answer = attempt.worked.result
        known = attempt.worked.problem.text + "".join(attempt.lines[: one.place + 1])
        assert one.comment and (answer in known or answer not in one.comment)
    right = [attempt for attempt in attempts[:100] if not attempt.errors]
    assert all(diagnose(attempt.worked, attempt.lines) is None for attempt in right)


def test_a_critique_changes_the_blamed_step_and_nothing_else(attempts):
    sure = replace(USE, mends={"reason": 1.0, "place": 1.0}, spoils={"reason": 0.0, "place": 0.0})
    rng = random.Random(1)
    for attempt in [one for one in attempts if one.errors][:60]:
        place = attempt.first_error
        mended = rewritten(attempt, "reason", place, rng, use=sure)
        assert set(mended.errors) <= set(attempt.errors) - {min(attempt.errors)}  # a later one may fit no longer
        for line in range(len(attempt.lines)):
            if attempt.written[line] not in attempt.errors:
                assert rewritten(attempt, "place", line, rng, use=sure).lines == attempt.lines


def test_a_right_step_can_be_spoilt_by_a_critique(attempts):
    rng = random.Random(2)
    right = [attempt for attempt in attempts if not attempt.errors][:150]
    spoilt = [bool(rewritten(attempt, "reason", 0, rng).errors) for attempt in right]
    low, high = wilson(sum(spoilt), len(spoilt))
    assert low - 0.02 <= USE.spoils["reason"] <= high + 0.02


def test_without_a_critique_an_attempt_is_mostly_repeated(attempts):
    rng = random.Random(3)
    again = [rewritten(attempt, "nothing", 0, rng) for attempt in attempts]
    assert 0.02 < sum(one is not other for one, other in zip(again, attempts, strict=True)) / len(attempts) < 0.2
    assert abs(sum(one.right for one in again) - sum(one.right for one in attempts)) < 0.03 * len(attempts)
    assert all(rewritten(attempt, "accepted", 0, rng) is attempt for attempt in attempts[:50])


def test_a_rate_for_every_level_is_needed():
    with pytest.raises(ValueError, match="5 levels"):
        Mixture(rates=(0.1, 0.2))


def test_a_judge_that_knows_the_first_error_scores_the_steps_before_it(attempts):
    judge = by_first_error(PROBLEMS)
    for attempt in attempts[:100]:
        scores = judge(None, attempt.worked.problem, attempt.lines)
        place = attempt.first_error if attempt.errors else len(attempt.lines)
        assert scores == [float(step < place) for step in range(len(attempt.lines))]
