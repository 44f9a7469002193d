"""Solutions of problems, sampled, graded and scored by a verifier once, so that every method and every N use the same.

A run resumes, also with a longer file. One set of solutions can be scored by several verifiers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from math import comb
from pathlib import Path
from statistics import fmean
from typing import Any

from runtime.checks.grading import grade
from runtime.engines.base import ContextOverflow, Engine, Metered, Sampling
from runtime.prompts import templates
from runtime.prompts.actor_turn import ADAPTER as ACTOR
from runtime.search.selection import SAMPLING, Choice, sample_attempts
from runtime.search.verifier import ADAPTER as VERIFIER
from runtime.search.verifier import AGGREGATES, filled, score_steps
from runtime.settings import Settings
from runtime.types import Problem, Trajectory, Value
from trainer.data.critiques.tasks import seed_of
from trainer.runs import ResultFile, model_of, run_missing

Choose = Callable[[Sequence[Trajectory], Sequence[float]], Choice]
"""A choice among attempts, given a score for each."""
GREEDY = "greedy"
SUBSETS = 64
"""Most subsets of one size that are drawn of the samples of a problem, unless more or fewer are asked for."""


class Sample(Value):
    """One solution, graded, and a verifier's scores of its steps."""

    attempt: Trajectory
    right: bool
    scores: tuple[float, ...] = ()
    """Empty if it was not scored: without steps or an answer, or too long for the context."""

    def score(self, aggregate: str) -> float | None:
        return AGGREGATES[aggregate](self.scores) if self.scores else None


@dataclass(frozen=True)
class Sampled:
    """The solutions of one problem. Numbers of tokens are means a solution."""

    problem: Problem
    greedy: Sample
    samples: tuple[Sample, ...]
    written: float
    greedy_written: int
    read: float = 0.0
    """Tokens that the verifier reads: whole conversations, though their beginning is cached."""

    def choose(self, choose: Choose, aggregate: str, places: Sequence[int]) -> Choice:
        """The choice among the samples at these places."""
        chosen = [self.samples[place] for place in places]
        scores = filled([sample.score(aggregate) for sample in chosen])
        return choose([sample.attempt for sample in chosen], scores)

    def is_right(self, choice: Choice) -> bool:
        return any(sample.right for sample in self.samples if sample.attempt is choice.attempt)

    def share(self, choose: Choose, aggregate: str, size: int, most: int = SUBSETS) -> float:
        """In which share of the subsets of this size the choice is right."""
        drawn = self.subsets(size, most)
        return fmean(self.is_right(self.choose(choose, aggregate, places)) for places in drawn)

    def subsets(self, size: int, most: int = SUBSETS) -> list[tuple[int, ...]]:
        """Subsets of the places of the samples. The first of equals wins, so order counts: all samples come in theirs,
        as in the app; if there are at most so many subsets, each comes in both directions; else so many are drawn in
        random order."""
        places = range(len(self.samples))
        if size == len(places):
            return [tuple(places)]
        if 2 * comb(len(places), size) <= most:
            return [way for some in combinations(places, size) for way in (some, some[::-1])]
        rng = random.Random(f"{self.problem.id} {size}")
        return [tuple(rng.sample(places, size)) for _ in range(most)]


class Solutions:
    """`n` solutions of each problem as the app samples them, and one greedy one; graded, with their tokens. Resumable,
    also with a longer file."""

    def __init__(
        self,
        problems: Sequence[Problem],
        engine: Engine,
        settings: Settings,
        n: int,
        adapters: Mapping[str, str] | None = None,
        sampling: Sampling = SAMPLING,
    ) -> None:
        """`adapters`: hashes of the engine's adapters by role. Seed and token limit are those of the settings."""
        self.problems = list({problem.id: problem for problem in problems}.values())
        self.engine, self.settings, self.n = engine, settings, n
        self.sampling = replace(sampling, max_tokens=settings.max_tokens)
        self.adapter = ACTOR if ACTOR in engine.adapters else None
        config = {
            **model_of(engine),
            "prompts": templates.all_versions(),
            "n": n,
            "sampling": asdict(self.sampling),
            "seed": settings.seed,
            "adapter": (adapters or {}).get(ACTOR) if self.adapter else None,
        }
        self.results = ResultFile(Path(settings.home) / "evaluations", "solutions", config)

    def run(self) -> Iterator[str]:
        """Sample what is missing; yields each problem's id. Raises EngineError."""
        work = [(problem.id, problem) for problem in self.problems]
        yield from run_missing(work, self._sample, self.results, max(1, self.engine.parallel // self.n))

    def _sample(self, problem: Problem) -> dict[str, Any]:
        asked = problem.model_copy(update={"answer": None})  # no prompt may contain the answer
        seed = seed_of(self.settings.seed, problem.id)
        greedy = Sampling(max_tokens=self.sampling.max_tokens)
        rows: dict[str, Any] = {}
        for name, sampling, n in ((GREEDY, greedy, 1), ("samples", replace(self.sampling, seed=seed), self.n)):
            engine = Metered(self.engine)
            attempts = sample_attempts(engine, asked, n, sampling, self.adapter)
            graded = [Sample(attempt=one, right=grade(one.answer, problem) is True) for one in attempts]
            rows[name] = [one.model_dump(mode="json") for one in graded]
            rows[f"{name}_written"] = engine.usage.completion_tokens
        return rows

    def sampled(self) -> list[Sampled]:
        """Every problem whose solutions exist, not scored."""
        rows = [(problem, self.results.rows.get(problem.id)) for problem in self.problems]
        return [
            Sampled(
                problem,
                Sample.model_validate(row[GREEDY][0]),
                tuple(map(Sample.model_validate, row["samples"])),
                row["samples_written"] / self.n,
                row[f"{GREEDY}_written"],
            )
            for problem, row in rows
            if row
        ]


class Scores:
    """A verifier's scores of all solutions; step by step, so that every aggregate is read from them. Resumable."""

    def __init__(
        self, solutions: Solutions, engine: Engine, settings: Settings, adapters: Mapping[str, str] | None = None
    ) -> None:
        """`adapters`: hashes of the engine's adapters by role; without a verifier among them the bare base is asked."""
        self.solutions, self.engine = solutions, engine
        config = {
            **model_of(engine),
            "prompts": templates.all_versions(),
            "verifier": (adapters or {}).get(VERIFIER) if VERIFIER in engine.adapters else None,
            "solutions": solutions.results.folder.name,
        }
        self.results = ResultFile(Path(settings.home) / "evaluations", "scores", config)

    def run(self) -> Iterator[str]:
        """Score what is missing; yields each problem's id. Raises EngineError."""
        work = [(one.problem.id, one) for one in self.solutions.sampled()]
        yield from run_missing(work, self._score, self.results, self.engine.parallel)

    def _score(self, one: Sampled) -> dict[str, Any]:
        """The same solution is scored once, and counted in `read` each time."""
        known: dict[str, tuple[list[float], int]] = {}
        attempts = [sample.attempt for sample in (one.greedy, *one.samples)]
        for attempt in attempts:
            if attempt.id not in known:
                engine = Metered(self.engine)
                known[attempt.id] = _scores(engine, one.problem, attempt), engine.usage.prompt_tokens
        (greedy, _), *samples = [known[attempt.id] for attempt in attempts]
        read = sum(known[attempt.id][1] for attempt in attempts)
        return {GREEDY: greedy, "samples": [scores for scores, _ in samples], "read": read}

    def sampled(self) -> list[Sampled]:
        """Every problem whose solutions are scored."""
        rows = [(one, self.results.rows.get(one.problem.id)) for one in self.solutions.sampled()]
        return [
            replace(
                one,
                greedy=_scored(one.greedy, row[GREEDY]),
                samples=tuple(map(_scored, one.samples, row["samples"])),
                read=row["read"] / (1 + len(one.samples)),
            )
            for one, row in rows
            if row
        ]


def _scores(engine: Engine, problem: Problem, attempt: Trajectory) -> list[float]:
    if not attempt.steps or attempt.answer is None:
        return []
    try:
        return score_steps(engine, problem, [step.text for step in attempt.steps])
    except ContextOverflow:
        return []


def _scored(sample: Sample, scores: Sequence[float]) -> Sample:
    return sample.model_copy(update={"scores": tuple(scores)})
