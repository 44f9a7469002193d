"""Step labels by Monte Carlo rollouts (Math-Shepherd, arXiv 2312.08935): how many of n completions reach the answer?

    python -m trainer labels --trajectories FILE.jsonl --n 8

After every step n completions are sampled and graded against the reference answer; k of n is stored. A last step that
states the answer is graded itself. The labels have errors: a wrong step from which one in five completions succeeds is
labelled right (hard estimate) in 59 % of cases with n = 4, and in 83 % with n = 8.

The prefixes of an attempt are one request to the engine; a prefix shared by attempts is completed once. Seeds depend
only on the length of the prefix, so the order of the file or an interruption changes labels no more than batch rounding
does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, replace
from functools import cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from threading import Event
from typing import Any

from runtime.checks.grading import equal, grade
from runtime.checks.stated import final_answer
from runtime.engines.base import Completion, ContextOverflow, Engine, Metered, Sampling
from runtime.problems.labelled import LabelledTrajectory, StepLabel
from runtime.prompts import templates
from runtime.prompts.actor_turn import continuing
from runtime.search.solutions import read_continuation
from runtime.settings import Settings
from runtime.text import is_closing
from runtime.types import Problem, content_hash
from trainer.runs import ResultFile, model_of


class Labelling:
    """Labels a file of attempts with n completions after each step. With `stop_early`, the first success after a step
    ends the others."""

    def __init__(
        self,
        attempts: Sequence[LabelledTrajectory],
        engine: Engine,
        settings: Settings,
        n: int = 8,
        temperature: float = 0.7,
        stop_early: bool = False,
    ) -> None:
        self.attempts, self.engine, self.n, self.stop_early = attempts, engine, n, stop_early
        self.usable = {key_of(attempt): attempt for attempt in attempts if not fault_of(attempt)}
        self.sampling = Sampling(temperature=temperature, max_tokens=settings.max_tokens, seed=settings.seed)
        asked = {"n": n, "stop_early": stop_early, "context": settings.context, **asdict(self.sampling)}
        config = {**model_of(engine), "prompts": templates.all_versions(), **asked}
        self.results = ResultFile(Path(settings.home) / "labels", "labels", config)

    def run(self) -> Iterator[str]:
        """Label what is missing; yields once per usable attempt. Raises EngineError; finished labels are kept."""
        # Enough problems at once to keep the engine busy while one of them ends.
        cancel, pool = Event(), ThreadPoolExecutor(1 + -(-self.engine.parallel // self.n))
        ordered = sorted(self.usable.values(), key=lambda a: (a.problem.text, a.problem.answer or "", a.steps))
        groups = [list(group) for _, group in groupby(ordered, attrgetter("problem"))]
        try:
            for task in as_completed([pool.submit(self._label_all, group, cancel) for group in groups]):
                yield from task.result()
        finally:
            cancel.set()
            pool.shutdown(cancel_futures=True)

    def _label_all(self, attempts: Sequence[LabelledTrajectory], cancel: Event) -> list[str]:
        """Label attempts at one problem, one after the other."""
        known: dict[tuple[str, ...], StepLabel] = {}
        for attempt in attempts:
            row = self.results.rows.get(key_of(attempt))
            if row is None:
                row = self._label(attempt, known, cancel)
                if cancel.is_set():  # a partial label is dropped
                    return []
                self.results.add({"key": key_of(attempt), **row})
            known |= zip(beginnings(attempt.steps), _labels(row), strict=False)
        return [key_of(attempt) for attempt in attempts]

    def _label(
        self, attempt: LabelledTrajectory, known: dict[tuple[str, ...], StepLabel], cancel: Event
    ) -> dict[str, Any]:
        engine, unfinished, prefixes = Metered(self.engine), 0, beginnings(attempt.steps)
        labels = [known[steps] for steps in prefixes if steps in known]
        succeeded = judge(attempt.problem)
        requests = (continuing(attempt.problem, steps) for steps in prefixes[len(labels) :])
        sampling = replace(self.sampling, seed=self.sampling.seed + len(labels) * self.n)
        enough = (lambda replies: any(map(succeeded, replies))) if self.stop_early else None
        drawn = "until_success" if self.stop_early else "all"
        try:
            for replies in engine.sample(requests, sampling, n=self.n, cancel=cancel, enough=enough):
                k = sum(succeeded(reply, attempt.steps[len(labels)]) for reply in replies)
                labels.append(StepLabel(step=len(labels), by="rollouts", k=k, n=len(replies), drawn=drawn))
                unfinished += sum(reply.finish == "length" for reply in replies)
        except ContextOverflow as error:
            return {"error": str(error)}
        if len(labels) < len(attempt.steps):
            right = grade(final_answer(attempt.steps[-1]), attempt.problem) is True
            labels.append(StepLabel(step=len(labels), by="rollouts", k=int(right), n=1, drawn="none"))
        return {
            "problem": attempt.problem.model_dump(mode="json"),
            "steps": attempt.steps,
            "labels": [label.model_dump(mode="json", exclude_none=True) for label in labels],
            "unfinished": unfinished,
            **asdict(engine.usage),
        }

    def summary(self) -> dict[str, Any]:
        """Counts and cost of the labels, and every row without a label with its reason."""
        rows = self.results.rows
        faults = [fault_of(attempt) or rows[key_of(attempt)].get("error") for attempt in self.attempts]
        done = [rows[key] for key in self.usable if "error" not in rows[key]]
        labels = [label for row in done for label in _labels(row)]
        costs = ("calls", "unfinished", "prompt_tokens", "completion_tokens")
        return {
            "n": len(self.attempts),
            "model": self.engine.model,
            "labelled": len(done),
            "steps": len(labels),
            "right": sum(label.hard is True for label in labels),
            **{name: sum(row[name] for row in done) for name in costs},
            "failed": [{"row": number, "error": fault} for number, fault in enumerate(faults, 1) if fault],
            "results": str(self.results.path),
        }


def key_of(attempt: LabelledTrajectory) -> str:
    """By which results refer to it: with the reference answer, as labels depend on it."""
    return content_hash(attempt.problem.text, attempt.problem.answer or "", *attempt.steps)


def fault_of(attempt: LabelledTrajectory) -> str | None:
    """The reason why an attempt cannot be labelled, or None."""
    if not attempt.steps:
        return "it has no steps"
    if not all(step.strip() for step in attempt.steps):
        return "it has an empty step"
    answer = attempt.problem.answer or ""
    return None if equal(answer, answer) else "its reference answer is missing or cannot be read"


def beginnings(steps: Sequence[str]) -> list[tuple[str, ...]]:
    """The prefixes to complete: the steps up to each one, except a last step that states the answer."""
    # In a line before one without a number only an explicit statement counts: "The answer is 5", "#### 5", a box.
    stated = is_closing(steps[-1]) or final_answer(f"{steps[-1]}\n.") is not None
    return [tuple(steps[:end]) for end in range(1, len(steps) + (not stated))]


def judge(problem: Problem) -> Callable[..., bool]:
    """A function that grades a completion, or for an empty one the step before it, against the reference answer."""
    right = cache(lambda answer: grade(answer, problem) is True)

    def succeeded(reply: Completion, step: str = "") -> bool:
        return right(read_continuation(reply, step).answer)

    return succeeded


def _labels(row: dict[str, Any]) -> list[StepLabel]:
    return [StepLabel(**label) for label in row.get("labels", ())]
