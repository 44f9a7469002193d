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
from trainer.data.critiques.critique_text import Block, write
from trainer.data.critiques.records import Hint, Path
from trainer.data.critiques.tasks import Made, Task, seed_of
from trainer.data.wordings import read_wordings

_WORDS = read_wordings(__file__)


@dataclass(frozen=True)
class Job:
    """An attempt to be criticised, with what is known of it, which is for the annotator's eyes only."""

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
