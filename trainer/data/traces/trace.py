"""A trace: steps, the model's check of each, and the answer."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from runtime.checks import arithmetic
from runtime.checks.grading import grade
from runtime.checks.stated import final_answer
from runtime.text import CHECK, Language, LineReader, closing_line, language_of, read_check
from runtime.types import Problem
from trainer.data.wordings import read_wordings

WORDS = read_wordings(__file__)

DECISION = 4.0
"""Weight of the first word of a check in the loss: it decides between doubt and acceptance, and is one token in two
hundred."""


@dataclass(frozen=True)
class CheckedStep:
    """A step and the model's check of it."""

    step: str
    right: bool
    words: str = ""


@dataclass(frozen=True)
class Trace:
    problem: Problem
    steps: tuple[CheckedStep, ...]
    answer: str

    @property
    def text(self) -> str:
        """The trace as the model writes it."""
        return "".join(piece for piece, _ in self.pieces)

    @property
    def pieces(self) -> list[tuple[str, float]]:
        """The text in pieces with their weights in the loss; wrong steps have weight 0."""
        language = language_of(self.problem.text)
        lines = [piece for one in self.steps for piece in _pieces(one, CHECK[language])]
        return [*lines, (closing_line(self.answer, language), 1.0)]

    @property
    def fault(self) -> str | None:
        """The reason not to train on it, or None. The text is parsed as in the app."""
        reader = LineReader()
        lines = [*reader.push(self.text), *reader.finish()]
        if [line.kind for line in lines] != ["step", "check"] * len(self.steps) + ["closing"]:
            return "its lines cannot be parsed"
        checks = [read_check(line.text)[0] for line in lines if line.kind == "check"]
        if checks != [one.right for one in self.steps]:
            return "its checks contradict the labels"
        accepted = [arithmetic.verdict(arithmetic.check(one.step)) for one in self.steps if one.right]
        if "incorrect" in accepted:
            return "it accepts a false equation"
        if not self.steps or not self.steps[-1].right:
            return "it ends with a doubt"
        return None if grade(final_answer(self.text), self.problem) else "its answer is wrong"


def _pieces(step: CheckedStep, check: str) -> list[tuple[str, float]]:
    decision = _FIRST_WORD.findall(step.words)[0]
    rest = step.words[len(decision) :]
    return [(f"{step.step}\n", float(step.right)), (check, 1.0), (f" {decision}", DECISION), (f"{rest}\n", 1.0)]


_FIRST_WORD = re.compile(r"\w*")


# Rewording: first person, many wordings, often a single word


def smoothed(trace: Trace, seed: int) -> Trace:
    """The trace with checks in the first person and random wordings, often shortened."""
    dice, language = random.Random(f"{trace.problem.id} {seed} words"), language_of(trace.problem.text)
    steps = tuple(CheckedStep(one.step, one.right, _own(one, dice, language)) for one in trace.steps)
    return Trace(trace.problem, steps, trace.answer)


def _own(step: CheckedStep, dice: random.Random, language: Language) -> str:
    if step.right and (not step.words or dice.random() < BRIEF):
        return dice.choice(WORDS[language]["brief"])
    words = step.words
    if language == "en":
        words = _YOU.sub(lambda found: _PERSON[found[0].lower()], _TO_YOU.sub(r"\1me", words))
    if step.right:
        words = _PRAISED.sub("", words)
    opening = dice.choice(WORDS[language]["nods" if step.right else "doubts"])
    goes_on = not opening.endswith(". {}") and _MAY_GO_ON.match(words)
    return opening.format(words[:1].lower() + words[1:] if goes_on else words)


BRIEF = 0.4
"""Share of right steps whose check is only a word."""
_MAY_GO_ON = re.compile(r"(?:The|This|Here|That|It|There|In|A|An|Taking|Look|Something|Nothing)\b")
"""Whether a sentence can follow a dash or colon in lower case."""
_PRAISED = re.compile(r"^(?:Right|Yes|This holds)[,:]\s*")
_PERSON = {
    "you are": "I am", "you have": "I have", "you need": "I need", "you": "I", "your": "my", "yours": "mine",
    "yourself": "myself",
}  # fmt: skip
_YOU = re.compile(r"\b(you (?:are|have|need)|yourself|yours|your|you)\b", re.IGNORECASE)
_TO_YOU = re.compile(r"\b((?:brings?|gets?|gives?|leaves?|tells?|shows?|for|to|with|of) )you\b", re.IGNORECASE)
