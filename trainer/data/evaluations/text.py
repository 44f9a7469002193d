"""The text of an evaluation: one line a step with a verdict and its reason, then one line on the final answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.problems.critique_text import read_verdict
from runtime.problems.labelled import LabelledTrajectory
from runtime.text import Language, closing_line, language_of, numbered


@dataclass(frozen=True)
class Format:
    """The fixed words of a language."""

    right: str
    wrong: str
    stop: str
    """Between the verdict and its explanation."""
    gap: str
    """Before the verdict."""
    final: str
    label: str
    """A step's label as annotators see it."""

    def verdict(self, is_right: bool) -> str:
        return self.right if is_right else self.wrong

    def line(self, is_right: bool, explanation: str) -> str:
        """A step's verdict with its explanation, without the number of the step."""
        return f"{self.verdict(is_right)}{self.stop}{explanation}".rstrip()


FORMATS: dict[Language, Format] = {
    "en": Format("True", "False", ". ", " ", "The final answer is ", " (label: {})"),
    "zh-CN": Format("正确", "错误", "。", "", "最终答案", "（标签：{}）"),
}
_STEP = re.compile(r"^[\s>#*_]*(?:step\s*(\d{1,3})|第\s*(\d{1,3})\s*步)[\s*_]*[:：.)][\s*_]*(?:is\s+)?", re.IGNORECASE)
_FINAL = re.compile(r"^[\s>#*_]*(?:the\s+final\s+answer\s+is|最终答案(?:是)?)[\s*_:：]*", re.IGNORECASE)
_OPENING = re.compile(
    r"[\s*_\"“]*(?:true|false|(?:in)?correct|right|wrong|not\s+\w+|正确|错误|不正确|对|错)", re.IGNORECASE
)
_SENTENCE = re.compile(r"[.。!！,，;；:：\n]|$")


@dataclass(frozen=True)
class Reading:
    """A parsed evaluation of n steps: for each a verdict (None: unreadable or missing) and an explanation."""

    verdicts: tuple[bool | None, ...]
    explanations: tuple[str, ...]
    final: bool | None

    @property
    def is_complete(self) -> bool:
        """Whether every step and the final answer are judged."""
        return None not in self.verdicts and self.final is not None


def write(labels: Sequence[bool], explanations: Sequence[str], final: bool, language: Language = "en") -> str:
    """An evaluation as text, one explanation a step."""
    words = FORMATS[language]
    lines = [words.line(*each) for each in zip(labels, explanations, strict=True)]
    return f"{numbered(lines, language)}\n{words.final}{words.verdict(final)}"


def openings(count: int, language: Language) -> list[str]:
    """The beginning of each line, up to its verdict."""
    lines = numbered([""] * count, language).split("\n")
    return [line.rstrip() for line in [*lines, FORMATS[language].final]]


def solution(attempt: LabelledTrajectory, labels: Sequence[bool | None] = ()) -> str:
    """The steps of an attempt with their numbers and, for an annotator, their labels; then the answer where no step
    states it."""
    language = language_of(attempt.problem.text)
    words = FORMATS[language]
    marks = ["" if label is None else words.label.format(words.verdict(label)) for label in labels]
    steps = [step + mark for step, mark in zip(attempt.steps, marks, strict=True)] if marks else attempt.steps
    lines = numbered(steps, language)
    return lines if attempt.answer is None else f"{lines}\n{closing_line(attempt.answer, language)}"


def parse(text: str, count: int) -> Reading:
    """Parse an evaluation of `count` steps. Of several lines on one step the first counts; lines on steps that do not
    exist are ignored."""
    verdicts: dict[int, bool | None] = {}
    explanations: dict[int, str] = {}
    final = None
    for line in text.splitlines():
        if found := _STEP.match(line):
            place = int(found[1] or found[2]) - 1
            if place not in verdicts:
                verdicts[place], explanations[place] = _judgement(line[found.end() :])
        elif found := _FINAL.match(line):
            final = read_verdict(line[found.end() :])
    return Reading(
        tuple(verdicts.get(place) for place in range(count)),
        tuple(explanations.get(place, "") for place in range(count)),
        final,
    )


def _judgement(words: str) -> tuple[bool | None, str]:
    """The verdict in the first few words, and what follows it. A verdict later in the sentence, as in "The numbers are
    right, but", is none."""
    end = _SENTENCE.search(words)
    head = words[: end.start()] if end else words
    verdict = read_verdict(head) if _OPENING.match(head) else None
    return verdict, words[len(head) :].lstrip(" .。,，;；:：*_") if verdict is not None else words.strip()
