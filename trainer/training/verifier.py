"""The loss of a verifier: soft binary cross-entropy at the marks of a scored turn.

The score at a mark is the probability of the first token of "right" against that of "wrong", from the logits of the
mark's own token, which predict the next one. Labels are not shifted: a label put to the mark as if it were the next
token is learned by the token before it, while serving reads the mark. Two rows of the output matrix suffice.

A process reward model (PRM) learns a label at every mark (Math-Shepherd, arXiv 2312.08935), an outcome reward model
(ORM) that of the whole attempt at the last mark. Labels may be shares of rollouts (soft estimates).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch.nn.functional import binary_cross_entropy_with_logits

from trainer.data.rows import ScoredExample
from trainer.training.modelling import Batch, Kept, collate, output_layer, read_prefix, read_suffix
from trainer.training.recipe import RecipeError


def log_odds(model: PeftModel, batch: Batch[ScoredExample], kept: Kept) -> torch.Tensor:
    """The logit of "right" minus that of "wrong" at every mark of the batch, row by row: shape (marks,)."""
    states, head = read_suffix(model, batch, kept), output_layer(model)
    rows = [row for row, example in enumerate(batch.examples) for _ in example.marks]
    right, wrong = torch.tensor([batch.examples[row].words for row in rows], device=head.device).T
    at_marks = states[rows, [mark for example in batch.examples for mark in example.marks]]
    # Taken from each other first, as two large logits in half precision would leave little of their difference.
    return (at_marks.float() * (head[right].float() - head[wrong].float())).sum(1)


@torch.no_grad()
def attempt_scores(model: PeftModel, examples: Sequence[ScoredExample], size: int, pad: int) -> list[float]:
    """The score of each attempt: the lowest probability at its marks; an outcome reward model has only one. `size`
    attempts are read at once."""
    scores: list[float] = []
    for start in range(0, len(examples), size):
        batch = collate(examples[start : start + size], pad, str(model.device))
        odds = log_odds(model, batch, read_prefix(model, batch)).sigmoid()
        scores += [part.min().item() for part in odds.split([len(example.marks) for example in batch.examples])]
    return scores


@dataclass(frozen=True)
class BalancedLoss:
    """The loss with a weight for each class. Right steps are several times as frequent as wrong ones, and a verifier
    trained without balance misses errors (StepWiser, arXiv 2508.19229). Its probabilities are those of balanced
    classes."""

    right: float
    wrong: float

    @classmethod
    def of(cls, examples: Sequence[ScoredExample]) -> BalancedLoss:
        """The weights with which both classes count the same in these rows, and a row counts 1 on average, so that
        guessing costs log 2. Raises RecipeError if all labels are of one class."""
        labels = [label for example in examples for label in example.labels]
        right, wrong = sum(labels), sum(1 - label for label in labels)
        if not (right and wrong):
            raise RecipeError(f"All {len(labels)} labels are the same. Give right and wrong attempts.")
        return cls(len(examples) / (2 * right), len(examples) / (2 * wrong))

    def __call__(self, model: PeftModel, batch: Batch[ScoredExample], kept: Kept) -> torch.Tensor:
        """Averaged over rows; a row counts by its labels."""
        scores = log_odds(model, batch, kept)
        labels = torch.tensor([label for example in batch.examples for label in example.labels], device=scores.device)
        ratio = torch.tensor(self.right / self.wrong, device=scores.device)
        total = binary_cross_entropy_with_logits(scores, labels, pos_weight=ratio, reduction="sum")
        return self.wrong * total / len(batch.examples)
