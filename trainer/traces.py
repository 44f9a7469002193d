"""Self-talk traces: a solution as one voice tells it to itself, which checks every step and mends what it doubts.

    python -m trainer traces --generated 2000 --marked problems.jsonl --out FOLDER

MathCritique's three stages (arXiv 2411.16579), from exact material: the comments of a critique are put between the
steps of an attempt; where a step is wrong, the attempt ends there and goes on from the steps before it; then the talk
is made the voice's own - first person, in many wordings - and read back: it must still say the same of every step, hold
no false equation that it accepts, and end in the reference answer.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from runtime import arithmetic, wordproblems
from runtime.actor import conversation
from runtime.grading import equal, grade
from runtime.text import CHECK, Language, Line, LineReader, closing_line, final_answer, language_of, read_check
from runtime.types import Problem
from runtime.worked import Worked
from trainer.critiques.records import Record, from_json
from trainer.decontaminate import drop, find, read_texts
from trainer.injection import InjectionError, explain_right, inject_random
from trainer.lessons import kept_apart
from trainer.marks import marked_problems, worked_from_marks
from trainer.plain_steps import plain_steps
from trainer.sft.rows import Row, write_rows

SLIPS = 0.5
"""Share of the traces of worked problems in which a step goes wrong first."""
DECISION = 4.0
"""What the first word of a check weighs: with it the voice doubts or goes on, and it is one word among two hundred."""


@dataclass(frozen=True)
class Told:
    """A step and what the voice says to it."""

    step: str
    right: bool
    words: str = ""


@dataclass(frozen=True)
class Trace:
    problem: Problem
    told: tuple[Told, ...]
    answer: str

    @property
    def text(self) -> str:
        """As the voice writes it."""
        return "".join(piece for piece, _ in self.pieces)

    @property
    def pieces(self) -> list[tuple[str, float]]:
        """The text in pieces, each with its weight for who learns from it: steps that go wrong have none."""
        language = language_of(self.problem.text)
        lines = [piece for one in self.told for piece in _pieces(one, CHECK[language])]
        return [*lines, (closing_line(self.answer, language), 1.0)]

    @property
    def fault(self) -> str | None:
        """Why nobody should learn from it, if so: the talk is read back as the app reads it."""
        reader = LineReader()
        lines = [*reader.push(self.text), *reader.finish()]
        if [line.kind for line in lines] != ["step", "check"] * len(self.told) + ["closing"]:
            return "its lines cannot be read back"
        if _heard(lines) != [one.right for one in self.told]:
            return "its checks do not say what is known"
        accepted = [arithmetic.verdict(arithmetic.check(one.step)) for one in self.told if one.right]
        if "incorrect" in accepted:
            return "it accepts a false equation"
        if not self.told or not self.told[-1].right:
            return "it ends in a doubt"
        return None if grade(final_answer(self.text), self.problem) else "its answer is wrong"


def _pieces(told: Told, check: str) -> list[tuple[str, float]]:
    decision = _FIRST_WORD.match(told.words)[0]
    rest = told.words[len(decision) :]
    return [(f"{told.step}\n", float(told.right)), (check, 1.0), (f" {decision}", DECISION), (f"{rest}\n", 1.0)]


_FIRST_WORD = re.compile(r"\w*")


def _heard(lines: Sequence[Line]) -> list[bool]:
    return [read_check(line.text)[0] for line in lines if line.kind == "check"]


def from_worked(worked: Worked, seed: int) -> Trace:
    """The reference solution as a talk; in half of them a step goes wrong first and is mended at once."""
    dice = random.Random(f"{worked.problem.id} {seed} talk")
    told = [Told(line, True, explain_right(worked, i, seed)) for i, line in enumerate(worked.lines)]
    if dice.random() < SLIPS:
        try:
            wrong = inject_random(worked, seed)
        except InjectionError:
            return Trace(worked.problem, tuple(told), worked.result)
        at = wrong.first_error
        if wrong.lines[:at] == worked.lines[:at]:  # alike so far, so the right steps from there on mend it
            told.insert(at, Told(wrong.lines[at], False, wrong.explanation))
    return Trace(worked.problem, tuple(told), worked.result)


def from_record(record: Record) -> Trace | None:
    """A wrong attempt up to its first error, then what the actor wrote once it had read the critique; None where no
    usable critique led to a right refinement that goes on from the right steps."""
    critique = next((critique for critique in record.critiques if critique.usable), None)
    if critique is None or False not in critique.verdicts or not record.refines:
        return None
    place, refined = critique.verdicts.index(False), record.refines[0]
    reader = LineReader()
    steps = [line.text for line in [*reader.push(refined.text), *reader.finish()] if line.kind == "step"]
    lines, said = record.traj.lines, critique.explains
    begun = [Told(lines[i], True, said[i]) for i in range(place)]
    if steps[:place] != list(lines[:place]) or lines[place] in steps[place:]:
        return None  # it began anew, or says again what was doubted
    mended = [Told(step, True) for step in steps[len(begun) :]]
    problem = Problem(text=record.problem.text, answer=record.problem.answer, source=record.problem.dataset)
    return Trace(problem, (*begun, Told(lines[place], False, said[place]), *mended), refined.answer)


def smoothed(trace: Trace, seed: int) -> Trace:
    """The same talk in the voice's own words: what a tutor said to "you" it says of itself, and often less."""
    dice, language = random.Random(f"{trace.problem.id} {seed} words"), language_of(trace.problem.text)
    told = tuple(Told(one.step, one.right, _own(one, dice, language)) for one in trace.told)
    return Trace(trace.problem, told, trace.answer)


def _own(told: Told, dice: random.Random, language: Language) -> str:
    openings = _DOUBTS[language] if not told.right else _NODS[language]
    if told.right and (not told.words or dice.random() < BRIEF):
        return dice.choice(_PLAIN[language])
    words = _first_person(told.words) if language == "en" else told.words
    if told.right:
        words = _PRAISED.sub("", words)
    opening = dice.choice(openings)
    goes_on = not opening.endswith(". {}") and _may_go_on(words)
    return opening.format(words[:1].lower() + words[1:] if goes_on else words)


BRIEF = 0.4
"""Share of the right steps to which only a word is said."""
_PRAISED = re.compile(r"^(?:Right|Yes|This holds)[,:]\s*")
_PERSON = {
    "you are": "I am", "you have": "I have", "you need": "I need", "you": "I", "your": "my", "yours": "mine",
    "yourself": "myself",
}  # fmt: skip
_YOU = re.compile(r"\b(you (?:are|have|need)|yourself|yours|your|you)\b", re.IGNORECASE)
_TO_YOU = re.compile(r"\b((?:brings?|gets?|gives?|leaves?|tells?|shows?|for|to|with|of) )you\b", re.IGNORECASE)


def _first_person(words: str) -> str:
    return _YOU.sub(lambda found: _PERSON[found[0].lower()], _TO_YOU.sub(r"\1me", words))


def _may_go_on(words: str) -> bool:
    """Whether a sentence can stand behind a dash or colon in small letters."""
    return bool(re.match(r"(?:The|This|Here|That|It|There|In|A|An|Taking|Look|Something|Nothing)\b", words))


# The first word decides, and it is one of two: how a voice goes on may vary, what it decides should be easy to learn.
_PLAIN: dict[Language, tuple[str, ...]] = {
    "en": ("right.", "yes.", "yes, that holds.", "right, fine.", "right, on I go.", "yes, sound.", "yes, that fits."),
    "zh-CN": ("对。", "对，继续。", "对，成立。", "对，可以。"),
}
_NODS: dict[Language, tuple[str, ...]] = {
    "en": ("right, {}", "yes, {}", "right: {}", "yes, that holds: {}", "right, fine: {}", "yes, it fits: {}"),
    "zh-CN": ("对，{}", "对，没问题：{}", "对的，{}"),
}
_DOUBTS: dict[Language, tuple[str, ...]] = {
    "en": (
        "wait, {}",
        "wait a moment: {}",
        "wait, I made a mistake here: {}",
        "wait, that is not right: {}",
        "no, that is wrong. {}",
        "no, wait: {}",
        "no, this cannot be, there is an error. {}",
        "no, not right. {}",
    ),
    "zh-CN": ("不，等一下，这不对：{}", "不，{}这里要重做。", "不，这里错了：{}"),
}


def row(trace: Trace) -> Row:
    """A lesson for the self-talk voice. A step that goes wrong is read and not learned: the voice learns to doubt such
    steps, not to make them."""
    messages = conversation(trace.problem, prompt="selftalk")
    return Row(messages=tuple(messages), reply=tuple(trace.pieces), source=trace.problem.source)


def generated(count: int, seed: int, split: wordproblems.Split = "train") -> Iterator[Trace]:
    for worked in islice(wordproblems.stream(seed, split), count):
        yield smoothed(from_worked(worked, seed), seed)


def marked(path: Path, seed: int, limit: int | None = None) -> Iterator[Trace]:
    """Traces of human solutions with GSM8K's marks."""
    return (smoothed(from_worked(worked, seed), seed) for worked in islice(marked_problems(path, seed), limit))


def drawn(path: Path, seed: int, wordings: int = 1) -> Iterator[Trace]:
    """Traces of right attempts of models (`trainer attempts`), each in so many wordings: who learns to talk about its
    own kind of solution keeps what it can do (trainer/LOG.md)."""
    with path.open(encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["correct"]]
    for row in rows:
        steps = plain_steps(row["steps"])
        if not steps or not _states(steps[-1], row["attempt_answer"]):
            continue
        problem = Problem(text=row["question"], answer=row["attempt_answer"], source=f"{row['source']} attempts")
        worked = worked_from_marks(problem, "\n".join(steps))
        for number in range(seed, seed + wordings):
            told = tuple(Told(step, True) for step in steps)
            yield smoothed(from_worked(worked, number) if worked else Trace(problem, told, problem.answer), number)


def _states(step: str, answer: str) -> bool:
    return any(equal(number, answer) for number in _NUMBER.findall(step))


_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:/\d+)?")


def recorded(path: Path, seed: int) -> Iterator[Trace]:
    """Traces of what `trainer critiques` wrote."""
    with path.open(encoding="utf-8") as file:
        for trace in map(from_record, map(from_json, file)):
            if trace:
                yield smoothed(trace, seed)


def write_traces(folder: Path, traces: Iterable[Trace], held_out: Sequence[Path] = ()) -> dict[str, Any]:
    """Writes `selftalk.jsonl` (rows to learn from) and `dev.jsonl` (problems kept apart), and says what came of it.
    Problems that share thirteen words with a held-out file are dropped."""
    kept, left_out = sound(traces)
    report = find([trace.problem.text for trace in kept], {str(path): read_texts(path) for path in held_out})
    kept = drop(kept, report)
    apart = [trace for trace in kept if kept_apart(trace.problem)]
    write_rows(folder / "selftalk.jsonl", (row(trace) for trace in kept if not kept_apart(trace.problem)))
    write_rows(folder / "dev.jsonl", map(row, apart))
    mended = sum(not all(one.right for one in trace.told) for trace in kept)
    left_out |= {"overlaps with a held-out problem": len(report.rows)} if report.rows else {}
    return {"traces": len(kept), "with a slip": mended, "kept apart": len(apart), "left out": left_out}


def sound(traces: Iterable[Trace]) -> tuple[list[Trace], dict[str, int]]:
    """Those to learn from, and how many were left out for which reason."""
    judged = [(trace, trace.fault) for trace in traces]
    return [trace for trace, fault in judged if not fault], dict(Counter(fault for _, fault in judged if fault))
