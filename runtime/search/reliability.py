"""How likely a chosen answer is right, from the votes for it and a verifier's scores of those solutions.

A logistic function of two log-odds: that of the share of solutions that reach the answer, and that of the sum of their
scores in place of their number. Both are smoothed by half a vote, so that three of three say less than five of five.
The coefficients are fitted on development problems (`trainer.evaluation.reliability`) and stored in the card.
"""

from __future__ import annotations

import math

from runtime.models.adapter_cards import Reliability
from runtime.odds import sigmoid
from runtime.search.selection import Choice

SMOOTHING = 0.5


def share_odds(weight: float, n: int) -> float:
    """Log-odds of `weight` votes of `n`; each vote counts between 0 and 1."""
    return math.log((weight + SMOOTHING) / (n - weight + SMOOTHING))


def features(choice: Choice, n: int) -> dict[str, float]:
    """The numbers that the function weighs, of a choice among `n` solutions."""
    return {"votes": share_odds(choice.votes, n), "scores": share_odds(choice.weight, n)}


def likelihood(rule: Reliability, choice: Choice, n: int) -> float:
    """The probability that a choice among `n` solutions is right."""
    given = features(choice, n)
    return sigmoid(rule.constant + rule.votes * given["votes"] + rule.scores * given["scores"])
