"""PPO (arXiv 1707.06347) on sampled replies: what the policy thinks of their tokens, and its updates.

The probabilities at the time of sampling are computed again here, as those of an engine are of other weights
(quantized) and other sums. KL is to the adapter that the training starts from. The value head reads the policy's last
states and learns alone: its gradients do not reach the adapter.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from statistics import fmean
from typing import Any

import torch
from peft import PeftModel

from trainer.data.rows import Tokens
from trainer.training.advantages import against_group, gae, returns, whitened
from trainer.training.chunked_loss import token_losses
from trainer.training.modelling import Batch, Kept, collate, learned_parameters, output_layer, read_prefix, read_suffix
from trainer.training.optimizer import Optimizer, put
from trainer.training.recipe import PPORecipe


@dataclass(frozen=True)
class Reply(Tokens):
    """A sampled reply: the last tokens of the suffix. The other fields have an entry for each of them."""

    rewards: tuple[float, ...]
    ends: tuple[int, ...] = ()
    """The places at which its steps end, from 0 for its first token."""
    old: tuple[float, ...] = ()
    """Log-probabilities when it was sampled."""
    reference: tuple[float, ...] = ()
    """Log-probabilities by the adapter that the training starts from."""
    values: tuple[float, ...] = ()
    """Expected returns."""
    advantages: tuple[float, ...] = ()
    targets: tuple[float, ...] = ()
    """What the value head is to expect."""

    @property
    def opening(self) -> int:
        """Number of tokens of the suffix before the reply."""
        return len(self.suffix) - len(self.rewards)


def clipped(
    new: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, low: float, high: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """PPO's clipped objective of each token, negated; and whether the clipping stops its gradient."""
    ratio = (new - old).exp()
    free, bounded = ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages
    return -torch.minimum(free, bounded), bounded < free


def judged(replies: Sequence[Reply], recipe: PPORecipe) -> list[Reply]:
    """The replies with advantages and targets. Those to one problem follow each other. Leaving the reference costs
    `kl` a nat, at each token."""
    paid = [
        [reward - recipe.kl * (old - ref) for reward, old, ref in zip(one.rewards, one.old, one.reference, strict=True)]
        for one in replies
    ]
    if recipe.baseline == "value":
        raw = [
            gae(rewards, one.values, recipe.gamma, recipe.gae_lambda)
            for rewards, one in zip(paid, replies, strict=True)
        ]
    else:
        totals = [(returns(rewards, recipe.gamma), one.ends) for rewards, one in zip(paid, replies, strict=True)]
        raw = [
            advantages
            for start in range(0, len(totals), recipe.group)
            for advantages in against_group(totals[start : start + recipe.group])
        ]
    return [
        replace(one, advantages=tuple(new), targets=tuple(a + v for a, v in zip(now, one.values, strict=True)))
        for one, now, new in zip(replies, raw, whitened(raw), strict=True)
    ]


class Policy:
    """An adapter that is trained, the value head beside it, and the adapter that it started from."""

    def __init__(self, model: PeftModel, recipe: PPORecipe, pad: int) -> None:
        self.model, self.recipe, self.pad, self.device = model, recipe, pad, str(model.device)
        parameters = learned_parameters(model)
        self.start = [parameter.detach().clone() for parameter in parameters]
        self.optimizer = Optimizer(parameters, recipe.learning_rate)
        self.head = torch.nn.Linear(output_layer(model).shape[1], 1, device=self.device)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)
        self.head_optimizer = Optimizer(list(self.head.parameters()), recipe.value_rate)

    @torch.no_grad()
    def measured(self, replies: Sequence[Reply]) -> list[Reply]:
        """The replies with what the policy, its start and the value head think of them now."""
        known: list[Reply] = []
        for batch, kept in self._batches(replies):
            old, states = read(self.model, batch, kept)
            with self._at_start():
                reference, _ = read(self.model, batch, kept)
            sizes = [len(one.rewards) for one in batch.examples]
            parts = (part.split(sizes) for part in (old, reference, self._values(states)))
            known += [
                replace(one, old=tuple(o.tolist()), reference=tuple(r.tolist()), values=tuple(v.tolist()))
                for one, o, r, v in zip(batch.examples, *parts, strict=True)
            ]
        return known

    def learn(self, replies: Sequence[Reply], step: int, share: float) -> dict[str, float]:
        """Update on the replies to a step's problems, `epochs` times, at this share of the learning rates."""
        found: list[dict[str, float]] = []
        rng, size = random.Random(f"{self.recipe.seed} {step}"), self.recipe.group
        groups = [replies[start : start + size] for start in range(0, len(replies), size)]
        for _ in range(self.recipe.epochs):
            rng.shuffle(groups)  # and not the replies, as those to one problem share their prefix
            order = list(chain.from_iterable(groups))
            for start in range(0, len(order), self.recipe.batch):
                found.append(self._gradients(order[start : start + self.recipe.batch]))
                self.optimizer.step(share)
                self.head_optimizer.step(share)
        return {name: fmean(one[name] for one in found) for name in found[0]}

    def _gradients(self, replies: Sequence[Reply]) -> dict[str, float]:
        """Add up the gradients of the losses, which are means over the tokens of all these replies."""
        total, sums = sum(len(one.rewards) for one in replies), torch.zeros(3)
        for batch, kept in self._batches(replies):
            new, states = read(self.model, batch, kept)
            old, advantages, targets = (
                torch.tensor([value for one in batch.examples for value in getattr(one, name)], device=self.device)
                for name in ("old", "advantages", "targets")
            )
            losses, stopped = clipped(new, old, advantages, self.recipe.clip_low, self.recipe.clip_high)
            errors = (self._values(states) - targets) ** 2
            ((losses.sum() + errors.sum()) / total).backward()
            sums += torch.stack([losses.sum(), errors.sum(), stopped.sum()]).detach().cpu()
        loss, value_loss, stopped_share = (sums / total).tolist()
        return {"loss": loss, "value_loss": value_loss, "clipped": stopped_share}

    def _values(self, states: torch.Tensor) -> torch.Tensor:
        return self.head(states.detach().float())[:, 0]

    def _batches(self, replies: Sequence[Reply]) -> Iterator[tuple[Batch[Reply], Kept]]:
        for start in range(0, len(replies), self.recipe.at_once):
            batch = collate(replies[start : start + self.recipe.at_once], self.pad, self.device)
            yield batch, self._prefixes(batch)

    def _prefixes(self, batch: Batch[Reply]) -> Kept:
        """As `read_prefix`; a prefix that several replies share is read once."""
        different = list(dict.fromkeys(one.prefix for one in batch.examples))
        rows = [different.index(one.prefix) for one in batch.examples]
        once = collate([Tokens(prefix, ()) for prefix in different], self.pad, self.device)
        return tuple((keys[rows], values[rows]) for keys, values in read_prefix(self.model, once))

    @contextmanager
    def _at_start(self) -> Generator[None]:
        """The adapter is the one that the training started from."""
        put(self.start, self.optimizer.parameters)
        try:
            yield
        finally:
            put(self.optimizer.masters, self.optimizer.parameters)

    @property
    def state(self) -> dict[str, Any]:
        """What `load` needs to go on from here."""
        return {"adapter": self.optimizer.state, "head": self.head_optimizer.state}

    def load(self, state: Mapping[str, Any]) -> None:
        self.optimizer.load(state["adapter"])
        self.head_optimizer.load(state["head"])


def read(model: PeftModel, batch: Batch[Reply], kept: Kept) -> tuple[torch.Tensor, torch.Tensor]:
    """The log-probability of each token of the replies, row by row, and the state that it was chosen in: shapes
    (tokens,) and (tokens, width)."""
    states = read_suffix(model, batch, kept)
    rows, places = zip(
        *(
            (row, place)
            for row, one in enumerate(batch.examples)
            for place in range(one.opening - 1, len(one.suffix) - 1)
        ),
        strict=True,
    )
    chosen = states[list(rows), list(places)]
    words = torch.cat([batch.suffix[row, one.opening : len(one.suffix)] for row, one in enumerate(batch.examples)])
    return -token_losses(chosen, output_layer(model), words), chosen
