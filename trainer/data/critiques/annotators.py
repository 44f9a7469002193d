"""Annotators, which write critiques: here from exact labels, in `prompted.py` by a model with hints.

An annotator gets hints (the reference answer, the place and type of the first error) that no critic will have; it must
write as if it had found everything itself. Without hints even strong models often judge wrongly.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.engines.base import Completion
from runtime.text import Language
from trainer.data.critiques.critique_text import Block, write
from trainer.data.critiques.records import Hint, Path
from trainer.data.critiques.tasks import Made, Task, seed_of


@dataclass(frozen=True)
class Job:
    """An attempt to be criticised, with the hints for the annotator."""

    task: Task
    made: Made
    stop_at_first: bool = False

    @property
    def path(self) -> Path:
        return self.made.path


@dataclass(frozen=True)
class Annotation:
    """The text of a critique, the hints that went into it, and the replies it took."""

    text: str
    hints: tuple[Hint, ...]
    replies: tuple[Completion, ...] = ()


class Annotator(Protocol):
    name: str
    """Stored with every critique."""
    prompt: str | None
    """Name of the prompt file."""
    hinted: bool
    """Whether it uses the hints."""
    scaffold: bool
    """Whether the format is written for it."""

    def annotate(self, jobs: Sequence[Job], seed: int) -> list[Annotation | None]:
        """A critique per attempt, or None if this annotator cannot write one. Raises EngineError."""


class Structural:
    """Writes critiques from exact labels: for generated problems, with or without an inserted error."""

    name, prompt, hinted, scaffold = "structural", None, True, True

    def annotate(self, jobs: Sequence[Job], seed: int) -> list[Annotation | None]:
        return [self._annotate(job, seed) for job in jobs]

    def _annotate(self, job: Job, seed: int) -> Annotation | None:
        known, path, language = job.made.known, job.path, job.task.language
        if known.labels is None or known.explanations is None:
            return None
        blocks = [Block(*block) for block in zip(path.lines, known.labels, known.explanations, strict=True)]
        wrong = known.labels.index(False) if False in known.labels else None
        if job.stop_at_first and wrong is not None:
            blocks = blocks[: wrong + 1]
        dice = random.Random(seed_of(seed, job.task.problem.id, *path.lines))
        number = "" if wrong is None else str(wrong + 1)
        words = dice.choice(_CLOSING[language][wrong is None]).format(number=number, final=path.final or "")
        return Annotation(write(blocks, wrong is None, words, language), ("labels",))


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
