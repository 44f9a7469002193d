"""Commands that measure solving: accuracy, ways to choose, votes, speed."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import (
    AdapterFiles,
    Json,
    Limit,
    Model,
    Parallel,
    Seed,
    adapter_files,
    adapter_hashes,
    choices,
    follow,
    listed,
    modes_of,
    opened,
)

app = typer.Typer()


@app.command()
def evaluate(
    problems: Annotated[Path, typer.Option(help="JSON lines with `question` and `answer`.")],
    mode: Annotated[
        str, typer.Option(help="Modes to compare, comma-separated: direct, critic, selftalk, oracle.")
    ] = "direct",
    adapters: AdapterFiles = None,
    critic: Annotated[
        str | None, typer.Option(help="Model of the critic, used with its adapter; default: the actor's model.")
    ] = None,
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Measure how often problems are solved, with 90 % intervals and cost. Resumable."""
    from trainer.data.sources import read_problems
    from trainer.evaluation.solving import Evaluation
    from trainer.statistics import Paired

    modes = modes_of(mode)
    rows = read_problems(problems, limit)
    files = adapter_files(adapters)
    other = opened(critic, parallel) if critic else nullcontext((None, None))
    with opened(model, parallel, files) as (engine, settings), other as (judge, _):
        hashes = adapter_hashes(files, engine, settings)
        if judge:
            hashes |= {f"judge's {name}": file for name, file in adapter_hashes(None, judge, settings).items()}
        evaluation = Evaluation(rows, modes, engine, settings, hashes, judge)
        follow("Solving", evaluation.run(), evaluation.size)
        summary = evaluation.summary()
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    judged_by = f", criticised by {summary['critic']}" if critic else ""
    print(f"{summary['model']}{judged_by}, {summary['n']} problems")
    for name, row in summary["modes"].items():
        low, high = row["interval"]
        print(
            f"{name:9} {row['accuracy']:6.1%}  [{low:.1%}, {high:.1%}]  {row['completion_tokens_per_problem']:.0f} "
            f"tokens in {row['calls_per_problem']:.1f} calls and {row['seconds_per_problem']:.1f} s a problem, "
            f"{row['no_answer']} without an answer"
        )
    for name, row in summary["paired"].items():
        print(f"{name}: {Paired(**row)}")
    print(f"All runs are in {summary['run']}", file=sys.stderr)


@app.command()
def choose(
    problems: Annotated[Path, typer.Option(help="JSON lines with `question` and `answer`.")],
    out: Annotated[Path, typer.Option(help="Folder to write: tables, plots, and outcomes for `promote`.")],
    n: Annotated[int, typer.Option(min=1, max=256, help="Solutions per problem.")] = 16,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: greedy, majority, best-of-n, weighted.",
            show_default="all; without a verifier the first two",
        ),
    ] = None,
    aggregate: Annotated[
        str | None,
        typer.Option(
            help="From the scores of the steps to that of a solution, comma-separated: min, product, last, mean.",
            show_default="the card's, or min",
        ),
    ] = None,
    adapters: AdapterFiles = None,
    verifier: Annotated[
        str | None, typer.Option(help="Model of the verifier, used with its adapter; default: the actor's model.")
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(help="Card of the verifier; the aggregate and the fitted reliability are written into it."),
    ] = None,
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Compare ways to choose one of N solutions: greedy, self-consistency, best-of-N, votes weighted by a verifier.
    Resumable."""
    from runtime.search.verifier import ADAPTER, AGGREGATES, open_verifier
    from trainer.data.sources import read_problems
    from trainer.evaluation import choosing
    from trainer.evaluation.samples import GREEDY, Scores, Solutions
    from trainer.weights.promote import with_choosing

    every = (GREEDY, *choosing.METHODS)
    named = choices(methods, "methods", every) if methods else []
    aggregates = choices(aggregate, "aggregates", tuple(AGGREGATES)) if aggregate else []
    rows, files = read_problems(problems, limit), adapter_files(adapters)
    other = opened(verifier, parallel) if verifier else nullcontext((None, None))
    with opened(model, parallel, files) as (engine, settings), other as (judge, _):
        sampled = Solutions(rows, engine, settings, n, adapter_hashes(files, engine, settings))
        follow("Solving", sampled.run(), len(sampled.problems))
        scorer, its_files = (judge, None) if judge else (engine, files)
        asked = named or (every if ADAPTER in scorer.adapters else (GREEDY, "majority"))
        in_use = open_verifier(scorer, settings) if its_files is None else None
        if {*asked} & {*choosing.NEEDS_SCORES}:
            sampled = Scores(sampled, scorer, settings, adapter_hashes(its_files, scorer, settings))
            follow("Scoring", sampled.run(), len(rows))
    comparison = choosing.Comparison(sampled.sampled(), asked, aggregates, in_use.choosing if in_use else None)
    report = {
        "model": engine.model,
        "verifier": scorer.model,
        **comparison.report(),
        "run": str(sampled.results.folder),
    }
    comparison.write(out, report)
    if card:
        with_choosing(card, comparison.calibrated())
    print(json.dumps(report, ensure_ascii=False) if as_json else choosing.text(report))
    print(f"Tables, plots and outcomes are in {out}", file=sys.stderr)


@app.command()
def curves(
    problems: Annotated[Path, typer.Option(help="JSON lines with `question` and `answer`.")],
    out: Annotated[Path, typer.Option(help="Folder to write: samples, a table, a plot.")],
    k: Annotated[
        int, typer.Option(min=1, help="Most turns of actor and critic; plain voting gets three attempts per turn.")
    ] = 4,
    seed: Seed = 0,
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
) -> None:
    """Measure voting with and without the critic against calls and tokens. Resumable."""
    from runtime.critic.critic import weights_of
    from runtime.files import write_whole
    from runtime.prompts import templates
    from runtime.types import content_hash
    from trainer.data.sources import read_problems
    from trainer.plots import figure
    from trainer.reproductions.mathcritique import report
    from trainer.reproductions.mathcritique.play import Players
    from trainer.reproductions.mathcritique.testtime import play

    rows = read_problems(problems, limit)
    with opened(model, parallel) as (engine, settings):
        players = Players(engine, weights_of(engine, settings), settings.max_tokens)
        # Turns are stored under a hash of everything that determines them.
        adapters, texts = adapter_hashes(None, engine, settings), templates.all_versions()
        decides = (k, seed, settings.max_tokens, engine.model, adapters, players.weights, texts)
        name = content_hash(*(problem.id for problem in rows), *map(str, decides))
        played = play(lambda: nullcontext(players), rows, k, seed, out / f"turns-{name}")
    write_whole(out / "curves.md", report.curves_table(played) + "\n")
    with figure(out / "curves.png") as one:
        report.plot_curves(one, played)
    print(report.curves_table(played))
    greedy = {
        "alone": played.alone(),
        "refined": played.refined("always"),
        "refined if the critic objects": played.refined("objects"),
        "refined if wrong": played.refined("wrong"),
    }
    for name, right in greedy.items():
        print(f"greedy, {name}: {sum(right)} of {len(right)}")


@app.command()
def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Measure the smallest base only, with little work and one round.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Measure the largest base too (hours).")] = False,
    bases: Annotated[str | None, typer.Option(help="Installed models, comma-separated; default: two.")] = None,
    engines: Annotated[str | None, typer.Option(help="Engines, comma-separated; default: all.")] = None,
    workloads: Annotated[str | None, typer.Option(help="Workloads, comma-separated; default: all.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Measurements per engine; default: 3.")] = None,
    share: Annotated[float, typer.Option(min=0.01, max=1, help="Share of the problems and solutions to use.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of every engine; default: all cores.")] = None,
    as_json: Json = False,
) -> None:
    """Measure our engine beside llama.cpp's server and the plain loop. Resumable."""
    from rich.console import Console

    from runtime import settings
    from trainer.benchmarks.running import Bench, Options
    from trainer.benchmarks.table import table

    given = {"bases": bases, "engines": engines, "workloads": workloads}
    chosen = {name: tuple(listed(text)) for name, text in given.items() if text}
    options = Options.of(quick, full, share, rounds=rounds, threads=threads, **chosen)
    benchmark = Bench(options, settings.load())
    for line in benchmark.run():
        print(line, file=sys.stderr, flush=True)
    report = benchmark.finish()
    print(json.dumps(report, ensure_ascii=False)) if as_json else Console(width=130).print(table(report))
