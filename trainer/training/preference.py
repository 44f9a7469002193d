"""The loss of preference training: DPO (arXiv 2305.18290) on two ways to go on from the same beginning.

    -log sigmoid(beta * [(log p(chosen) - log ref(chosen)) - (log p(rejected) - log ref(rejected))])

Log-probabilities are sums over the tokens of the continuations alone. With one step of each it is Step-DPO
(arXiv 2406.18629); its newline counts as the step's, and no end token is learned in the middle of a solution. With
whole continuations it is DPO: a beginning that both share cancels. `ref` is the model that the training starts from,
with its adapter if there is one; its log-probabilities are computed once and kept in the run's folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from peft import PeftModel
from torch.nn.functional import logsigmoid

from trainer.data.rows import PairExample
from trainer.runs import ResultFile
from trainer.training.chunked_loss import token_losses
from trainer.training.modelling import Batch, Kept, collate, output_layer, read_branches, read_prefix
from trainer.training.recipe import Recipe
from trainer.training.schedule import SCORES


def log_probabilities(model: PeftModel, batch: Batch[PairExample], kept: Kept) -> torch.Tensor:
    """Sums over the tokens of the chosen and of the rejected one: shape (B, 2)."""
    states = read_branches(model, batch, kept)
    rows, places, ways = zip(*_predictions(batch.examples), strict=True)
    words = torch.cat([batch.suffix[row, e.shared : len(e.suffix)] for row, e in enumerate(batch.examples)])
    losses = token_losses(states[list(rows), list(places)], output_layer(model), words)
    owners = torch.tensor([2 * row + way for row, way in zip(rows, ways, strict=True)], device=losses.device)
    return losses.new_zeros(2 * len(batch.examples)).index_add(0, owners, -losses).view(-1, 2)


def _predictions(examples: Sequence[PairExample]) -> Iterator[tuple[int, int, int]]:
    """For each compared token the row, the place whose state predicts it, and 0 (chosen) or 1 (rejected)."""
    for row, example in enumerate(examples):
        begins = example.shared, example.shared + example.chosen
        for way, (begin, count) in enumerate(zip(begins, (example.chosen, example.rejected), strict=True)):
            yield row, example.shared - 1, way  # the first token follows what both share
            yield from ((row, place, way) for place in range(begin, begin + count - 1))


@dataclass(frozen=True)
class PreferenceLoss:
    """DPO's loss. Length-normalised, log-probabilities are means over tokens instead of sums, so that long steps are
    not preferred or avoided for their length."""

    beta: float
    length_normalised: bool = False

    def __call__(self, model: PeftModel, batch: Batch[PairExample], kept: Kept) -> torch.Tensor:
        """Averaged over pairs."""
        return -logsigmoid(self.margins(model, batch, kept)).mean()

    def margins(self, model: PeftModel, batch: Batch[PairExample], kept: Kept) -> torch.Tensor:
        """The reward of the chosen minus that of the rejected one, of each pair; a reward is beta times the change of
        the log-probability since the start. Raises ValueError for examples without a reference."""
        gains = log_probabilities(model, batch, kept) - self._references(batch)
        if self.length_normalised:
            gains = gains / gains.new_tensor([(example.chosen, example.rejected) for example in batch.examples])
        return self.beta * (gains[:, 0] - gains[:, 1])

    def _references(self, batch: Batch[PairExample]) -> torch.Tensor:
        known = [example.reference for example in batch.examples]
        if None in known:
            raise ValueError("the log-probabilities of the reference are missing")
        return torch.tensor(known, device=batch.suffix.device)


@torch.no_grad()
def judged(
    model: PeftModel, loss: PreferenceLoss, examples: Sequence[PairExample], size: int, pad: int
) -> dict[str, Any]:
    """How the model judges pairs that it does not learn: the share whose chosen one gained more, and the mean margin of
    rewards (and the margin of each). `size` pairs are read at once."""
    margins: list[float] = []
    for start in range(0, len(examples), size):
        batch = collate(examples[start : start + size], pad, str(model.device))
        margins += loss.margins(model, batch, read_prefix(model, batch)).tolist()
    right = sum(margin > 0 for margin in margins)
    mean, rounded = sum(margins) / len(margins), [round(margin, 4) for margin in margins]
    return {"n": len(margins), "accuracy": right / len(margins), "margin": mean, SCORES: rounded}


@torch.no_grad()
def both_probabilities(
    model: PeftModel, examples: Sequence[PairExample], size: int, pad: int
) -> list[tuple[float, float]]:
    """The log-probabilities that the model gives the chosen and the rejected one of each pair."""
    found: list[tuple[float, float]] = []
    for start in range(0, len(examples), size):
        batch = collate(examples[start : start + size], pad, str(model.device))
        sums = log_probabilities(model, batch, read_prefix(model, batch)).tolist()
        found += [(chosen, rejected) for chosen, rejected in sums]
    return found


@torch.no_grad()
def with_references(
    model: PeftModel, examples: Sequence[PairExample], recipe: Recipe, results: ResultFile, pad: int
) -> list[PairExample]:
    """The examples with the log-probabilities that the model gives them now. Those in the results, a row for each
    batch, are not computed again. Raises ResultsError."""
    # The batches depend on nothing else, so those computed after a crash are the same.
    order = sorted(range(len(examples)), key=lambda place: (examples[place].length, place))
    found: dict[int, tuple[float, float]] = {}
    for number, start in enumerate(range(0, len(order), recipe.batch)):
        places = order[start : start + recipe.batch]
        if number not in results.rows:
            batch = collate([examples[place] for place in places], pad, str(model.device))
            sums = log_probabilities(model, batch, read_prefix(model, batch)).tolist()
            results.add({"key": number, "log_probabilities": sums})
        sums = results.rows[number]["log_probabilities"]
        found |= {place: (chosen, rejected) for place, (chosen, rejected) in zip(places, sums, strict=True)}
    return [replace(example, reference=found[place]) for place, example in enumerate(examples)]
