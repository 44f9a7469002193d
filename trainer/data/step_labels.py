"""Step labels by Monte Carlo rollouts (Math-Shepherd, arXiv 2312.08935): how many of n completions reach the answer?

    python -m trainer labels --trajectories FILE.jsonl --by bisection --wrong-only --full-distribution

k of n is stored with each step; hard and soft labels (HE, SE) are derived from it (`StepLabel`). Three ways to choose
the prefixes that are completed:

- every-step: all of them, as in the paper.
- bisection: only those of a binary search for the first error, log2 of the steps (OmegaPRM, arXiv 2406.06592). A prefix
  is good if any completion reaches the answer. The first error is a step after which none of n did, and the prefix
  before it did reach it. Steps before a good prefix are right without a measurement (`drawn="derived"`); of those after
  the error nothing is claimed.
- exact: as bisection, but a step with an equation that exact arithmetic refutes is wrong without a completion; only the
  steps before it are searched.

The empty prefix is completed too, once a problem: its share is the completer's confidence, and wrong attempts at
problems that it mostly solves are labelled first, as only there failing completions mean a wrong step (SCAN, arXiv
2509.16548). Labels have errors: a wrong step from which one in five completions succeeds is labelled right in 59 % of
cases with n = 4, and in 83 % with n = 8; `trainer evaluate-labels` measures it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import groupby
from threading import Event
from typing import Any, Literal

from runtime.checks.grading import equal, grade
from runtime.checks.stated import final_answer
from runtime.engines.base import ContextOverflow
from runtime.problems.formats import attempts as own
from runtime.problems.labelled import LabelledTrajectory, StepLabel, by_labels
from runtime.text import is_closing
from runtime.types import Problem, content_hash
from trainer.data.completer import Completed, Completer, Prefix
from trainer.data.first_error import first_false
from trainer.runs import ResultFile

By = Literal["every-step", "bisection", "exact"]
ENOUGH = 4
"""Graded attempts of the completer's own in the file that make sampling its confidence superfluous."""


class Labelling:
    """Labels a file of attempts; with `wrong_only`, not those that end in the right answer. Resumable."""

    def __init__(
        self,
        attempts: Sequence[LabelledTrajectory],
        completer: Completer,
        by: By = "every-step",
        wrong_only: bool = False,
    ) -> None:
        self.attempts, self.completer, self.by = attempts, completer, by
        wanted = (a for a in attempts if not fault_of(a) and not (wrong_only and is_right(a)))
        self.usable = {key_of(attempt): attempt for attempt in wanted}
        self.problems = list(dict.fromkeys(attempt.problem for attempt in self.usable.values()))
        self._confidence = {problem: rate for problem, rate in self._graded().items() if rate[1] >= ENOUGH}
        self.results = ResultFile(completer.folder, "labels", {**completer.config, "by": by})

    def _graded(self) -> dict[Problem, tuple[int, int]]:
        """Right and all attempts at each problem that the completer itself wrote."""
        counts: dict[Problem, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for attempt in self.attempts:
            if attempt.correct is not None and attempt.provenance.generator == self.completer.engine.model:
                right, number = counts[attempt.problem]
                counts[attempt.problem] = right + attempt.correct, number + 1
        return counts

    def measure_confidence(self) -> Iterator[Problem]:
        """Solve each problem n times, if the file has too few graded attempts of the completer; yields each problem.
        Raises EngineError."""
        yield from self._each([[problem] for problem in self.problems], self._solve)

    def _solve(self, problems: list[Problem], cancel: Event) -> list[Problem]:
        for problem in problems:
            if problem in self._confidence:
                continue
            try:
                [found] = self.completer.complete(problem, [()], cancel)
                self._confidence[problem] = found.k, found.n
            except ContextOverflow:  # also an error of each of its attempts
                self._confidence[problem] = 0, self.completer.n
        return problems

    def run(self) -> Iterator[str]:
        """Label what is missing; yields once per usable attempt. Raises EngineError; finished labels are kept."""
        for _ in self.measure_confidence():
            pass
        yield from self._each(self.ordered(), self._label_all)

    def ordered(self) -> list[list[LabelledTrajectory]]:
        """The attempts in the order of work, grouped by problem: wrong ones before right ones, problems that are mostly
        solved first. Attempts with a common beginning are neighbours."""

        def rank(attempt: LabelledTrajectory) -> tuple[bool, float, int]:
            k, n = self._confidence[attempt.problem]
            return is_right(attempt) is True, -k / n, place[attempt.problem]

        place = {problem: number for number, problem in enumerate(self.problems)}
        ordered = sorted(self.usable.values(), key=lambda attempt: (*rank(attempt), attempt.steps))
        return [list(group) for _, group in groupby(ordered, rank)]

    def _each(self, groups: Sequence[list[Any]], do: Callable[[list[Any], Event], list[Any]]) -> Iterator[Any]:
        """Work on groups side by side; yields their results. Leaving early ends the work."""
        # Enough at once to keep the engine busy while one of them ends.
        parallel = self.completer.engine.parallel
        cancel, pool = Event(), ThreadPoolExecutor(1 + -(-parallel // self.completer.n))
        try:
            for task in as_completed([pool.submit(do, group, cancel) for group in groups]):
                yield from task.result()
        finally:
            cancel.set()
            pool.shutdown(cancel_futures=True)

    def _label_all(self, attempts: list[LabelledTrajectory], cancel: Event) -> list[str]:
        """Label attempts at one problem, one after the other."""
        for attempt in attempts:
            if key_of(attempt) not in self.results.rows:
                self.results.add({"key": key_of(attempt), **self._row(attempt, cancel)})
        return [key_of(attempt) for attempt in attempts]

    def _row(self, attempt: LabelledTrajectory, cancel: Event) -> dict[str, Any]:
        k, n = self._confidence[attempt.problem]

        def complete(prefixes: Sequence[Prefix]) -> Iterator[Completed]:
            return self.completer.complete(attempt.problem, prefixes, cancel)

        try:
            if self.by == "every-step":
                labels = every_step(attempt, complete)
            else:
                refuted = first_false(attempt) if self.by == "exact" else None
                labels = bisection(attempt, complete, k > 0, refuted)
        except ContextOverflow as error:
            return {"error": str(error)}
        made_by = {"annotator": self.completer.engine.model, "confidence": k / n}
        known = {
            "labels": tuple(labels),
            # The labels decide what the first error is, whatever else is known of the attempt.
            "first_error_index": "unknown",
            "explanation": "",
            "error_type": None,
            "correct": is_right(attempt),
            "provenance": attempt.provenance.model_copy(update=made_by),
        }
        return own.write([attempt.model_copy(update=known)])

    def rows(self) -> Iterator[dict[str, Any]]:
        """The labelled attempts in the order of the file, as rows of our own format."""
        for key in self.usable:
            row = self.results.rows[key]
            if "error" not in row:
                yield {name: value for name, value in row.items() if name != "key"}

    def summary(self) -> dict[str, Any]:
        """Counts and cost of the labels, and every row without a label with its reason."""
        rows = self.results.rows
        faults = [fault_of(attempt) or rows.get(key_of(attempt), {}).get("error") for attempt in self.attempts]
        done = [own.read(row)[0] for row in self.rows()]
        labels = [label for attempt in done for label in attempt.labels]
        places = [by_labels(attempt.labels, len(attempt.steps)) for attempt in done]
        tried = {(a.problem, prefix) for a in self.usable.values() for prefix in [(), *prefixes(a)]}
        completed = [found for where in tried if (found := self.completer.known(*where))]
        return {
            "n": len(self.attempts),
            "model": self.completer.engine.model,
            "labelled": len(done),
            "steps": len(labels),
            "right": sum(label.hard is True for label in labels),
            "derived": sum(label.drawn == "derived" for label in labels),
            "first_errors": sum(isinstance(place, int) for place in places),
            "undecided": places.count("unknown"),
            "calls": sum(found.n for found in completed),
            "unfinished": sum(found.unfinished for found in completed),
            "prompt_tokens": sum(found.prompt_tokens for found in completed),
            "completion_tokens": sum(sum(found.tokens) for found in completed),
            "failed": [{"row": number, "error": fault} for number, fault in enumerate(faults, 1) if fault],
            "results": str(self.results.path),
        }


Complete = Callable[[Sequence[Prefix]], Iterator[Completed]]
"""Completes prefixes of an attempt, in order."""


def every_step(attempt: LabelledTrajectory, complete: Complete) -> list[StepLabel]:
    """A label for each step."""
    labels = [_measured(step, completed) for step, completed in enumerate(complete(prefixes(attempt)))]
    return [*labels, *graded(attempt)]


def bisection(
    attempt: LabelledTrajectory, complete: Complete, solvable: bool, refuted: int | None = None
) -> list[StepLabel]:
    """The labels up to the first error; none if it is not located: if the completer reaches the answer from nowhere
    before it (`solvable`: does it from the problem alone?), or from every step of a wrong attempt. `refuted` is the
    index of a step that is known to be wrong, so that the first error is that one or lies before it."""
    visited: dict[int, StepLabel] = {}

    def fails(prefix: Prefix) -> bool:
        [completed] = complete([prefix])
        visited[len(prefix) - 1] = _measured(len(prefix) - 1, completed)
        return not completed.k

    ended, tried = graded(attempt), prefixes(attempt)[:refuted]
    if refuted is not None:
        ended = [StepLabel(step=refuted, by="rule", value=-1)]
    # A right answer is reached from every step before it.
    first = len(tried) if ended and ended[0].hard else bisect_left(tried, True, key=fails)
    unreachable = first == 0 and refuted != 0 and not solvable
    if unreachable or (first == len(attempt.steps) and is_right(attempt) is False):
        return []
    derived = (StepLabel(step=step, by="rollouts", value=1, drawn="derived") for step in range(first))
    labels = {label.step: label for label in (*derived, *visited.values(), *ended) if label.step <= first}
    return [labels[step] for step in sorted(labels)]


def _measured(step: int, completed: Completed) -> StepLabel:
    return StepLabel(step=step, by="rollouts", k=completed.k, n=completed.n, drawn=completed.drawn)


def key_of(attempt: LabelledTrajectory) -> str:
    """By which results refer to it: with the reference answer, as labels depend on it."""
    return content_hash(attempt.problem.text, attempt.problem.answer or "", attempt.answer or "", *attempt.steps)


def fault_of(attempt: LabelledTrajectory) -> str | None:
    """The reason why an attempt cannot be labelled, or None."""
    if not attempt.steps:
        return "it has no steps"
    if not all(step.strip() for step in attempt.steps):
        return "it has an empty step"
    answer = attempt.problem.answer or ""
    return None if equal(answer, answer) else "its reference answer is missing or cannot be read"


def prefixes(attempt: LabelledTrajectory) -> list[Prefix]:
    """The prefixes to complete: the steps up to each one, except a last step whose answer is graded."""
    return [attempt.steps[:end] for end in range(1, len(attempt.steps) + (not states_answer(attempt)))]


def states_answer(attempt: LabelledTrajectory) -> bool:
    """Whether the attempt ends in an answer, beside the steps or in the last one."""
    # In a line before one without a number only an explicit statement counts: "The answer is 5", "#### 5", a box.
    last = attempt.steps[-1]
    return attempt.answer is not None or is_closing(last) or final_answer(f"{last}\n.") is not None


def graded(attempt: LabelledTrajectory) -> list[StepLabel]:
    """The label of the last step by the answer that the attempt ends in; empty if it ends in none."""
    if not states_answer(attempt):
        return []
    answer = attempt.answer or final_answer(attempt.steps[-1])
    right = grade(answer, attempt.problem) is True
    return [StepLabel(step=len(attempt.steps) - 1, by="rollouts", k=int(right), n=1, drawn="none")]


def is_right(attempt: LabelledTrajectory) -> bool | None:
    """Whether the attempt's answer is right; None if it ends in none and the file does not state it."""
    if attempt.correct is not None:
        return attempt.correct
    return graded(attempt)[0].hard if states_answer(attempt) else None
