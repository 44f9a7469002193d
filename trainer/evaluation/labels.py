"""How good are labels by rollouts where the first error is known, and what do they cost?

    python -m trainer evaluate-labels --generated 300 --model data/models/bench/bench.gguf --full-distribution

All figures come from the same n completions of every prefix. Those for a smaller number are means over the disjoint
parts of that size, so no difference is one of luck in sampling.

- Steps (Math-Shepherd's claims MS7 and MS9): up to the first error, the accuracy of hard labels (HE) and the squared
  distance of soft labels (SE) from the truth; and the accuracy of a rule without a model, which calls a step wrong from
  the first number on that the reference solution does not contain. A step whose answer is graded is left out, as it
  needs no completion.
- First errors of wrong attempts: how often each way finds the known one, and for how many generated tokens. "monotone"
  reads the completions of every step otherwise: the error follows the last prefix that reached the answer.

Intervals cover 90 %, with attempts at one problem as one cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.table import Table

from runtime.checks.stated import final_answer
from runtime.problems import formats, wordproblems
from runtime.problems.json_rows import Row, read_rows
from runtime.problems.labelled import LabelledTrajectory, Unknown, by_labels
from runtime.problems.worked import Worked
from runtime.search.solutions import Solution, first_unmet
from trainer.data.completer import Completed, Completer, Prefix
from trainer.data.errors import InjectionError
from trainer.data.examples.attempts import wrong_attempt
from trainer.data.step_labels import bisection, every_step, prefixes
from trainer.statistics import clustered, clustered_share

NEEDS = "Each row needs `question`, `steps`, `first_error_index` (from 0; -1: there is none) and `reference_solution`."


# Attempts with a known first error


@dataclass(frozen=True)
class KnownAttempt:
    """An attempt whose first error is known, and a right solution of its problem."""

    attempt: LabelledTrajectory
    reference: Solution


def generated(count: int, seed: int, most_steps: int) -> Iterator[KnownAttempt]:
    """Fresh problems with at most so many steps, each with an inserted error."""
    short = (worked for worked in wordproblems.stream(seed) if len(worked.lines) <= most_steps)
    yield from islice(filter(None, map(_with_error, short)), count)


def _with_error(worked: Worked) -> KnownAttempt | None:
    try:
        return KnownAttempt(wrong_attempt(worked, 0), Solution("\n".join(worked.lines), worked.result))
    except InjectionError:
        return None


def read_known(path: Path, limit: int | None = None) -> list[KnownAttempt]:
    """The attempts of `limit` rows. Raises RowError."""
    return [known for _, known in read_rows(path, _known, NEEDS, limit)]


def _known(row: Row) -> KnownAttempt:
    attempt, *others = formats.read(row)
    reference = next((one for one in others if one.provenance.role == "reference"), None)
    if not attempt.is_judged or reference is None:
        raise ValueError("the first error or the reference solution is missing")
    text = "\n".join(reference.steps)
    answer = attempt.problem.answer or final_answer(text)
    problem = attempt.problem.model_copy(update={"answer": answer})
    return KnownAttempt(attempt.model_copy(update={"problem": problem}), Solution(text, answer))


# Steps


@dataclass(frozen=True)
class MeasuredStep:
    """A step up to the first error of its attempt, and the completions after it."""

    problem: str
    text: str
    right: bool
    right_by_rule: bool
    completed: Completed

    def accuracy(self, size: int) -> float:
        """Share of the parts of the completions by which the hard label is as in truth."""
        return fmean(any(part) is self.right for part in parts(self.completed.right, size))

    def distance(self, size: int) -> float:
        """Mean squared distance of the soft label."""
        return fmean((fmean(part) - self.right) ** 2 for part in parts(self.completed.right, size))


def parts(right: Sequence[bool], size: int) -> list[Sequence[bool]]:
    """The completions in disjoint parts; what is left over at the end is not used."""
    return [right[start : start + size] for start in range(0, len(right) - size + 1, size)]


def measured_steps(known: Sequence[KnownAttempt], completer: Completer) -> list[MeasuredStep]:
    found = []
    for one in known:
        attempt, place = one.attempt, one.attempt.first_error
        unmet = first_unmet(attempt.problem, attempt.steps, [one.reference])
        for step, prefix in enumerate(prefixes(attempt)[: None if place is None else place + 1]):
            by_rule = unmet is None or step < unmet
            completed = _completed(completer, attempt, prefix)
            found.append(MeasuredStep(attempt.problem.id, prefix[-1], step != place, by_rule, completed))
    return found


def _completed(completer: Completer, attempt: LabelledTrajectory, prefix: Prefix) -> Completed:
    found = completer.known(attempt.problem, prefix)
    assert found is not None  # `is_complete` was asked
    return found


def is_complete(one: KnownAttempt, completer: Completer) -> bool:
    """Whether the problem and every prefix of the attempt were completed, which fails if they are too long."""
    problem = one.attempt.problem
    return all(completer.known(problem, prefix) for prefix in [(), *prefixes(one.attempt)])


# First errors

Place = int | Unknown | None


@dataclass
class Part:
    """The completions in one part of every prefix of an attempt, and the tokens of those that were used."""

    attempt: LabelledTrajectory
    completer: Completer
    numbers: slice
    tokens: int = field(default=0, init=False)

    def complete(self, wanted: Sequence[Prefix]) -> Iterator[Completed]:
        for prefix in wanted:
            whole = _completed(self.completer, self.attempt, prefix)
            part = replace(whole, right=whole.right[self.numbers], tokens=whole.tokens[self.numbers])
            self.tokens += sum(part.tokens)
            yield part


def _first_wrong(part: Part, solvable: bool) -> Place:
    place = by_labels(every_step(part.attempt, part.complete), len(part.attempt.steps))
    return "unknown" if place == 0 and not solvable else place


def _after_last_right(part: Part, solvable: bool) -> Place:
    right = [label.step for label in every_step(part.attempt, part.complete) if label.hard]
    if not right:
        return 0 if solvable else "unknown"
    return right[-1] + 1 if right[-1] + 1 < len(part.attempt.steps) else None


def _bisected(part: Part, solvable: bool) -> Place:
    return by_labels(bisection(part.attempt, part.complete, solvable), len(part.attempt.steps))


WAYS: dict[str, Callable[[Part, bool], Place]] = {
    "every step": _first_wrong,
    "every step, monotone": _after_last_right,
    "bisection": _bisected,
}
"""Ways to find a first error, given whether the completer solves the problem alone; all pay for knowing that."""


@dataclass(frozen=True)
class Search:
    """What one way found with so many completions of a prefix: for each attempt, means over the parts."""

    way: str
    size: int
    found: list[float]
    """Share in which the known first error was found."""
    decided: list[float]
    tokens: list[float]

    def figures(self, problems: Sequence[str]) -> dict[str, Any]:
        return {
            "way": self.way,
            "size": self.size,
            "found": _share(self.found, problems),
            "decided": fmean(self.decided),
            "tokens": fmean(self.tokens),
        }


def search(wrong: Sequence[LabelledTrajectory], completer: Completer, way: str, size: int) -> Search:
    found, decided, tokens = [], [], []
    for attempt in wrong:
        used = [
            Part(attempt, completer, slice(start, start + size)) for start in range(0, completer.n - size + 1, size)
        ]
        solvable = [alone.k > 0 for part in used for alone in part.complete([()])]
        places = [WAYS[way](part, known) for part, known in zip(used, solvable, strict=True)]
        found.append(fmean(place == attempt.first_error for place in places))
        decided.append(fmean(isinstance(place, int) for place in places))
        tokens.append(fmean(part.tokens for part in used))
    return Search(way, size, found, decided, tokens)


# The report

SOLVED = ("never", "less than half of the time", "at least half of the time")


def summary(known: Sequence[KnownAttempt], completer: Completer) -> dict[str, Any]:
    """All figures. Attempts that could not be completed are left out."""
    done = [one for one in known if is_complete(one, completer)]
    sizes = [2**power for power in range(completer.n.bit_length())]
    steps = measured_steps(done, completer)
    wrong = [one.attempt for one in done if one.attempt.first_error is not None]
    problems = [attempt.problem.id for attempt in wrong]
    searches = [search(wrong, completer, way, size) for way in WAYS for size in sizes] if wrong else []
    alone = {one.attempt.problem.id: _completed(completer, one.attempt, ()) for one in done}
    return {
        "model": completer.engine.model,
        "attempts": len(done),
        "problems": len(alone),
        "left_out": len(known) - len(done),
        "solved": _share([each.k / each.n for each in alone.values()], list(alone)),
        "steps": [_step_figures(steps, size) for size in sizes],
        "rule": _accuracies(steps, lambda step: float(step.right_by_rule is step.right)),
        "first_errors": [one.figures(problems) for one in searches],
        "at_equal_tokens": [_beside(one, searches, problems) for one in searches if one.way == "bisection"],
        "by_confidence": _by_confidence(wrong, searches, alone) if wrong else [],
    }


def _step_figures(steps: Sequence[MeasuredStep], size: int) -> dict[str, Any]:
    of = [step.problem for step in steps]
    gains = [step.accuracy(size) - (step.right_by_rule is step.right) for step in steps]
    distance, (low, high) = clustered([step.distance(size) for step in steps], of)
    return {
        "size": size,
        **_accuracies(steps, lambda step: step.accuracy(size)),
        "soft_distance": {"mean": distance, "interval": (low, high)},
        "above_rule": _difference(gains, of),
    }


def _accuracies(steps: Sequence[MeasuredStep], accuracy: Callable[[MeasuredStep], float]) -> dict[str, Any]:
    kinds = {"all": steps, "right": [s for s in steps if s.right], "wrong": [s for s in steps if not s.right]}
    return {name: _share([accuracy(s) for s in some], [s.problem for s in some]) for name, some in kinds.items()}


def _share(values: Sequence[float], of: Sequence[str]) -> dict[str, Any]:
    share, interval = clustered_share(values, of)
    return {"share": share, "interval": interval, "n": len(values)}


def _difference(values: Sequence[float], of: Sequence[str]) -> dict[str, Any]:
    mean, interval = clustered(values, of)
    return {"difference": mean, "interval": interval}


def _beside(one: Search, searches: Sequence[Search], problems: Sequence[str]) -> dict[str, Any]:
    """A bisection against the label of every step that costs most nearly as many tokens."""
    cost = fmean(one.tokens)
    full = min((s for s in searches if s.way == "every step"), key=lambda s: abs(fmean(s.tokens) - cost))
    gains = [a - b for a, b in zip(one.found, full.found, strict=True)]
    sizes = {"bisection": one.size, "every_step": full.size}
    return {**sizes, "tokens": (cost, fmean(full.tokens)), **_difference(gains, problems)}


def _by_confidence(
    wrong: Sequence[LabelledTrajectory], searches: Sequence[Search], alone: Mapping[str, Completed]
) -> list[dict[str, Any]]:
    """What bisection with all completions finds, by how often the completer solves the problem."""
    found = next(one.found for one in reversed(searches) if one.way == "bisection")
    groups: dict[str, list[tuple[float, str]]] = {name: [] for name in SOLVED}
    for attempt, hit in zip(wrong, found, strict=True):
        each = alone[attempt.problem.id]
        groups[SOLVED[0 if not each.k else 1 if 2 * each.k < each.n else 2]].append((hit, attempt.problem.id))
    return [{"solved": name, **_share(*zip(*group, strict=True))} for name, group in groups.items() if group]


def tables(report: dict[str, Any]) -> Iterator[Table]:
    """One table of steps, and two of first errors."""
    steps = Table(title=f"{report['model']}: labels of {report['rule']['all']['n']} steps up to the first error")
    for column in ("label", "accuracy", "on right steps", "on wrong steps", "SE distance", "above the rule"):
        steps.add_column(column, justify="left" if column == "label" else "right")
    for row in report["steps"]:
        shares = (_shown(row[kind]) for kind in ("all", "right", "wrong"))
        steps.add_row(
            f"HE, n = {row['size']}", *shares, f"{row['soft_distance']['mean']:.3f}", _gain(row["above_rule"])
        )
    steps.add_row("rule", *(_shown(report["rule"][kind]) for kind in ("all", "right", "wrong")), "", "")
    yield steps
    if not report["first_errors"]:
        return
    errors = Table(title=f"First errors of {report['first_errors'][0]['found']['n']} wrong attempts")
    for column in ("way", "n", "found", "decided", "tokens", "every step at such a cost", "difference"):
        errors.add_column(column, justify="left" if column == "way" else "right")
    beside = {row["bisection"]: row for row in report["at_equal_tokens"]}
    for row in report["first_errors"]:
        other = beside[row["size"]] if row["way"] == "bisection" else None
        against = (f"n = {other['every_step']}, {other['tokens'][1]:.0f} tokens", _gain(other)) if other else ("", "")
        costs = (f"{row['decided']:.0%}", f"{row['tokens']:.0f}")
        errors.add_row(row["way"], str(row["size"]), _shown(row["found"]), *costs, *against)
    yield errors
    confidence = Table(title="First errors that bisection finds, by how often the completer solves the problem")
    for column in ("solved", "attempts", "found"):
        confidence.add_column(column, justify="left" if column == "solved" else "right")
    for row in report["by_confidence"]:
        confidence.add_row(row["solved"], str(row["n"]), _shown(row))
    yield confidence


def _shown(row: dict[str, Any]) -> str:
    low, high = row["interval"]
    return f"{row['share']:.1%} [{low:.0%}, {high:.0%}]" if row["n"] else "-"


def _gain(row: dict[str, Any]) -> str:
    low, high = row["interval"]
    return f"{row['difference']:+.1%} [{low:+.1%}, {high:+.1%}]"
