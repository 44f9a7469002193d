"""The same rows through TRL's SFTTrainer: whole rows, with an activated adapter masked by PEFT.

Rows arrive as tokens with a weight each. Steps, rate of learning, optimizer and loss are those of `prefix_loop`, so
that the two loops can be compared step by step.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase, PrinterCallback, TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME
from trl import SFTConfig, SFTTrainer

from trainer.data.rows import Example
from trainer.training.modelling import learned_parameters, load_adapter, pad_token
from trainer.training.recipe import Recipe
from trainer.training.schedule import Progress, Record, Report, batches, share_of_rate

IGNORED = -100
"""The label of a token that is not learned."""


def tune_with_trl(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    recipe: Recipe,
    folder: Path,
    report: Report,
    dev: Sequence[Example] = (),
) -> bool:
    """Tune the model, going on from the newest checkpoint in the folder; returns whether all steps are done."""
    checkpoint = newest_checkpoint(folder / "trl")
    done = _step(checkpoint) if checkpoint else 0
    record = Record(folder)
    clock = Clock(before[-1].elapsed if (before := record.cut(done)) else 0.0, recipe.minutes)
    schedule = batches(examples, recipe.batch, recipe.epochs, recipe.seed)
    if checkpoint and (done == len(schedule) or clock.share >= 1):
        # Nothing is left to do, and the trainer would not even load what was learned.
        load_adapter(model, checkpoint)
        return done == len(schedule)
    trainer = WeightedTrainer(
        model=model,
        args=_arguments(model, recipe, folder, len(schedule)),
        processing_class=tokenizer,
        train_dataset=_dataset(examples),
        eval_dataset=_dataset(dev) if dev else None,
        data_collator=Collator(pad_token(tokenizer), recipe.packing),
    )
    trainer.schedule, trainer.recipe, trainer.clock = schedule, recipe, clock
    # With a 4-bit base the constructor casts to bfloat16, which some processors hardly compute in; and half precision
    # is too coarse to sum small changes in.
    for parameter in learned_parameters(model):
        parameter.data = parameter.data.float()
    trainer.remove_callback(PrinterCallback)  # it writes to stdout, which is for results
    trainer.add_callback(Watch(trainer, record, report))
    trainer.train(resume_from_checkpoint=checkpoint.as_posix() if checkpoint else None)
    return trainer.state.global_step == len(schedule)


class Clock:
    """How much of the time that a recipe gives is used up, over all stretches of a run."""

    def __init__(self, before: float, minutes: float | None) -> None:
        self._before, self._minutes, self._started = before, minutes, time.monotonic()

    @property
    def elapsed(self) -> float:
        return self._before + time.monotonic() - self._started

    @property
    def share(self) -> float:
        return self.elapsed / (60 * self._minutes) if self._minutes else 0.0


class WeightedTrainer(SFTTrainer):
    """TRL's trainer with a weight for every token, and the batches and the rate of learning of our schedule."""

    schedule: list[list[int]]
    recipe: Recipe
    clock: Clock
    seen: tuple[float, int] = (0.0, 0)
    """Loss and tokens of the step under way."""

    def get_train_dataloader(self) -> DataLoader:
        loader = DataLoader(self.train_dataset, batch_sampler=self.schedule, collate_fn=self.data_collator)
        return self.accelerator.prepare(loader)

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        def share(done: int) -> float:
            return share_of_rate(done, len(self.schedule), self.recipe.warm_up, self.clock.share)

        self.lr_scheduler = LambdaLR(optimizer or self.optimizer, share)
        return self.lr_scheduler

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Weighted cross-entropy, a mean over rows, from the log-probabilities of TRL's output layer."""
        weights, rows, tokens = inputs.pop("weights"), inputs.pop("rows"), inputs.pop("tokens")
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        loss = -(outputs.log_probs * weights[:, 1:]).sum() / rows
        self.seen = (loss.item(), tokens)
        return (loss, outputs) if return_outputs else loss


class Watch(TrainerCallback):
    """Writes every step down, and stops at a checkpoint when the time is over."""

    def __init__(self, trainer: WeightedTrainer, record: Record, report: Report) -> None:
        self.trainer, self.record, self.report = trainer, record, report
        self.started = 0.0

    def on_step_begin(self, args, state, control, **_):
        self.started = time.monotonic()

    def on_step_end(self, args, state, control, **_):
        trainer, step = self.trainer, state.global_step
        loss, tokens = trainer.seen
        seconds, dev = time.monotonic() - self.started, None
        over = trainer.clock.share >= 1
        stops = over or step % trainer.recipe.save_every == 0 or step == len(trainer.schedule)
        if stops and trainer.eval_dataset is not None:
            dev = _held_out(trainer)
        rows = len(trainer.schedule[step - 1])
        progress = Progress(step, len(trainer.schedule), loss, rows, tokens, seconds, trainer.clock.elapsed, dev)
        self.record.add(progress)
        self.report(progress)
        control.should_save, control.should_training_stop = stops, over or step == len(trainer.schedule)


@torch.no_grad()
def _held_out(trainer: WeightedTrainer) -> float:
    """Mean loss of the rows that nothing is learned from."""
    trainer.model.eval()
    total, data, size = 0.0, trainer.eval_dataset, trainer.recipe.batch
    for start in range(0, len(data), size):
        rows = [data[i] for i in range(start, min(start + size, len(data)))]
        inputs = trainer._prepare_inputs(trainer.data_collator(rows))
        with trainer.compute_loss_context_manager():
            total += trainer.compute_loss(trainer.model, inputs).item() * len(rows)
    trainer.model.train()
    return total / len(data)


class Collator:
    """Rows side by side, padded on the right; or packed: behind each other, each with positions of its own."""

    def __init__(self, pad: int, packing: bool) -> None:
        self.fill = {"input_ids": pad, "labels": IGNORED, "weights": 0.0, "attention_mask": 0}
        self.packing = packing

    def __call__(self, rows: Sequence[dict[str, list]]) -> dict[str, Any]:
        lengths = [len(row["input_ids"]) for row in rows]
        columns = {name: [row[name] for row in rows] for name in ("input_ids", "labels", "weights")}
        if self.packing:
            # The first token of a row would be predicted from the row before it.
            for name, ignored in (("labels", IGNORED), ("weights", 0.0)):
                columns[name] = [[ignored, *values[1:]] for values in columns[name]]
            batch = {name: torch.tensor([list(chain.from_iterable(values))]) for name, values in columns.items()}
            batch["position_ids"] = torch.cat([torch.arange(length) for length in lengths])[None]
        else:
            columns["attention_mask"] = [[1] * length for length in lengths]
            batch = {name: self._padded(values, self.fill[name], max(lengths)) for name, values in columns.items()}
        return {**batch, "rows": len(rows), "tokens": sum(lengths)}

    def _padded(self, rows: Sequence[list], fill: float, width: int) -> torch.Tensor:
        return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows])


def _dataset(examples: Sequence[Example]) -> Dataset:
    columns: dict[str, list] = {"input_ids": [], "labels": [], "weights": []}
    for example in examples:
        tokens, weights = [*example.prefix, *example.suffix], [*[0.0] * len(example.prefix), *example.weights]
        columns["input_ids"].append(tokens)
        columns["labels"].append([t if w > 0 else IGNORED for t, w in zip(tokens, weights, strict=True)])
        columns["weights"].append(weights)
    return Dataset.from_dict(columns)


def _arguments(model: PeftModel, recipe: Recipe, folder: Path, steps: int) -> SFTConfig:
    # TRL's and transformers' own lines would tear the bar of the command line.
    logging.getLogger("trl").setLevel(logging.ERROR)
    on_processor = model.device.type == "cpu"
    return SFTConfig(
        output_dir=(folder / "trl").as_posix(),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        adam_beta1=0.9,
        adam_beta2=0.99,
        weight_decay=0.0,
        max_grad_norm=1.0,
        optim="adamw_torch",
        seed=recipe.seed,
        use_cpu=on_processor,
        bf16=recipe.dtype == "bfloat16",
        fp16=False,
        gradient_checkpointing=recipe.four_bit,  # both where memory is short
        save_strategy="no",  # `Watch` says when
        save_total_limit=2,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=not on_processor,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest of a Trainer's that is whole: its state is written last."""
    whole = [path for path in folder.glob("checkpoint-*") if _is_whole(path / TRAINER_STATE_NAME)]
    return max(whole, key=_step, default=None)


def _is_whole(state: Path) -> bool:
    try:
        json.loads(state.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
