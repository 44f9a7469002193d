"""AdamW on float32 copies of an adapter's matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch


class Optimizer:
    """Updates parameters by their gradients, which it clips to a norm of 1 and clears."""

    def __init__(self, parameters: Sequence[torch.nn.Parameter], learning_rate: float) -> None:
        self.parameters, self.learning_rate = parameters, learning_rate
        # Half precision suffices for the forward pass but is too coarse to accumulate small updates.
        self.masters = [p.detach().float().clone().requires_grad_() for p in parameters]
        self._adam = torch.optim.AdamW(self.masters, lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0)

    def step(self, share: float) -> None:
        """One update at this share of the learning rate."""
        for master, parameter in zip(self.masters, self.parameters, strict=True):
            if parameter.grad is not None:
                master.grad = parameter.grad.float()
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_(self.masters, 1.0)
        for group in self._adam.param_groups:
            group["lr"] = self.learning_rate * share
        self._adam.step()
        put(self.masters, self.parameters)

    @property
    def state(self) -> dict[str, Any]:
        """What `load` needs to go on from here."""
        return {"masters": self.masters, "optimizer": self._adam.state_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        put(state["masters"], self.masters)
        self._adam.load_state_dict(state["optimizer"])
        put(self.masters, self.parameters)


@torch.no_grad()
def put(values: Sequence[torch.Tensor], parameters: Sequence[torch.Tensor]) -> None:
    """Copy values into parameters, which may have another number type."""
    for value, parameter in zip(values, parameters, strict=True):
        parameter.copy_(value)
