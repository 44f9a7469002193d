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

from runtime.checks.grading import grade
from runtime.checks.stated import final_answer
from runtime.engines.base import Completion, ContextOverflow, Engine, Metered, Sampling
from runtime.prompts import templates
from runtime.prompts.actor_turn import continuing
from runtime.search.solutions import read_continuation
from runtime.settings import Settings
from runtime.types import Problem, StepLabel
from trainer.data.sources import Attempt
from trainer.runs import ResultFile, model_of


class Labelling:
    """Labels a file of attempts with n completions after each step. With `stop_early`, the first success after a step
    ends the others."""

    def __init__(
        self,
        attempts: Sequence[Attempt],
        engine: Engine,
        settings: Settings,
        n: int = 8,
        temperature: float = 0.7,
        stop_early: bool = False,
    ) -> None:
        self.attempts, self.engine, self.n, self.stop_early = attempts, engine, n, stop_early
        self.usable = {attempt.key: attempt for attempt in attempts if not attempt.fault}
        self.sampling = Sampling(temperature=temperature, max_tokens=settings.max_tokens, seed=settings.seed)
        asked = {"n": n, "stop_early": stop_early, "context": settings.context, **asdict(self.sampling)}
        config = {**model_of(engine), "prompts": templates.all_versions(), **asked}
        self.results = ResultFile(Path(settings.home) / "labels", "labels", config)

    def run(self) -> Iterator[str]:
        """Label what is missing; yields once per usable attempt. Raises EngineError; finished labels are kept."""
        # Enough problems at once to keep the engine busy while one of them ends.
        cancel, pool = Event(), ThreadPoolExecutor(1 + -(-self.engine.parallel // self.n))
        ordered = sorted(self.usable.values(), key=lambda a: (a.problem.text, a.problem.answer, a.steps))
        groups = [list(group) for _, group in groupby(ordered, attrgetter("problem"))]
        try:
            for task in as_completed([pool.submit(self._label_all, group, cancel) for group in groups]):
                yield from task.result()
        finally:
            cancel.set()
            pool.shutdown(cancel_futures=True)

    def _label_all(self, attempts: Sequence[Attempt], cancel: Event) -> list[str]:
        """Label attempts at one problem, one after the other."""
        known: dict[tuple[str, ...], StepLabel] = {}
        for attempt in attempts:
            row = self.results.rows.get(attempt.key)
            if row is None:
                row = self._label(attempt, known, cancel)
                if cancel.is_set():  # a partial label is dropped
                    return []
                self.results.add({"key": attempt.key, **row})
            known |= zip(attempt.beginnings, _labels(row), strict=False)
        return [attempt.key for attempt in attempts]

    def _label(self, attempt: Attempt, known: dict[tuple[str, ...], StepLabel], cancel: Event) -> dict[str, Any]:
        engine, unfinished, beginnings = Metered(self.engine), 0, attempt.beginnings
        labels = [known[steps] for steps in beginnings if steps in known]
        succeeded = judge(attempt.problem)
        requests = (continuing(attempt.problem, steps) for steps in beginnings[len(labels) :])
        sampling = replace(self.sampling, seed=self.sampling.seed + len(labels) * self.n)
        enough = (lambda replies: any(map(succeeded, replies))) if self.stop_early else None
        drawn = "until_success" if self.stop_early else "all"
        try:
            for replies in engine.sample(requests, sampling, n=self.n, cancel=cancel, enough=enough):
                k = sum(succeeded(reply, attempt.steps[len(labels)]) for reply in replies)
                labels.append(StepLabel(step=len(labels), k=k, n=len(replies), drawn=drawn))
                unfinished += sum(reply.finish == "length" for reply in replies)
        except ContextOverflow as error:
            return {"error": str(error)}
        if len(labels) < len(attempt.steps):
            right = grade(final_answer(attempt.steps[-1]), attempt.problem) is True
            labels.append(StepLabel(step=len(labels), k=int(right), n=1, drawn="none"))
        return {
            "problem": attempt.problem.model_dump(mode="json"),
            "steps": attempt.steps,
            "labels": [label.model_dump(mode="json") for label in labels],
            "unfinished": unfinished,
            **asdict(engine.usage),
        }

    def summary(self) -> dict[str, Any]:
        """Counts and cost of the labels, and every row without a label with its reason."""
        rows = self.results.rows
        faults = [attempt.fault or rows[attempt.key].get("error") for attempt in self.attempts]
        done = [rows[key] for key in self.usable if "error" not in rows[key]]
        labels = [label for row in done for label in _labels(row)]
        costs = ("calls", "unfinished", "prompt_tokens", "completion_tokens")
        return {
            "n": len(self.attempts),
            "model": self.engine.model,
            "labelled": len(done),
            "steps": len(labels),
            "right": sum(label.hard for label in labels),
            **{name: sum(row[name] for row in done) for name in costs},
            "failed": [{"row": number, "error": fault} for number, fault in enumerate(faults, 1) if fault],
            "results": str(self.results.path),
        }


def judge(problem: Problem) -> Callable[..., bool]:
    """A function that grades a completion, or for an empty one the step before it, against the reference answer."""
    right = cache(lambda answer: grade(answer, problem) is True)

    def succeeded(reply: Completion, step: str = "") -> bool:
        return right(read_continuation(reply, step).answer)

    return succeeded


def _labels(row: dict[str, Any]) -> list[StepLabel]:
    return [StepLabel(**label) for label in row.get("labels", ())]
