"""The command line: `python -m runtime solve | check | log | report | export | import | models | doctor`.

Results go to stdout (with `--json` exactly one JSON object), everything else to stderr. An error is one sentence with
its remedy and a non-zero exit code. Each command imports the heavy modules that it needs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.data import data_app, print_left_out
from runtime.cli.models import models_app
from runtime.cli.output import Json, print_json

if TYPE_CHECKING:
    from runtime.engines.base import Engine
    from runtime.log.run import Run
    from runtime.log.store import StoreError
    from runtime.session.session import Progress, Session
    from runtime.settings import Settings

app = typer.Typer(
    help="Solve math problems, check your own work, and manage models and stored runs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data_app)
app.add_typer(models_app, name="models")


@app.callback()
def _keep_private() -> None:
    from runtime import settings
    from runtime.private_files import keep_private

    with suppress(settings.SettingsError):  # the command itself raises it again
        keep_private(settings.load().home, settings.config_file())


DepthOption = Annotated[
    str | None,
    typer.Option("--depth", help="quick (one reading) or deep (also independent solutions); default: quick."),
]
Model = Annotated[
    str | None,
    typer.Option(help="Name of an installed model, or path of a GGUF file; default: what fits in memory."),
]
NoLog = Annotated[bool, typer.Option("--no-log", help="Do not store this run.")]

LONGEST_INPUT = 1 << 20
"""Most characters read from stdin, which may never end."""
SIGNS = {"correct": "✓", "incorrect": "✗", "unsure": "?", None: " "}
ENDINGS = {"settled": "No error was found.", "unchecked": "Not checked: no step shows a calculation."}
UNCHECKED = {
    "unchecked": "Not checked: no step shows how this answer was worked out.",
    "unanswerable": "Something seems to be missing in the problem.",
}


@app.command()
def solve(
    problem: Annotated[str, typer.Argument(help="The problem, in English or Chinese; - reads it from stdin.")],
    mode: Annotated[
        str | None,
        typer.Option(help="direct (no checking), critic, or selftalk (checks its own steps); default: critic."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="How often a wrong step is done again at most, 0 to 10; default: 2.")
    ] = None,
    depth: DepthOption = None,
    model: Model = None,
    temperature: Annotated[
        float | None, typer.Option(help="Sampling temperature, from 0 (greedy) to 2; default: 0.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all sampling; default: 0.")] = None,
    no_log: NoLog = False,
    as_json: Json = False,
) -> None:
    """Solve a problem step by step."""
    from runtime import settings

    chosen = settings.load(model=model, mode=mode, rounds=rounds, depth=depth, temperature=temperature, seed=seed)
    text = sys.stdin.read(LONGEST_INPUT) if problem == "-" else problem
    with _session(chosen, no_log) as session:
        run, unsaved, first_step = _watch(session.solve(text), quiet=as_json)
    _report(run, as_json, {"rounds": _rounds(run), "first_step_seconds": first_step})
    _end(run, unsaved)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Text (problem, blank line, one step a line) or JSON (problem, steps).")],
    depth: DepthOption = None,
    model: Model = None,
    no_log: NoLog = False,
    as_json: Json = False,
) -> None:
    """Check your own steps and find the first error."""
    from runtime import settings
    from runtime.problems.attempt_file import read_attempt

    problem, steps = read_attempt(file)
    with _session(settings.load(model=model, depth=depth), no_log) as session:
        run, unsaved, _ = _watch(session.check(problem, steps), quiet=as_json)
    talk = run.transcript.talk
    critique = talk.critique_of(talk.chosen) if talk.chosen else None
    wrong = critique.first_error if critique else None
    _report(run, as_json, {"first_error_index": wrong})
    if not as_json:
        if wrong is not None:
            print(f"First error: step {wrong + 1}.")
        elif run.status in ENDINGS:
            print(ENDINGS[run.status])
    _end(run, unsaved)


@app.command()
def log(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="List at most N runs.")] = 20,
    search: Annotated[str | None, typer.Option(help="Only runs with these words in the problem or a step.")] = None,
    as_json: Json = False,
) -> None:
    """List the stored runs, newest first."""
    from runtime import settings
    from runtime.log.store import SessionLog

    log = SessionLog(settings.load().database)
    runs = log.runs(limit, search)
    print_left_out(log)
    if as_json:
        print_json({"runs": runs})
        return
    for run in runs:
        first_line = run["problem"].splitlines()[0][:60]
        print(f"{run['created_at'][:16]}  {run['mode']:8}  {run['status']:12}  {run['answer'] or '-':>8}  {first_line}")
    if not runs:
        print("Nothing is stored yet.", file=sys.stderr)


@app.command()
def doctor(
    tune: Annotated[
        bool, typer.Option("--tune", help="Measure the best threads, batch size and format; takes some minutes.")
    ] = False,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Show what this machine has, which model is used and why, and what is missing."""
    from runtime import settings
    from runtime.cli.doctor import examine

    chosen = settings.load(model=model)
    if tune:
        _tune(chosen, as_json)
        return
    facts = examine(chosen)
    if as_json:
        print_json(facts)
        return
    for name, fact in facts.items():
        print(f"{name:12} {fact}")


def _tune(settings: Settings, as_json: bool) -> None:
    """Measure the model that would be used, with a progress bar on stderr, and print the results."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from runtime.cli import doctor
    from runtime.engines.llamacpp.tune import tune
    from runtime.models import catalogue

    path = catalogue.resolve(settings)
    columns = (TextColumn(f"Measuring {path.stem}:"), BarColumn(), TextColumn("{task.description}"))
    bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))
    task = bar.add_task("")

    def show(done: int, total: int, what: str) -> None:
        bar.start()  # not before: if the model cannot be measured, only the error is printed
        bar.update(task, completed=done, total=total, description=what)

    try:
        found = tune(path, settings, show)
    finally:
        if bar.live.is_started:
            bar.stop()
    if as_json:
        print_json({"file": str(path), **found.model_dump(mode="json")})
        return
    for line in doctor.describe(found):
        print(line)


class _session:
    """A session; its model is unloaded at the end."""

    def __init__(self, settings: Settings, no_log: bool) -> None:
        self.settings, self.no_log = settings, no_log
        self.engine: Engine | None = None

    def __enter__(self) -> Session:
        from runtime.log.store import SessionLog
        from runtime.session.session import Session

        log = None if self.no_log or not self.settings.log else SessionLog(self.settings.database)
        return Session(self.settings, self._load, log)

    def _load(self) -> Engine:
        from runtime import engines

        self.engine = engines.open_engine(self.settings)
        return self.engine

    def __exit__(self, *_: object) -> None:
        if self.engine:
            self.engine.close()


def _watch(progress: Iterator[Progress], quiet: bool) -> tuple[Run, StoreError | None, float | None]:
    """Follow a run to its end, printing steps as they are done."""
    from runtime.events import Refining, StepDone, Voting

    first_step = None
    for now in progress:
        if isinstance(now.event, StepDone):
            first_step = first_step or now.run.seconds
            if not quiet:
                print(f"  {now.event.step.text}", file=sys.stderr, flush=True)
        elif isinstance(now.event, Refining) and not quiet:
            print(f"  ✗ step {now.event.position + 1}: {now.event.comment}", file=sys.stderr, flush=True)
        elif isinstance(now.event, Voting) and not quiet:
            print("  … solving it a few more times to compare", file=sys.stderr, flush=True)
    return now.run, now.unsaved, first_step


def _report(run: Run, as_json: bool, extra: dict) -> None:
    from runtime.view.endings import reliability

    outcome, steps = run.outcome, _steps(run)
    if as_json:
        print_json(
            {
                "answer": outcome.answer,
                "status": outcome.status,
                "note": outcome.note,
                "vote": outcome.vote,
                "reliability": outcome.reliability,
                "steps": steps,
                "mode": run.mode,
                "model": run.model,
                "seconds": round(run.seconds, 2),
                "run": run.id,
                **extra,
            }
        )
        return
    for i, step in enumerate(steps, 1):
        comment = f"  ({step['comment']})" if step["comment"] else ""
        print(f"{SIGNS[step['verdict']]} {i}. {step['text']}{comment}")
    if run.kind == "solve":
        likely = f" ({text})" if (text := reliability(run, "en")) else ""
        print(f"Answer: {outcome.answer or 'none'}{likely}")
        if run.status in UNCHECKED:
            print(UNCHECKED[run.status])
    if outcome.note and outcome.status != "failed":  # `_end` prints a failure as an error
        print(outcome.note)


def _steps(run: Run) -> list[dict]:
    """The steps of the chosen attempt, each with its verdict and evidence. A plan is never marked correct."""
    from runtime.checks.claims import is_plan

    talk = run.transcript.talk
    chosen = talk.chosen
    if chosen is None:
        return []
    critique = talk.critique_of(chosen)
    verdicts = critique.verdicts if critique else ()
    rows = []
    for i, step in enumerate(chosen.steps):
        verdict = verdicts[i] if i < len(verdicts) else None
        unchecked = verdict is None or (verdict.verdict == "correct" and is_plan(step.text))
        arithmetic = verdict.evidence_by("arithmetic") if verdict else None
        rows.append(
            {
                "text": step.text,
                "verdict": verdict.verdict if verdict and not unchecked else None,
                "probability": verdict.probability if verdict else None,
                "comment": verdict.comment if verdict else "",
                "arithmetic": arithmetic.verdict if arithmetic else None,
                "evidence": [e.model_dump(mode="json") for e in verdict.evidence] if verdict else [],
            }
        )
    return rows


def _rounds(run: Run) -> int:
    return sum(t.origin == "refine" or t.parent is not None for t in run.transcript.talk.trajectories)


def _end(run: Run, unsaved: StoreError | None) -> None:
    outcome = run.outcome
    if outcome.status == "failed":
        print(f"Error: {outcome.note}", file=sys.stderr)
    if unsaved:
        print(f"Error: This run could not be stored. {unsaved}", file=sys.stderr)
    if unsaved or outcome.status == "failed":
        raise typer.Exit(1)
