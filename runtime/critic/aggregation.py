"""The fitted rule: a logistic regression over the features of each step.

The log-odds that a step is right, if those before it are, are a constant plus the weighted sum of its features. The
weights are fitted on judged attempts (`trainer.evaluation.calibrate`), once for every depth and every set of sources,
and are stored in the card of the adapter that they were fitted for.

An attempt is right only if all its steps are, so their probabilities are multiplied. Several doubtful steps are thus as
good a reason to reject it as one bad step, and the error named is the likeliest first one, which is often earlier than
the step at which the product falls below the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field, TypeAdapter, ValidationError, field_validator

from runtime.critic.evidence import FEATURES
from runtime.errors import SoliloquyError
from runtime.files import write_whole
from runtime.models.adapter_cards import AdapterCard
from runtime.odds import sigmoid
from runtime.types import Value, Verdict, source_name

Features = Mapping[str, float]
FORMER_FEATURES = {"word": "verdict", "surprise": "surprisal"}
"""Features by the names under which the last release stored their weights."""
REMOVED_FEATURES = {"program_agreement", "program_deviation", "program_approach", "fall", "reach"}
"""Features of the last release that no source computes any more; rules that use one are left out when read."""


class AggregationError(SoliloquyError):
    """A file of weights cannot be used."""


class Aggregation(Value):
    """A fitted rule."""

    constant: float
    """Log-odds that a step is right where no feature is known."""
    features: dict[str, float] = Field(default_factory=dict, validation_alias=AliasChoices("features", "signs"))
    """The weight of each feature."""
    reject: float = Field(default=0.35, gt=0, lt=1)
    """Below this probability that all its steps are right an attempt is rejected; chosen on development attempts."""
    doubt: float = Field(default=0.5, gt=0, lt=1)
    """Below this probability of its own a step that is not the error counts as unsure."""

    @field_validator("features", mode="before")
    @classmethod
    def _renamed(cls, features: Any) -> Any:
        if not isinstance(features, Mapping):
            return features
        return {FORMER_FEATURES.get(name, name): weight for name, weight in features.items()}

    @field_validator("features")
    @classmethod
    def _known(cls, features: dict[str, float]) -> dict[str, float]:
        if unknown := features.keys() - {*FEATURES} - REMOVED_FEATURES:
            raise ValueError(f"no source of evidence has the features {', '.join(sorted(unknown))}")
        return features

    def probability(self, features: Features) -> float:
        """Probability that a step is right, if those before it are."""
        return sigmoid(self.constant + sum(self.features.get(name, 0.0) * value for name, value in features.items()))

    def first_error(self, steps: Iterable[float | None]) -> int | None:
        """Index of the likeliest first error once the product of `steps` falls below `reject`; None until then.
        `steps` are probabilities that a step is right, if those before it are; None: nothing is known of it."""
        all_right, first = 1.0, []
        for p in steps:
            first.append(all_right * (1 - (1.0 if p is None else p)))
            all_right -= first[-1]
            if all_right < self.reject:
                return max(range(len(first)), key=first.__getitem__)
        return None

    def verdict(self, probability: float) -> Verdict:
        """The verdict on a step that is not the error."""
        return "unsure" if probability < self.doubt else "correct"

    def uses(self, features: Iterable[str]) -> bool:
        """Whether any of these features has a weight."""
        return any(self.features.get(name) for name in features)


def _usable(fitted: dict[str, Aggregation]) -> dict[str, Aggregation]:
    return {name: rule for name, rule in fitted.items() if REMOVED_FEATURES.isdisjoint(rule.features)}


_FILE = TypeAdapter(Annotated[dict[str, Aggregation], AfterValidator(_usable)])


def read_weights(path: Path) -> dict[str, Aggregation]:
    """The weights of a file, by depth or set of sources. Raises AggregationError."""
    try:
        fitted = _FILE.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        cause = str(error).splitlines()[0]
        remedy = "Make it with `python -m trainer calibrate`."
        raise AggregationError(f"{path} holds no weights ({cause}). {remedy}") from error
    return {" ".join(map(source_name, name.split())): rule for name, rule in fitted.items()}


def fitted_with(card: AdapterCard) -> dict[str, Aggregation]:
    """The weights on the card of a trained critic or verifier, by depth. Raises AggregationError."""
    try:
        return _FILE.validate_python(card.aggregation)
    except ValidationError as error:
        cause = str(error).splitlines()[0]
        raise AggregationError(f"The card of {card.version} holds no weights ({cause}).") from error


def write_weights(path: Path, fitted: Mapping[str, Aggregation]) -> None:
    write_whole(path, _FILE.dump_json(dict(fitted), indent=1))
