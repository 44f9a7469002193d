"""The trainer's command line, `python -m trainer evaluate | evaluate-critic | labels | bench`: a command per stage."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from runtime.errors import run_command_line

if TYPE_CHECKING:
    from runtime.engines.base import Engine
    from runtime.settings import Settings

app = typer.Typer(
    help="Soliloquy's trainer: measure, and later make, better critics and actors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Limit = Annotated[int | None, typer.Option(min=1, help="Only the first N rows of the file.")]
Model = Annotated[str | None, typer.Option(help="Name of an installed model, or path of a GGUF file.")]
Parallel = Annotated[int, typer.Option(min=1, max=64, help="How many conversations are decoded together.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]

CONTEXT = 2048
"""Tokens of one conversation while measuring: school problems are short, and many are held at once."""


@app.callback()
def _trainer() -> None:
    """Keeps `evaluate` a command even while there are few."""


@app.command()
def evaluate(
    problems: Annotated[Path, typer.Option(help="JSON lines with `question` and `answer`.")],
    mode: Annotated[str, typer.Option(help="Modes to compare on the same problems: plain,critic,selftalk.")] = "plain",
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Measure how often problems are solved, with 90 % intervals and what it costs. Resumable."""
    from trainer.evaluate import Evaluation
    from trainer.sources import read_problems

    modes = _modes(mode)
    rows = read_problems(problems, limit)
    with _engine(model, parallel) as (engine, settings):
        evaluation = Evaluation(rows, modes, engine, settings)
        _follow("Solving", evaluation.run(), evaluation.size)
        summary = evaluation.summary()
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    print(f"{summary['model']}, {summary['n']} problems")
    for name, row in summary["modes"].items():
        low, high = row["interval"]
        print(
            f"{name:9} {row['accuracy']:6.1%}  [{low:.1%}, {high:.1%}]  {row['completion_tokens_per_problem']:.0f} "
            f"tokens in {row['calls_per_problem']:.1f} calls a problem, {row['no_answer']} without an answer"
        )
    for name, row in summary["paired"].items():
        low, high = row["interval"]
        print(f"{name}: {row['difference']:+.1%} [{low:+.1%}, {high:+.1%}], {row['wins']} won, {row['losses']} lost")
    print(f"Every talk is in {summary['run']}", file=sys.stderr)


@app.command()
def evaluate_critic(
    trajectories: Annotated[Path, typer.Option(help="JSON lines: ProcessBench rows, or first-error rows.")],
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Measure how well the critic finds the first error: accuracy on wrong and on right attempts, and F1. Resumable."""
    from trainer.evaluate_critic import CriticEvaluation
    from trainer.sources import read_judged

    attempts = read_judged(trajectories, limit)
    with _engine(model, parallel) as (engine, settings):
        evaluation = CriticEvaluation(attempts, engine, settings)
        _follow("Reading", evaluation.run(), len(attempts))
        summary = evaluation.summary()
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    print(f"{summary['model']}, {summary['n_error']} wrong and {summary['n_correct']} right attempts")
    for name, row in {"critic": summary, **summary["witnesses"]}.items():
        print(
            f"{name:10} F1 {row['f1']:.1%}  on wrong {row['accuracy_error']:.1%} {_span(row['interval_error'])}"
            f"  on right {row['accuracy_correct']:.1%} {_span(row['interval_correct'])}"
        )


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="The smallest base, little work, one round: a trial.")] = False,
    full: Annotated[bool, typer.Option("--full", help="The largest base too: hours.")] = False,
    bases: Annotated[str | None, typer.Option(help="Names of installed models, with commas.")] = None,
    engines: Annotated[str | None, typer.Option(help="Only these engines, with commas.")] = None,
    workloads: Annotated[str | None, typer.Option(help="Only these workloads, with commas.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="How often each engine takes its turn.")] = None,
    share: Annotated[float, typer.Option(min=0.01, max=1, help="Only so much of the problems and solutions.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of every engine; all cores if unset.")] = None,
    as_json: Json = False,
) -> None:
    """Measure our engine beside its peers, as ratios and as shares of this machine's limits. Resumable."""
    from rich.console import Console

    from runtime import settings
    from trainer.bench import Bench, Options, limits, table

    given = {"bases": bases, "engines": engines, "workloads": workloads}
    chosen = {name: tuple(_listed(text)) for name, text in given.items() if text}
    options = Options.of(quick, full, share, rounds=rounds, threads=threads, **chosen)
    benchmark = Bench(options, settings.load(), limits.machine(options.threads))
    for line in benchmark.run():
        print(line, file=sys.stderr, flush=True)
    report = benchmark.finish()
    print(json.dumps(report, ensure_ascii=False)) if as_json else Console(width=130).print(table(report))


@app.command()
def labels(
    trajectories: Annotated[Path, typer.Option(help="JSON lines with `question`, `steps` and the reference `answer`.")],
    n: Annotated[int, typer.Option(min=1, help="Completions after each step.")] = 8,
    stop_early: Annotated[bool, typer.Option("--stop-early", help="One success is enough: HE, but no SE.")] = False,
    temperature: Annotated[float, typer.Option(min=0.1, max=2, help="Sampling temperature of completions.")] = 0.7,
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Label steps by completions: how many of n reach the answer from there (Math-Shepherd). Resumable."""
    from trainer.labels import Labelling
    from trainer.sources import read_attempts

    attempts = read_attempts(trajectories, limit)
    with _engine(model, parallel) as (engine, settings):
        labelling = Labelling(attempts, engine, settings, n, temperature, stop_early)
        _follow("Labelling", labelling.run(), len(labelling.usable))
        summary = labelling.summary()
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    for failure in summary["failed"]:
        print(f"Row {failure['row']} was not labelled: {failure['error']}", file=sys.stderr)
    print(
        f"{summary['model']}, {summary['labelled']} attempts: {summary['right']} of {summary['steps']} steps right (HE)"
        f"\n{summary['calls']} completions, {summary['completion_tokens']} tokens, {summary['unfinished']} cut off"
    )
    print(f"The labels are in {summary['results']}", file=sys.stderr)


def _span(interval: tuple[float, float]) -> str:
    return "[{:.1%}, {:.1%}]".format(*interval)


def _modes(text: str) -> list[str]:
    from runtime.settings import Mode

    modes = _listed(text)
    known = get_args(Mode)
    if unknown := [mode for mode in modes if mode not in known]:
        raise typer.BadParameter(f"{', '.join(unknown)}: modes are {', '.join(known)}")
    return modes


def _listed(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


@contextmanager
def _engine(model: str | None, parallel: int) -> Iterator[tuple[Engine, Settings]]:
    from runtime import engines, settings

    chosen = settings.load(model=model)
    chosen = chosen.with_(context=min(chosen.context, CONTEXT))
    engine = engines.open_engine(chosen, parallel, batches=True)
    try:
        yield engine, chosen
    finally:
        engine.close()


def _follow(title: str, done: Iterator[object], total: int) -> None:
    """A bar on stderr, with the time that is left."""
    from rich.console import Console
    from rich.progress import track

    for _ in track(done, title, total, console=Console(stderr=True)):
        pass


if __name__ == "__main__":
    run_command_line(app)
