"""Commands that make data: problems, critiques, evaluations, training examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, get_args

import typer

from trainer.cli.options import (
    ExampleOptions,
    Generated,
    Gsm8k,
    Gsm8kLimit,
    HeldOut,
    Json,
    Limit,
    Model,
    Parallel,
    Records,
    Rollouts,
    Seed,
    choices,
    follow,
    spread,
)

app = typer.Typer()
LABELS = ("shown", "hidden")


@app.command()
def problems(
    out: Annotated[Path, typer.Option(help="JSON lines to write; an unfinished file is continued.")],
    count: Annotated[int, typer.Option(min=1, help="Number of problems.")] = 1000,
    seed: Seed = 0,
    split: Annotated[
        str, typer.Option(help="train, dev or test; whole themes and structures belong to one of them.")
    ] = "train",
    processes: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 2,
) -> None:
    """Generate word problems with exact solutions. Resumable."""
    from runtime.problems.wordproblems import Split
    from trainer.data import problems as writing

    [chosen] = choices(split, "splits", get_args(Split))
    follow("Writing", writing.write(out, count, seed, chosen, processes), count)
    report = writing.report(out)
    steps = ", ".join(f"{number}: {share:.1%}" for number, share in sorted(report.steps.items()))
    print(
        f"{report.count:,} problems, {report.duplicates:,} of them repeated; {len(report.themes)} themes, "
        f"{len(report.templates):,} structures, the most frequent {max(report.templates.values()):.1%}\nsteps: {steps}"
    )


@app.command()
def critiques(
    problems: Annotated[
        str, typer.Option(help="Number of fresh problems, or a file of JSON lines with `question`, `answer`.")
    ],
    out: Annotated[Path, typer.Option(help="JSON lines of records to write.")],
    annotator: Annotated[str, typer.Option(help="structural (exact labels) or llm.")] = "structural",
    generators: Annotated[str, typer.Option(help="Generators of attempts, comma-separated.")] = "rg1,rg2,rg3",
    form: Annotated[
        str, typer.Option("--format", help="full (judge every step) or first (up to the first error).")
    ] = "full",
    seed: Seed = 0,
    unfiltered: Annotated[
        bool, typer.Option("--unfiltered", help="Sample attempts without top-k, top-p and min-p.")
    ] = False,
    refinements: Annotated[int, typer.Option(min=0, help="Refinements per critique; 0 turns the filter off.")] = 10,
    keep: Annotated[int, typer.Option(min=1, help="Right refinements needed to keep a critique.")] = 3,
    hints: Annotated[bool, typer.Option(help="Give the annotator the answer and the first error.")] = True,
    scaffold: Annotated[bool, typer.Option(help="Write the format of the critique for the model.")] = True,
    show: Annotated[int, typer.Option(help="Critiques per generator to print.")] = 10,
    against: Annotated[
        Path | None, typer.Option(help="Another annotator's file on the same attempts, to compare with.")
    ] = None,
    model: Model = None,
    annotator_model: Annotated[
        str | None, typer.Option(help="Model of the annotator llm; default: the actor's.")
    ] = None,
    limit: Limit = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Make flawed attempts and critiques, and keep critiques that help an actor (AutoMathCritique). Resumable."""
    from trainer.data.critiques import command

    chosen = {"seed": seed, "refinements": refinements, "keep": keep, "unfiltered": unfiltered}
    recipe = command.read_recipe(generators, form, **chosen)
    models, shown = (model, annotator_model), 0 if as_json else show
    summary = command.make(
        problems, out, recipe, annotator, hints, scaffold, *models, parallel, limit, shown, against, follow
    )
    command.show(summary, as_json)


@app.command()
def evaluations(
    out: Annotated[Path, typer.Option(help="Folder to write: training rows, validation rows, the attempts.")],
    generated: Annotated[int, typer.Option(min=0, help="Attempts at fresh problems.")] = 0,
    trajectories: Annotated[
        list[Path] | None, typer.Option(help="File of attempts whose steps are labelled; may be repeated.")
    ] = None,
    annotator: Annotated[
        str,
        typer.Option(
            help="structural (by rule), llm, teacher (people's words, under their licence) or given (the rows' texts)."
        ),
    ] = "structural",
    labels: Annotated[str, typer.Option(help="shown or hidden: what a model is told.")] = "shown",
    scaffold: Annotated[bool, typer.Option(help="Write the numbers of the lines for a model.")] = True,
    split: Annotated[str, typer.Option(help="train, dev or test: split of the fresh problems.")] = "train",
    held_out: HeldOut = None,
    seed: Seed = 0,
    show: Annotated[int, typer.Option(min=0, help="Evaluations to print.")] = 0,
    model: Model = None,
    limit: Limit = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Explain the labels of steps in words, for the first stage of a verifier (MATH-Minos). Resumable."""
    from runtime.problems.wordproblems import Split
    from trainer.data.evaluations import command

    [annotator], [labels] = choices(annotator, "annotators", command.ANNOTATORS), choices(labels, "labels", LABELS)
    if labels == "hidden" and annotator != "llm":
        raise typer.BadParameter(f"--labels hidden is for --annotator llm; {annotator} writes from the labels")
    [chosen] = choices(split, "splits", get_args(Split))
    order = command.Order(
        generated, chosen, tuple(trajectories or ()), limit, annotator, labels == "shown", scaffold, model, parallel,
        tuple(held_out or ()), seed,
    )  # fmt: skip
    command.show(command.make(order, out, 0 if as_json else show, follow), as_json)


@app.command()
@spread
def examples(
    out: Annotated[Path, typer.Option(help="Folder to write: training rows, and attempts kept apart.")],
    made_from: ExampleOptions,
    held_out: HeldOut = None,
) -> None:
    """Make training examples for the critic from labelled attempts, half of them right."""
    from trainer.data.examples.critic import write_examples

    print(json.dumps(write_examples(made_from.sources(held_out or ()), out), indent=1))


@app.command()
def verifier_examples(
    out: Annotated[Path, typer.Option(help="Folder to write: training rows, and attempts kept apart.")],
    generated: Generated = 1000,
    gsm8k: Gsm8k = None,
    gsm8k_limit: Gsm8kLimit = None,
    records: Records = None,
    labelled: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled attempts in any format, such as Math-Shepherd's; may be repeated."),
    ] = None,
    held_out: HeldOut = None,
    estimate: Annotated[
        str, typer.Option(help="Label of a step by rollouts: hard (any succeeded) or soft (the share).")
    ] = "hard",
    after_error: Annotated[
        str, typer.Option(help="Labels of steps after the first error: ignore, wrong, or labelled (their own).")
    ] = "ignore",
    seed: Seed = 0,
) -> None:
    """Make training examples for the verifier from attempts whose steps or answers are labelled."""
    from trainer.data.examples import verifier as making

    [estimated] = choices(estimate, "estimates", get_args(making.Estimate))
    [after] = choices(after_error, "labels after the first error", get_args(making.AfterError))
    files = tuple(labelled or ()), tuple(held_out or ())
    sources = making.Sources(generated, gsm8k, gsm8k_limit, records, *files, estimated, after, seed)
    print(json.dumps(making.write_examples(sources, out), indent=1))


@app.command()
def traces(
    out: Annotated[Path, typer.Option(help="Folder to write: training rows and validation rows.")],
    generated: Annotated[int, typer.Option(min=0, help="Traces of fresh problems.")] = 1000,
    gsm8k: Gsm8k = None,
    gsm8k_limit: Gsm8kLimit = None,
    records: Records = None,
    rollouts: Rollouts = None,
    wordings: Annotated[int, typer.Option(min=1, help="Wordings per rollout.")] = 3,
    held_out: HeldOut = None,
    seed: Seed = 0,
    show: Annotated[int, typer.Option(min=0, help="Traces to print.")] = 0,
) -> None:
    """Make self-talk for training (steps, checks, corrections), and the same solutions without checks."""
    from itertools import chain

    from trainer.data.examples.selftalk import write_traces
    from trainer.data.traces import material

    written = list(
        chain(
            material.generated(generated, seed),
            material.gsm8k(gsm8k, seed, gsm8k_limit) if gsm8k else (),
            material.recorded(records, seed) if records else (),
            material.rollouts(rollouts, seed, wordings) if rollouts else (),
        )
    )
    print(json.dumps(write_traces(out, written, held_out or ()), indent=1))
    for trace in written[:show]:
        print(f"\n{trace.problem.text}\n\n{trace.text}")
