"""What the tests of training share: small recipes, models whose adapters are not zero, and runs that are killed."""

import os
import signal
from multiprocessing import get_context

import torch

from runtime import settings
from trainer.training.modelling import open_for_tuning
from trainer.training.recipe import Recipe
from trainer.training.run import Run

PAD = 2


def recipe_of(base, *files, **changes):
    size = {"batch": 2, "rank": 4, "dtype": "float32", "warm_up": 0, "learning_rate": 1e-2, "save_every": 2}
    return Recipe(**{"base": str(base), "role": "critic", "data": files or ("rows.jsonl",), **size, **changes})


def opened(base, invocation=(), noise=0.05, **changes):
    """A base with a non-zero adapter, so that its gradients are not zero either."""
    model = open_for_tuning(str(base), recipe_of(base, **changes), "cpu", invocation)
    generator = torch.Generator().manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=noise, generator=generator)
    return model


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def require_equal(found, expected, tolerance=1e-5):
    assert found.keys() == expected.keys() and found
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], atol=tolerance, rtol=1e-3, msg=lambda m, n=name: f"{n}: {m}")


def killed_after(step, recipe, home, kind=Run):
    """Run a recipe in a process of its own, which is killed at a step. A fork, as importing torch again takes longer
    than the run."""

    def report(progress):
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def run():
        kind(recipe, settings.load(home=home)).run(report)

    process = get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
