"""A training loop in which the frozen base reads the prefix of each row once.

Tokens before an activated adapter (aLoRA, arXiv 2504.12397) are read by the base alone. Their keys and values need no
gradients, so they are computed without, and can be kept for later epochs. An adapter that acts on all tokens is trained
by the same loop with an empty prefix.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch
from peft import PeftModel

from trainer.data.rows import Tokens
from trainer.training.checkpoints import load_state, save_state
from trainer.training.modelling import Batch, Kept, Loss, collate, learned_parameters, read_prefix
from trainer.training.optimizer import Optimizer
from trainer.training.recipe import Recipe
from trainer.training.schedule import Progress, Record, batches, share_of_rate

SPARE_MEMORY = 2 << 30
"""Bytes of memory that kept prefixes must leave free."""
AT_RISK = 600.0
"""Most seconds of training that a crash may cost if steps are slow. Validation waits for `save_every`, as it is
slow."""


class Tuning:
    """Training of a recipe's rows in a folder in which a killed run resumes."""

    def __init__(
        self,
        model: PeftModel,
        examples: Sequence[Tokens],
        loss: Loss,
        recipe: Recipe,
        folder: Path,
        pad: int,
        dev: Sequence[Tokens] = (),
        predict: Callable[[PeftModel], dict[str, Any]] | None = None,
    ) -> None:
        """`predict` measures the model beside its loss on `dev`."""
        self.model, self.examples, self.loss, self.recipe = model, examples, loss, recipe
        self.folder, self.pad, self.dev, self.device = folder, pad, dev, str(model.device)
        self.predict = predict
        self.optimizer = Optimizer(learned_parameters(model), recipe.learning_rate)
        self.schedule = batches(examples, recipe.batch, recipe.epochs, recipe.seed)
        self.kept: dict[tuple[int, ...], Kept] = {}
        self.done, self.record = 0, Record(folder)
        self._resume()
        self.elapsed = before[-1].elapsed if (before := self.record.cut(self.done)) else 0.0
        self.saved = self.elapsed

    @property
    def finished(self) -> bool:
        return self.done == len(self.schedule)

    @property
    def time_share(self) -> float:
        """The used share of the recipe's time limit."""
        return self.recipe.time_share(self.elapsed)

    def run(self) -> Generator[Progress]:
        """Train the remaining steps within the time limit; yields after every step."""
        self.model.train()
        while not self.finished and self.time_share < 1:
            started, chosen = time.monotonic(), self.schedule[self.done]
            value, tokens = self._step(chosen)
            self.done += 1
            seconds = time.monotonic() - started
            self.elapsed += seconds
            progress = Progress(self.done, len(self.schedule), value, len(chosen), tokens, seconds, self.elapsed)
            stops = self.done % self.recipe.save_every == 0 or self.finished or self.time_share >= 1
            if stops:
                progress = self._looked_at(progress)
            self.record.add(progress)  # before the checkpoint; surplus lines are cut when the run resumes
            if stops or self.elapsed - self.saved >= AT_RISK:
                self._save()
            try:
                yield progress
            except GeneratorExit:  # the caller wants no more steps
                self._save()
                raise

    def _looked_at(self, progress: Progress) -> Progress:
        if not self.dev:
            return progress
        started = time.monotonic()
        value = self.held_out(self.dev)
        outcomes = self._predicted()
        self.elapsed += time.monotonic() - started
        return replace(progress, dev=value, outcomes=outcomes, elapsed=self.elapsed)

    def _predicted(self) -> dict[str, Any] | None:
        if self.predict is None:
            return None
        self.model.eval()
        found = self.predict(self.model)
        self.model.train()
        return found

    def _step(self, chosen: list[int]) -> tuple[float, int]:
        batch = collate([self.examples[i] for i in chosen], self.pad, self.device)
        value = self.loss(self.model, batch, self._prefix(chosen, batch))
        value.backward()
        self.optimizer.step(share_of_rate(self.done, len(self.schedule), self.recipe.warm_up, self.time_share))
        return value.item(), batch.tokens

    def _prefix(self, chosen: list[int], batch: Batch) -> Kept:
        key = tuple(chosen)
        if key in self.kept:
            return self.kept[key]
        kept = read_prefix(self.model, batch)
        if self.recipe.keep_prefixes and self.recipe.epochs > 1:
            on_gpu = self.device.startswith("cuda")
            spare = torch.cuda.mem_get_info()[0] if on_gpu else psutil.virtual_memory().available
            if spare > SPARE_MEMORY:
                self.kept[key] = kept
        return kept

    @torch.no_grad()
    def held_out(self, examples: Sequence[Tokens]) -> float:
        """Mean loss of validation rows."""
        self.model.eval()
        total = 0.0
        ordered = sorted(examples, key=lambda e: e.length)
        for start in range(0, len(ordered), self.recipe.batch):
            part = ordered[start : start + self.recipe.batch]
            batch = collate(part, self.pad, self.device)
            total += self.loss(self.model, batch, read_prefix(self.model, batch)).item() * len(part)
        self.model.train()
        return total / len(ordered)

    # Checkpoints

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _save(self) -> None:
        save_state(self._checkpoint, {"done": self.done, **self.optimizer.state})
        self.saved = self.elapsed

    def _resume(self) -> None:
        if state := load_state(self._checkpoint, self.device):
            self.done = state["done"]
            self.optimizer.load(state)
