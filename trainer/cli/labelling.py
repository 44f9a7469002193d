"""Commands that sample a model and label what it wrote: rollouts, labels of steps, pairs of steps."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from trainer.cli.options import (
    AdapterFile,
    AdapterFiles,
    FullDistribution,
    HeldOut,
    Json,
    Limit,
    Model,
    Parallel,
    Server,
    adapter_files,
    adapter_hashes,
    choices,
    collected,
    follow,
    opened,
    sampling_of,
)

app = typer.Typer()


@app.command()
def rollouts(
    problems: Annotated[Path, typer.Option(help="JSON lines with `question` and `answer`.")],
    out: Annotated[Path, typer.Option(help="JSON lines to write: `question`, `steps`, `correct`.")],
    sometimes: Annotated[
        Path | None, typer.Option(help="File to write: problems solved in 20 to 80 % of the rollouts.")
    ] = None,
    n: Annotated[int, typer.Option(min=1, help="Rollouts per problem.")] = 2,
    temperature: Annotated[float, typer.Option(min=0.1, max=2, help="Sampling temperature.")] = 0.8,
    full_distribution: FullDistribution = False,
    limit: Limit = None,
    model: Model = None,
    server: Server = None,
    parallel: Parallel = 16,
) -> None:
    """Sample solutions from a model and grade their answers. Resumable."""
    from runtime.files import write_whole
    from trainer.data.rollouts import Rollouts
    from trainer.data.sources import read_problems

    with opened(model, parallel, server=server) as (engine, settings):
        sampling = sampling_of(settings, temperature, full_distribution)
        sampled = Rollouts(read_problems(problems, limit), engine, settings, sampling, n)
        follow("Sampling", sampled.run(), len(sampled.problems), lambda: sampled.tokens)
    rows = list(sampled.rows())
    write_whole(out, map(_line, rows))
    print(f"{len(rows)} rollouts are in {out}, {sum(row['correct'] for row in rows)} of them right")
    if sometimes:
        chosen = [{"question": p.text, "answer": p.answer, "source": p.source} for p in sampled.sometimes]
        write_whole(sometimes, map(_line, chosen))
        print(f"{len(chosen)} of {len(sampled.problems)} problems are in {sometimes}")


@app.command()
def labels(
    trajectories: Annotated[Path, typer.Option(help="JSON lines with `question`, `steps` and the reference `answer`.")],
    by: Annotated[
        str,
        typer.Option(
            help="every-step (all prefixes are completed), bisection (a search for the first error) or exact (a search "
            "before the first equation that exact arithmetic refutes)."
        ),
    ] = "every-step",
    n: Annotated[int, typer.Option(min=1, help="Completions of a prefix.")] = 8,
    stop_early: Annotated[
        bool, typer.Option("--stop-early", help="Stop at a prefix's first success: hard labels only.")
    ] = False,
    wrong_only: Annotated[
        bool, typer.Option("--wrong-only", help="Leave out attempts that end in the right answer.")
    ] = False,
    temperature: Annotated[float, typer.Option(min=0.1, max=2, help="Sampling temperature.")] = 0.7,
    full_distribution: FullDistribution = False,
    out: Annotated[Path | None, typer.Option(help="JSON lines to write: the attempts with their labels.")] = None,
    limit: Limit = None,
    model: Model = None,
    server: Server = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Label steps by rollouts: how many of n completions of a prefix reach the answer (Math-Shepherd). Resumable."""
    from runtime.files import write_whole
    from trainer.data.completer import Completer
    from trainer.data.sources import read_attempts
    from trainer.data.step_labels import By, Labelling

    attempts = read_attempts(trajectories, limit)
    [chosen] = choices(by, "ways", get_args(By))
    with opened(model, parallel, server=server) as (engine, settings):
        completer = Completer(engine, settings, sampling_of(settings, temperature, full_distribution), n, stop_early)
        labelling = Labelling(attempts, completer, chosen, wrong_only)
        follow("Solving", labelling.measure_confidence(), len(labelling.problems), lambda: completer.tokens)
        follow("Labelling", labelling.run(), len(labelling.usable), lambda: completer.tokens)
        summary = labelling.summary()
    if out:
        write_whole(out, map(_line, labelling.rows()))
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    for failure in summary["failed"]:
        print(f"Row {failure['row']} was not labelled: {failure['error']}", file=sys.stderr)
    print(
        f"{summary['model']}, {summary['labelled']} attempts: {summary['right']} of {summary['steps']} labelled steps "
        f"right (hard labels), {summary['derived']} of them derived"
        f"\n{summary['first_errors']} first errors found, {summary['undecided']} attempts undecided"
        f"\n{summary['calls']} completions, {summary['completion_tokens']} tokens, {summary['unfinished']} truncated"
    )
    print(f"The labels are in {out or summary['results']}", file=sys.stderr)


@app.command()
def agree(
    trajectories: Annotated[Path, typer.Option(help="Labelled attempts, such as the labels of the command `labels`.")],
    out: Annotated[Path, typer.Option(help="JSON lines to write: the rows on which labels and judge agree.")],
    judge: Annotated[
        str, typer.Option(help="arithmetic (exact; finds only false equations) or critic (its quick check).")
    ] = "critic",
    adapter: AdapterFile = None,
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Keep labelled attempts on whose first error a judge agrees with the labels. Resumable."""
    from trainer.data.examples.attempts import write_attempts
    from trainer.data.sources import read_attempts
    from trainer.evaluation import agreement
    from trainer.evaluation.critic import weights_in_use

    [chosen] = choices(judge, "judges", get_args(agreement.Judge))
    attempts = read_attempts(trajectories, limit)
    if chosen == "arithmetic":
        opinions = agreement.by_arithmetic(attempts)
    else:
        decided = [attempt for attempt in attempts if attempt.is_judged]
        with collected(decided, (), adapter, model, parallel, "quick") as (evidence, settings):
            opinions = agreement.by_critic(evidence, weights_in_use(evidence.engine, settings))
    kept = agreement.agreed(attempts, opinions)
    write_attempts(out, kept)
    counts = agreement.counts(attempts, opinions)
    if as_json:
        print(json.dumps({"n": len(attempts), "kept": len(kept), "counts": counts}))
        return
    print(f"{len(kept)} of {len(attempts)} attempts are in {out}")
    for relation, count in counts.items():
        print(f"{count:6} {relation}")


@app.command()
def pairs(
    out: Annotated[Path, typer.Option(help="Folder to write: pairs, and pairs of other problems kept apart.")],
    problems: Annotated[
        Path | None, typer.Option(help="JSON lines with `question` and `answer`, to sample attempts at.")
    ] = None,
    trajectories: Annotated[
        list[Path] | None,
        typer.Option(help="Attempts in any format, such as labelled or corrected by people; may be repeated."),
    ] = None,
    from_log: Annotated[
        bool, typer.Option("--from-log", help="Also use ratings and corrections given in the app with consent.")
    ] = False,
    n: Annotated[int, typer.Option(min=1, help="Attempts at each problem.")] = 4,
    by: Annotated[
        str,
        typer.Option(
            help="How first errors are located: exact (arithmetic, else bisection by rollouts), bisection, every-step "
            "or critic."
        ),
    ] = "exact",
    rollouts: Annotated[int, typer.Option(min=1, help="Rollouts from each step that is tried or verified.")] = 8,
    continuations: Annotated[
        int, typer.Option(min=1, help="Continuations of the right steps before each first error.")
    ] = 16,
    winners: Annotated[int, typer.Option(min=1, help="Most winners of one loser.")] = 4,
    least: Annotated[int, typer.Option(min=1, help="Rollouts from a winner that must reach the answer.")] = 2,
    apart: Annotated[float, typer.Option(min=0, max=0.9, help="Share of the problems kept apart.")] = 0.1,
    temperature: Annotated[
        float, typer.Option(min=0.1, max=2, help="Sampling temperature; nothing else is cut off.")
    ] = 1.0,
    winners_by: Annotated[
        str | None, typer.Option(help="Another model that writes the winners; default: the model of the losers.")
    ] = None,
    adapters: AdapterFiles = None,
    held_out: HeldOut = None,
    limit: Limit = None,
    model: Model = None,
    server: Server = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Make pairs of a right and a wrong step after the same right steps, both verified (Step-DPO). Resumable."""
    from runtime import settings
    from runtime.log.store import SessionLog
    from runtime.studio.labelled import labelled_attempts
    from trainer.data.sources import read_attempts, read_problems
    from trainer.pipelines.pairs import Localiser, Making, Order, table

    [located_by] = choices(by, "ways to locate", get_args(Localiser))
    if not (problems or trajectories or from_log):
        raise typer.BadParameter("give --problems, --trajectories or --from-log")
    known = [attempt for path in trajectories or () for attempt in read_attempts(path)]
    if from_log:
        collected = labelled_attempts(SessionLog(settings.load().database))
        known += [attempt.known for attempt in collected if not attempt.spoiled]
    order = Order(n, located_by, rollouts, continuations, winners, least, apart)
    files = adapter_files(adapters)
    other = opened(winners_by, parallel) if winners_by else nullcontext((None, None))
    with opened(model, parallel, files, server) as (engine, chosen), other as (writer, _):
        sampling = sampling_of(chosen, temperature, full_distribution=False).unfiltered()
        making = Making(order, engine, chosen, sampling, follow, writer, adapter_hashes(files, engine, chosen))
        summary = making.make(read_problems(problems, limit) if problems else [], known, held_out or (), out)
    print(json.dumps(summary, ensure_ascii=False) if as_json else table(summary))


@app.command()
def rft(
    problems: Annotated[Path, typer.Option(help="JSON lines with `question` and `answer`.")],
    out: Annotated[Path, typer.Option(help="Folder to write: rows for the actor, and those of other problems.")],
    n: Annotated[int, typer.Option(min=1, help="Samples of each problem.")] = 8,
    most: Annotated[int, typer.Option(min=1, help="Most different solutions of a problem.")] = 4,
    temperature: Annotated[
        float, typer.Option(min=0.1, max=2, help="Sampling temperature; nothing else is cut off.")
    ] = 1.0,
    held_out: HeldOut = None,
    limit: Limit = None,
    model: Model = None,
    server: Server = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Make training examples of a model's own right solutions, each different one once (RFT). Resumable."""
    from runtime.problems.formats import attempts as own
    from trainer.data.decontaminate import without
    from trainer.data.examples.rft import write_right
    from trainer.data.rollouts import Rollouts
    from trainer.data.sources import read_problems

    rows = without(held_out or (), read_problems(problems, limit), lambda problem: problem.text)
    with opened(model, parallel, server=server) as (engine, settings):
        sampling = sampling_of(settings, temperature, full_distribution=False).unfiltered()
        sampled = Rollouts(rows, engine, settings, sampling, n)
        follow("Sampling", sampled.run(), len(sampled.problems), lambda: sampled.tokens)
    summary = write_right(out, [own.read(row)[0] for row in sampled.rows()], most)
    if as_json:
        print(json.dumps({"model": sampled.engine.model, "sampled": n * len(sampled.problems), **summary}))
        return
    print(
        f"{n * len(sampled.problems)} solutions sampled, {summary['right']} right, {summary['different']} of them "
        f"different and without a false equation\n{summary['rows']} rows of {summary['problems']} problems are in "
        f"{out / 'actor.jsonl'}, {summary['kept_apart']} of others in actor-dev.jsonl"
    )


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
