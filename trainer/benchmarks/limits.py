"""What the machine can do: its facts, its measured limits, and how many tokens a second they allow a model."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from runtime.models import machine as tuning
from runtime.models import processor

DTYPES = ("float32", "bfloat16", "float16")
BUSY = 30
"""Percent of the processors that others may use before the figures are doubtful."""
COPY = 1 << 28
"""Bytes that are copied: more than any cache holds."""
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8", "asimddp", "i8mm", "sve")
READING = ("verdicts",)
ALONE = ("turn", "stream")


@dataclass(frozen=True)
class Weights:
    """What a model file asks of the machine for one token."""

    body: int
    """Weights multiplied for every token."""
    output: int
    """Weights multiplied only where the next word is wanted."""
    bytes: int
    """What one stream reads from memory per token."""


def weights(path: Path) -> Weights:
    """Read from the file's tensors; embeddings that are not the output matrix too are only looked up."""
    from gguf import GGUFReader

    tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    output = tensors.get("output.weight", tensors["token_embd.weight"])
    others = [tensor for name, tensor in tensors.items() if name not in ("output.weight", "token_embd.weight")]
    return Weights(
        body=sum(int(tensor.n_elements) for tensor in others if len(tensor.shape) == 2),
        output=int(output.n_elements),
        bytes=sum(int(tensor.n_bytes) for tensor in (*others, output)),
    )


def limit(workload: str, needs: Weights, machine: dict[str, Any]) -> float:
    """Tokens a second that the machine allows: by memory for one stream, else by the fastest matrix product."""
    if workload in ALONE:
        return machine["memory_gb_per_second"] * 1e9 / needs.bytes
    parameters = needs.body if workload in READING else needs.body + needs.output
    return max(machine["matmul_gflops"].values()) * 1e9 / (2 * parameters)


def machine(threads: int) -> dict[str, Any]:
    """Facts and measured limits, the latter with as many threads as the engines are given."""
    busy = psutil.cpu_percent(interval=1.0)
    return {
        "cpu": processor.name(),
        "cores": tuning.cores(),
        "threads": threads,
        "flags": _flags(),
        "system": platform.platform(),
        "load": [round(x, 2) for x in os.getloadavg()],
        "busy_percent": busy,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "memory_gb_per_second": round(_copy_speed(threads), 1),
        "matmul_gflops": {dtype: round(_matmul_speed(dtype, threads), 1) for dtype in DTYPES},
    }


def _flags() -> list[str]:
    """The processor's abilities that matter here; none where the system does not tell."""
    path = Path("/proc/cpuinfo")
    words = set(path.read_text("utf-8").split()) if path.exists() else set()
    return [flag for flag in FLAGS if flag in words]


def _copy_speed(threads: int) -> float:
    """GB/s read and written by a copy, every thread copying a part."""
    source, target = np.ones(COPY, np.uint8), np.ones(COPY, np.uint8)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        return 2 * COPY / _best(lambda: list(pool.map(lambda part: np.copyto(*part), parts))) / 1e9


def _matmul_speed(dtype: str, threads: int) -> float:
    """GFLOP/s; larger matrices are tried only while they are quick, for some types are emulated."""
    import torch

    torch.set_num_threads(threads)
    fastest = 0.0
    for size in (256, 1024, 2048):
        a, b = (torch.rand(size, size).to(getattr(torch, dtype)) for _ in range(2))
        seconds = _best(lambda a=a, b=b: a @ b)
        fastest = max(fastest, 2 * size**3 / seconds / 1e9)
        if seconds > 0.02:
            break
    return fastest


def _best(work: Callable[[], object], seconds: float = 0.5) -> float:
    """Shortest duration of repeated work: what disturbs it can only make it longer."""
    best, times, until = inf, 0, time.perf_counter() + seconds
    while time.perf_counter() < until or times < 3:
        times += 1
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best
