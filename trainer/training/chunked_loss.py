"""Cross-entropy of the output layer in chunks of tokens. The logits of a wide vocabulary for all tokens take gigabytes.

The output layer is frozen, so the gradient of its input is computed per chunk and the memory of its logits reused (Cut
Cross-Entropy, arXiv 2411.09009, and Liger do the same in GPU kernels).
"""

from __future__ import annotations

from typing import Any

import torch

TOKENS = 256
"""Tokens per chunk. At 152,000 words their logits in two precisions take about 230 MB."""


def weighted_loss(
    states: torch.Tensor, head: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Sum over tokens of `weights` (T,) times the cross-entropy of `targets` (T,), given `states` (T, width) and the
    frozen `head` (vocabulary, width); computed in float32."""
    return _WeightedLoss.apply(states, head, targets, weights)


class _WeightedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, head: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        size = min(TOKENS, len(states))
        narrow = states.new_empty(size, len(head))
        wide = torch.empty_like(narrow, dtype=torch.float32)
        gradient, total = torch.empty_like(states), states.new_zeros((), dtype=torch.float32)
        for start in range(0, len(states), TOKENS):
            part = slice(start, start + TOKENS)
            some, words, weight = states[part], targets[part, None], weights[part, None]
            logits = torch.mm(some, head.T, out=narrow[: len(some)])
            scores = wide[: len(some)].copy_(logits)
            scores -= scores.amax(1, keepdim=True)
            chosen = scores.gather(1, words)
            sums = scores.exp_().sum(1, keepdim=True)
            total += (weight * (sums.log() - chosen)).sum()
            scores *= weight / sums  # gradient of the logits: probabilities minus one-hot targets
            scores.scatter_add_(1, words, -weight.to(scores.dtype))
            torch.mm(logits.copy_(scores), head, out=gradient[part])
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    # pyrefly: ignore[bad-override]
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * above, None, None, None
