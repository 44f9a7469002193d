"""transformers' `generate` as a peer: the same GGUF file unpacked to plain weights, prompts padded on the left."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import llama_cpp
import torch
from transformers import AutoModelForCausalLM, GgufConfig
from transformers.generation.streamers import BaseStreamer

from runtime.engines.base import Completion, Messages, Sampling
from trainer.benchmarks.peers import Peer

BATCH = 64
"""Sequences of one `generate`."""


class Transformers(Peer):
    name = "transformers"

    def __init__(self, path: Path, threads: int, dtype: str) -> None:
        super().__init__(path)
        torch.set_num_threads(threads)
        self._weights = AutoModelForCausalLM.from_pretrained(
            str(path.parent),
            gguf_file=path.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=getattr(torch, dtype),
        ).eval()
        model = self.words.model
        vocabulary = llama_cpp.llama_model_get_vocab(model.model)
        self._ends = [i for i in range(model.n_vocab()) if llama_cpp.llama_vocab_is_eog(vocabulary, i)]

    def _padded(self, prompts: Sequence[list[int]]) -> dict[str, torch.Tensor]:
        """Prompts of one batch as (B, T) tokens and their mask."""
        longest = max(map(len, prompts))
        rows = [[self._ends[0]] * (longest - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        return {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(mask)}

    def _generate(self, prompts: Sequence[list[int]], sampling: Sampling, **more: Any) -> torch.Tensor:
        drawn = {name: getattr(sampling, name) for name in ("temperature", "top_k", "top_p", "min_p")}
        torch.manual_seed(sampling.seed)
        return self._weights.generate(
            **self._padded(prompts),
            **(drawn if sampling.temperature else {}),
            do_sample=sampling.temperature > 0,
            max_new_tokens=sampling.max_tokens,
            eos_token_id=self._ends,
            pad_token_id=self._ends[0],
            **more,
        )

    def _completion(self, prompt: list[int], written: list[int]) -> Completion:
        end = next((i for i, token in enumerate(written) if token in self._ends), len(written))
        finish = "stop" if end < len(written) else "length"
        return Completion(self.words.text(written[:end]), finish, len(prompt), end)

    @torch.inference_mode()
    def sample(self, requests: Iterable[Messages], sampling: Sampling, n: int = 1) -> Iterator[list[Completion]]:
        prompts, size = [self.words.tokens(messages) for messages in requests], max(1, BATCH // n)
        for start in range(0, len(prompts), size):
            group = prompts[start : start + size]
            rows = self._generate(group, sampling, num_return_sequences=n)
            written = rows[:, max(map(len, group)) :].tolist()
            for i, prompt in enumerate(group):
                yield [self._completion(prompt, reply) for reply in written[i * n : (i + 1) * n]]

    def stream(self, messages: Messages, sampling: Sampling) -> Generator[str, None, Completion]:
        prompt, arrived, written = self.words.tokens(messages), _Arrived(), []
        Thread(target=self._generate, args=([prompt], sampling), kwargs={"streamer": arrived}).start()
        while (token := arrived.tokens.get()) is not None:
            written.append(token)
            yield self.words.text([token])
        return self._completion(prompt, written)

    @torch.inference_mode()
    def choice_logprobs(self, messages: Messages, parts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        batch = self._padded(self.words.prefixes(messages, parts))
        batch["position_ids"] = (batch["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        logits = self._weights(**batch, logits_to_keep=1).logits[:, -1].float()
        return logits.log_softmax(-1)[:, [self.words.part(choice)[0] for choice in choices]].tolist()


class _Arrived(BaseStreamer):
    """Tokens as `generate` hands them over: the prompt first, which is not passed on; None at the end."""

    def __init__(self) -> None:
        self.tokens: SimpleQueue[int | None] = SimpleQueue()
        self._begun = False

    def put(self, value: torch.Tensor) -> None:
        if self._begun:
            self.tokens.put(int(value))
        self._begun = True

    def end(self) -> None:
        self.tokens.put(None)
