"""From people's corrections to a promoted actor in one command.

    python -m trainer retrain-actor --base smollm2-135m --pairs corrections.jsonl --minutes 5

Its examples are pairs of a step that a person wrote and the one that it corrects (Step-DPO). Corrections at two of five
problems are not learned: the gate asks whether they are preferred more often than before, and whether fresh problems of
held-out themes and structures are still solved as often.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

from runtime import engines
from runtime.errors import SoliloquyError
from runtime.files import sha256_of, write_whole
from runtime.problems import formats, json_rows, wordproblems
from runtime.problems.division import TESTED, kept_apart, shortage
from runtime.problems.json_rows import Row
from runtime.prompts.actor_turn import ADAPTER as ROLE
from runtime.types import Problem, content_hash
from trainer.data.examples.preference import NEEDS, read_pairs
from trainer.data.rows import PairRow
from trainer.evaluation.solving import Evaluation
from trainer.pipelines import retrain
from trainer.pipelines.retrain import ADAPTER, BASE, IN_USE, PARALLEL, TEST_SEED, TEST_SET, Retraining
from trainer.training.recipe import Recipe, read_recipe
from trainer.training.run import Run
from trainer.weights.gate import Outcome, Preferences, figures_of, preferred

MODE = "direct"
STEPS = 60
"""Fewest steps of training: a dozen pairs are read many times."""
LONGEST = 256
"""Most tokens of an attempt at a held-out problem; their worked solutions take 71 in the median and at most 223."""
CORRECTIONS = "held-out corrections"
CANNOT = (
    "It learned from one person's corrections; how it solves problems of another kind was not measured.",
    "The critic's rule and figures are of solutions by the actor before it; how well the critic judges this one's "
    "was not measured.",
)
LICENCES = {"corrections": "written in the app by the people who use it"}


class TooFewError(SoliloquyError):
    """There are too few corrections to learn from or to test on."""


@dataclass(frozen=True, kw_only=True)
class Plan(retrain.Plan):
    """What to make, and from which pairs."""

    test: int = 100
    pairs: Path
    """In any format with a chosen and a rejected attempt."""


@dataclass(frozen=True)
class Measured(retrain.Measured):
    prefers: tuple[bool, ...]
    """Whether each held-out correction is more probable than what it corrects."""


class ActorRetraining(Retraining[Plan, Measured]):
    role = ROLE
    cannot = CANNOT
    licences = LICENCES

    def _digest(self) -> str:
        return content_hash(sha256_of(self.plan.pairs), str(TESTED))

    @cached_property
    def _pairs(self) -> list[tuple[Problem, Row]]:
        read = json_rows.read_rows(self.plan.pairs, lambda row: (formats.read(row)[0].problem, row), NEEDS)
        return [pair for _, pair in read]

    def _learned(self) -> dict[str, int]:
        missing = shortage(problem for problem, _ in self._pairs)
        if missing.total:
            raise TooFewError(
                f"There are too few corrections. At least {missing.total} more are needed: {missing.learn} to learn "
                f"from, and {missing.test} at other problems, kept apart for the test by their text."
            )
        parts = {apart: [row for problem, row in self._pairs if kept_apart(problem, TESTED) is apart]
                 for apart in (False, True)}  # fmt: skip
        for name, apart in (("pairs", False), ("pairs-dev", True)):
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in parts[apart])
            write_whole(self.examples / f"{name}.jsonl", lines)
        return {self.plan.pairs.stem: len(parts[False])}

    def _recipe(self) -> Recipe:
        path, changes = retrain.RECIPES / "preference" / f"{self.plan.base}.yaml", dict(self.plan.changes)
        recipe = read_recipe(path, self.examples, minutes=self.plan.minutes, limit=self.plan.limit, **changes)
        learned = sum(not kept_apart(problem, TESTED) for problem, _ in self._pairs)
        steps = ceil(min(learned, self.plan.limit or learned) / recipe.batch)
        epochs = max(recipe.epochs, ceil(STEPS / steps))
        return recipe.model_copy(update={"epochs": epochs, "warm_up": min(recipe.warm_up, epochs * steps // 10)})

    @cached_property
    def _tested(self) -> list[PairRow]:
        return list(read_pairs(self.examples / "pairs-dev.jsonl", "step"))

    @property
    def _problems(self) -> list[str]:
        """The problem of each held-out correction, as its conversation ends."""
        return [pair.messages[-1]["content"] for pair in self._tested]

    def _measured(self, who: str, files: Mapping[str, Path], run: Run) -> Measured:
        """How often held-out corrections are preferred and fresh problems are solved."""
        trained = run.adapter if who == ADAPTER else self.in_use_for_training if who == IN_USE else None
        prefers = tuple(run.prefers(self._tested, trained))
        solved, outcomes = self._solved(files), run.folder / who / "outcomes.jsonl"
        write_whole(outcomes, (json.dumps({"key": key, "right": right}) + "\n" for key, right in solved.items()))
        shares = {
            TEST_SET: figures_of({key: Outcome(right) for key, right in solved.items()}),
            CORRECTIONS: preferred(prefers, self._problems),
        }
        lines = (
            f"{TEST_SET}: {sum(solved.values())} of {len(solved)} problems solved",
            f"{CORRECTIONS}: {sum(prefers)} of {len(prefers)} preferred",
        )
        return Measured(figures=shares, outcomes=outcomes, lines=lines, prefers=prefers)

    def _solved(self, files: Mapping[str, Path]) -> dict[str, bool]:
        """Whether each generated held-out problem is solved, greedily as in the app, without a critic."""
        stream = wordproblems.stream(TEST_SEED, "test")
        problems = [worked.problem for worked in islice(stream, self.plan.test)]
        names = {role: sha256_of(file) for role, file in files.items()}
        settings = self.settings.with_(temperature=0.0, max_tokens=min(LONGEST, self.settings.max_tokens))
        with closing(engines.open_engine(settings, PARALLEL, batches=True, files=files)) as engine:
            evaluation = Evaluation(problems, [MODE], engine, settings, names)
            for _ in evaluation.run():
                self.stages.pause()
        return evaluation.outcomes(MODE)

    def _options(self, reports: Mapping[str, Measured]) -> dict[str, Any]:
        prefers = {who: report.prefers for who, report in reports.items()}
        now = prefers.get(IN_USE)
        return {"preferences": Preferences(tuple(self._problems), prefers[ADAPTER], prefers[BASE], now)}
