"""Probabilities and their log-odds."""

from __future__ import annotations

import math


def sigmoid(log_odds: float) -> float:
    """The probability with these log-odds; any float is allowed."""
    return 1 / (1 + math.exp(-log_odds)) if log_odds > -500 else 0.0


def log_sigmoid(log_odds: float) -> float:
    """The logarithm of that probability, which does not vanish for improbable ones."""
    return min(log_odds, 0.0) - math.log1p(math.exp(-abs(log_odds)))
