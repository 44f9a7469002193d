"""A run: every engine measured in a process of its own, in rounds that each begin with an empty cache.

Results are stored at once, so a killed run resumes; after a finished run the next command measures again.
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, cast

import psutil

from runtime import engines
from runtime.engines.base import Engine
from runtime.engines.openai import OpenAIEngine
from runtime.errors import SoliloquyError
from runtime.files import ROOT
from runtime.models import catalogue, processor
from runtime.models.machine import batch_file, batch_width, cores
from runtime.settings import Settings
from runtime.types import content_hash
from trainer.benchmarks.peers import SLOTS, PlainLoop, llama_server
from trainer.benchmarks.table import rows
from trainer.benchmarks.workloads import QUICK, WORKLOADS, Sizes, measure
from trainer.runs import ResultFile

BASES, LARGER = ("smollm2-135m", "qwen2.5-coder-0.5b"), "qwen2.5-coder-1.5b"
ENGINES = ("loop", "llama-server", "ours", "ours+format")
CONTEXT = 1024
"""Tokens per conversation; the longest turn has about 500."""
PARALLEL = 32
"""Conversations of our engine at once, unless a better number was measured."""
BUSY = 30
"""Load of other programs, in percent, above which the figures are doubtful."""


class BenchError(SoliloquyError):
    """Something cannot be measured. The message gives the reason."""


@dataclass(frozen=True)
class Options:
    """What to measure."""

    bases: tuple[str, ...] = BASES
    engines: tuple[str, ...] = ENGINES
    workloads: tuple[str, ...] = tuple(WORKLOADS)
    rounds: int = 3
    threads: int = field(default_factory=cores)
    """CPU threads of every engine."""
    sizes: Sizes = field(default_factory=Sizes)

    @classmethod
    def of(cls, quick: bool, full: bool, share: float = 1.0, **given: Any) -> Options:
        """The options of a trial, the usual or the full run, a share of its work, with the given changes. Raises
        BenchError."""
        usual: dict[str, Any] = (
            {"bases": BASES[:1], "rounds": 1, "sizes": QUICK} if quick else {"sizes": Sizes().part(share)}
        )
        larger: dict[str, Any] = {"bases": (*BASES, LARGER)} if full else {}
        return cls(**{**usual, **larger, **{name: value for name, value in given.items() if value is not None}})

    def __post_init__(self) -> None:
        for name, known in (("engines", ENGINES), ("workloads", WORKLOADS)):
            if unknown := [each for each in getattr(self, name) if each not in known]:
                raise BenchError(f"{', '.join(unknown)}: {name} are {', '.join(known)}.")


class Bench:
    """One set of options on this machine. Raises ModelError for a missing base."""

    def __init__(self, options: Options, settings: Settings) -> None:
        self.options = options
        self.settings = settings.with_(threads=options.threads, context=CONTEXT)
        self.paths = {base: catalogue.resolve(settings.with_(model=base)) for base in options.bases}
        self.left_out: dict[str, str] = {}
        self.machine = {"cpu": processor.name(), "threads": options.threads, "system": platform.platform()}
        chosen = asdict(options)
        del chosen["rounds"]  # with more rounds a run resumes
        self.results = ResultFile(settings.home / "benches", "bench", {"code": _version(), **self.machine, **chosen})

    def run(self) -> Iterator[str]:
        """Measure what is missing; yields a line per engine."""
        if (busy := psutil.cpu_percent(interval=1.0)) > BUSY:
            yield f"Other programs use {busy:.0f} % of the processors. The figures will be doubtful."
        for base, number, engine in product(self.options.bases, range(self.options.rounds), self.options.engines):
            key, place = f"{number}/{base}/{engine}", f"{engine}, {base}"
            if key in self.results.rows or place in self.left_out:
                continue
            found = self._apart(engine, self.paths[base])
            if "error" in found:
                self.left_out[place] = found["error"]
                yield f"Left out: {place}. {found['error']}"
            else:
                self.results.add({"key": key, "round": number, "base": base, "engine": engine, **found})
                seconds = ", ".join(f"{name} {one['seconds']:.2f} s" for name, one in found["workloads"].items())
                yield f"{key}: {seconds}"

    def _apart(self, engine: str, path: Path) -> dict[str, Any]:
        """Measure in a child process, so that engines do not share caches, memory or crashes."""
        work = (engine, path, self.settings, self.options.sizes, self.options.workloads)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                return pool.submit(_measured, *work).result()
            except BrokenProcessPool:
                return {"error": "Its process ended."}

    def finish(self) -> dict[str, Any]:
        """The machine, the rows of the table, and the reasons for missing ones; also written to `report.json`. Raises
        BenchError if nothing was measured."""
        if not self.results.rows:
            raise BenchError(f"Nothing could be measured. {next(iter(self.left_out.values()), '')}")
        report = {"machine": self.machine, "rows": rows(self.results.rows.values()), "left_out": self.left_out}
        text = json.dumps(report, indent=1, ensure_ascii=False)
        (self.results.folder / "report.json").write_text(f"{text}\n", "utf-8")
        self.results.path.rename(self.results.folder / f"results-{time.strftime('%Y%m%d-%H%M%S')}.jsonl")
        return report


@contextmanager
def opened(name: str, path: Path, settings: Settings) -> Generator[Engine]:
    """An engine on a model file, with the context and threads of the settings. Raises SoliloquyError."""
    with ExitStack() as stack:
        if name == "loop":
            loop = PlainLoop(path, settings.context, settings.threads or 1)
            engine = cast(Engine, loop)  # it implements what the workloads call
        elif name == "llama-server":
            url = stack.enter_context(llama_server(path, SLOTS, settings.context, settings.threads or 1))
            engine = OpenAIEngine(url, parallel=SLOTS)
        else:
            file = batch_file(path, settings) if name == "ours+format" else path
            if name == "ours+format" and file == path:
                raise BenchError(
                    f"No faster format is known. `python -m runtime doctor --tune --model {path}` looks for one."
                )
            engine = engines.load(file, settings, batch_width(path, settings, PARALLEL))
        stack.callback(engine.close)
        yield engine


def _measured(name: str, path: Path, settings: Settings, sizes: Sizes, names: Sequence[str]) -> dict[str, Any]:
    """Runs in the child process: the figures of each workload, or the error."""
    try:
        with opened(name, path, settings) as engine:
            return {"workloads": measure(engine, sizes, names)}
    except SoliloquyError as error:
        return {"error": str(error)}


def _version() -> str:
    """A hash of everything that determines speed: llama.cpp's package and our code."""
    code = sorted([*(ROOT / "runtime" / "engines").rglob("*.py"), *Path(__file__).parent.glob("*.py")])
    return content_hash(version("llama-cpp-python"), *(path.read_text("utf-8") for path in code))
