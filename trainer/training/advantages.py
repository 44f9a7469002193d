"""How much better than expected each token of a reply was, from the rewards of all its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean, pstdev


def gae(rewards: Sequence[float], values: Sequence[float], gamma: float, decay: float) -> list[float]:
    """Generalised advantage estimation (arXiv 1506.02438) of each token; `decay` is lambda. After the last token there
    is nothing to expect."""
    advantages, after, expected = [0.0] * len(rewards), 0.0, 0.0
    for place in reversed(range(len(rewards))):
        surprise = rewards[place] + gamma * expected - values[place]
        after = advantages[place] = surprise + gamma * decay * after
        expected = values[place]
    return advantages


def returns(rewards: Sequence[float], gamma: float) -> list[float]:
    """The discounted sum of the rewards from each token on."""
    return [*accumulate(reversed(rewards), lambda after, reward: reward + gamma * after)][::-1]


def against_group(group: Sequence[tuple[Sequence[float], Sequence[int]]]) -> list[list[float]]:
    """The return of each token less the mean return of the group's other replies from the same step on, or from their
    last step if they have fewer. `group` holds the returns of each reply, and the places at which its steps end. What
    is subtracted depends on nothing that the reply does from there on, so it changes no expected gradient."""
    begun = [
        [values[start] for start in (0, *(end + 1 for end in ends)) if start < len(values)] for values, ends in group
    ]
    advantages = []
    for number, (values, ends) in enumerate(group):
        others = [one for other, one in enumerate(begun) if other != number]
        expected = [fmean(one[min(step, len(one) - 1)] for one in others) for step in range(len(ends) + 1)]
        advantages.append([value - expected[sum(end < place for end in ends)] for place, value in enumerate(values)])
    return advantages


def whitened(advantages: Sequence[Sequence[float]]) -> list[list[float]]:
    """The same with mean 0 and standard deviation 1 over all tokens; zeros if all are equal."""
    every = [value for one in advantages for value in one]
    mean, spread = fmean(every), pstdev(every)
    return [[(value - mean) / spread if spread > 1e-8 else 0.0 for value in one] for one in advantages]
