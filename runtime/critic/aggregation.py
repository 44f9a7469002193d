"""How the witnesses are weighed: a logistic rule over what each of them says of a step.

A witness speaks in *signs*, numbers with a name. The log-odds that a step is right, if those before it are, are a
constant plus the weighted sum of its signs; the weights are fitted on judged attempts
(`trainer.evaluation.calibrate`), one set for every panel of witnesses, and stand in the card of the voice that they
were fitted with.

An attempt is right only if all its steps are, so their probabilities are multiplied: several doubtful steps are as good
a reason to object as one bad one, and the step to blame is the likeliest first error, which often comes before the one
at which the doubt becomes too great.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from runtime.errors import SoliloquyError
from runtime.files import write_whole
from runtime.models.adapter_cards import AdapterCard
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
    """Below this probability that all steps are right an attempt counts as wrong; chosen on development attempts."""
    doubt: float = Field(0.5, gt=0, lt=1)
    """Below this one of its own a step that is not blamed counts as unsure."""

    def probability(self, signs: Signs) -> float:
        """That a step is right, if those before it are."""
        return sigmoid(self.constant + sum(self.signs.get(name, 0.0) * value for name, value in signs.items()))

    def first_error(self, steps: Iterable[float | None]) -> int | None:
        """The place of the likeliest first error, as soon as it is too likely that there is one; None until then. Of
        each step the probability that it is right, if those before it are; None: nobody says anything of it."""
        all_right, first = 1.0, []
        for p in steps:
            first.append(all_right * (1 - (1.0 if p is None else p)))
            all_right -= first[-1]
            if all_right < self.reject:
                return max(range(len(first)), key=first.__getitem__)
        return None

    def verdict(self, probability: float) -> Verdict:
        """On a step that is not blamed."""
        return "unsure" if probability < self.doubt else "correct"

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


def fitted_with(card: AdapterCard) -> dict[str, Weights]:
    """The weights on the card of a trained critic, by panel. Raises WeightsError."""
    try:
        return _FILE.validate_python(card.join)
    except ValidationError as error:
        raise WeightsError(f"The card of {card.version} holds no weights ({str(error).splitlines()[0]}).") from error


def write_weights(path: Path, fitted: Mapping[str, Weights]) -> None:
    write_whole(path, _FILE.dump_json(dict(fitted), indent=1))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -500 else 0.0


def logit(p: float) -> float:
    p = min(max(p, 1e-9), 1 - 1e-9)
    return math.log(p / (1 - p))
