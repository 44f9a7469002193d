"""Sources of traces: worked problems, GSM8K's solutions, right rollouts, critiques that helped."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from pathlib import Path

from runtime.checks import arithmetic
from runtime.checks.grading import matches
from runtime.problems import wordproblems
from runtime.problems.labelled import LabelledTrajectory
from runtime.problems.worked import Worked
from runtime.search.solutions import numbers_in
from runtime.text import LineReader, language_of
from runtime.types import Problem
from trainer.data.critiques.records import Record, read_records
from trainer.data.errors import InjectionError, inject_random
from trainer.data.errors.comments import explain_right
from trainer.data.gsm8k import gsm8k_problems, worked_from_gsm8k
from trainer.data.sources import read_graded
from trainer.data.traces.trace import WORDS, CheckedStep, Trace, smoothed

_SIGNS = {r"\times": "×", r"\cdot": "×", r"\div": "/", r"\%": "%", r"\$": "$"}
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|boxed)\{([^{}]*)\}")
_MARKUP = re.compile(r"\\[\[\]()]|\\[,;! ]|\\quad|\*\*|`")
SLIPS = 0.5
"""Share of traces of worked problems that contain a wrong step."""


def generated(count: int, seed: int, split: wordproblems.Split = "train") -> Iterator[Trace]:
    for worked in islice(wordproblems.stream(seed, split), count):
        yield smoothed(from_worked(worked, seed), seed)


def gsm8k(path: Path, seed: int, limit: int | None = None) -> Iterator[Trace]:
    """Traces of GSM8K's solutions."""
    return (smoothed(from_worked(worked, seed), seed) for worked in islice(gsm8k_problems(path, seed), limit))


def rollouts(path: Path, seed: int, wordings: int = 1) -> Iterator[Trace]:
    """Traces of right rollouts (`trainer rollouts`), each in `wordings` wordings. Training on its own kind of solution
    keeps a model's ability (trainer/LOG.md)."""
    for written in read_graded(path):
        steps, answer = plain_steps(written.steps), written.answer
        if not (answer and written.correct and steps and any(matches(n, answer) for n in _NUMBER.findall(steps[-1]))):
            continue
        problem = written.problem.model_copy(update={"answer": answer})
        accepted = Trace(problem, tuple(CheckedStep(step, True) for step in steps), answer)
        worked = worked_from_gsm8k(problem, "\n".join(steps))
        for number in range(seed, seed + wordings):
            yield smoothed(from_worked(worked, number) if worked else accepted, number)


_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:/\d+)?")


def recorded(path: Path, seed: int) -> Iterator[Trace]:
    """Traces of the records of `trainer critiques`."""
    for trace in map(from_record, read_records(path)):
        if trace:
            yield smoothed(trace, seed)


def from_worked(worked: Worked, seed: int) -> Trace:
    """The reference solution as a trace; in half of them a wrong step comes first and is corrected at once."""
    dice = random.Random(f"{worked.problem.id} {seed} talk")
    steps = [CheckedStep(line, True, explain_right(worked, i, seed)) for i, line in enumerate(worked.lines)]
    if dice.random() < SLIPS:
        try:
            wrong = inject_random(worked, seed)
        except InjectionError:
            return Trace(worked.problem, tuple(steps), worked.result)
        at = wrong.first_error
        if wrong.lines[:at] == worked.lines[:at]:  # same prefix, so the remaining right steps correct it
            steps.insert(at, CheckedStep(wrong.lines[at], False, wrong.explanation))
    return Trace(worked.problem, tuple(steps), worked.result)


def from_attempt(worked: Worked, attempt: LabelledTrajectory) -> Trace:
    """A labelled attempt as a trace: right steps are accepted, the first error is doubted, and the missing steps of the
    solution correct it."""
    place, steps = attempt.first_error, attempt.steps
    if place is None:
        return Trace(worked.problem, tuple(CheckedStep(step, True) for step in steps), worked.result)
    accepted = [CheckedStep(step, True) for step in steps[:place]]
    corrected = [CheckedStep(line, True) for line in _missing(worked, steps[:place])]
    return Trace(
        worked.problem, (*accepted, CheckedStep(steps[place], False, _doubt(attempt)), *corrected), worked.result
    )


def _missing(worked: Worked, accepted: Sequence[str]) -> Sequence[str]:
    """The solution from the first line that computes a new number."""
    known = numbers_in("\n".join([worked.problem.text, *accepted]))
    new = (place for place, line in enumerate(worked.lines) if numbers_in(line) - known)
    return worked.lines[next(new, len(worked.lines)) :]


def _doubt(attempt: LabelledTrajectory) -> str:
    """The doubt about the first error: for a false equation its correction."""
    language, step = language_of(attempt.problem.text), attempt.steps[attempt.first_error or 0]
    false = next((one for one in arithmetic.check(step) if one.verdict == "incorrect"), None)
    return arithmetic.sentence(false, language) if false else attempt.explanation or WORDS[language]["astray"]


def from_record(record: Record) -> Trace | None:
    """A wrong attempt up to its first error, then the actor's refinement; None without a usable critique and a right
    refinement that keeps the right steps."""
    critique = next((critique for critique in record.critiques if critique.usable), None)
    if critique is None or False not in critique.verdicts or not record.refines:
        return None
    place, refined = critique.verdicts.index(False), record.refines[0]
    reader = LineReader()
    steps = [line.text for line in [*reader.push(refined.text), *reader.finish()] if line.kind == "step"]
    lines, explanations = record.traj.lines, critique.explains
    accepted = [CheckedStep(lines[i], True, explanations[i]) for i in range(place)]
    if steps[:place] != list(lines[:place]) or lines[place] in steps[place:]:
        return None  # it restarted, or repeats the doubted step
    corrected = [CheckedStep(step, True) for step in steps[len(accepted) :]]
    problem = Problem(text=record.problem.text, answer=record.problem.answer, source=record.problem.dataset)
    return Trace(
        problem, (*accepted, CheckedStep(lines[place], False, explanations[place]), *corrected), refined.answer
    )


def plain_steps(lines: Sequence[str]) -> list[str] | None:
    """A model's text as plain steps: no markup, and a calculation in every step. Small models write headings, plans and
    displayed formulas over several lines; text that leads to a calculation is part of its step. Text after the last one
    is dropped, and so is a program. None if markup remains or an equation is false."""
    steps, unfinished = [], ""
    for line in map(_plain, takewhile(lambda line: "python" not in line.lower(), lines)):
        unfinished = f"{unfinished} {line}".strip()
        found = arithmetic.verdict(arithmetic.check(unfinished))
        if "\\" in unfinished or found == "incorrect":
            return None
        if found == "correct":
            steps.append(unfinished)
            unfinished = ""
    return steps


def _plain(line: str) -> str:
    for name, sign in _SIGNS.items():
        line = line.replace(name, sign)
    line = _FRACTION.sub(r"\1 / \2", _TEXT.sub(r"\1", line))
    return " ".join(_MARKUP.sub(" ", line).split())
