"""Conversations about one problem as a tree of tokens, so that what they share is read once.

An attempt, another attempt, the rewrites after different critiques: all begin with the same problem, and a rewrite with
its whole attempt. A token attends to its ancestors only, and its position is its depth, so every conversation gives the
same logits as when it is read alone, from 0.4 of the tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from trainer.data.rows import Example


@dataclass
class Tree:
    """Tokens in the order of their first reading; `weights[i]` is that of predicting token i from its parent, added up
    over the conversations that contain it."""

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    """Index of the token before; -1 for the first."""
    weights: list[float] = field(default_factory=list)
    _children: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, example: Example) -> None:
        """Add a conversation. The same conversation twice counts twice."""
        at = -1  # the first token is predicted from nothing, so it has no weight
        weights = [*[0.0] * len(example.prefix), *example.weights]
        for token, weight in zip((*example.prefix, *example.suffix), weights, strict=True):
            at = self._child(at, token)
            self.weights[at] += weight if self.parents[at] >= 0 else 0.0

    def cut(self, longest: int) -> Tree:
        """The first tokens; what is cut off takes nothing from the probabilities of what stays."""
        return Tree(self.tokens[:longest], self.parents[:longest], self.weights[:longest])

    def _child(self, parent: int, token: int) -> int:
        found = self._children.setdefault((parent, token), len(self.tokens))
        if found == len(self.tokens):
            self.tokens.append(token)
            self.parents.append(parent)
            self.weights.append(0.0)
        return found


def batch(trees: Sequence[Tree], pad: int) -> dict[str, torch.Tensor]:
    """Inputs of a model and of `loss`: `input_ids`, `position_ids`, `parents` and `weights` of shape (trees, longest),
    and `attention_mask` of shape (trees, 1, longest, longest), True where a token attends."""
    longest = max(len(tree.tokens) for tree in trees)
    shape = len(trees), longest
    ids, weights = np.full(shape, pad), np.zeros(shape, np.float32)
    positions, parents = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    mask = np.zeros((*shape, longest), bool)
    mask[:, range(longest), range(longest)] = True
    for row, tree in enumerate(trees):
        length = len(tree.tokens)
        ids[row, :length], weights[row, :length] = tree.tokens, tree.weights
        for at, parent in enumerate(tree.parents):
            if parent >= 0:
                mask[row, at, :at] = mask[row, parent, :at]
                positions[row, at], parents[row, at] = positions[row, parent] + 1, parent
    made = {"input_ids": ids, "position_ids": positions, "attention_mask": mask[:, None], "parents": parents}
    return {name: torch.from_numpy(array) for name, array in {**made, "weights": weights}.items()}


def loss(logits: torch.Tensor, inputs: dict[str, Any]) -> torch.Tensor:
    """Weighted cross-entropy of every token given its parent's logits, of shape (trees, longest, vocabulary)."""
    learned = inputs["weights"] > 0
    rows, places = learned.nonzero(as_tuple=True)
    predicted = logits[rows, inputs["parents"][rows, places]]
    losses = torch.nn.functional.cross_entropy(predicted.float(), inputs["input_ids"][rows, places], reduction="none")
    weights = inputs["weights"][rows, places]
    return (losses * weights).sum() / weights.sum()
