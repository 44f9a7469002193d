"""Pretrains an actor of the ground, a Llama of 2M or 5M parameters, and writes it as a GGUF file.

    python -m trainer pretrain --size 5m

The 2M learns from scratch; the 5M begins as the bench model, which knows sums and copies names. The same plan gives the
same model on the same machine; an interrupted run resumes from its last checkpoint.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import torch
from gguf import GGMLQuantizationType
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.utils.data import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Trainer, TrainingArguments

from runtime.engines.hf.chat import Chat
from runtime.engines.hf.loading import fastest_dtype
from runtime.files import saved_by_library, write_whole
from runtime.settings import Settings
from runtime.types import content_hash
from trainer.data.rows import Encoder, Example
from trainer.reproductions.ground.problems import generate, stream
from trainer.reproductions.ground.texts import lesson, sums
from trainer.reproductions.ground.trees import Tree, batch, loss
from trainer.training.checkpoints import newest_checkpoint
from trainer.weights.base import base_folder
from trainer.weights.to_gguf import to_gguf

PAD, BEGIN, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SUMS_EVERY = 8
"""One block in so many holds sums and numbers to copy."""
APART = 30
"""The next block begins this many problems later; no block is as long as that."""


SAVE_EVERY = 50
"""Steps between checkpoints."""


@dataclass(frozen=True)
class Plan:
    """Everything that determines an actor, beside the frozen mixture."""

    size: str
    blocks: int
    """Blocks of text, each read once."""
    width: int
    layers: int
    heads: int
    hidden: int
    """Width of the feed-forward layers."""
    vocabulary: int = 768
    words_from: int = 600
    """Number of problems the tokenizer is trained on."""
    block: int = 384
    """Tokens per block."""
    batch: int = 4
    learning_rate: float = 2e-3
    warm_up: int = 100
    decay: float = 0.3
    """Share of the steps at the end over which the learning rate falls to zero."""
    start: str | None = None
    """Model to begin with, as in `base_folder`; its shape and tokenizer count then. None: from scratch."""
    seed: int = 0

    @property
    def steps(self) -> int:
        return self.blocks // self.batch


PLANS = {
    "2m": Plan("2m", blocks=16_000, width=192, layers=5, heads=6, hidden=512),
    "5m": Plan(
        "5m", blocks=6_400, width=256, layers=6, heads=4, hidden=704, vocabulary=2048, learning_rate=5e-4, start="bench"
    ),
}


class Lessons(Dataset):
    """Blocks of tokens, made on demand: all about one problem and then the next one, or sums."""

    def __init__(self, plan: Plan, tokenizer: PreTrainedTokenizerFast) -> None:
        self.plan, chat = plan, Chat(tokenizer, plan.size)
        self.encode, self.plain = Encoder(chat, "plain"), chat.plain_tokens

    def __len__(self) -> int:
        return self.plan.steps * self.plan.batch

    def __getitem__(self, index: int) -> Tree:
        tree, rng = Tree(), random.Random(f"{self.plan.seed}/block/{index}")
        examples = self._sums(rng) if index % SUMS_EVERY == 0 else self._lessons(index, rng)
        while len(tree.tokens) < self.plan.block:
            tree.add(next(examples))
        return tree.cut(self.plan.block)

    def _sums(self, rng: random.Random) -> Iterator[Example]:
        while True:
            pieces = [(self.plain(text), weight) for text, weight in sums(rng)]
            tokens = tuple(token for piece, _ in pieces for token in piece)
            yield Example((), tokens, tuple(weight for piece, weight in pieces for _ in piece))

    def _lessons(self, index: int, rng: random.Random) -> Iterator[Example]:
        for number in count(index * APART):
            if worked := generate(self.plan.seed, number):
                yield from map(self.encode, lesson(worked, rng))


def learn_tokenizer(plan: Plan) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on the texts of some problems; every digit is a token of its own."""
    model = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    model.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    model.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=plan.vocabulary,
        special_tokens=[PAD, BEGIN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator(_texts(plan), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=model, bos_token=BEGIN, eos_token=END, pad_token=PAD, chat_template=CHAT
    )


def _texts(plan: Plan) -> Iterator[str]:
    rng = random.Random(plan.seed)
    for worked in islice(stream(plan.seed), plan.words_from):
        for row in lesson(worked, rng):
            yield from (message["content"] for message in row.messages)
            yield "".join(text for text, _ in row.reply)
        yield from ("system\n", "user\n", "assistant\n")


def begun(plan: Plan, settings: Settings) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The model before its first step, and its tokenizer. Raises BaseError."""
    if plan.start is None:
        tokenizer = learn_tokenizer(plan)
        return untaught(plan, tokenizer), tokenizer
    folder = base_folder(plan.start, settings)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model, PreTrainedTokenizerFast.from_pretrained(folder)


def untaught(plan: Plan, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(plan.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=plan.width,
            intermediate_size=plan.hidden,
            num_hidden_layers=plan.layers,
            num_attention_heads=plan.heads,
            num_key_value_heads=plan.heads // 2,
            max_position_embeddings=1024,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


@dataclass(frozen=True)
class Made:
    """An actor as a transformers folder and as a GGUF file."""

    folder: Path
    gguf: Path


def place_of(plan: Plan, settings: Settings) -> Made:
    """Where the actor of a plan lies once it is trained."""
    place = settings.home / "ground" / content_hash(repr(sorted(asdict(plan).items())))
    return Made(place / "model", place / f"ground-{plan.size}.gguf")


def pretrain(plan: Plan, settings: Settings) -> Made:
    """Train the actor, unless that was done before. Raises OSError."""
    made = place_of(plan, settings)
    if made.gguf.exists():
        return made
    model, tokenizer = begun(plan, settings)
    model = _taught(plan, model, tokenizer, made.folder.with_name("run")).float()
    with saved_by_library(made.folder):
        model.save_pretrained(made.folder)
        tokenizer.save_pretrained(made.folder)
    to_gguf(model, tokenizer, made.gguf, GGMLQuantizationType.Q8_0)
    return made


class _Trainer(Trainer):
    """Transformers' trainer with the loss of a tree."""

    def compute_loss(  # pyrefly: ignore[bad-override]
        self, model: torch.nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        read = {name: inputs[name] for name in ("input_ids", "position_ids", "attention_mask")}
        outputs = model(**read, use_cache=False)
        found = loss(outputs.logits, inputs)
        return (found, outputs) if return_outputs else found


def _taught(plan: Plan, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, place: Path) -> LlamaForCausalLM:
    pad = tokenizer.pad_token_id
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = _dtype(place / "dtype", device)
    arguments = TrainingArguments(
        output_dir=str(place),
        per_device_train_batch_size=plan.batch,
        max_steps=plan.steps,
        learning_rate=plan.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": int(plan.decay * plan.steps), "decay_type": "1-sqrt"},
        warmup_steps=min(plan.warm_up, plan.steps // 4),
        weight_decay=0.01,
        adam_beta2=0.98,
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
        use_cpu=device == "cpu",
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        save_steps=SAVE_EVERY,
        save_total_limit=1,
        logging_steps=25,
        report_to="none",
        seed=plan.seed,
        dataloader_num_workers=0,
        dataloader_pin_memory=device != "cpu",
    )

    def collate(trees: Sequence[Tree]) -> dict[str, torch.Tensor]:
        return batch(trees, pad)

    trainer = _Trainer(model, arguments, collate, Lessons(plan, tokenizer))
    checkpoint = newest_checkpoint(place)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return model


def _dtype(kept: Path, device: str) -> torch.dtype:
    """The number type that was fastest when the run started; a resumed run keeps it."""
    if not kept.exists():
        write_whole(kept, str(fastest_dtype(device)).removeprefix("torch."))
    return getattr(torch, kept.read_text("utf-8"))
