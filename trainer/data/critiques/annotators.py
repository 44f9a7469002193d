"""Who writes critiques: here the rule that knows each step's truth; in `prompted.py` a model that is shown what is
known of the attempt.

An annotator gets hints - the reference answer, where the first error is, of which type - that no critic will ever
see; it must judge as if it had found everything itself. Unaided, even strong models err in judging.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.engines.base import Completion
from runtime.text import Language, language_of
from runtime.types import Problem
from trainer.data.critiques.critique_text import Block, write
from trainer.data.critiques.records import ErrorKind, Hint
from trainer.data.critiques.tasks import seed_of


@dataclass(frozen=True)
class Hints:
    """What is known of an attempt, for the annotator's eyes only; None is unknown."""

    answer: str | None = None
    correct: bool | None = None
    location: int | None = None
    """The first wrong step, counted from 1."""
    at_or_after: bool = False
    """Whether `location` is only where to begin to look."""
    kind: ErrorKind | None = None
    labels: tuple[bool, ...] | None = None
    """Whether each step is right."""
    explanations: tuple[str, ...] | None = None
    """Why, for each step."""


@dataclass(frozen=True)
class Job:
    """An attempt to be criticised."""

    problem: Problem
    steps: tuple[str, ...]
    final: str | None
    hints: Hints
    stop_at_first: bool = False

    @property
    def language(self) -> Language:
        return language_of(self.problem.text)


@dataclass(frozen=True)
class Annotation:
    """The text of a critique, the hints that went into it, and the replies it took."""

    text: str
    hints: tuple[Hint, ...]
    replies: tuple[Completion, ...] = ()


class Annotator(Protocol):
    name: str
    """Kept with every critique."""
    prompt: str | None
    """The prompt file that asks for it."""
    hinted: bool
    """Whether it uses what is known."""
    scaffold: bool
    """Whether the form is written for it."""

    def annotate(self, jobs: Sequence[Job], seed: int) -> list[Annotation | None]:
        """A critique of each attempt; None where this annotator has none to give. Raises EngineError."""


class Structural:
    """Exact labels, where every step's truth is known: of generated problems, with or without an error put in."""

    name, prompt, hinted, scaffold = "structural", None, True, True

    def annotate(self, jobs: Sequence[Job], seed: int) -> list[Annotation | None]:
        return [self._annotate(job, seed) for job in jobs]

    def _annotate(self, job: Job, seed: int) -> Annotation | None:
        labels, explanations = job.hints.labels, job.hints.explanations
        if labels is None or explanations is None:
            return None
        blocks = [Block(*block) for block in zip(job.steps, labels, explanations, strict=True)]
        wrong = labels.index(False) if False in labels else None
        if job.stop_at_first and wrong is not None:
            blocks = blocks[: wrong + 1]
        dice = random.Random(seed_of(seed, job.problem.id, *job.steps))
        said = _CLOSING[job.language][wrong is None]
        number = "" if wrong is None else str(wrong + 1)
        words = dice.choice(said).format(number=number, final=job.final or "")
        return Annotation(write(blocks, wrong is None, words, job.language), ("labels",))


_CLOSING: dict[Language, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        (
            "The final answer {final} rests on step {number}, which does not hold, so it cannot be trusted.",
            "Because step {number} went wrong, {final} is not what the question asks for.",
            "Step {number} needs another look; the answer {final} follows from it and is wrong too.",
        ),
        (
            "Every step holds, and {final} is what the question asks for.",
            "The steps follow from the problem one by one, and together they give {final}.",
            "Nothing is missing and every calculation comes out, so {final} is right.",
        ),
    ),
    "zh-CN": (
        ("最终答案 {final} 建立在第 {number} 步上，而这一步不成立，所以答案也不对。",),
        ("每一步都成立，{final} 正是题目所求。",),
    ),
}
