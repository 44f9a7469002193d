"""Samples tokens and computes log-probabilities from a row of logits."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import llama_cpp as llama
import numpy as np

from runtime.engines.base import Sampling

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data
_ROWS = 128


class Sampler:
    """Samples the tokens of one reply with llama.cpp's samplers, seeded; `free` it when the reply is finished."""

    def __init__(self, sampling: Sampling) -> None:
        self._top_k = sampling.top_k
        self._chain = None if sampling.temperature <= 0 else _chain(sampling)

    def pick(self, logits: np.ndarray) -> int:
        """The next token, given one row of logits over the vocabulary."""
        if self._chain is None:
            return int(logits.argmax())
        ids = top_candidates(logits, self._top_k)
        data = np.zeros(len(ids), _CANDIDATE)
        data["id"], data["logit"] = ids, logits[ids]
        pointer = data.ctypes.data_as(ctypes.POINTER(llama.llama_token_data))
        array = llama.llama_token_data_array(data=pointer, size=len(ids), selected=-1, sorted=False)
        llama.llama_sampler_apply(self._chain, ctypes.byref(array))  # pyrefly: ignore[bad-argument-type]
        return array.data[array.selected].id

    def free(self) -> None:
        if self._chain is not None:
            llama.llama_sampler_free(self._chain)
            self._chain = None


def _chain(sampling: Sampling) -> llama.llama_sampler_p:
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    for link in (
        llama.llama_sampler_init_top_k(sampling.top_k),
        llama.llama_sampler_init_top_p(sampling.top_p, 1),
        llama.llama_sampler_init_min_p(sampling.min_p, 1),
        llama.llama_sampler_init_temp(sampling.temperature),
        llama.llama_sampler_init_dist(sampling.seed),
    ):
        llama.llama_sampler_chain_add(chain, link)
    return chain


def top_candidates(logits: np.ndarray, k: int) -> np.ndarray:
    """Ids of a few hundred tokens that include those of the `k` largest logits; all ids if `k` is 0 or large. Sampling
    from a vocabulary of 150,000 would take a twentieth of the time of a batch."""
    columns = len(logits) // _ROWS
    if k <= 0 or k >= columns:
        return np.arange(len(logits), dtype=np.int32)
    table = logits[: columns * _ROWS].reshape(_ROWS, columns)
    maxima = table.max(axis=0)
    kth_largest = np.partition(maxima, columns - k)[columns - k]  # so at least k logits are as large
    chosen = np.flatnonzero(maxima >= kth_largest)
    row, place = np.nonzero(table[:, chosen] >= kth_largest)
    rest = np.arange(columns * _ROWS, len(logits))
    return np.concatenate([row * columns + chosen[place], rest]).astype(np.int32)


def log_softmax_at(logits: np.ndarray, choices: Sequence[int]) -> list[float]:
    """Log-probabilities of some tokens, given one row of logits over the vocabulary."""
    shifted = logits.astype(np.float64) - logits.max()
    norm = np.log(np.exp(shifted).sum())
    return [float(shifted[choice] - norm) for choice in choices]
