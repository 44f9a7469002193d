"""Compares llama.cpp and peft with an adapter: logits at every position of some texts, and greedy text.

With an F32 file of the base both compute the same numbers up to rounding (measured: 1e-4). On the quantized file that
is served the base's weights differ, so compare the most likely tokens and the greedy text.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import llama_cpp as llama
import numpy as np
import torch
from peft import PeftConfig

from runtime.engines.base import EngineError
from runtime.engines.hf.loading import load_tokenizer
from runtime.engines.hf.model import Model
from runtime.engines.llamacpp.adapters import Adapters
from runtime.engines.llamacpp.chat import Chat
from runtime.engines.llamacpp.measure import Bench, Token, loaded
from runtime.engines.llamacpp.memory import memory_of
from runtime.engines.llamacpp.model import vocab_of
from runtime.types import Value

ADAPTER = "adapter"
AT_ONCE = 512
"""Tokens per batch of llama.cpp."""
QUESTIONS = (
    "A shop sells notebooks at 4 dollars each. Nadia buys 3 and pays with a 50 dollar note. How much change is that?",
    "A train travels 180 km at a speed of 72 km/h. How long does it take?\n180 / 72 = 2.5 hours.\nIs this right?",
    "小明有24颗糖，他把其中的三分之一给了妹妹，又吃了5颗。他还剩多少颗糖？",
)


class Parity(Value):
    """Agreement of llama.cpp and peft."""

    texts: int
    tokens: int
    """Positions at which the logits of the next token were compared."""
    max_difference: float
    """Largest difference of two logits."""
    argmax_agreement: float
    """Share of positions with the same most likely token."""
    same_tokens: int
    """Texts that both tokenise the same way."""
    same_greedy: int
    """Texts that both continue with the same tokens."""


def parity(
    base_folder: Path,
    adapter_folder: Path,
    base_gguf: Path,
    adapter_gguf: Path,
    texts: Sequence[str],
    words: int = 16,
    threads: int = 1,
) -> Parity:
    """Compare a peft adapter on its base folder with its GGUF adapter on a GGUF base.

    `texts` are conversations in the chat template; with an activated adapter each needs its activation tokens. `words`
    is the number of greedy tokens to compare, `threads` is for llama.cpp. Raises EngineError if a file does not fit
    another, or the activation tokens are missing.
    """
    differences, same, same_tokens, same_greedy = [], [], 0, 0
    with (
        closing(Model(base_folder, {ADAPTER: adapter_folder}, four_bit=False, dtype="float32")) as trained,
        loaded(base_gguf) as model,
        Served(model, adapter_gguf, threads) as adapter,
    ):
        for text in texts:
            tokens = trained.tokenizer.encode(text, add_special_tokens=False)
            same_tokens += tokens == adapter.chat.tokens(text, special=True)
            ours = _logits(trained, tokens, list(range(len(tokens)))).float().cpu().numpy()
            theirs = adapter.read(tokens)
            differences.append(np.abs(ours - theirs).max())
            same += (ours.argmax(-1) == theirs.argmax(-1)).tolist()
            same_greedy += _greedy_of_peft(trained, tokens, words) == adapter.greedy(tokens, words)
    return Parity(
        texts=len(texts),
        tokens=len(same),
        max_difference=float(max(differences)),
        argmax_agreement=sum(same) / len(same),
        same_tokens=same_tokens,
        same_greedy=same_greedy,
    )


def conversations(base_folder: Path, adapter_folder: Path) -> list[str]:
    """Texts to compare on: questions in the chat template, with the adapter's activation tokens."""
    tokenizer = load_tokenizer(base_folder)
    config = PeftConfig.from_pretrained(str(adapter_folder))
    called = str(tokenizer.decode(getattr(config, "alora_invocation_tokens", None) or []))
    asked = [[{"role": "user", "content": question}] for question in QUESTIONS]
    opened = [str(tokenizer.apply_chat_template(each, add_generation_prompt=True, tokenize=False)) for each in asked]
    return [text if called in text else text + called for text in opened]


def _greedy_of_peft(model: Model, tokens: list[int], words: int) -> list[int]:
    written: list[int] = []
    while len(written) < words and not (written and written[-1] in model.ends):
        read = tokens + written
        written.append(int(_logits(model, read, [len(read) - 1])[-1].argmax()))
    return written


def _logits(model: Model, tokens: list[int], marks: list[int]) -> torch.Tensor:
    found = model.read(tokens, ADAPTER, marks).logits
    if found is None:
        raise EngineError("The reading was ended.")
    return found


class Served(Bench):
    """A GGUF base with an adapter, in a context with F32 keys and values and without flash attention. Raises
    EngineError if the adapter is damaged or does not fit."""

    def __init__(self, model: llama.llama_model_p, adapter_gguf: Path, threads: int = 1, length: int = 4096) -> None:
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = length, AT_ONCE, AT_ONCE
        params.type_k = params.type_v = llama.GGML_TYPE_F32
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._adapters = Adapters(model, {ADAPTER: adapter_gguf})
        context = llama.llama_init_from_model(model, params)
        if not context:
            raise EngineError("There is not enough memory to compare. Close other programs.")
        self.context, self.memory = context, memory_of(context)
        self._batch = llama.llama_batch_init(AT_ONCE, 0, 1)
        self.chat, self._adapter, self._vocab = Chat(model), self._adapters.by_name[ADAPTER], vocab_of(model)
        self._size = llama.llama_vocab_n_tokens(self._vocab)

    def read(self, tokens: Sequence[int]) -> np.ndarray:
        """Logits (tokens, vocabulary) after each token of a new conversation. The base reads the text before an
        activated adapter."""
        self.forget()
        begins = self._adapter.begins_at(tokens)
        return np.concatenate([self._read(tokens[:begins], 0, 0), self._read(tokens[begins:], begins)])

    def greedy(self, tokens: Sequence[int], words: int) -> list[int]:
        """The greedy continuation, up to `words` tokens, including the end token."""
        logits, written = self.read(tokens)[-1:], []
        while len(written) < words:
            written.append(int(logits[-1].argmax()))
            if llama.llama_vocab_is_eog(self._vocab, written[-1]):
                break
            logits = self._read(written[-1:], len(tokens) + len(written) - 1)
        return written

    def _read(self, tokens: Sequence[int], start: int, adapter: int | None = None) -> np.ndarray:
        self._adapters.use(self.context, self._adapter.number if adapter is None else adapter)
        rows = [np.empty((0, self._size), np.float32)]
        for at in range(0, len(tokens), AT_ONCE):
            part = [Token(token, start + at + i) for i, token in enumerate(tokens[at : at + AT_ONCE])]
            self.decode(part)
            logits = llama.llama_get_logits(self.context)
            rows.append(np.ctypeslib.as_array(logits, shape=(len(part), self._size)).copy())
        return np.concatenate(rows)
