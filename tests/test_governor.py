"""The governor against machines whose seconds are computed, not waited for."""

import itertools
import random
import time

import pytest

from runtime.engines.llamacpp.governor import TRIAL, Governor

STEP = 0.02
"""Seconds of a step of one token with all threads of a quiet machine."""


def quiet(threads, most=2):
    """Threads share the work; a fifth of it cannot be shared."""
    return STEP * (0.2 + 0.8 * most / threads)


def stolen(threads, most=2):
    """Other programs run on every core: one thread keeps most of a core, several wait for the slowest of them."""
    return quiet(threads, most) * (1.3 if threads == 1 else 10.0)


def work(tokens):
    """A batch costs little more per step up to four tokens, then as much as its arithmetic."""
    return max(1.0, tokens / 4)


def run(governor, machine, seconds, tokens=lambda: 1, noise=lambda: 1.0):
    """Decode for some simulated seconds; returns [(time, threads used)]."""
    used, now, threads = [], 0.0, governor.threads
    while now < seconds:
        count = tokens()
        took = machine(threads) * work(count) * noise()
        used.append((now, threads))
        now += took
        threads = governor.step(count, took)
    return used


def switches(used):
    return sum(a[1] != b[1] for a, b in itertools.pairwise(used))


def share(used, threads):
    return sum(n == threads for _, n in used) / len(used)


def test_a_quiet_machine_is_looked_at_once_and_then_left_alone():
    used = run(Governor([2, 1], 2), quiet, 60)
    assert sum(n != 2 for _, n in used) <= TRIAL
    assert switches(used) == 2


def test_a_single_core_has_nothing_to_choose():
    assert {n for _, n in run(Governor([1], 1), stolen, 5)} == {1}


@pytest.mark.parametrize(("choices", "noticed_within"), [([2, 1], 1.0), ([8, 7, 4, 1], 2.5)])
def test_stolen_cores_are_noticed_within_a_second_and_their_return_within_seconds(choices, noticed_within):
    most = choices[0]
    governor = Governor(choices, most)
    run(governor, lambda threads: quiet(threads, most), 10)
    during = run(governor, lambda threads: stolen(threads, most), 60)
    assert next(now for now, n in during if n == 1) < noticed_within
    assert share([row for row in during if row[0] > 8], 1) > 0.75
    after = run(governor, lambda threads: quiet(threads, most), 30)
    back = next(now for now, n in after[TRIAL:] if n == most)
    assert back < 10
    assert share([row for row in after if row[0] > back + 1], most) > 0.98


def test_one_stolen_core_of_eight_costs_one_thread():
    governor = Governor([8, 7, 4, 1], 8)
    run(governor, lambda threads: quiet(threads, 8), 5)
    used = run(governor, lambda threads: quiet(threads, 8) * (2.5 if threads == 8 else 1.0), 20)
    assert share(used, 7) > 0.9


def test_a_machine_that_was_busy_from_the_start_is_understood():
    used = run(Governor([2, 1], 2), stolen, 20)
    assert next(now for now, n in used if n == 1) < 2.5
    assert share(used, 1) > 0.9


def test_steps_of_seconds_are_not_waited_for_many_times():
    """Measured with two busy loops and threads that spin for long: two seconds a step."""
    used = run(Governor([2, 1], 2), lambda threads: quiet(threads) * (1.3 if threads == 1 else 100.0), 20)
    assert next(now for now, n in used if n == 1) < 5
    assert share(used, 1) > 0.9


def test_threads_that_were_too_few_at_the_start_grow():
    used = run(Governor([2, 1], 1), quiet, 20)
    assert next(now for now, n in used if n == 2) < 1.0
    assert share(used, 2) > 0.95


def test_it_costs_little_against_the_best_choice_known_in_advance():
    governor, random_source = Governor([2, 1], 2), random.Random(0)

    def erratic(threads):
        """What was measured with two busy loops: two threads take 2 to 20 times as long, one about 1.2 times."""
        return quiet(threads) * (random_source.uniform(2, 20) if threads == 2 else random_source.uniform(1.0, 1.4))

    run(governor, quiet, 5)
    used = run(governor, erratic, 60)
    steps_at_best = 60 / (quiet(1) * 1.2)
    assert len(used) > 0.85 * steps_at_best


def test_noise_changes_nothing_for_long():
    source = random.Random(1)

    def noise():
        return source.lognormvariate(0, 0.2) * (5 if source.random() < 0.03 else 1)

    used = run(Governor([2, 1], 2), quiet, 120, noise=noise)
    assert share(used, 2) > 0.97
    assert switches(used) < 80


def test_batches_of_all_sizes_do_not_look_like_a_busy_machine():
    source = random.Random(2)
    governor = Governor([2, 1], 2)
    used = run(governor, quiet, 120, tokens=lambda: source.choice([1, 2, 3, 9, 16, 31, 64, 130, 144]))
    assert share(used[50:], 2) > 0.99
    during = run(governor, stolen, 60, tokens=lambda: source.choice([1, 16, 130]))
    assert share(during[20:], 1) > 0.9


def test_a_context_that_grows_slower_does_not_drive_it_to_and_fro():
    governor, length = Governor([2, 1], 2), iter(range(1, 10**6))
    used = run(governor, lambda threads: quiet(threads) * (1 + next(length) / 500), 120)
    assert share(used, 2) > 0.97


def test_it_answers_in_microseconds():
    governor = Governor([8, 7, 4, 1], 8)
    started = time.process_time()
    for i in range(20_000):
        governor.step(1 + i % 64, 0.02)
    assert (time.process_time() - started) / 20_000 < 50e-6
