"""How many threads the next decoding step should use, judged by how long the last ones took.

llama.cpp's threads wait for each other in every layer, so when another program takes a core the whole step waits for
the thread that lost it: two threads can then be many times slower than one. Nothing tells of other programs but time
itself. So steps that take much longer than steps of their size did start an experiment, in which the other numbers of
threads get a few steps each and the fastest is kept; and a number below the most is questioned again at growing
distances, because only trying shows that the cores are free again. This file knows nothing of llama.cpp and has no
clock: time is the sum of the seconds it is told.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

SLOW = 2.0
"""So many times the best known seconds is slow. Long contexts and noise stay below."""
GAIN = 0.9
"""A number of threads replaces another only if it needs at most this share of the time."""
TRIAL = 3
"""Steps that a number of threads gets in an experiment, and that are needed to call the present one slow."""
WINDOW = 8
"""Steps that the present speed is judged by."""
FIRST_LOOK = 1.0
"""Seconds after which the other numbers of threads are tried once, if WINDOW steps did not come before."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds between experiments. Each doubles the pause; a calm time as long as the longest one makes it short again."""


class Governor:
    """Tell it every step, and use the threads it answers for the next one.

    `choices` are the numbers of threads it may use, `threads` the one to begin with.
    """

    def __init__(self, choices: Sequence[int], threads: int) -> None:
        self.choices = sorted({*choices, threads}, reverse=True)
        self.threads = threads
        self._best: dict[int, float] = {}
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._experiment: _Experiment | None = None
        self._looked_around = False
        self._now = self._not_before = self._calm_since = 0.0
        self._pause = SHORTEST_PAUSE

    def step(self, tokens: int, seconds: float) -> int:
        """A step of `tokens` tokens took `seconds` with the last answer; the threads for the next step."""
        self._now += seconds
        cost = self._cost(tokens, seconds)
        if cost is not None and len(self.choices) > 1:
            if self._experiment:
                self._go_on(self._experiment, cost)
            else:
                self._recent.append(cost)
                self._begin_if_due()
        return self._experiment.threads if self._experiment else self.threads

    def _cost(self, tokens: int, seconds: float) -> float | None:
        """Seconds as a multiple of the best for this size; None for the first step of a size. Sizes are told apart by
        half powers of two: within one, even a step that is all arithmetic varies by less than SLOW."""
        size = round(2 * math.log2(max(tokens, 1)))
        known = self._best.get(size)
        self._best[size] = max(seconds if known is None else min(known, seconds), 1e-6)
        return None if known is None else seconds / self._best[size]

    def _begin_if_due(self) -> None:
        at_most, cost = self.threads == self.choices[0], self._present_cost()
        slow = cost > SLOW and len(self._recent) >= TRIAL
        if slow or not at_most:
            self._calm_since = self._now
        elif self._now - self._calm_since >= LONGEST_PAUSE:
            self._pause = SHORTEST_PAUSE
        # Once without a reason: what the machine could do is not known if it was busy from the start.
        first_look = not self._looked_around and (len(self._recent) == WINDOW or self._now > FIRST_LOOK)
        due = self._now >= self._not_before and len(self._recent) >= TRIAL
        if first_look or (due and (slow or not at_most)):
            self._looked_around = True
            self._experiment = _Experiment(self.threads, cost, [n for n in self.choices if n != self.threads])

    def _present_cost(self) -> float:
        """The mean of the last steps without the slowest, which may be a hiccup that means nothing."""
        counted = sorted(self._recent)[:-1] or self._recent
        return sum(counted) / len(counted)

    def _go_on(self, experiment: _Experiment, cost: float) -> None:
        experiment.add(cost)
        if experiment.left:
            return
        won_the_most = experiment.winner != self.threads and experiment.winner == self.choices[0]
        self.threads, self._experiment = experiment.winner, None
        self._recent.clear()
        # Back at the most, slow steps must count at once: it may have won by a lucky moment.
        self._not_before = self._now + (0.0 if won_the_most else self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)


class _Experiment:
    """Other numbers of threads, some steps each; one that cannot win any more is left at once."""

    def __init__(self, threads: int, cost: float, others: list[int]) -> None:
        self.winner, self.lowest, self.left = threads, cost, others
        self._costs: list[float] = []

    @property
    def threads(self) -> int:
        return self.left[0]

    def add(self, cost: float) -> None:
        self._costs.append(cost)
        if sum(self._costs) > TRIAL * GAIN * self.lowest:
            self._next()
        elif len(self._costs) == TRIAL:
            self.winner, self.lowest = self.threads, sum(self._costs) / TRIAL
            self._next()

    def _next(self) -> None:
        self._costs = []
        self.left = self.left[1:]
