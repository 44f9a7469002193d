"""Annotators, which write critiques: from exact labels, or by a model with hints.

An annotator gets hints (the reference answer, the place and type of the first error) that no critic will have; it must
write as if it had found everything itself. Without hints even strong models often judge wrongly.
"""

from __future__ import annotations

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from runtime.engines.base import Completion, Engine, Sampling
from runtime.problems.critique_text import LABELS, Block, read_verdict, sentence, write
from runtime.prompts import templates
from runtime.text import closing_line, numbered
from runtime.types import Message, Messages
from trainer.data.critiques.records import Hint, Path
from trainer.data.critiques.tasks import GeneratedAttempt, Task, seed_of
from trainer.data.wordings import read_wordings

_WORDS = read_wordings(__file__)
SHORT = 160
"""Token limit of one verdict with its explanation."""


@dataclass(frozen=True)
class Job:
    """An attempt to be criticised, with the hints for the annotator."""

    task: Task
    made: GeneratedAttempt
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


J = TypeVar("J")
J_contra = TypeVar("J_contra", contravariant=True)


class Annotator(Protocol[J_contra]):
    """Whatever judges jobs of one kind: attempts to be criticised (`Job`), or labelled ones to be explained
    (`trainer.data.evaluations`)."""

    @property
    def name(self) -> str:
        """Stored with every critique."""

    @property
    def prompt(self) -> str | None:
        """Name of the prompt file."""

    @property
    def hinted(self) -> bool:
        """Whether it uses the hints."""

    @property
    def scaffold(self) -> bool:
        """Whether the format is written for it."""

    def annotate(self, jobs: Sequence[J_contra], seed: int) -> list[Annotation | None]:
        """A text per job, or None if this annotator cannot write one. Raises EngineError."""


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


class Draft(Protocol):
    """A text written in a scaffold: `advance` adds the format up to the model's next turn, and is False at the end;
    `take` adds the model's words."""

    text: str
    replies: list[Completion]

    def advance(self) -> bool: ...

    def take(self, reply: Completion) -> None: ...


class Prompted(ABC, Generic[J]):
    """A model on any engine, sampled greedily. Without `hinted` the prompt has no hints, which measures their value.

    Small models do not keep to a format. With a scaffold the format is written for them, and they write only verdicts
    and explanations; cached text is not read again. Servers that cannot continue a reply must work without it.
    """

    prompt: str
    stop: tuple[str, ...]
    """Ends the model's turn in a scaffold."""

    def __init__(self, engine: Engine, hinted: bool = True, scaffold: bool = True, max_tokens: int = 1536) -> None:
        self.engine, self.hinted, self.scaffold, self.max_tokens = engine, hinted, scaffold, max_tokens
        self.name = engine.model

    @abstractmethod
    def messages(self, job: J) -> Messages:
        """The prompt."""

    @abstractmethod
    def hints(self, job: J) -> Mapping[Hint, str]:
        """The hints in its prompt, each as a text."""

    @abstractmethod
    def draft(self, job: J) -> Draft:
        """An empty scaffold."""

    def annotate(self, jobs: Sequence[J], seed: int) -> list[Annotation | None]:
        written = self._in_scaffolds(jobs, seed) if self.scaffold else self._freely(jobs, seed)
        return [
            Annotation(text, tuple(self.hints(job)), replies)
            for job, (text, replies) in zip(jobs, written, strict=True)
        ]

    def _freely(self, jobs: Sequence[J], seed: int) -> list[tuple[str, tuple[Completion, ...]]]:
        sampling = Sampling(max_tokens=self.max_tokens, seed=seed)
        replies = self.engine.sample([self.messages(job) for job in jobs], sampling)
        return [(reply.text, (reply,)) for [reply] in replies]

    def _in_scaffolds(self, jobs: Sequence[J], seed: int) -> list[tuple[str, tuple[Completion, ...]]]:
        """Write all texts in parallel, one verdict of each at a time."""
        drafts = [(job, self.draft(job)) for job in jobs]
        sampling = Sampling(max_tokens=SHORT, seed=seed)
        while under_way := [(job, draft) for job, draft in drafts if draft.advance()]:
            requests = [
                [*self.messages(job), Message(role="assistant", content=draft.text)] for job, draft in under_way
            ]
            replies = self.engine.sample(requests, sampling, stop=self.stop)
            for (_, draft), [reply] in zip(under_way, replies, strict=True):
                draft.take(reply)
        return [(draft.text, tuple(draft.replies)) for _, draft in drafts]


class PromptedCritic(Prompted[Job]):
    """A model that writes critiques. Its scaffold holds the step's sentence and the labels of the format."""

    prompt = "annotate"
    stop = ("\n\n",)

    def messages(self, job: Job) -> Messages:
        language = job.task.language
        lines = numbered(job.path.lines, language)
        if job.path.final is not None:
            lines += "\n" + closing_line(job.path.final, language)
        request = templates.fill(
            "annotate",
            language,
            problem=job.task.problem.text,
            solution=lines,
            extent=_WORDS[language]["extent"]["first" if job.stop_at_first else "full"],
            hints="\n".join(self.hints(job).values()) or _WORDS[language]["told"]["none"],
        )
        return [{"role": "user", "content": request}]

    def hints(self, job: Job) -> Mapping[Hint, str]:
        sentences, path, known = _WORDS[job.task.language]["told"], job.path, job.made.known
        hints: dict[Hint, str] = {}
        if not self.hinted:
            return hints
        if (answer := job.task.problem.answer) is not None:
            hints["answer"] = sentences["answer"].format(answer)
            if path.correct is not None:
                hints["answer"] += "\n" + sentences["right" if path.correct else "wrong"]
        first = known.first_error if path.correct is False else None
        if first and first.i is not None:
            hints["location"] = sentences["after" if first.by == "rg2" else "location"].format(first.i)
        if known.kind:
            hints["type"] = sentences["type"].format(sentences[known.kind])
        return hints

    def draft(self, job: Job) -> Draft:
        return _Draft(job)


_WHOLE = re.compile(r"(?:.*[.!?。！？](?=\s|$))?")


def whole_sentences(words: str) -> str:
    """The complete sentences of an explanation that was cut at the token limit."""
    found = _WHOLE.match(words)
    return found[0] if found else ""


class _Draft:
    """A critique written step by step."""

    def __init__(self, job: Job) -> None:
        self.job, self.text = job, ""
        self.replies: list[Completion] = []
        self._next, self._ended = 0, False

    def advance(self) -> bool:
        """Write the format up to the next verdict; False once the final answer has been judged."""
        if self._ended:
            return False
        restated, verdict, _, answer, *_ = LABELS[self.job.task.language]
        gap = "\n\n" if self.text else ""
        self._ended = self._next == len(self.job.path.lines)
        if self._ended:
            self.text += f"{gap}{answer.rstrip()}"
            return True
        self.text += f"{gap}{restated}{sentence(self.job.path.lines[self._next])}\n{verdict.rstrip()}"
        self._next += 1
        return True

    def take(self, reply: Completion) -> None:
        """Add verdict and explanation; later text of the reply is dropped."""
        _, _, explanation, _, _, _ = LABELS[self.job.task.language]
        verdict, _, rest = reply.text.strip().partition("\n")
        words, more, _ = rest.strip().removeprefix(explanation.strip()).strip().partition("\n")
        if reply.finish == "length" and not more:
            words = whole_sentences(words)
        space = "" if self.text.endswith("：") else " "
        self.text += f"{space}{verdict.strip()}\n{explanation}{words}"
        self.replies.append(reply)
        if self.job.stop_at_first and read_verdict(verdict) is False:
            self._next = len(self.job.path.lines)
