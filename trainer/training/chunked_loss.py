"""Cross-entropy of the output layer in chunks of tokens. The logits of a wide vocabulary for all tokens take gigabytes.

The output layer is frozen, so the gradient of its input is computed per chunk and the memory of its logits reused (Cut
Cross-Entropy, arXiv 2411.09009, and Liger do the same in GPU kernels).
"""

from __future__ import annotations

from typing import Any

import torch

TOKENS = 256
"""Tokens per chunk. At 152,000 words their logits in two precisions take about 230 MB."""


def token_losses(states: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The cross-entropy (T,) of each of the `targets` (T,), its negative log-probability, given `states` (T, width) and
    the frozen `head` (vocabulary, width); computed in float32."""
    return _TokenLosses.apply(states, head, targets)


class _TokenLosses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        size = min(TOKENS, len(states))
        narrow = states.new_empty(size, len(head))
        wide = torch.empty_like(narrow, dtype=torch.float32)
        gradient, losses = torch.empty_like(states), states.new_empty(len(states), dtype=torch.float32)
        for start in range(0, len(states), TOKENS):
            part = slice(start, start + TOKENS)
            some, words = states[part], targets[part, None]
            logits = torch.mm(some, head.T, out=narrow[: len(some)])
            scores = wide[: len(some)].copy_(logits)
            scores -= scores.amax(1, keepdim=True)
            chosen = scores.gather(1, words)
            sums = scores.exp_().sum(1, keepdim=True)
            losses[part] = (sums.log() - chosen).squeeze(1)
            scores /= sums  # gradient of the logits: probabilities minus one-hot targets
            scores.scatter_add_(1, words, -torch.ones_like(chosen))
            torch.mm(logits.copy_(scores), head, out=gradient[part])
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    # pyrefly: ignore[bad-override]
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * above[:, None]).to(gradient.dtype), None, None
