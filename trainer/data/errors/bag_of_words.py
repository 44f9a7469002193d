"""Does its wording give an inserted error away? (`python -m trainer bag-of-words`)

A bag of words, which knows nothing of the problem, has to tell the injected steps of one kind from right steps. If it
can, a critic trained on them learns the manner of the generator instead of mathematics, so a kind is fit for training
only if the area under the curve stays below `LARGEST_AUC`. All numbers are one word, as a wrong number is the error
itself; the signs of operations are words.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runtime.problems.worked import Worked
from trainer.data.errors import FAULTS, ErrorType, Faults, faults, inject_one_of, misreadings
from trainer.data.errors.scene import scene_of
from trainer.statistics import auc, ridge_logistic

LARGEST_AUC = 0.65
IDEAS: Mapping[str, tuple[ErrorType, Faults]] = {
    **{kind: (kind, source) for kind, source in FAULTS.items()},
    "logical: another operation": ("logical", faults.other_signs),
    "logical: another number": ("logical", faults.other_numbers),
    "logical: a number left out": ("logical", faults.left_out),
    "other: a number misread": ("other", misreadings.misread),
    "other: a percentage taken whole": ("other", misreadings.percent_as_whole),
    "other: a wrong unit": ("other", misreadings.wrong_unit),
    "other: a step left out": ("other", misreadings.skipped_step),
}
"""Each kind of error, and each idea within the kinds that have several."""
_FOLDS = 5
_RIDGE = 1.0
_LEAST_SEEN = 3
"""Steps in which a word must occur to be a feature."""
_TOKEN = re.compile(r"(?P<number>\d[\d.,/]*)|[^\W\d_]+(?:'[^\W\d_]+)?|[+×/=%$-]")


@dataclass(frozen=True)
class Telling:
    """How well a bag of words tells the injected steps of one kind from right ones (areas under the ROC curve)."""

    kind: str
    n: int
    """Injected steps; as many right ones are compared with them."""
    any_step: float
    """Against right steps of other problems: all that a critic in training can pick up, also that a kind of error
    occurs only in certain places."""
    same_steps: float
    """Against the very steps that they replace: what the injection does to the words."""


def telling(problems: Sequence[Worked], seed: int = 0, kinds: Iterable[str] = IDEAS) -> list[Telling]:
    """The figures of each kind that fits at least `_FOLDS` problems. Errors go into every second problem, the other
    right steps come from the rest."""
    dice, found = random.Random(seed), []
    others = [worked.lines[step] for worked in problems[1::2] for step in _calculating(worked)]
    for name in kinds:
        pairs = [pair for worked in problems[::2] if (pair := _injected(worked, *IDEAS[name], dice, seed))]
        n = min(len(pairs), len(others))
        if n >= _FOLDS:
            wrong, right = zip(*pairs[:n], strict=True)
            figures = recognised(wrong, dice.sample(others, n)), recognised(wrong, right)
            found.append(Telling(name, n, *figures))
    return found


def recognised(wrong: Sequence[str], right: Sequence[str]) -> float:
    """Area under the curve of the classifier between two equally long lists of steps, cross-validated. Steps with the
    same index share a fold."""
    x, y = bags([*wrong, *right]), np.repeat([1.0, 0.0], len(wrong))
    scores, fold = np.zeros(len(y)), np.tile(np.arange(len(wrong)) % _FOLDS, 2)
    for part in range(_FOLDS):
        learned, held_out = fold != part, fold == part
        weights = ridge_logistic(x[learned], y[learned], _RIDGE)
        scores[held_out] = weights[0] + x[held_out] @ weights[1:]
    return auc(scores.tolist(), (y == 1).tolist())


def bags(steps: Sequence[str]) -> np.ndarray:
    """How often each word occurs in each step: shape (steps, words)."""
    counts = [Counter(_words(step)) for step in steps]
    seen = Counter(word for count in counts for word in count)
    columns = {word: i for i, word in enumerate(sorted(word for word, n in seen.items() if n >= _LEAST_SEEN))}
    x = np.zeros((len(steps), len(columns)))
    for row, count in enumerate(counts):
        for word, n in count.items():
            if word in columns:
                x[row, columns[word]] = n
    return x


def _words(step: str) -> list[str]:
    return ["#" if token["number"] else token[0].lower() for token in _TOKEN.finditer(step)]


def _calculating(worked: Worked) -> list[int]:
    return [step for step in range(len(worked.steps)) if scene_of(worked, step, random.Random(0))]


def _injected(
    worked: Worked, kind: ErrorType, source: Faults, dice: random.Random, seed: int
) -> tuple[str, str] | None:
    """The wrong step at a random place where the error is possible, and the right step there."""
    for step in dice.sample(range(len(worked.steps)), len(worked.steps)):
        if made := inject_one_of(source, worked, step, kind, seed):
            return made.lines[made.first_error], worked.lines[step]
    return None
