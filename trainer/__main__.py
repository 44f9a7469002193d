"""The trainer's command line, `python -m trainer evaluate | evaluate-critic | labels | bench`: a command per stage."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from runtime.errors import run_command_line

if TYPE_CHECKING:
    from runtime.engines.base import Engine
    from runtime.settings import Settings
    from trainer.hearing import JudgedHearing

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
VoiceFile = Annotated[
    str | None, typer.Option(help="A critic's voice (GGUF) in the place of the one in use, or none for the bare base.")
]
Witnesses = Annotated[str, typer.Option(help="Who is heard, with commas; completions cost most.")]
WITNESSES = "arithmetic,model,solutions,program"

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
    witnesses: Witnesses = WITNESSES,
    voice: VoiceFile = None,
    weights: Annotated[
        Path | None, typer.Option(help="What `weigh` wrote; those of the voice in use if unset.")
    ] = None,
    outcomes: Annotated[
        Path | None, typer.Option(help="Write what was right, attempt by attempt, for the gate.")
    ] = None,
    panel: Annotated[str, typer.Option(help="The panel whose outcomes are written.")] = "model",
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Measure how well the critic finds the first error, each witness alone and all joined. Resumable."""
    from rich.console import Console

    from trainer import evaluate_critic as evaluation
    from trainer.weigh import read_weights

    fitted = read_weights(weights) if weights else None
    with _hearing(trajectories, witnesses, voice, limit, model, parallel) as (hearing, settings):
        summary = evaluation.summary(hearing, fitted or evaluation.weights_in_use(hearing.engine, settings))
    if outcomes:
        evaluation.write_outcomes(outcomes, hearing.attempts, summary["panels"][panel]["outcomes"])
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    Console(width=130).print(evaluation.table(summary))


@app.command()
def weigh(
    trajectories: Annotated[Path, typer.Option(help="JSON lines of judged attempts, kept for nothing else.")],
    out: Annotated[Path, typer.Option(help="The fitted weights, a JSON file to write.")],
    witnesses: Witnesses = WITNESSES,
    voice: VoiceFile = None,
    limit: Limit = None,
    model: Model = None,
    parallel: Parallel = 16,
) -> None:
    """Fit how the critic's witnesses are weighed, panel by panel. Resumable."""
    from trainer.weigh import fit_panels, write_weights

    with _hearing(trajectories, witnesses, voice, limit, model, parallel) as (hearing, _):
        fitted = fit_panels(hearing.attempts, hearing.testimonies(), hearing.panel)
    write_weights(out, fitted)
    for name, weights in fitted.items():
        said = ", ".join(f"{sign} {weight:+.2f}" for sign, weight in weights.signs.items())
        print(f"{name:22} {weights.constant:+.2f} {said}; rejects below {weights.reject:.2f}")


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


@app.command()
def export(
    adapter: Annotated[Path, typer.Argument(help="Folder of the trained adapter.")],
    base: Annotated[str, typer.Option(help="Name of the model it was trained on, or path of its GGUF file.")],
    out: Annotated[Path, typer.Option(help="The voice, a GGUF file, to write.")],
    type: Annotated[str, typer.Option(help="Of its numbers: f16, f32 or q8_0.")] = "f16",
    merge: Annotated[str | None, typer.Option(help="Write a merged model too: Q4_K_M, Q8_0, F16 or BF16.")] = None,
    check: Annotated[bool, typer.Option(help="Compare with peft: logits and greedy text.")] = True,
    as_json: Json = False,
) -> None:
    """Adapter to GGUF voice, compared with peft; with --merge also one file that needs no voice beside it."""
    from runtime import models, settings
    from trainer.bases import base_folder
    from trainer.export import to_voice
    from trainer.merge import merge as merge_voice
    from trainer.parity import conversations, parity

    chosen = settings.load(model=base)
    base_gguf = models.resolve(chosen)
    to_voice(adapter, out, base_gguf, type)
    summary = {"voice": str(out), "bytes": out.stat().st_size}
    if check:
        folder = base_folder(base, chosen)
        summary |= parity(folder, adapter, base_gguf, out, conversations(folder, adapter)).model_dump()
    if merge:
        merged = out.with_name(f"{out.stem}.{merge}.gguf")
        merge_voice(base_gguf, out, merged, merge)
        summary["merged"] = str(merged)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    print(f"{out}: {summary['bytes']:,} bytes")
    if check:
        print(
            f"beside peft: {summary['argmax_agreement']:.1%} of {summary['tokens']} tokens the same, logits differ by "
            f"at most {summary['max_difference']:.2g}, {summary['same_greedy']} of {summary['texts']} texts go on alike"
        )
    if merge:
        print(f"{summary['merged']}: base and voice in one file")


@app.command()
def promote(
    candidate: Annotated[Path, typer.Argument(help="The voice: a GGUF adapter.")],
    card: Annotated[Path, typer.Option(help="Its card so far (JSON): version, recipe, data, licence ...")],
    base: Annotated[str, typer.Option(help="Name of the base that it was trained on.")],
    voice: Annotated[str, typer.Option(help="critic, actor or selftalk.")],
    held_out: Annotated[str, typer.Option(help="Name of the held-out set, for the card.")],
    results: Annotated[Path, typer.Option(help="JSON lines of its outcomes, one for each attempt.")],
    base_results: Annotated[Path, typer.Option(help="Those of the untrained base, on the same rows.")],
    current_results: Annotated[Path | None, typer.Option(help="Those of the version in use.")] = None,
    adapter: Annotated[Path | None, typer.Option(help="The folder of peft, kept for transformers.")] = None,
    ship: Annotated[bool, typer.Option("--ship", help="Into data/models/voices, not your models folder.")] = False,
    as_json: Json = False,
) -> None:
    """Put a voice into use if it measures better than the untrained base and not worse than the one in use."""
    from runtime import settings
    from trainer.promote import Options, promote, told

    options = Options(candidate, card, base, voice, held_out, results, base_results, current_results, adapter, ship)
    verdict, path = promote(options, settings.load())
    print(told(verdict, path, as_json))
    if not verdict.promoted:
        raise typer.Exit(1)


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
    from runtime.wordproblems import Split
    from trainer import problems as writing

    _known(split, "splits", get_args(Split))
    _follow("Writing", writing.write(out, count, seed, split, processes), count)
    print(writing.report(out))


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
    model: Model = None,
    annotator_model: Model = None,
    limit: Limit = None,
    parallel: Parallel = 16,
    as_json: Json = False,
) -> None:
    """Make attempts that go wrong, critiques of them, and keep those that help (AutoMathCritique). Resumable."""
    from trainer.critiques import command

    recipe = command.read_recipe(generators, form, seed=seed, refinements=refinements, keep=keep)
    shown = 0 if as_json else show
    options = command.Options(problems, out, annotator, hints, scaffold, model, annotator_model, parallel, limit, shown)
    command.show(command.make(options, recipe), as_json)


def _modes(text: str) -> list[str]:
    from runtime.settings import Mode

    return _known(text, "modes", get_args(Mode))


def _known(text: str, what: str, names: Sequence[str]) -> list[str]:
    given = _listed(text)
    if unknown := [name for name in given if name not in names]:
        raise typer.BadParameter(f"{', '.join(unknown)}: {what} are {', '.join(names)}")
    return given


def _listed(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


@contextmanager
def _hearing(
    path: Path, witnesses: str, voice: str | None, limit: int | None, model: str | None, parallel: int
) -> Iterator[tuple[JudgedHearing, Settings]]:
    """What was heard of a file of judged attempts."""
    from runtime.fetch.files import sha256_of
    from runtime.types import Witness
    from trainer.hearing import JudgedHearing
    from trainer.sources import read_judged

    panel = _known(witnesses, "witnesses", get_args(Witness))
    attempts = read_judged(path, limit)
    files = None if voice is None else {} if voice == "none" else {"critic": Path(voice)}
    name = "in use" if voice is None else sha256_of(Path(voice)) if files else "none"
    with _engine(model, parallel, files) as (engine, settings):
        hearing = JudgedHearing(attempts, engine, settings, panel, name)
        _follow("Reading", hearing.run(), len(hearing.work))
        yield hearing, settings


@contextmanager
def _engine(
    model: str | None, parallel: int, voices: Mapping[str, Path] | None = None
) -> Iterator[tuple[Engine, Settings]]:
    from runtime import engines, settings

    chosen = settings.load(model=model)
    chosen = chosen.with_(context=min(chosen.context, CONTEXT))
    engine = engines.open_engine(chosen, parallel, batches=True, files=voices)
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
