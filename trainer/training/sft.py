"""The loss of supervised fine-tuning: cross-entropy of the words of a turn, each with its weight."""

from __future__ import annotations

import torch
from peft import PeftModel
from torch.nn.utils.rnn import pad_sequence

from trainer.data.rows import Example
from trainer.training.chunked_loss import token_losses
from trainer.training.modelling import Batch, Kept, output_layer, read_suffix


def loss(model: PeftModel, batch: Batch[Example], kept: Kept) -> torch.Tensor:
    """Weighted cross-entropy of the suffix tokens, averaged over rows; a row counts by the sum of its weights."""
    states = read_suffix(model, batch, kept)
    weights = pad_sequence([torch.tensor(e.weights) for e in batch.examples], True, 0.0).to(states.device)[:, 1:]
    learned = weights > 0
    words = batch.suffix[:, 1:][learned]
    losses = token_losses(states[:, :-1][learned], output_layer(model), words)
    return (losses * weights[learned]).sum() / len(batch.suffix)
