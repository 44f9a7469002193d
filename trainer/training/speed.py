"""How fast the ways to tune one adapter are, side by side: the same batches from the same first adapter.

python -m trainer sft-speed RECIPE.yaml
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runtime.settings import Settings
from trainer.data.rows import Example
from trainer.training.modelling import collate, open_for_tuning, read_prefix
from trainer.training.prefix_loop import Tuning
from trainer.training.recipe import Recipe
from trainer.training.schedule import Progress
from trainer.training.sft import Run
from trainer.training.trl_loop import tune_with_trl

UNCOUNTED = 1
"""Steps before the clock counts: the first one finds its memory and its kernels."""

Loop = Callable[[Run, Sequence[Example], Path], list[Progress]]


def compare(recipe: Recipe, settings: Settings, steps: int) -> dict[str, Any]:
    """Tune `steps` steps by each loop. Returns for each its tokens and examples a second, without the first step, and
    its loss at every step; and the largest difference between losses of one step. Raises what `Run` raises."""
    chosen = recipe.model_copy(update={"epochs": 1, "limit": None, "minutes": None, "init": None, "dev": None})
    run = Run(chosen, settings)
    examples = run.training_set.examples[: (steps + UNCOUNTED) * recipe.batch]
    loops: dict[str, Loop] = {"trl": _with_trl, "prefix": _with_prefixes, "kept prefixes": _kept}
    made = {name: _apart(loop, run, examples) for name, loop in loops.items()}
    losses = [[progress.loss for progress in steps_made] for steps_made in made.values()]
    rows = {name: _row(steps_made) for name, steps_made in made.items()}
    return {
        "base": recipe.base,
        "form": recipe.form,
        "four_bit": recipe.four_bit,
        "dtype": run.recipe.dtype,
        "device": run.device,
        "steps": len(losses[0]) - UNCOUNTED,
        "batch": recipe.batch,
        "tokens_per_example": round(sum(example.length for example in examples) / len(examples), 1),
        "loops": {
            name: {**row, "times": round(row["examples_per_second"] / rows["trl"]["examples_per_second"], 2)}
            for name, row in rows.items()
        },
        "largest_difference": max(max(at_once) - min(at_once) for at_once in zip(*losses, strict=True)),
    }


def _row(steps: list[Progress]) -> dict[str, Any]:
    counted = steps[UNCOUNTED:]
    seconds = sum(step.seconds for step in counted)
    return {
        "tokens_per_second": round(sum(step.tokens for step in counted) / seconds, 2),
        "examples_per_second": round(sum(step.examples for step in counted) / seconds, 4),
        "losses": [step.loss for step in steps],
    }


def _apart(loop: Loop, run: Run, examples: Sequence[Example]) -> list[Progress]:
    """One loop in a folder and with a base of its own, which are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sft-speed-") as folder:
        steps = loop(run, examples, Path(folder))
    gc.collect()
    return steps


def _with_trl(run: Run, examples: Sequence[Example], folder: Path) -> list[Progress]:
    model = open_for_tuning(run.base.as_posix(), run.recipe, run.device, run.encoder.invocation)
    steps: list[Progress] = []
    recipe = run.recipe.model_copy(update={"save_every": len(examples)})
    tune_with_trl(model, run.tokenizer, examples, recipe, folder, steps.append)
    return steps


def _with_prefixes(run: Run, examples: Sequence[Example], folder: Path, kept: bool = False) -> list[Progress]:
    model = open_for_tuning(run.base.as_posix(), run.recipe, run.device)
    tuning = Tuning(model, examples, run.recipe.model_copy(update={"save_every": len(examples)}), folder, run.pad)
    if kept:
        for chosen in tuning.schedule:
            batch = collate([examples[i] for i in chosen], run.pad, run.device)
            tuning.kept[tuple(chosen)] = read_prefix(model, batch)
    return list(tuning.run())


def _kept(run: Run, examples: Sequence[Example], folder: Path) -> list[Progress]:
    """As in the second epoch: what stands before the adapter was read before the clock starts."""
    return _with_prefixes(run, examples, folder, kept=True)
