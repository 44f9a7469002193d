"""The loss in chunks equals the loss on all logits."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from trainer.training import chunked_loss


@pytest.mark.parametrize("tokens", [1, 7, 8, 21])
def test_value_and_gradient_equal_those_of_cross_entropy(tokens, monkeypatch):
    monkeypatch.setattr(chunked_loss, "TOKENS", 8)
    torch.manual_seed(tokens)
    states, matrix = torch.randn(tokens, 16, requires_grad=True), torch.randn(50, 16)
    targets, weights = torch.randint(50, (tokens,)), torch.rand(tokens)
    expected = (weights * cross_entropy(states @ matrix.T, targets, reduction="none")).sum() / 3
    (gradient,) = torch.autograd.grad(expected, states)
    found = (weights * chunked_loss.token_losses(states, matrix, targets)).sum() / 3
    found.backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(states.grad, gradient, atol=1e-6, rtol=1e-4)


def test_half_precision_is_summed_in_float32_and_impossible_tokens_stay_finite():
    states = torch.full((4, 8), 30.0, dtype=torch.bfloat16, requires_grad=True)
    matrix = torch.cat([torch.ones(1, 8), -torch.ones(9, 8)]).to(torch.bfloat16)
    found = chunked_loss.token_losses(states, matrix, torch.full((4,), 9)).sum()
    found.backward()
    assert found.dtype == torch.float32 and found.item() == pytest.approx(4 * 480)
    assert torch.isfinite(states.grad).all()
