"""The command `critiques`: problems, actor, annotator, and the report."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from runtime import engines, settings
from runtime.engines.base import Engine
from runtime.errors import SoliloquyError
from runtime.problems import wordproblems
from trainer.data.critiques import report, tasks
from trainer.data.critiques.annotators import Annotator, Job, PromptedCritic, Structural
from trainer.data.critiques.generators import GENERATORS
from trainer.data.critiques.pipeline import Critiques, Recipe
from trainer.data.critiques.records import read_records
from trainer.statistics import Paired

ANNOTATORS = ("structural", "llm")
CONTEXT = 4096
"""Tokens of one conversation: a critique repeats the whole attempt, and a refinement reads both."""


class RecipeError(SoliloquyError):
    """The request cannot be fulfilled. The message names what is missing."""


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


def make(
    problems: str,
    out: Path,
    recipe: Recipe,
    annotator: str = "structural",
    hinted: bool = True,
    scaffold: bool = True,
    model: str | None = None,
    annotator_model: str | None = None,
    parallel: int = 16,
    limit: int | None = None,
    show: int = 10,
    against: Path | None = None,
    follow: Callable[[str, Iterator[str], int], object] = lambda title, done, total: list(done),
) -> dict[str, Any]:
    """Make or resume the file `out`, with a progress bar by `follow` and `show` critiques per generator on stderr;
    return the summary. `problems` is a number of fresh problems, or a file with `question`, `answer` and optionally
    `solution`. `scaffold` writes the format for a model. The annotator's model is the actor's by default. `against` is
    another annotator's file on the same attempts. Raises SoliloquyError."""
    if annotator not in ANNOTATORS:
        raise RecipeError(f"--annotator {annotator!r} is not known; it is {' or '.join(ANNOTATORS)}.")
    prompted, work = annotator == "llm", read_work(problems, recipe.seed, limit)
    # Rules alone make and judge RG3 of problems with known numbers; other problems are then skipped.
    needs_model = prompted or recipe.generators != ("rg3",) or recipe.refinements > 0
    with ExitStack() as stack:

        def opened(name: str | None) -> Engine:
            engine = engines.open_engine(settings.load(model=name).with_(context=CONTEXT), parallel, batches=True)
            stack.callback(engine.close)
            return engine

        actor = critic = opened(model) if needs_model else None
        if prompted and annotator_model not in (None, model):
            critic = opened(annotator_model)
        judge: Annotator[Job] = PromptedCritic(critic, hinted, scaffold) if prompted and critic else Structural()
        run = Critiques(work, judge, recipe, Path(settings.load().home), actor, critic)
        follow("Critiques", run.run(), len(run.tasks))
    run.save(out)
    records = list(run.records())
    if show:
        print(report.examples(records, show, recipe.seed), file=sys.stderr)
    summary = {**run.summary(), "generators": report.counts(records), "out": str(out)}
    return summary | ({"against": asdict(report.against(records, read_records(against)))} if against else {})


def read_work(problems: str, seed: int, limit: int | None) -> list[tasks.Task]:
    """Fresh problems for a number, otherwise the file's problems. Raises RowError."""
    if problems.isdecimal():
        made = (wordproblems.generate(seed, number, "train") for number in range(int(problems)))
        return [tasks.Task(each.problem, each, each.lines) for each in made]
    return tasks.read_tasks(Path(problems), limit)


def show(summary: dict[str, Any], as_json: bool) -> None:
    """The summary as text or as one JSON object."""
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    Console(width=110).print(report.table(summary["generators"]))
    if found := summary.get("against"):
        print(f"Agreement with known labels: {Paired(**found)} (p = {found['p']:.2g})")
    for failure in summary["failed"]:
        print(f"Problem {failure['problem']} was left out: {failure['error']}", file=sys.stderr)
    print(f"{summary['records']} records of {summary['done']} problems are in {summary['out']}")
