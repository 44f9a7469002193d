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
from trainer.data.critiques.critique_text import Block, write
from trainer.data.critiques.records import Hint, Path
from trainer.data.critiques.tasks import Made, Task, seed_of
from trainer.data.wordings import read_wordings

_WORDS = read_wordings(__file__)


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
        closings = _WORDS[language]["closing"]["right" if wrong is None else "wrong"]
        words = dice.choice(closings).format(number=number, final=path.final or "")
        return Annotation(write(blocks, wrong is None, words, language), ("labels",))
