"""How well the critic finds the first error, measured as ProcessBench does (arXiv 2412.06559).

    python -m trainer evaluate-critic --trajectories FILE.jsonl

Accuracy on wrong attempts (the first error at its exact place), on right ones (none found), and their harmonic mean F1:
for the critic as it is, and with witnesses left out, all weighed from the same testimony.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import Any

from runtime import prompts
from runtime.critic import SOLUTIONS, WITNESSES, Critic, Testimony, judge
from runtime.engines.base import Engine, EngineError
from runtime.settings import Settings
from runtime.solutions import Solution
from runtime.text import final_answer
from runtime.types import Step, Trajectory, Witness, content_hash
from trainer.runs import ResultFile, run_missing
from trainer.sources import JudgedAttempt
from trainer.statistics import harmonic, wilson

PANELS: dict[str, tuple[Witness, ...]] = {
    "arithmetic": ("arithmetic",),
    "model": ("model",),
    "solutions": ("solutions",),
    "without arithmetic": ("solutions", "model"),
}
"""Which witnesses are heard, beside the whole critic."""


class CriticEvaluation:
    """One file of judged attempts, one model."""

    def __init__(self, attempts: Sequence[JudgedAttempt], engine: Engine, settings: Settings) -> None:
        self.attempts, self.engine, self.settings = attempts, engine, settings
        self.calibration = Critic(engine).calibration
        config = {
            "model": engine.model,
            "prompts": prompts.all_versions(),
            "solutions": SOLUTIONS,
            **settings.model_dump(include={"seed", "max_tokens"}),
        }
        self.results = ResultFile(Path(settings.home) / "evaluations", "evaluate-critic", config)

    @property
    def work(self) -> list[tuple[str, list[JudgedAttempt]]]:
        """Neighbouring attempts at the same problem together: its solutions are sampled once. The key says what they
        are, not where they stand, so a longer file goes on from a shorter one."""
        groups = (list(group) for _, group in groupby(self.attempts, key=lambda attempt: attempt.problem.id))
        return [
            (content_hash(*(text for a in group for text in (a.problem.text, *a.steps))), group) for group in groups
        ]

    def run(self) -> Iterator[str]:
        """Hear what was not heard yet; yields once per problem."""
        yield from run_missing(self.work, self._hear, self.results, self.engine.parallel)

    def _hear(self, attempts: list[JudgedAttempt]) -> dict[str, Any]:
        critic = Critic(self.engine, self.settings.max_tokens, self.settings.seed)
        testimonies = []
        for attempt in attempts:
            try:
                heard = critic.hear(attempt.problem, _trajectory(attempt), Event())
                testimonies.append({"log_odds": heard.log_odds, "solutions": [asdict(s) for s in heard.solutions]})
            except EngineError as error:  # too long for the context, say: that attempt counts as missed
                testimonies.append({"error": str(error)})
        return {"testimonies": testimonies}

    def summary(self) -> dict[str, Any]:
        """ProcessBench's figures with 90 % intervals, for the critic and with witnesses left out."""
        heard = [testimony for key, _ in self.work for testimony in self.results.rows[key]["testimonies"]]
        return {
            "n": len(self.attempts),
            "n_error": sum(attempt.first_error is not None for attempt in self.attempts),
            "n_correct": sum(attempt.first_error is None for attempt in self.attempts),
            "failed": sum("error" in testimony for testimony in heard),
            "model": self.engine.model,
            **self._figures(heard, WITNESSES),
            "witnesses": {name: self._figures(heard, panel) for name, panel in PANELS.items()},
            "run": str(self.results.folder),
        }

    def _figures(self, heard: list[dict[str, Any]], witnesses: Sequence[Witness]) -> dict[str, Any]:
        found = {True: [], False: []}
        for attempt, testimony in zip(self.attempts, heard, strict=True):
            right = "error" not in testimony and self._first_error(attempt, testimony, witnesses) == attempt.first_error
            found[attempt.first_error is None].append(right)
        wrong, correct = ([sum(rows), len(rows)] for rows in (found[False], found[True]))
        shares = [hits / n if n else 0.0 for hits, n in (wrong, correct)]
        return {
            "f1": harmonic(*shares),
            "accuracy_error": shares[0],
            "interval_error": wilson(*wrong),
            "accuracy_correct": shares[1],
            "interval_correct": wilson(*correct),
        }

    def _first_error(
        self, attempt: JudgedAttempt, testimony: dict[str, Any], witnesses: Sequence[Witness]
    ) -> int | None:
        solutions = tuple(Solution(**solution) for solution in testimony["solutions"])
        heard = Testimony(tuple(testimony["log_odds"]), solutions)
        verdicts = judge(attempt.problem, _trajectory(attempt), heard, self.calibration, witnesses)
        return next((i for i, step in enumerate(verdicts) if step.verdict == "incorrect"), None)


def _trajectory(attempt: JudgedAttempt) -> Trajectory:
    return Trajectory(
        problem_id=attempt.problem.id,
        steps=tuple(Step(text=step) for step in attempt.steps),
        answer=final_answer(attempt.steps[-1]),
        origin="student",
    )
