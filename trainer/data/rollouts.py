"""Rollouts: graded solutions that a model samples for problems with known answers.

Right ones show a critic the style of the actor that it will judge (`examples --rollouts`): a critic that saw right
steps only in the style of textbooks rejects everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from runtime.checks.grading import grade
from runtime.checks.stated import final_answer
from runtime.engines.base import Engine, Sampling
from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.settings import Settings
from runtime.text import split_steps
from runtime.types import Problem
from trainer.data.critiques.tasks import seed_of
from trainer.runs import ResultFile, model_of, run_missing


class Rollouts:
    """`n` rollouts per problem. A killed run resumes."""

    def __init__(
        self, problems: Sequence[Problem], engine: Engine, settings: Settings, n: int, temperature: float
    ) -> None:
        self.problems = list({problem.id: problem for problem in problems}.values())
        self.engine, self.n = engine, n
        self.sampling = Sampling(temperature=temperature, max_tokens=settings.max_tokens, seed=settings.seed)
        config = {
            "prompts": templates.all_versions(),
            **model_of(engine),
            "n": n,
            "temperature": temperature,
            "max_tokens": settings.max_tokens,
            "seed": settings.seed,
        }
        self.results = ResultFile(settings.home / "rollouts", "rollouts", config)

    def run(self) -> Iterator[str]:
        """Yields the id of each problem once its rollouts exist. Raises EngineError."""
        work = [(problem.id, problem) for problem in self.problems]
        yield from run_missing(work, self._sample, self.results, max(1, self.engine.parallel // self.n))

    def _sample(self, problem: Problem) -> dict[str, Any]:
        sampling = replace(self.sampling, seed=seed_of(self.sampling.seed, problem.id))
        [replies] = self.engine.sample([conversation(problem)], sampling, n=self.n)
        return {"texts": [reply.text for reply in replies if reply.finish == "stop"]}

    @property
    def sometimes(self) -> list[Problem]:
        """Problems solved in 20 to 80 % of the rollouts, where a critic can improve the result. A truncated rollout
        counts as unsolved."""
        solved = Counter(row["question"] for row in self.rows() if row["correct"])
        return [problem for problem in self.problems if 0.2 <= solved[problem.text] / self.n <= 0.8]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every finished rollout, graded, in the order of the problems."""
        for problem in self.problems:
            for text in self.results.rows.get(problem.id, {}).get("texts", ()):
                stated = final_answer(text)
                yield {
                    "question": problem.text,
                    "steps": split_steps(text),
                    "attempt_answer": stated,
                    "correct": bool(grade(stated, problem)),
                    "source": problem.source,
                }
