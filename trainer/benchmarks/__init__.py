"""Speed of our engine beside llama.cpp's server and llama-cpp-python's loop on the same work.

    python -m trainer bench [--quick | --full]

Every engine runs in its own process and starts each round with an empty cache. Results are stored at once, so a killed
run resumes; after a finished run the next command measures again. Workloads do not share problems.
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import product
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any, cast

import psutil
from rich.table import Table

from runtime import engines
from runtime.engines.base import Completion, Engine, Sampling
from runtime.engines.openai import OpenAIEngine
from runtime.errors import SoliloquyError
from runtime.events import next_or_value
from runtime.files import ROOT
from runtime.models import catalogue, processor
from runtime.models.machine import batch_file, batch_width, cores
from runtime.problems.labelled import LabelledTrajectory
from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.prompts.critic_turn import put_to_critic, verdict_parts, verdict_words
from runtime.settings import Settings
from runtime.text import language_of
from runtime.types import Message, Problem, content_hash
from trainer.benchmarks.peers import PlainLoop, llama_server
from trainer.data.sources import read_judged, read_problems
from trainer.runs import ResultFile

BASES, LARGER = ("smollm2-135m", "qwen2.5-coder-0.5b"), "qwen2.5-coder-1.5b"
ENGINES = ("loop", "llama-server", "ours", "ours+format")
CONTEXT = 1024
"""Tokens per conversation; the longest turn has about 500."""
PARALLEL, SLOTS = 32, 16
"""Conversations at once: of our engine unless a better number was measured, and of llama.cpp's server."""
BUSY = 30
"""Load of other programs, in percent, above which the figures are doubtful."""
SEED = ROOT / "data" / "seed"
SOLUTIONS = SEED / "bench_solutions.jsonl"
CRITIC = "Check this solution. Copy every step, write [right] or [wrong] after it, and say why."


class BenchError(SoliloquyError):
    """Something cannot be measured. The message gives the reason."""


# Workloads


@dataclass(frozen=True)
class Sizes:
    """Amount of work per workload."""

    turns: int = 3
    attempt_tokens: int = 88
    critique_tokens: int = 64
    stream_tokens: int = 128
    judged: int = 38
    problems: int = 16
    samples: int = 16
    sample_tokens: int = 128
    labelled: int = 8
    completions: int = 8
    label_tokens: int = 64

    def part(self, share: float) -> Sizes:
        """A share of the work: fewer problems and solutions of the same size."""
        counts = ("turns", "judged", "problems", "labelled")
        return replace(self, **{name: max(1, round(share * getattr(self, name))) for name in counts})


QUICK = Sizes(1, 24, 16, 32, 4, 4, 4, 32, 1, 4, 16)


def asked_of_critic(solved: LabelledTrajectory) -> tuple[list[Message], list[str], tuple[str, str]]:
    """The critic's request: the conversation, the parts of its reply, and the verdict words."""
    language = language_of(solved.problem.text)
    return put_to_critic(solved.problem), verdict_parts(solved.steps, language), verdict_words(language)


def beginnings(solved: LabelledTrajectory) -> list[list[Message]]:
    """The conversation up to each step of a right solution."""
    prefixes = ("".join(f"{step}\n" for step in solved.steps[: end + 1]) for end in range(len(solved.steps)))
    return [[*conversation(solved.problem), Message(role="assistant", content=text)] for text in prefixes]


@dataclass(frozen=True)
class Material:
    """The problems and solutions of each workload."""

    turns: Sequence[Problem]
    stream: Problem
    labelled: Sequence[LabelledTrajectory]
    judged: Sequence[LabelledTrajectory]
    problems: Sequence[Problem]


def material(sizes: Sizes) -> Material:
    """The workloads' problems. The file ends with problems on which our bases do not end a reply of `stream` or `turn`
    before its limit, so that all engines write the same number of tokens."""
    solved = read_judged(SOLUTIONS)
    known = {each.problem.id for each in solved}
    english = (each for each in read_problems(SEED / "simple_problems.jsonl") if language_of(each.text) == "en")
    unsolved = [problem for problem in english if problem.id not in known]
    return Material(
        labelled=solved[: sizes.labelled],
        judged=solved[: -sizes.turns - 1][-sizes.judged :],
        turns=[each.problem for each in solved[-sizes.turns :]],
        stream=solved[-sizes.turns - 1].problem,
        problems=unsolved[: sizes.problems],
    )


def turn(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """A student's turn: the actor attempts, the critic reads and writes, the actor refines."""
    critic_waits, refiner_waits, tokens = [], [], 0
    for problem in given.turns:
        attempt, _ = _write(engine, conversation(problem), sizes.attempt_tokens)
        shown = [*conversation(problem), Message(role="assistant", content=attempt.text)]
        critique, wait = _write(engine, [*shown, Message(role="user", content=CRITIC)], sizes.critique_tokens)
        critic_waits.append(wait)
        step = attempt.text.strip().split("\n")[0]
        request = templates.fill("refine", number="1", step=step, comment=critique.text.strip())
        refined, wait = _write(engine, [*shown, Message(role="user", content=request)], sizes.attempt_tokens)
        refiner_waits.append(wait)
        tokens += sum(reply.completion_tokens for reply in (attempt, critique, refined))
    return {"tokens": tokens, "critic_waits": critic_waits, "refiner_waits": refiner_waits}


def stream(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """One reply to one person, greedy."""
    reply, _ = _write(engine, conversation(given.stream), sizes.stream_tokens)
    return {"tokens": reply.completion_tokens, "text": reply.text}


def verdicts(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """The critic's log-odds after every step of given solutions."""
    with ThreadPoolExecutor(min(engine.parallel, SLOTS)) as pool:
        rows = list(pool.map(lambda each: engine.choice_logprobs(*asked_of_critic(each)), given.judged))
    odds = [right - wrong for row in rows for right, wrong in row]
    return {"log_odds": [round(x, 3) if isfinite(x) else None for x in odds]}


def samples(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """Samples of every problem, of different lengths."""
    asked = [conversation(problem) for problem in given.problems]
    return _drawn(engine, asked, sizes.sample_tokens, sizes.samples)


def labels(engine: Engine, given: Material, sizes: Sizes) -> dict[str, Any]:
    """Monte Carlo step labels: rollouts from every step of given solutions."""
    asked = [messages for each in given.labelled for messages in beginnings(each)]
    return _drawn(engine, asked, sizes.label_tokens, sizes.completions)


WORKLOADS = {work.__name__: work for work in (turn, stream, verdicts, samples, labels)}


def _drawn(engine: Engine, asked: list[list[Message]], max_tokens: int, n: int) -> dict[str, Any]:
    replies = engine.sample(asked, Sampling(temperature=0.7, max_tokens=max_tokens, seed=1), n=n)
    return {"tokens": sum(reply.completion_tokens for some in replies for reply in some)}


def _write(engine: Engine, messages: list[Message], max_tokens: int) -> tuple[Completion, float]:
    """A greedy reply, and the seconds until its first piece."""
    started, wait = time.perf_counter(), None
    reply = engine.stream(messages, Sampling(max_tokens=max_tokens))
    while not isinstance(item := next_or_value(reply), Completion):
        wait = wait or time.perf_counter() - started
    return item, wait or time.perf_counter() - started


def measure(engine: Engine, sizes: Sizes, names: Iterable[str] = tuple(WORKLOADS)) -> dict[str, dict[str, Any]]:
    """Seconds, tokens and results by workload, after a warm-up."""
    given, hello, found = material(sizes), [Message(role="user", content="Say hello to the class.")], {}
    _write(engine, hello, 8)
    _drawn(engine, [hello], 8, 2)
    for name in names:
        started = time.perf_counter()
        result = WORKLOADS[name](engine, given, sizes)
        found[name] = {"seconds": time.perf_counter() - started, **result}
    if "verdicts" in found:  # counts every conversation once
        asked = map(asked_of_critic, given.judged)
        read = ([*messages, Message(role="assistant", content="".join(parts))] for messages, parts, _ in asked)
        found["verdicts"]["tokens"] = sum(map(engine.count, read))
    return found


# Engines


@contextmanager
def opened(name: str, path: Path, settings: Settings) -> Generator[Engine]:
    """An engine on a model file, with the context and threads of the settings. Raises SoliloquyError."""
    with ExitStack() as stack:
        if name == "loop":
            engine = cast(
                Engine, PlainLoop(path, settings.context, settings.threads or 1)
            )  # implements what the workloads call
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


# A run


@dataclass(frozen=True)
class Options:
    """What to measure."""

    bases: tuple[str, ...] = BASES
    engines: tuple[str, ...] = ENGINES
    workloads: tuple[str, ...] = tuple(WORKLOADS)
    rounds: int = 3
    threads: int = field(default_factory=cores)
    """CPU threads of every engine."""
    sizes: Sizes = Sizes()

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


def _version() -> str:
    """A hash of everything that determines speed: llama.cpp's package and our code."""
    code = sorted([*(ROOT / "runtime" / "engines").rglob("*.py"), *Path(__file__).parent.glob("*.py")])
    return content_hash(version("llama-cpp-python"), *(path.read_text("utf-8") for path in code))


# The table


Rounds = dict[int, dict[str, Any]]


def rows(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per workload, base and engine, in the order of the workloads."""
    groups: dict[tuple[str, str], dict[str, Rounds]] = defaultdict(lambda: defaultdict(dict))
    for one in results:
        for workload, found in one["workloads"].items():
            groups[workload, one["base"]][one["engine"]][one["round"]] = found
    ordered = sorted(groups, key=lambda place: list(WORKLOADS).index(place[0]))
    return [
        {"workload": work, "base": base, "engine": engine, **_figures(measured, groups[work, base].get("loop", {}))}
        for work, base in ordered
        for engine, measured in groups[work, base].items()
    ]


def _figures(measured: Rounds, loop: Rounds) -> dict[str, Any]:
    """Medians over rounds; ratios, text and log-odds are compared with the loop's in the same round."""
    found, pairs = list(measured.values()), [(measured[i], loop[i]) for i in measured.keys() & loop.keys()]
    seconds = [one["seconds"] for one in found]
    ratios = [_speed(ours) / _speed(theirs) for ours, theirs in pairs]
    made = {
        "rounds": len(found),
        "seconds": round(median(seconds), 3),
        "spread": round((max(seconds) - min(seconds)) / median(seconds), 3),
        "tokens": median(one["tokens"] for one in found),
        "tokens_per_second": round(median(map(_speed, found)), 1),
        "ratio_to_loop": round(median(ratios), 2) if ratios else None,
    }
    for name in ("critic_waits", "refiner_waits"):
        if name in found[0]:
            made[name] = round(median(wait for one in found for wait in one[name]), 3)
    if pairs and "text" in found[0]:
        made["same_text"] = all(a["text"] == b["text"] for a, b in pairs)
    odds = [zip(a["log_odds"], b["log_odds"], strict=True) for a, b in pairs if "log_odds" in a]
    if apart := [abs(x - y) for row in odds for x, y in row if x is not None and y is not None]:
        made["largest_difference"] = round(max(apart), 2)
    return made


def _speed(found: dict[str, Any]) -> float:
    return found["tokens"] / found["seconds"]


def table(report: dict[str, Any]) -> Table:
    """The report as a table; our engine is red if a peer is faster."""
    drawn = Table(title="{cpu}, {threads} threads".format(**report["machine"]))
    for name in ("engine", "seconds", "spread", "tokens/s", "x loop", "remarks"):
        drawn.add_column(name, justify="left" if name in ("engine", "remarks") else "right")
    place, fastest = None, 0.0
    for row in report["rows"]:
        if place != (place := (row["workload"], row["base"])):
            peers = [one for one in report["rows"] if (one["workload"], one["base"]) == place]
            fastest = max((r["tokens_per_second"] for r in peers if not r["engine"].startswith("ours")), default=0.0)
            drawn.add_section()
            drawn.add_row(f"[bold]{row['workload']}[/], {row['base']}")
        cells = [f"{row['seconds']:.2f}", f"{row['spread']:.0%}", f"{row['tokens_per_second']:.1f}"]
        cells.append("" if row["ratio_to_loop"] is None else f"{row['ratio_to_loop']:.2f}")
        slower = row["engine"].startswith("ours") and row["tokens_per_second"] < fastest
        drawn.add_row(f"  {row['engine']}", *cells, _remarks(row), style="red" if slower else None)
    return drawn


def _remarks(row: dict[str, Any]) -> str:
    remarks = [f"{row['tokens']:.0f} tokens"]
    if "critic_waits" in row:
        remarks.append(f"first words {row['critic_waits']:.2f} and {row['refiner_waits']:.2f} s")
    if "same_text" in row:
        remarks.append("same text" if row["same_text"] else "another text")
    if "largest_difference" in row:
        remarks.append(f"log-odds within {row['largest_difference']}")
    return ", ".join(remarks)
