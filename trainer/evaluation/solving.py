"""How often problems are solved in each mode, on the same problems, and at what cost.

    python -m trainer evaluate --problems FILE.jsonl --mode direct,critic,oracle

Problems are solved as in the app (`runtime.solving.loop.converse`), as many at once as the engine decodes together. The
run is resumable, and every run is stored in its directory. The mode "oracle" exists only here: its critic knows whether
an answer is right.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any

from runtime.checks.grading import grade
from runtime.critic.critic import open_critic
from runtime.engines.base import Engine, Metered
from runtime.events import fold_all
from runtime.models.catalogue import program_voters
from runtime.prompts import templates
from runtime.settings import Settings
from runtime.solving.loop import converse
from runtime.types import Problem, content_hash
from trainer.evaluation.oracle import converse_knowing
from trainer.runs import ResultFile, model_of, run_missing
from trainer.statistics import paired, wilson

ORACLE = "oracle"


class Evaluation:
    """Problems, one model, and one or more modes."""

    def __init__(
        self,
        problems: Sequence[Problem],
        modes: Sequence[str],
        engine: Engine,
        settings: Settings,
        adapters: Mapping[str, str] | None = None,
        judge: Engine | None = None,
    ) -> None:
        """`adapters`: hashes of the engine's adapters, or of the judge's. `judge`: the critic's engine if it is another
        one."""
        self.problems, self.modes, self.engine, self.settings = problems, modes, engine, settings
        self.judge, is_criticised = judge, not {"critic", ORACLE}.isdisjoint(modes)
        config = {
            **model_of(engine),
            "prompts": templates.all_versions(),
            **settings.model_dump(include={"rounds", "temperature", "seed", "max_tokens", "depth"}),
            "adapters": dict(sorted((adapters or {}).items())),
            "critic": open_critic(judge or engine, settings).weights.model_dump() if is_criticised else None,
            **({"judge": model_of(judge)} if judge else {}),
            **({"program_voters": n} if settings.depth == "deep" and (n := program_voters(engine.model)) else {}),
        }
        self.results = ResultFile(Path(settings.home) / "evaluations", "evaluate", config)

    @property
    def size(self) -> int:
        return len(self.problems) * len(self.modes)

    def run(self) -> Iterator[str]:
        """Solve what is missing or failed; yields once per problem and mode."""
        self.results.forget(lambda row: row["status"] == "failed")
        work = [(key, (mode, problem)) for mode in self.modes for key, problem in self._keyed(mode)]
        yield from run_missing(work, self._solve, self.results, self.engine.parallel)

    def _keyed(self, mode: str) -> list[tuple[str, Problem]]:
        """Each problem with the key of its result. Keys depend on the problem and not on its position, so a longer file
        resumes a shorter one. A repeated problem counts each time."""
        seen: Counter[str] = Counter()
        keyed = []
        for problem in self.problems:
            name = content_hash(problem.id, problem.answer or "")
            keyed.append((f"{mode}/{name}/{seen[name]}", problem))
            seen[name] += 1
        return keyed

    def _solve(self, item: tuple[str, Problem]) -> dict[str, Any]:
        mode, problem = item
        asked = problem.model_copy(update={"answer": None})  # no prompt may contain the answer
        engine, started = Metered(self.engine), time.monotonic()
        judge = Metered(self.judge, engine.usage) if self.judge else None
        if mode == ORACLE:
            events = converse_knowing(problem, asked, engine, self.settings, judge)
        else:
            events = converse(asked, engine, self.settings.with_(mode=mode), Event(), judge)
        talk = fold_all(asked, events)
        return {
            "mode": mode,
            "problem": problem.model_dump(mode="json"),
            "answer": talk.outcome.answer if talk.outcome else None,
            "status": talk.outcome.status if talk.outcome else "failed",
            "correct": talk.outcome is not None and grade(talk.outcome.answer, problem) is True,
            "attempts": len(talk.trajectories),
            "seconds": round(time.monotonic() - started, 2),
            **asdict(engine.usage),
            "talk": talk.model_dump(mode="json"),
        }

    def outcomes(self, mode: str) -> dict[str, bool]:
        """Whether each problem was solved in a mode, by the key of its result."""
        return {key: self.results.rows[key]["correct"] for key, _ in self._keyed(mode)}

    def summary(self) -> dict[str, Any]:
        """Accuracies with 90 % intervals, cost per problem, and each mode against the first, paired."""
        by_mode = {mode: [self.results.rows[key] for key, _ in self._keyed(mode)] for mode in self.modes}
        correct = {mode: [row["correct"] for row in rows] for mode, rows in by_mode.items()}
        first = self.modes[0]
        return {
            "n": len(self.problems),
            "model": self.engine.model,
            "critic": (self.judge or self.engine).model,
            "modes": {mode: _summary(rows) for mode, rows in by_mode.items()},
            "paired": {
                f"{mode} - {first}": asdict(paired(correct[mode], correct[first]))
                for mode in self.modes
                if mode != first
            },
            "run": str(self.results.folder),
        }


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    right, n = sum(row["correct"] for row in rows), len(rows)
    return {
        "accuracy": right / n,
        "interval": wilson(right, n),
        "correct": right,
        "no_answer": sum(row["answer"] is None for row in rows),
        "failed": sum(row["status"] == "failed" for row in rows),
        **{
            f"{name}_per_problem": round(sum(row[name] for row in rows) / n, 1)
            for name in ("seconds", "calls", "attempts", "prompt_tokens", "completion_tokens")
        },
    }
