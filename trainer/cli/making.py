"""Commands that make data: problems, rollouts, critiques, training examples, step labels."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from trainer.cli.options import (
    Collected,
    Gsm8k,
    HeldOut,
    Json,
    Judged,
    Limit,
    Model,
    Parallel,
    Records,
    Rollouts,
    follow,
    known,
    opened,
)  # fmt: skip

app = typer.Typer()


@app.command()
def problems(
    out: Annotated[Path, typer.Option(help="JSON lines to write; a file that was begun is gone on with.")],
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 1000,
    seed: int = 0,
    split: Annotated[
        str, typer.Option(help="train, dev or test: whole themes and structures are kept apart.")
    ] = "train",
    processes: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Write fresh word problems with their solutions. Resumable."""
    from runtime.problems.wordproblems import Split
    from trainer.data import problems as writing

    [chosen] = known(split, "splits", get_args(Split))
    follow("Writing", writing.write(out, count, seed, chosen, processes), count)
    report = writing.report(out)
    steps = ", ".join(f"{number}: {share:.1%}" for number, share in sorted(report.steps.items()))
    print(
        f"{report.count:,} problems, {report.duplicates:,} of them twice; {len(report.themes)} themes, "
        f"{len(report.templates):,} structures, the most frequent {max(report.templates.values()):.1%}\nsteps: {steps}"
    )


@app.command()
def critiques(
    problems: Annotated[str, typer.Option(help="How many fresh problems, or JSON lines with `question`, `answer`.")],
    out: Annotated[Path, typer.Option(help="The records, JSON lines to write.")],
    annotator: Annotated[str, typer.Option(help="structural (exact) or llm.")] = "structural",
    generators: Annotated[str, typer.Option(help="rg1,rg2,rg3.")] = "rg1,rg2,rg3",
    form: Annotated[str, typer.Option("--format", help="full: every step; first: up to the first error.")] = "full",
    seed: int = 0,
    refinements: Annotated[int, typer.Option(min=0, help="Tries of the actor to use a critique.")] = 10,
    keep: Annotated[int, typer.Option(min=1, help="Tries that must succeed for a critique to be kept.")] = 3,
    hints: Annotated[bool, typer.Option(help="Tell the annotator what is known of the error.")] = True,
    scaffold: Annotated[bool, typer.Option(help="Begin every block of a critique for the model.")] = True,
    show: Annotated[int, typer.Option(help="Critiques of each generator to print.")] = 10,
    against: Annotated[
        Path | None, typer.Option(help="Another annotator's file of the same attempts, to compare with.")
    ] = None,
    model: Model = None,
    annotator_model: Model = None,
    limit: Limit = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Make attempts that go wrong, critiques of them, and keep those that help (AutoMathCritique). Resumable."""
    from trainer.data.critiques import command

    recipe = command.read_recipe(generators, form, seed=seed, refinements=refinements, keep=keep)
    models, shown = (model, annotator_model), 0 if as_json else show
    summary = command.make(
        problems, out, recipe, annotator, hints, scaffold, *models, parallel, limit, shown, against, follow
    )
    command.show(summary, as_json)


@app.command()
def examples(
    out: Annotated[Path, typer.Option(help="Folder to write: rows to learn from, and judged attempts kept apart.")],
    generated: Annotated[int, typer.Option(min=0, help="Attempts at fresh problems.")] = 1000,
    gsm8k: Gsm8k = None,
    gsm8k_limit: Annotated[int | None, typer.Option(min=1, help="Attempts from those at most.")] = None,
    judged: Judged = None,
    records: Records = None,
    rollouts: Rollouts = None,
    collected: Collected = None,
    held_out: HeldOut = None,
    seed: int = 0,
) -> None:
    """Make training examples for the critic out of judged attempts, right and wrong ones in balance."""
    from trainer.data.examples import critic as making

    sources = making.Sources(
        generated, gsm8k, gsm8k_limit, judged, records, rollouts, collected, tuple(held_out or ()), seed
    )
    print(json.dumps(making.write_examples(sources, out), indent=1))


@app.command()
def rollouts(
    problems: Annotated[Path, typer.Option(help="JSON lines with `question` and `answer`.")],
    out: Annotated[Path, typer.Option(help="JSON lines to write: `question`, `steps`, `correct`.")],
    sometimes: Annotated[
        Path | None, typer.Option(help="Write the problems here that were solved in 20 to 80 % of the rollouts.")
    ] = None,
    n: Annotated[int, typer.Option(min=1, help="Rollouts of each problem.")] = 2,
    temperature: Annotated[float, typer.Option(min=0.1, max=2, help="Sampling temperature.")] = 0.8,
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
) -> None:
    """Sample solutions of a model, and grade their answers. Resumable."""
    from runtime.files import write_whole
    from trainer.data.rollouts import Rollouts
    from trainer.data.sources import read_problems

    def line(row: dict[str, Any]) -> str:
        return json.dumps(row, ensure_ascii=False) + "\n"

    with opened(model, parallel) as (engine, settings):
        sampled = Rollouts(read_problems(problems, limit), engine, settings, n, temperature)
        follow("Sampling", sampled.run(), len(sampled.problems))
    rows = list(sampled.rows())
    write_whole(out, map(line, rows))
    print(f"{len(rows)} rollouts are in {out}, {sum(row['correct'] for row in rows)} of them right")
    if sometimes:
        chosen = [{"question": p.text, "answer": p.answer, "source": p.source} for p in sampled.sometimes]
        write_whole(sometimes, map(line, chosen))
        print(f"{len(chosen)} of {len(sampled.problems)} problems are in {sometimes}")


@app.command()
def traces(
    out: Annotated[Path, typer.Option(help="Folder to write: rows to learn from, and some kept apart.")],
    generated: Annotated[int, typer.Option(min=0, help="Talks about fresh problems.")] = 1000,
    gsm8k: Gsm8k = None,
    gsm8k_limit: Annotated[int | None, typer.Option(min=1, help="Talks about those at most.")] = None,
    records: Annotated[Path | None, typer.Option(help="What `critiques` wrote, with refinements.")] = None,
    rollouts: Rollouts = None,
    wordings: Annotated[int, typer.Option(min=1, help="Talks about each of those.")] = 3,
    held_out: HeldOut = None,
    seed: int = 0,
    show: Annotated[int, typer.Option(min=0, help="Talks to print.")] = 0,
) -> None:
    """Make self-talk out of solutions and critiques: steps, checks, what was doubted put right. And without talk."""
    from itertools import chain

    from trainer.data.examples.selftalk import write_traces
    from trainer.data.traces import material

    told = list(
        chain(
            material.generated(generated, seed),
            material.gsm8k(gsm8k, seed, gsm8k_limit) if gsm8k else (),
            material.recorded(records, seed) if records else (),
            material.rollouts(rollouts, seed, wordings) if rollouts else (),
        )
    )
    print(json.dumps(write_traces(out, told, held_out or ()), indent=1))
    for trace in told[:show]:
        print(f"\n{trace.problem.text}\n\n{trace.text}")


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
    from trainer.data.sources import read_attempts
    from trainer.data.step_labels import Labelling

    attempts = read_attempts(trajectories, limit)
    with opened(model, parallel) as (engine, settings):
        labelling = Labelling(attempts, engine, settings, n, temperature, stop_early)
        follow("Labelling", labelling.run(), len(labelling.usable))
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
