"""How the witnesses are weighed: a logistic rule over what each of them says of a step.

A witness speaks in *signs*, numbers with a name. The log-odds that a step is right are a constant plus the weighted sum
of its signs; the weights are fitted on judged attempts (`trainer.weigh`), one set for every panel of witnesses, and
stand in the card of the voice that they were fitted with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from runtime.errors import SoliloquyError
from runtime.types import Value, Verdict

Sign = Literal[
    "word",  # log-odds of the verdict word
    "surprise",  # how far the least expected digit or sign lies below the expected one, in log-probability
    "agreement",  # share of the independent solutions that reach the attempt's answer
    "deviation",  # 1: none of them reaches it, and here is the first number that they never meet
    "approach",  # 1: none of them reaches it, and this step comes before such a number
    "program_agreement",  # share of the programs that reach the attempt's answer
    "program_deviation",
    "program_approach",
    "fall",  # 1: from here on completions no longer reach the most frequent answer
    "reach",  # share of the completions from here that reach it
]
SIGNS: tuple[Sign, ...] = get_args(Sign)
Signs = Mapping[Sign, float]


class WeightsError(SoliloquyError):
    """A file of weights cannot be used."""


class Weights(Value):
    """A fitted rule."""

    constant: float
    """Log-odds that a step is right where no sign says anything."""
    signs: dict[Sign, float] = Field(default_factory=dict)
    reject: float = Field(0.35, gt=0, lt=1)
    """Below this probability a step counts as incorrect; chosen on development attempts."""
    doubt: float = Field(0.5, gt=0, lt=1)
    """Below this one as unsure."""

    def probability(self, signs: Signs) -> float:
        """That a step is right."""
        return sigmoid(self.constant + sum(self.signs.get(name, 0.0) * value for name, value in signs.items()))

    def verdict(self, probability: float) -> Verdict:
        if probability < self.reject:
            return "incorrect"
        return "unsure" if probability < max(self.reject, self.doubt) else "correct"

    def hears(self, signs: Iterable[Sign]) -> bool:
        """Whether any of these signs weighs anything."""
        return any(self.signs.get(name) for name in signs)


_FILE = TypeAdapter(dict[str, Weights])


def read_weights(path: Path) -> dict[str, Weights]:
    """The weights of a file, by panel. Raises WeightsError."""
    try:
        return _FILE.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        said = str(error).splitlines()[0]
        raise WeightsError(f"{path} holds no weights ({said}). Make it with `python -m trainer weigh`.") from error


def write_weights(path: Path, fitted: Mapping[str, Weights]) -> None:
    path.write_bytes(_FILE.dump_json(dict(fitted), indent=1))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -500 else 0.0


def logit(p: float) -> float:
    p = min(max(p, 1e-9), 1 - 1e-9)
    return math.log(p / (1 - p))
