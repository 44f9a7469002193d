"""The command: which problems, which actor, which annotator; a bar with the rate and the time left; the report."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from runtime import engines, settings
from runtime.engines.base import Engine
from runtime.errors import SoliloquyError
from runtime.problems import wordproblems
from trainer.data.critiques import report, tasks
from trainer.data.critiques.annotators import Annotator, Structural
from trainer.data.critiques.generators import GENERATORS
from trainer.data.critiques.pipeline import Critiques, Recipe
from trainer.data.critiques.prompted import Prompted
from trainer.data.critiques.records import read_records

Annotating = Literal["structural", "llm"]
CONTEXT = 4096
"""Tokens of one conversation: a critique repeats the whole attempt, and a refinement reads both."""


class RecipeError(SoliloquyError):
    """What was asked for cannot be made; the text says what is missing."""


@dataclass(frozen=True)
class Options:
    """What the command line says beside the recipe."""

    problems: str
    """How many fresh problems, or a file with `question`, `answer` and perhaps `solution`."""
    out: Path
    annotator: Annotating = "structural"
    hinted: bool = True
    scaffold: bool = True
    """Whether the model's form is written for it."""
    model: str | None = None
    """The actor's; none is opened where only rules are at work."""
    annotator_model: str | None = None
    """None: the actor's."""
    parallel: int = 16
    limit: int | None = None
    show: int = 10
    """Critiques of each generator to print."""
    against: Path | None = None
    """Another annotator's records of the same attempts, to compare with."""


def read_recipe(generators: str, form: str, **chosen: Any) -> Recipe:
    """The recipe of a command line. Raises RecipeError."""
    names = tuple(dict.fromkeys(part.strip() for part in generators.split(",") if part.strip()))
    if not names or set(names) - set(GENERATORS):
        raise RecipeError(f"--generators {generators!r} is not known; they are {', '.join(GENERATORS)}.")
    if form not in ("full", "first"):
        raise RecipeError(f"--format {form!r} is not known; it is full (every step) or first (up to the first error).")
    if chosen.get("refinements") and not 1 <= chosen["keep"] <= chosen["refinements"]:
        raise RecipeError(f"--keep {chosen['keep']} must lie between 1 and --refinements {chosen['refinements']}.")
    ordered = tuple(name for name in GENERATORS if name in names)
    return Recipe(generators=ordered, stop_at_first=form == "first", **chosen)


def make(options: Options, recipe: Recipe) -> dict[str, Any]:
    """Make, or finish, the file; prints progress on stderr and returns the summary. Raises SoliloquyError."""
    if options.annotator not in get_args(Annotating):
        raise RecipeError(f"--annotator {options.annotator!r} is not known; it is structural or llm.")
    work = read_work(options, recipe.seed)
    with ExitStack() as stack:
        chosen = settings.load(model=options.model).with_(context=CONTEXT)
        actor = _opened(stack, chosen, options) if needs_model(options, recipe) else None
        critic = actor
        if options.annotator == "llm" and options.annotator_model not in (None, options.model):
            critic = _opened(stack, settings.load(model=options.annotator_model).with_(context=CONTEXT), options)
        annotator: Annotator = (
            Prompted(critic, options.hinted, options.scaffold) if options.annotator == "llm" else Structural()
        )
        run = Critiques(work, annotator, recipe, Path(chosen.home), actor, critic)
        follow("Critiques", run.run(), len(run.tasks))
    run.save(options.out)
    records = list(run.records())
    rows = report.counts(records)
    if options.show:
        print(report.examples(records, options.show, recipe.seed), file=sys.stderr)
    summary = {**run.summary(), "generators": rows, "out": str(options.out)}
    if options.against:
        summary["against"] = asdict(report.against(records, read_records(options.against)))
    return summary


def read_work(options: Options, seed: int) -> list[tasks.Task]:
    """Fresh problems where a number is given, else the file's. Raises RowError, RecipeError."""
    if options.problems.isdecimal():
        made = (wordproblems.generate(seed, number, "train") for number in range(int(options.problems)))
        return [tasks.Task(each.problem, each, each.lines) for each in made]
    return tasks.read_tasks(Path(options.problems), options.limit)


def needs_model(options: Options, recipe: Recipe) -> bool:
    """Whether a model has anything to do: rules alone make and judge RG3 of problems whose numbers are known (others
    are then passed over)."""
    return recipe.generators != ("rg3",) or options.annotator == "llm" or recipe.refinements > 0


def _opened(stack: ExitStack, chosen: settings.Settings, options: Options) -> Engine:
    engine = engines.open_engine(chosen, options.parallel, batches=True)
    stack.callback(engine.close)
    return engine


class _Rate(ProgressColumn):
    """Problems a minute."""

    def render(self, task: Task) -> Text:
        return Text("" if not task.speed else f"{task.speed * 60:,.1f}/min")


def follow(title: str, done: Iterator[object], total: int) -> None:
    """A bar on stderr, with the rate and the time that is left."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for _ in progress.track(done, total):
            pass


def show(summary: dict[str, Any], as_json: bool) -> None:
    """The summary for a person or, as one object, for a program."""
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    Console(width=110).print(report.table(summary["generators"]))
    if found := summary.get("against"):
        low, high = found["interval"]
        print(
            f"Agrees with what is known: {found['difference']:+.1%} [{low:+.1%}, {high:+.1%}], {found['wins']} won, "
            f"{found['losses']} lost (p = {found['p']:.2g})"
        )
    for failure in summary["failed"]:
        print(f"Problem {failure['problem']} was left out: {failure['error']}", file=sys.stderr)
    print(f"{summary['records']} records of {summary['done']} problems are in {summary['out']}")
