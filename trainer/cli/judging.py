"""Commands that measure judging: critics, verifiers, labels, and the errors that they are taught with."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import (
    AdapterFile,
    FullDistribution,
    Json,
    Limit,
    Model,
    Parallel,
    Seed,
    Server,
    Sources,
    adapter_hashes,
    collected,
    critic_version,
    follow,
    opened,
    sampling_of,
    sources_of,
)

app = typer.Typer()


@app.command()
def evaluate_critic(
    trajectories: Annotated[Path, typer.Option(help="JSON lines of labelled attempts, such as ProcessBench's.")],
    sources: Sources = None,
    adapter: AdapterFile = None,
    weights: Annotated[
        Path | None, typer.Option(help="File of the command `calibrate`; default: the rule of the adapter in use.")
    ] = None,
    outcomes: Annotated[Path | None, typer.Option(help="File to write: one result per attempt, for `promote`.")] = None,
    panel: Annotated[str, typer.Option(help="Panel (set of sources) whose results go to --outcomes.")] = "quick",
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Measure how well the critic finds the first error, by each evidence source and by all. Resumable."""
    from rich.console import Console

    from runtime.critic.aggregation import read_weights
    from runtime.types import source_name
    from trainer.data.sources import read_judged
    from trainer.evaluation import critic as evaluation

    fitted = read_weights(weights) if weights else None
    named = sources_of(sources)
    with collected(read_judged(trajectories, limit), named, adapter, model, parallel) as (evidence, settings):
        summary = evaluation.summary(evidence, fitted or evaluation.weights_in_use(evidence.engine, settings))
    panel = source_name(panel)
    if outcomes and panel not in summary["panels"]:
        raise typer.BadParameter(f"{panel} was not collected; --panel is one of {', '.join(summary['panels'])}")
    if outcomes:
        evaluation.write_outcomes(outcomes, evidence.attempts, summary["panels"][panel]["outcomes"])
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    console = Console(width=130)
    console.print(evaluation.table(summary))
    if by_type := evaluation.type_table(summary):
        console.print(by_type)


@app.command()
def evaluate_verifier(
    trajectories: Annotated[Path, typer.Option(help="Labelled attempts in any format, such as ProcessBench's.")],
    adapter: Annotated[
        str | None,
        typer.Option(help="Adapter of the verifier (a GGUF file), or none for the bare base; default: the one in use."),
    ] = None,
    fit: Annotated[
        Path | None,
        typer.Option(help="Other labelled attempts, to choose the cut on; default: other problems of the same file."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Reliability plot to write (PNG).")] = None,
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Measure how well a verifier's scores tell right steps and attempts from wrong ones. Resumable."""
    from rich.console import Console

    from runtime.search.verifier import ADAPTER
    from trainer.data.examples.verifier import labelled_attempts
    from trainer.evaluation import verifier as evaluation
    from trainer.plots import figure

    files: dict[str, Path] | None = {} if adapter == "none" else {ADAPTER: Path(adapter)} if adapter else None
    with opened(model, parallel, files) as (engine, settings):
        name = adapter_hashes(files, engine, settings).get(ADAPTER, "none")
        attempts = [list(labelled_attempts(path, limit)) for path in (trajectories, fit) if path]
        scored = [evaluation.Scoring(some, engine, settings, name) for some in attempts]
        for scoring in scored:
            follow("Scoring", scoring.run(), len(scoring.attempts))
    measured, *others = [scoring.cases() for scoring in scored]
    summary = {
        "model": engine.model,
        **evaluation.summary(measured, *others),
        "failed": len(scored[0].attempts) - len(measured),
        "seconds": round(scored[0].seconds, 3),
        "run": str(scored[0].results.folder),
    }
    if plot:
        with figure(plot) as one:
            evaluation.plot_reliability(one, summary)
    print(json.dumps(summary, ensure_ascii=False)) if as_json else Console(width=150).print(evaluation.table(summary))


@app.command()
def evaluate_labels(
    trajectories: Annotated[
        Path | None, typer.Option(help="JSON lines of attempts with their first error and a `reference_solution`.")
    ] = None,
    generated: Annotated[int, typer.Option(min=0, help="Attempts at fresh problems, with an inserted error.")] = 0,
    most_steps: Annotated[int, typer.Option(min=1, help="Most steps of a fresh problem's solution.")] = 8,
    n: Annotated[int, typer.Option(min=1, help="Completions of each prefix; smaller numbers are read from them.")] = 16,
    temperature: Annotated[float, typer.Option(min=0.1, max=2, help="Sampling temperature.")] = 0.7,
    full_distribution: FullDistribution = False,
    seed: Seed = 0,
    limit: Limit = None,
    model: Model = None,
    server: Server = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Measure labels by rollouts where the first error is known: quality by n, against a rule, and cost. Resumable."""
    from rich.console import Console

    from trainer.data.completer import Completer
    from trainer.data.step_labels import Labelling
    from trainer.evaluation import labels as evaluation

    known = list(evaluation.generated(generated, seed, most_steps))
    known += evaluation.read_known(trajectories, limit) if trajectories else []
    if not known:
        raise typer.BadParameter("give --trajectories, --generated, or both")
    with opened(model, parallel, server=server) as (engine, settings):
        completer = Completer(engine, settings, sampling_of(settings, temperature, full_distribution), n)
        labelling = Labelling([one.attempt for one in known], completer)
        follow("Solving", labelling.measure_confidence(), len(labelling.problems), lambda: completer.tokens)
        follow("Labelling", labelling.run(), len(labelling.usable), lambda: completer.tokens)
        summary = evaluation.summary(known, completer)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    print(
        f"{summary['attempts']} attempts at {summary['problems']} problems, {summary['left_out']} left out; the "
        f"completer solves {summary['solved']['share']:.0%} of the time"
    )
    for table in evaluation.tables(summary):
        Console(width=130).print(table)


@app.command()
def calibrate(
    trajectories: Annotated[Path, typer.Option(help="JSON lines of labelled attempts that are used for nothing else.")],
    out: Annotated[Path, typer.Option(help="JSON file to write: the fitted rules.")],
    sources: Sources = None,
    adapter: AdapterFile = None,
    card: Annotated[Path | None, typer.Option(help="Card of an adapter; rules of depths it lacks are added.")] = None,
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
) -> None:
    """Fit the rule that combines evidence, for each set of sources. Resumable."""
    from runtime.critic.aggregation import write_weights
    from trainer.data.sources import read_judged
    from trainer.evaluation.calibrate import fit_panels
    from trainer.weights.promote import add_depths

    named = sources_of(sources)
    with collected(read_judged(trajectories, limit), named, adapter, model, parallel) as (evidence, settings):
        critic = critic_version(adapter, evidence.engine, settings)
        fitted = fit_panels(evidence.attempts, evidence.findings(), evidence.sources, evidence.engine.adapters)
    write_weights(out, fitted)
    for name, weights in fitted.items():
        shown = ", ".join(f"{feature} {weight:+.2f}" for feature, weight in weights.features.items())
        print(f"{name:22} {weights.constant:+.2f} {shown}; rejects below {weights.reject:.2f}")
    if card:
        print(f"{card} now has rules for these depths: {', '.join(add_depths(card, fitted, critic)) or 'no new ones'}")


@app.command()
def error_types(
    trajectories: Annotated[list[Path] | None, typer.Option(help="File of labelled attempts; may be repeated.")] = None,
    generated: Annotated[int, typer.Option(min=0, help="Attempts at fresh problems, half of them wrong.")] = 0,
    model: Annotated[str | None, typer.Option(help="Model that chooses the types; default: rules.")] = None,
    seed: Seed = 0,
    limit: Limit = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Assign one of MATH-Minos' five types to every wrong step, and count them by data set."""
    from rich.console import Console
    from rich.table import Table

    from trainer.data.evaluations.error_types import TYPES, by_model, by_rule, counts
    from trainer.data.examples import attempts as made
    from trainer.data.sources import read_attempts

    attempts = [
        *made.generated(generated, seed),
        *(a for path in trajectories or () for a in read_attempts(path, limit)),
    ]
    if not attempts:
        raise typer.BadParameter("give --trajectories or --generated")
    with opened(model, parallel) if model else nullcontext((None, None)) as (engine, _):
        found = counts(attempts, by_model(engine) if engine else by_rule)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    shown = Table("attempts", *TYPES, "wrong steps", title=f"Types of wrong steps, by {model or 'rule'}")
    for source, row in found.items():
        total = sum(row.values())
        shares = (f"{n} ({n / max(1, total):.0%})" for n in row.values())
        shown.add_row(source, *shares, str(total))
    Console(width=120).print(shown)


@app.command()
def bag_of_words(
    problems: Annotated[int, typer.Option(min=100, help="Fresh problems; errors go into half of them.")] = 2000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Test whether wording gives inserted errors away: a bag of words has to tell them from right steps."""
    from dataclasses import asdict
    from itertools import islice

    from rich.console import Console
    from rich.table import Table

    from runtime.problems import wordproblems
    from trainer.data.errors.bag_of_words import LARGEST_AUC, telling

    found = telling(list(islice(wordproblems.stream(seed), problems)), seed)
    if as_json:
        print(json.dumps([asdict(one) for one in found], ensure_ascii=False))
        return
    shown = Table("kind", title=f"AUC of a bag of words (0.5: chance; fit for training: at most {LARGEST_AUC})")
    for column in ("steps", "any right step", "the same steps"):
        shown.add_column(column, justify="right")
    for one in found:
        shown.add_row(one.kind, str(one.n), f"{one.any_step:.3f}", f"{one.same_steps:.3f}")
    Console(width=110).print(shown)
