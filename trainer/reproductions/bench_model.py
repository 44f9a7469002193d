"""The bench model: a tiny Llama trained from scratch, with which an experiment takes minutes instead of days.

    python -m trainer pretrain --size bench

First it learns generated word problems of a few steps, in the app's prompt format, and sums. Then it also reads
critiques, refinements and self-talk, as any base has read discussions. It serves for trying methods and testing
programs, never for students. The same schedule gives the same model.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from gguf import GGMLQuantizationType
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.utils.data import Dataset
from transformers import (
    DataCollatorForLanguageModeling,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from runtime.checks.grading import grade
from runtime.checks.stated import final_answer
from runtime.engines.base import Engine, Sampling
from runtime.engines.hf.loading import fastest_dtype
from runtime.files import saved_by_library, write_whole
from runtime.problems import wordproblems
from runtime.problems.worked import Worked
from runtime.prompts.actor_turn import conversation
from runtime.settings import Settings
from runtime.types import content_hash
from trainer.data.errors import InjectionError
from trainer.data.examples.attempts import right_attempt, wrong_attempt
from trainer.data.examples.critic import critic_row
from trainer.data.rows import Row
from trainer.data.traces.material import generated
from trainer.reproductions.mathcritique.examples import corrected, reasoned, refined, talked
from trainer.statistics import wilson
from trainer.training.checkpoints import newest_checkpoint
from trainer.weights.to_gguf import to_gguf

NAME = "bench"
PAD, BEGIN, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SKIPPED = 64
"""The next block begins this many problems later; a block takes those that are short enough until it is full."""
EQUATION = re.compile(r"\d[\d.]*(?: [-+×/] \d[\d.]*)+ = \d[\d.]*")


@dataclass(frozen=True)
class Plan:
    """Everything that determines the model."""

    blocks: int = 32_000
    """Blocks of solutions and sums, each read once."""
    talk_blocks: int = 8_000
    """Blocks read after them, which also contain critiques, refinements and self-talk."""
    block: int = 512
    """Tokens per block."""
    most_steps: int = 3
    """Problems with longer solutions are left out."""
    words_from: int = 20_000
    """Number of problems the tokenizer is trained on."""
    vocabulary: int = 2048
    width: int = 256
    layers: int = 6
    heads: int = 4
    batch: int = 8
    learning_rate: float = 2e-3
    talk_rate: float = 1e-3
    seed: int = 0

    def allows(self, worked: Worked) -> bool:
        return len(worked.lines) <= self.most_steps


class Blocks(Dataset):
    """Concatenated texts as blocks of tokens. Each block holds one kind of text and is made on demand; the kinds
    alternate."""

    def __init__(self, plan: Plan, tokenizer: PreTrainedTokenizerFast, kinds: Sequence[Kind], numbers: range) -> None:
        self.plan, self.tokenizer, self.kinds, self.numbers = plan, tokenizer, kinds, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        number, ids = self.numbers[index], []
        texts = self._texts(self.kinds[number % len(self.kinds)], number * SKIPPED)
        while len(ids) < self.plan.block:
            ids += self.tokenizer(next(texts))["input_ids"]
        return {"input_ids": ids[: self.plan.block]}

    def _texts(self, write: Kind, start: int) -> Iterator[str]:
        """Texts of one kind: sums from all solutions, everything else from short ones."""
        stream = wordproblems.stream(self.plan.seed, "train", start)
        for worked in stream if write is sums else filter(self.plan.allows, stream):
            if text := write(worked):
                if not isinstance(text, str):
                    text = str(self.tokenizer.apply_chat_template(_messages(text), tokenize=False))
                yield text


Kind = Callable[[Worked], Row | str | None]
"""Writes about a problem an example, plain text, or None if it has nothing to write."""


def sums(worked: Worked) -> str:
    """The equations of a solution, one per line, which gives more sums for the same time."""
    return "".join(f"{equation}\n" for line in worked.lines for equation in EQUATION.findall(line))


def judged(worked: Worked) -> Row | None:
    """A critic's turn on a right or a wrong attempt."""
    try:
        return critic_row(wrong_attempt(worked, 0) if int(worked.problem.id, 16) % 2 else right_attempt(worked))
    except InjectionError:
        return None


def _messages(row: Row) -> list[dict[str, str]]:
    asked = [{"role": each["role"], "content": each["content"]} for each in row.messages]
    return [*asked, {"role": "assistant", "content": "".join(text for text, _ in row.reply)}]


def short(plan: Plan, split: wordproblems.Split, start: int = 0) -> Iterator[Worked]:
    """Problems with at most `most_steps` steps."""
    return filter(plan.allows, wordproblems.stream(plan.seed, split, start))


def learn_tokenizer(plan: Plan) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on problems and self-talk; every digit is a token of its own."""
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
    stories = islice(short(plan, "train"), plan.words_from)
    texts = (message["content"] for story in stories for message in _messages(reasoned(story)))
    talks = (trace.text for trace in generated(plan.words_from // 10, plan.seed))
    model.train_from_iterator(chain(texts, talks), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=model, bos_token=BEGIN, eos_token=END, pad_token=PAD, chat_template=CHAT
    )


def untaught(plan: Plan, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(plan.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=plan.width,
            intermediate_size=plan.width * 11 // 4,
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
    """A bench model as a transformers folder and as a GGUF file."""

    folder: Path
    gguf: Path


def pretrain(plan: Plan, settings: Settings) -> Made:
    """Train the model. An interrupted run resumes from its last checkpoint."""
    place = settings.home / "bench-models" / content_hash(repr(sorted(asdict(plan).items())))
    made = Made(place / "model", place / f"{NAME}.gguf")
    if made.gguf.exists():
        return made
    tokenizer = learn_tokenizer(plan)
    first, then = range(plan.blocks), range(plan.blocks, plan.blocks + plan.talk_blocks)
    solving = Blocks(plan, tokenizer, (sums, reasoned, reasoned, reasoned), first)
    talking = Blocks(plan, tokenizer, (sums, reasoned, judged, talked, reasoned, refined, reasoned, corrected), then)
    if not (place / "solving").exists():
        model = _learned(plan, untaught(plan, tokenizer), tokenizer, solving, plan.learning_rate, place / "first")
        with saved_by_library(place / "solving.part"):
            model.save_pretrained(place / "solving.part")
        (place / "solving.part").rename(place / "solving")
    model = LlamaForCausalLM.from_pretrained(place / "solving")
    model = _learned(plan, model, tokenizer, talking, plan.talk_rate, place / "then").float()
    with saved_by_library(made.folder):
        model.save_pretrained(made.folder)
        tokenizer.save_pretrained(made.folder)
    to_gguf(model, tokenizer, made.gguf, GGMLQuantizationType.Q8_0)
    return made


def _learned(
    plan: Plan, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, blocks: Blocks, rate: float, place: Path
) -> LlamaForCausalLM:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = _dtype(place / "dtype", device)
    arguments = TrainingArguments(
        output_dir=str(place),
        per_device_train_batch_size=plan.batch,
        num_train_epochs=1,
        learning_rate=rate,
        lr_scheduler_type="cosine",
        warmup_steps=100,
        weight_decay=0.01,
        adam_beta2=0.98,
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
        use_cpu=device == "cpu",
        save_steps=250,
        save_total_limit=1,
        logging_steps=25,
        report_to="none",
        seed=plan.seed,
        dataloader_num_workers=0,
    )
    trainer = Trainer(model, arguments, DataCollatorForLanguageModeling(tokenizer, mlm=False), blocks)
    checkpoint = newest_checkpoint(place)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return model


def _dtype(kept: Path, device: str) -> torch.dtype:
    """The number type that was fastest when the run started; a resumed run keeps it."""
    if not kept.exists():
        write_whole(kept, str(fastest_dtype(device)).removeprefix("torch."))
    return getattr(torch, kept.read_text("utf-8"))


def pass_rates(plan: Plan, engine: Engine, n: int) -> dict[str, dict[str, Any]]:
    """Share of problems solved greedily, by number of steps, on problems outside the training data: familiar themes
    with a fresh seed, and the test split, whose themes and templates are held out."""
    fresh = replace(plan, seed=plan.seed + 1)
    return {name: _by_steps(engine, list(islice(short(fresh, split), n))) for name, split in SETS.items()}


SETS: dict[str, wordproblems.Split] = {"fresh seeds": "train", "held-out templates": "test"}


def _by_steps(engine: Engine, problems: list[Worked]) -> dict[str, Any]:
    asked = [conversation(worked.problem) for worked in problems]
    right: dict[int, list[bool]] = defaultdict(list)
    for worked, [reply] in zip(problems, engine.sample(asked, Sampling(max_tokens=256)), strict=True):
        right[len(worked.lines)].append(grade(final_answer(reply.text), worked.problem) is True)
    rates = {f"{steps} steps": _rate(found) for steps, found in sorted(right.items())}
    return {"all": _rate([*chain.from_iterable(right.values())])} | rates


def _rate(right: list[bool]) -> dict[str, Any]:
    return {"n": len(right), "rate": sum(right) / len(right), "interval": wilson(sum(right), len(right))}
