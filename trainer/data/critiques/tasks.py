"""The generators' tasks: problems, with the solution if known, and attempts with their known labels. Seeds depend on
the problem and the purpose, never on the order of work."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path as FilePath
from typing import Any, Literal

from runtime.checks.arithmetic import MARK
from runtime.checks.arithmetic.numerals import read_number
from runtime.checks.grading import grade
from runtime.engines.base import Completion, Engine, Sampling
from runtime.problems import wordproblems
from runtime.problems.json_rows import Row, read_rows
from runtime.problems.worked import Worked
from runtime.prompts import templates
from runtime.search.solutions import read_continuation
from runtime.text import Language, join_steps, language_of, split_steps
from runtime.types import Messages, Problem, content_hash
from trainer.data.critiques.records import (
    AnswerType,
    ErrorKind,
    ErrorType,
    FirstError,
    Generation,
    Inject,
    Kept,
    Label,
    Origin,
    Path,
    Prompt,
    RecordStep,
    RoleCost,
    Source,
)
from trainer.data.gsm8k import worked_from_gsm8k
from trainer.data.sources import PROBLEMS, problem_of

_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class Task:
    """A problem to attempt. `gold` holds the steps of the reference solution, or nothing."""

    problem: Problem
    worked: Worked | None = None
    gold: tuple[str, ...] = ()

    @property
    def language(self) -> Language:
        return language_of(self.problem.text)


@dataclass(frozen=True)
class KnownLabels:
    """Known labels of an attempt besides its answer."""

    first_error: FirstError | None = None
    labels: tuple[bool, ...] | None = None
    """Whether each step is right."""
    by: Source = "gold"
    """Source of the labels."""
    explanations: tuple[str, ...] | None = None
    """One or two sentences per step."""
    kind: ErrorKind | None = None


@dataclass(frozen=True)
class GeneratedAttempt:
    """An attempt made by a generator."""

    path: Path
    known: KnownLabels = KnownLabels()
    replies: tuple[Completion, ...] = ()
    """The actor's replies that went into it."""


def read_tasks(file: FilePath, limit: int | None = None) -> list[Task]:
    """Rows with `question`, `answer` and optionally `solution`, one step per line. Problems from `trainer problems` are
    rebuilt with every number. Raises RowError."""
    return [task for _, task in read_rows(file, _task_of, PROBLEMS, limit)]


def _task_of(row: Row) -> Task:
    problem = problem_of(row)
    if worked := _made_again(row):
        return Task(worked.problem, worked, worked.lines)
    solution = row.get("solution")
    solution = "\n".join(map(str, solution)) if isinstance(solution, list) else solution
    return _task(problem, solution if isinstance(solution, str) else "")


def _made_again(row: dict[str, Any]) -> Worked | None:
    """The generated problem of a row's seed and number; None for other rows, or if the generator has changed."""
    match row:
        case {"seed": int(seed), "number": int(number), "split": ("train" | "dev" | "test") as split}:
            worked = wordproblems.generate(seed, number, split)
            return worked if worked.problem.text == row.get("question") else None
    return None


def _task(problem: Problem, solution: str) -> Task:
    """A task with every number of the solution if GSM8K's annotations determine them. Steps are shown without
    annotations, which would distinguish the reference from an actor's text."""
    worked = worked_from_gsm8k(problem, solution) if MARK.search(solution) else None
    return Task(problem, worked, worked.lines if worked else tuple(split_steps(MARK.sub("", solution))))


def seed_of(seed: int, *parts: str) -> int:
    """A seed of 31 bits for one piece of work."""
    return int(content_hash(str(seed), *parts)[:8], 16) >> 1


def draw(engine: Engine, messages: Messages, sampling: Sampling, n: int = 1) -> list[Completion]:
    """`n` replies to one conversation, in a call of its own: batches round differently, and the same seed must give the
    same text whatever else is sampled."""
    [replies] = engine.sample([messages], sampling, n=n)
    return replies


def attempt(
    task: Task,
    reply: Completion,
    origin: Origin,
    gen: Generation | None = None,
    prefix: Sequence[str] = (),
    parent: Kept | None = None,
    inject: Inject | None = None,
    known: KnownLabels | None = None,
    hint: int | None = None,
) -> GeneratedAttempt:
    """A reply of the actor as an attempt; `prefix` are the lines it continued."""
    lines = [*prefix, *split_steps(reply.text)]
    final = read_continuation(reply, join_steps(prefix)).answer
    path = path_of(task, lines, final, origin, known or KnownLabels())
    more = {"finish": reply.finish, "gen": gen, "parent": parent, "inject": inject, "location_hint": hint}
    return GeneratedAttempt(path.model_copy(update=more), known or KnownLabels(), (reply,))


def path_of(task: Task, lines: Sequence[str], final: str | None, origin: Origin, known: KnownLabels) -> Path:
    """Steps and an answer as a graded path with the known labels."""
    if final and _DIGIT.search(task.problem.answer or "") and not _DIGIT.search(final):
        final = None  # "The answer is N.", copied from the instruction
    correct = grade(final, task.problem)
    return Path(
        text="\n".join(lines),
        steps=tuple(_step(i, line, known) for i, line in enumerate(lines, 1)),
        final=final,
        valid=correct is not None,
        correct=correct,
        origin=origin,
    )


def labelled(path: Path, known: KnownLabels) -> Path:
    """The path with labels on its steps."""
    steps = tuple(_step(i, line, known) for i, line in enumerate(path.lines, 1))
    return path.model_copy(update={"steps": steps})


def _step(i: int, text: str, known: KnownLabels) -> RecordStep:
    labels = (Label(by=known.by, value=1 if known.labels[i - 1] else 0),) if known.labels else ()
    kind = known.kind if known.first_error is not None and known.first_error.i == i else None
    return RecordStep(i=i, text=text, labels=labels, error_type=ErrorType(type=kind, by=known.by) if kind else None)


def generation(engine: Engine, sampling: Sampling, reply: Completion, index: int = 0) -> Generation:
    return Generation(
        model=engine.model,
        T=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
        index=index,
        n_tokens=reply.completion_tokens,
    )


def prompt_of(name: str, language: Language, system: bool = True) -> Prompt:
    """A prompt file by its name and hash."""
    template, _, digest = templates.version(name, language).partition("@")
    return Prompt(template=template, hash=digest, system=templates.version("system", language) if system else None)


def cost(role: Literal["actor", "annotator"], replies: Iterable[Completion]) -> RoleCost:
    replies = list(replies)
    read, written = sum(r.prompt_tokens for r in replies), sum(r.completion_tokens for r in replies)
    return RoleCost(role=role, calls=len(replies), in_tokens=read, out_tokens=written)


def answer_type(answer: str) -> AnswerType:
    value: Fraction | None = read_number(answer.replace(",", ""))
    if value is not None:
        return "int" if value.denominator == 1 and "." not in answer else "number"
    if len(answer.strip("() .")) == 1 and answer.strip("() .").isalpha():
        return "choice"
    return "latex" if "\\" in answer else "number" if answer.replace("/", "").strip("-").isdigit() else "text"
