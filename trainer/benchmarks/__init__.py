"""Our engine beside its peers: the same work in one run, engine after engine, round after round.

    python -m trainer bench [--quick | --full]

Every engine is a process of its own (`worker.py`) and starts a round with nothing read, so prompts are fresh; engines
that keep what they read do some workloads a second time, "warm". Every measurement is kept at once, so that a killed
run goes on; a finished one is measured anew by the next command.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import psutil

from runtime.files import ROOT
from runtime.models import catalogue
from runtime.models import machine as tuning
from runtime.settings import Settings
from runtime.types import content_hash
from trainer.benchmarks import limits
from trainer.benchmarks.plot import draw
from trainer.benchmarks.table import EARLY, WARM, rows, table
from trainer.benchmarks.worker import BenchError, Setup, Worker
from trainer.benchmarks.workloads import CONTEXT, FULL, QUICK, WORKLOADS, Sizes
from trainer.runs import ResultFile

__all__ = ["Bench", "BenchError", "Options", "limits", "table"]

REPORTS = ROOT / "data" / "reports"
BASES, LARGER = ("smollm2-135m", "qwen2.5-coder-0.5b"), "qwen2.5-coder-1.5b"
ENGINES = ("loop", "llama_cpp.server", "llama-server", "transformers", "ours", "ours+format", EARLY)
KEEPING = ("llama-server", "ours", "ours+format")
"""Engines that keep the prompts of many conversations; they do `REPEATED` twice."""
REPEATED = ("samples", "labels")
GIB = 1 << 30


@dataclass(frozen=True)
class Options:
    """What to measure."""

    bases: tuple[str, ...] = BASES
    engines: tuple[str, ...] = ENGINES
    workloads: tuple[str, ...] = tuple(WORKLOADS)
    rounds: int = 3
    threads: int = field(default_factory=tuning.cores)
    """Of every engine, and of what measures the limits."""
    sizes: Sizes = FULL

    @classmethod
    def of(cls, quick: bool, full: bool, share: float = 1.0, **given: Any) -> Options:
        """A trial, the usual run or the full one, a share of its work, changed by what is given. Raises BenchError."""
        usual = {"bases": BASES[:1], "rounds": 1, "sizes": QUICK} if quick else {"sizes": FULL.part(share)}
        larger = {"bases": (*BASES, LARGER)} if full else {}
        return cls(**{**usual, **larger, **{name: value for name, value in given.items() if value is not None}})

    def __post_init__(self) -> None:
        for name, known in (("engines", ENGINES), ("workloads", WORKLOADS)):
            if unknown := [each for each in getattr(self, name) if each not in known]:
                raise BenchError(f"{', '.join(unknown)}: {name} are {', '.join(known)}.")


class Bench:
    """One set of options on a machine (see `limits.machine`). Raises ModelError for a base that is not here."""

    def __init__(self, options: Options, settings: Settings, machine: dict[str, Any]) -> None:
        self.options, self.machine = options, machine
        self.settings = settings.with_(threads=options.threads, context=CONTEXT)
        self.paths = {base: catalogue.resolve(settings.with_(model=base)) for base in options.bases}
        self.left_out: dict[str, str] = {}
        chosen = asdict(options)
        del chosen["rounds"]  # a run with more of them goes on from one with fewer
        facts = {name: machine[name] for name in ("cpu", "system")}
        self.results = ResultFile(settings.home / "benches", "bench", {"code": _version(), **facts, **chosen})
        self._workers: dict[str, Worker] = {}

    def run(self) -> Iterator[str]:
        """Measure what was not measured yet; yields a line on each measurement."""
        if self.machine["busy_percent"] > limits.BUSY:
            yield f"Others use {self.machine['busy_percent']:.0f} % of the processors: the figures will be doubtful."
        for base, number in product(self.options.bases, range(self.options.rounds)):
            try:
                for workload, engine in product(self.options.workloads, self.options.engines):
                    if engine != EARLY or workload == "labels":
                        yield from self._measure(base, number, workload, engine)
            finally:
                while self._workers:
                    self._stop(next(iter(self._workers)))

    def _measure(self, base: str, number: int, workload: str, engine: str) -> Iterator[str]:
        names = [engine, engine + WARM] if engine in KEEPING and workload in REPEATED else [engine]
        keys = [f"{number}/{workload}/{base}/{name}" for name in names]
        places = [f"{engine}, {base}", f"{engine}, {base}, {workload}"]
        if all(key in self.results.rows for key in keys) or self.left_out.keys() & set(places):
            return
        try:
            worker = self._worker(engine, base)
            for key, name in zip(keys, names, strict=True):
                found = worker.measure(name=workload, sizes=self.options.sizes, settled=engine == EARLY)
                place = {"round": number, "workload": workload, "base": base, "engine": name, "file": str(worker.file)}
                self.results.add({"key": key, **place, **found})
                yield f"{key}: {found['tokens']} tokens in {found['seconds']:.2f} s"
        except BenchError as error:
            place = places[engine in self._workers]
            self._stop(engine)
            self.left_out[place] = str(error)
            yield f"Left out: {place}. {error}"

    def _worker(self, engine: str, base: str) -> Worker:
        """The running engine, started if need be; where memory is short others are stopped, the oldest first."""
        if engine not in self._workers:
            path, log = self.paths[base], self.results.folder / "engines.log"
            needed = 2 * GIB + path.stat().st_size * (8 if engine == "transformers" else 2)
            while self._workers and psutil.virtual_memory().available < needed:
                self._stop(next(iter(self._workers)))
            speeds = self.machine["matmul_gflops"]
            dtype = max(("float32", "bfloat16"), key=speeds.__getitem__)
            self._workers[engine] = Worker(Setup(engine, path, self.settings, dtype, log))
        return self._workers[engine]

    def _stop(self, engine: str) -> None:
        if worker := self._workers.pop(engine, None):
            worker.close()

    def report(self) -> dict[str, Any]:
        """The machine, the rows of the table, and why others are missing."""
        return {
            "machine": self.machine,
            "rows": rows(self.results.rows.values(), self.machine),
            "left_out": [{"what": what, "why": why} for what, why in self.left_out.items()],
        }

    def finish(self) -> dict[str, Any]:
        """The report, written with its picture beside the measurements and, unless quick, where the README shows it.
        Raises BenchError if there is none."""
        if not self.results.rows:
            raise BenchError(f"Nothing could be measured. {next(iter(self.left_out.values()), '')}")
        report, folder = self.report(), self.results.folder
        for place in [folder] if self.options.sizes == QUICK else [folder, REPORTS]:
            place.mkdir(parents=True, exist_ok=True)
            (place / "bench.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
            draw(report, place / "bench.png")
        self.results.path.rename(folder / f"results-{time.strftime('%Y%m%d-%H%M%S')}.jsonl")
        return report


def _version() -> str:
    """Of all that decides speed: llama.cpp's package and our own code."""
    code = sorted([*(ROOT / "runtime" / "engines").rglob("*.py"), *Path(__file__).parent.glob("*.py")])
    return content_hash(version("llama-cpp-python"), *(path.read_text("utf-8") for path in code))
