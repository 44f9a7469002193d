"""From labelled attempts to evaluations that agree with their labels. Resumable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from runtime.engines.base import ContextOverflow
from runtime.prompts import templates
from runtime.text import Language
from runtime.types import content_hash
from trainer.data.critiques.annotators import Annotation, Annotator
from trainer.data.critiques.guards import parrots
from trainer.data.evaluations import text
from trainer.data.evaluations.annotators import Labelled, is_leak
from trainer.runs import ResultFile

AT_ONCE = 16
"""Attempts that are annotated together and stored as one result, so that an interrupted run gives the same texts."""


@dataclass(frozen=True)
class Evaluation:
    """A text on an attempt, and why it is not used for training; None if it is."""

    job: Labelled
    text: str
    fault: str | None
    reading: text.Reading


class Evaluations:
    """One run of an annotator over labelled attempts."""

    def __init__(self, jobs: Sequence[Labelled], annotator: Annotator[Labelled], seed: int, home: Path) -> None:
        self.jobs, self.annotator, self.seed = jobs, annotator, seed
        self.groups = {_key(group): group for group in _grouped(jobs)}
        prompts = [annotator.prompt] if annotator.prompt else []
        config = {
            "annotator": annotator.name,
            "hinted": annotator.hinted,
            "scaffold": annotator.scaffold,
            "prompts": [templates.version(prompt, language) for prompt in prompts for language in get_args(Language)],
            "seed": seed,
        }
        self.results = ResultFile(home / "evaluations", "evaluations", config)

    def run(self) -> Iterator[str]:
        """Annotate what is missing; yields the key of each group of attempts. Raises EngineError."""
        for key, group in self.groups.items():
            if key not in self.results.rows:
                made = self._annotate(group)
                tokens = [sum(reply.completion_tokens for reply in each.replies) if each else 0 for each in made]
                texts = [each.text if each else None for each in made]
                self.results.add({"key": key, "texts": texts, "tokens": sum(tokens)})
            yield key

    def evaluations(self) -> Iterator[Evaluation]:
        """All texts so far, in the order of the attempts."""
        for key, group in self.groups.items():
            texts = self.results.rows[key]["texts"] if key in self.results.rows else ()
            for job, words in zip(group, texts, strict=False):
                reading = text.parse(words or "", len(job.labels))
                yield Evaluation(job, words or "", self._fault(job, words, reading), reading)

    def summary(self) -> dict[str, Any]:
        """How many texts are used, how many are not and why, and how often a text's verdicts are the labels."""
        found = list(self.evaluations())
        faults = Counter(one.fault for one in found if one.fault)
        rows = [self.results.rows[key] for key in self.groups if key in self.results.rows]
        return {
            "annotator": self.annotator.name,
            "labels": "shown" if self.annotator.hinted else "hidden",
            "attempts": len(found),
            "kept": sum(one.fault is None for one in found),
            "dropped": dict(faults.most_common()),
            "accuracy": accuracy(found),
            "completion_tokens": sum(row["tokens"] for row in rows),
            "results": str(self.results.path),
        }

    def _annotate(self, jobs: Sequence[Labelled]) -> list[Annotation | None]:
        try:
            return self.annotator.annotate(jobs, self.seed)
        except ContextOverflow:
            # Raised before any work, so the others are annotated without the one that is too long.
            return [None] if len(jobs) == 1 else [self._annotate([job])[0] for job in jobs]

    def _fault(self, job: Labelled, words: str | None, reading: text.Reading) -> str | None:
        """Why a text is no example of these labels."""
        if words is None:
            return "not explained"
        if not reading.is_complete:
            return "unreadable"
        if reading.verdicts != job.labels:
            return "a verdict differs from the label"
        if reading.final is not job.correct:
            return "the last line differs from the outcome"
        end = len(job.labels) if job.first_error is None else job.first_error + 1
        if is_leak(reading.explanations, job, end):
            return "leak"
        prompt = self.annotator.prompt
        if prompt and parrots(reading.explanations, templates.template(prompt, job.language)):
            return "copied from the prompt"
        return None


def accuracy(found: Sequence[Evaluation]) -> dict[str, dict[str, int]]:
    """Of the right and of the wrong steps, and of the final answers: how many there are, in how many of them the text
    gives that verdict, and how many it does not judge."""
    pairs: dict[str, list[tuple[bool, bool | None]]] = {"right steps": [], "wrong steps": [], "final answers": []}
    for one in found:
        for label, verdict in zip(one.job.labels, one.reading.verdicts, strict=True):
            pairs["right steps" if label else "wrong steps"].append((label, verdict))
        pairs["final answers"].append((one.job.correct, one.reading.final))
    return {
        name: {
            "n": len(each),
            "agree": sum(verdict is label for label, verdict in each),
            "unjudged": sum(verdict is None for _, verdict in each),
        }
        for name, each in pairs.items()
    }


def _grouped(jobs: Sequence[Labelled]) -> list[Sequence[Labelled]]:
    return [jobs[start : start + AT_ONCE] for start in range(0, len(jobs), AT_ONCE)]


def _key(group: Sequence[Labelled]) -> str:
    """A hash of everything that the texts on these attempts depend on."""
    worked = (job.worked.model_dump_json() if job.worked else "" for job in group)
    return content_hash(*(job.attempt.model_dump_json() for job in group), *(str(job.labels) for job in group), *worked)
