"""Attempts of a model at problems whose answer is known, as it would write them for a student.

Right ones show a critic the manner of the actor that it will judge (`lessons --drawn`): one that met right steps only
in the manner of textbooks doubts everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from runtime.actor import conversation
from runtime.engines.base import Engine, Sampling
from runtime.grading import grade
from runtime.settings import Settings
from runtime.text import final_answer, split_steps
from runtime.types import Problem, content_hash
from trainer.runs import ResultFile


class Drawing:
    """`n` attempts at each problem, sampled. A killed run goes on."""

    def __init__(
        self, problems: Sequence[Problem], engine: Engine, settings: Settings, n: int, temperature: float
    ) -> None:
        self.problems, self.engine, self.n = problems, engine, n
        self.sampling = Sampling(temperature=temperature, max_tokens=settings.max_tokens, seed=settings.seed)
        config = {
            "problems": content_hash(*(problem.id for problem in problems)),
            "model": engine.model,
            "n": n,
            "temperature": temperature,
            "max_tokens": settings.max_tokens,
            "seed": settings.seed,
        }
        self.results = ResultFile(settings.home / "attempts", "attempts", config)

    def run(self) -> Iterator[str]:
        """Yields the id of each problem that was attempted. Raises EngineError."""
        left = [problem for problem in self.problems if problem.id not in self.results.rows]
        drawn = self.engine.sample((conversation(problem) for problem in left), self.sampling, n=self.n)
        for problem, replies in zip(left, drawn, strict=True):
            attempts = [_row(problem, reply.text) for reply in replies if reply.finish == "stop"]
            self.results.add({"key": problem.id, "attempts": attempts, "cut_off": self.n - len(attempts)})
            yield problem.id

    @property
    def right(self) -> int:
        return sum(row["correct"] for row in self.rows())

    @property
    def sometimes(self) -> list[Problem]:
        """The problems that were solved in 20 to 80 % of the attempts: neither safe nor out of reach, so a critic has
        something to win. An attempt that was cut off is no solution."""
        solved = Counter(row["question"] for row in self.rows() if row["correct"])
        return [problem for problem in self.problems if 0.2 <= solved[problem.text] / self.n <= 0.8]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every attempt that came to an end, in the order of the problems."""
        for problem in self.problems:
            yield from self.results.rows.get(problem.id, {}).get("attempts", ())


def _row(problem: Problem, text: str) -> dict[str, Any]:
    stated = final_answer(text)
    return {
        "question": problem.text,
        "steps": split_steps(text),
        "attempt_answer": stated,
        "correct": bool(grade(stated, problem)),
        "source": problem.source,
    }
