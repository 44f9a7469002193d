"""Training through TRL's SFTTrainer, for GPUs: whole rows, with an activated adapter masked by PEFT.

On a CPU the prefix loop is 3.8 to 5.7 times as fast (trainer/LOG.md). Order, learning rate and checkpoints are the
trainer's; only the loss, which weights every token, is ours.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase, PrinterCallback, TrainerCallback, TrainerControl, TrainerState
from trl import SFTConfig, SFTTrainer

from trainer.data.rows import Example
from trainer.training.checkpoints import newest_checkpoint, state_of
from trainer.training.modelling import learned_parameters, load_adapter, pad_token
from trainer.training.recipe import Recipe
from trainer.training.schedule import Progress, Record, Report

IGNORED = -100
"""Label of a token without weight."""


def tune_with_trl(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    recipe: Recipe,
    folder: Path,
    report: Report,
    dev: Sequence[Example] = (),
) -> bool:
    """Train the model, resuming from the newest checkpoint in the folder; return whether all steps are done."""
    checkpoint = newest_checkpoint(folder / "trl")
    state = (state_of(checkpoint) if checkpoint else None) or {"global_step": 0, "max_steps": None}
    before, record = 0.0, Record(folder)
    if kept := record.cut(state["global_step"]):
        before = kept[-1].elapsed
    finished = state["global_step"] == state["max_steps"]
    if checkpoint and (finished or recipe.time_share(before) >= 1):
        # Nothing is left to do, and the trainer would not even load the adapter.
        load_adapter(model, checkpoint)
        return finished
    trainer = WeightedTrainer(
        model=model,
        args=_arguments(model, recipe, folder),
        processing_class=tokenizer,
        train_dataset=_dataset(examples),
        eval_dataset=_dataset(dev) if dev else None,
        data_collator=Collator(pad_token(tokenizer), recipe.packing),
    )
    # With a 4-bit base the constructor casts to bfloat16, in which some CPUs are slow; and half precision
    # is too coarse to accumulate small updates.
    for parameter in learned_parameters(model):
        parameter.data = parameter.data.float()
    trainer.remove_callback(PrinterCallback)  # it writes to stdout, which is for results
    trainer.add_callback(Watch(trainer, recipe, record, report, before))
    trainer.train(resume_from_checkpoint=checkpoint.as_posix() if checkpoint else None)
    return trainer.state.global_step == trainer.state.max_steps


class WeightedTrainer(SFTTrainer):
    """TRL's trainer with a weight for every token."""

    seen: tuple[float, int, int]
    """Loss, rows and tokens of the current step."""

    def compute_loss(  # pyrefly: ignore[bad-override]
        self, model: torch.nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Weighted cross-entropy, averaged over rows, from the log-probabilities of TRL's output layer."""
        weights, rows, tokens = inputs.pop("weights"), inputs.pop("rows"), inputs.pop("tokens")
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        loss = -(outputs.log_probs * weights[:, 1:]).sum() / rows
        self.seen = (loss.item(), rows, tokens)
        return (loss, outputs) if return_outputs else loss


class Watch(TrainerCallback):
    """Records every step, and stops at a checkpoint when the time limit is reached. `before` is the duration in seconds
    of the run's earlier parts."""

    def __init__(self, trainer: WeightedTrainer, recipe: Recipe, record: Record, report: Report, before: float) -> None:
        self.trainer, self.recipe, self.record, self.report = trainer, recipe, record, report
        self.started = time.monotonic() - before
        self.started = 0.0

    def on_step_begin(self, args: object, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self.started = time.monotonic()

    def on_step_end(self, args: object, state: TrainerState, control: TrainerControl, **_: object) -> None:
        (loss, rows, tokens), now = self.trainer.seen, time.monotonic()
        elapsed, dev = now - self.started, None
        ends = self.recipe.time_share(elapsed) >= 1 or state.global_step == state.max_steps
        stops = ends or state.global_step % self.recipe.save_every == 0
        if stops and self.trainer.eval_dataset is not None:
            dev = self.trainer.evaluate()["eval_loss"]
        steps = state.global_step, state.max_steps
        progress = Progress(*steps, loss, rows, tokens, now - self.started, elapsed, dev)
        self.record.add(progress)
        self.report(progress)
        control.should_save, control.should_training_stop = stops, ends


class Collator:
    """Rows padded on the right, or packed: concatenated, each with its own positions."""

    def __init__(self, pad: int, packing: bool) -> None:
        self.fill = {"input_ids": pad, "labels": IGNORED, "weights": 0.0, "attention_mask": 0}
        self.packing = packing

    def __call__(self, rows: Sequence[dict[str, list]]) -> dict[str, Any]:
        lengths = [len(row["input_ids"]) for row in rows]
        columns = {name: [torch.tensor(row[name]) for row in rows] for name in ("input_ids", "labels", "weights")}
        if self.packing:
            for label, weight in zip(columns["labels"], columns["weights"], strict=True):
                label[0], weight[0] = (
                    IGNORED,
                    0.0,
                )  # otherwise predicted from the row before it
            batch = {name: torch.cat(values)[None] for name, values in columns.items()}
            batch["position_ids"] = torch.cat([torch.arange(length) for length in lengths])[None]
        else:
            columns["attention_mask"] = [torch.ones(length, dtype=torch.long) for length in lengths]
            batch = {name: pad_sequence(values, True, self.fill[name]) for name, values in columns.items()}
        return {**batch, "rows": len(rows), "tokens": sum(lengths)}


def _dataset(examples: Sequence[Example]) -> Dataset:
    columns: dict[str, list] = {"input_ids": [], "labels": [], "weights": []}
    for example in examples:
        tokens, weights = [*example.prefix, *example.suffix], [*[0.0] * len(example.prefix), *example.weights]
        columns["input_ids"].append(tokens)
        columns["labels"].append([t if w > 0 else IGNORED for t, w in zip(tokens, weights, strict=True)])
        columns["weights"].append(weights)
    return Dataset.from_dict(columns)


def _arguments(model: PeftModel, recipe: Recipe, folder: Path) -> SFTConfig:
    # Lines from TRL and transformers would break the progress bar.
    logging.getLogger("trl").setLevel(logging.ERROR)
    on_processor = model.device.type == "cpu"
    return SFTConfig(
        output_dir=(folder / "trl").as_posix(),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=recipe.batch,
        prediction_loss_only=True,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=recipe.warm_up,
        adam_beta2=0.99,
        optim="adamw_torch",
        seed=recipe.seed,
        use_cpu=on_processor,
        bf16=recipe.dtype == "bfloat16",
        gradient_checkpointing=recipe.four_bit,  # both save memory
        save_strategy="no",  # `Watch` decides
        save_total_limit=2,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=not on_processor,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
