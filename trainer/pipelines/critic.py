"""From a base to a promoted critic in one command.

    python -m trainer retrain --base smollm2-135m --minutes 5

Its examples are attempts whose first error is known. Before it is measured, the rule that combines its verdicts with
the other evidence is fitted on attempts kept apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import engines
from runtime.critic.aggregation import Aggregation
from runtime.critic.evidence import DEPTHS, usable
from runtime.critic.evidence.verdict import ADAPTER as ROLE
from runtime.files import sha256_of, write_whole
from runtime.models.adapter_cards import Figure
from runtime.problems.formats import attempts as own
from runtime.problems.labelled import LabelledTrajectory
from runtime.types import Depth, content_hash
from trainer.data.examples.attempts import generated
from trainer.data.examples.critic import Sources, write_examples
from trainer.data.sources import read_judged
from trainer.evaluation import critic
from trainer.evaluation.calibrate import cautious, fit_panels
from trainer.evaluation.evidence import JudgedEvidence
from trainer.pipelines import retrain
from trainer.pipelines.retrain import PARALLEL, TEST_SEED, TEST_SET, Retraining
from trainer.training.recipe import Recipe, read_recipe
from trainer.training.run import Run

QUICK = usable(DEPTHS["quick"], (ROLE,))
"""The sources of the quick check of a base with a critic alone."""
FITTED = 200
"""Most attempts that the rule is fitted on; two or three coefficients need no more."""

CANNOT = (
    "It judges school word problems; algebra, geometry and proofs were not among its training examples.",
    "It was tuned on English attempts; how it judges Chinese ones was not measured.",
    "Errors of understanding are found less often than slips of calculation.",
)
LICENCES = {
    "wordproblems": "CC0-1.0",
    "gsm8k": "MIT",
    "gsm8k attempts": "MIT; attempts of models under Apache-2.0",
    "wordproblems attempts": "CC0-1.0; attempts of models under Apache-2.0",
    "verify_then_generate": "CC BY 4.0 (badge), CC BY-SA 4.0 (text)",
}


@dataclass(frozen=True, kw_only=True)
class Plan(retrain.Plan):
    """What to make, and from which data."""

    sources: Sources
    evidence: tuple[str, ...] = QUICK
    """Sources of the fitted rule; with those of the deep check its rule is fitted too."""
    held_out: tuple[Path, ...] = ()
    """Labelled attempts to measure on besides the generated ones. The gate uses the generated ones, whose right and
    wrong attempts have the same style."""


@dataclass(frozen=True)
class Measured(retrain.Measured):
    weights: Mapping[str, Aggregation]
    """The fitted rule of each depth."""


class CriticRetraining(Retraining[Plan, Measured]):
    role = ROLE
    cannot = CANNOT
    licences = LICENCES

    def _digest(self) -> str:
        sources = self.plan.sources
        return content_hash(repr(sources), *map(sha256_of, sources.files))

    def _recipe(self) -> Recipe:
        path, changes = retrain.RECIPES / "sft" / f"critic-{self.plan.base}.yaml", dict(self.plan.changes)
        return read_recipe(path, self.examples, minutes=self.plan.minutes, limit=self.plan.limit, **changes)

    def _learned(self) -> dict[str, int]:
        done = self.examples / "report.json"
        if not done.exists():
            report = write_examples(self.plan.sources, self.examples)
            write_whole(done, json.dumps(report, indent=1))
        learned = json.loads(done.read_text("utf-8"))["learned"]
        return {source: sum(kinds.values()) for source, kinds in learned.items()}

    @property
    def _held_out(self) -> dict[str, Path]:
        made = self.examples / f"test-{self.plan.test}.jsonl"
        if not made.exists():
            rows = (own.write([attempt]) for attempt in generated(self.plan.test, TEST_SEED, "test"))
            write_whole(made, (json.dumps(row) + "\n" for row in rows))
        return {TEST_SET: made, **{path.stem: path for path in self.plan.held_out}}

    def _measured(self, who: str, files: Mapping[str, Path], run: Run) -> Measured:
        """Fit the rule on attempts kept apart, then measure on held-out ones."""
        place = run.folder / who
        with closing(engines.open_engine(self.settings, PARALLEL, batches=True, files=files)) as engine:
            apart = read_judged(self.examples / "fit.jsonl", FITTED)
            fitted = self._collected(engine, apart, files, self.plan.evidence)
            found = fit_panels(fitted.attempts, fitted.findings(), fitted.sources, fitted.engine.adapters)
            weights = {name: cautious(one) for name, one in found.items()}
            panels, outcomes = {}, place / "outcomes.jsonl"
            for name, path in self._held_out.items():
                collected = self._collected(engine, read_judged(path), files, QUICK)
                panels[name] = critic.summary(collected, weights)["panels"]["quick"]
                if len(panels) == 1:  # the gate is asked about the first
                    critic.write_outcomes(outcomes, collected.attempts, panels[name]["outcomes"])
        write_whole(place / "figures.json", json.dumps(panels, indent=1))
        return Measured(
            figures={name: _figures(panel) for name, panel in panels.items()},
            outcomes=outcomes,
            lines=tuple(f"{name}: {_summary(panel)}" for name, panel in panels.items()),
            weights=weights,
        )

    def _collected(
        self, engine: Any, attempts: list[LabelledTrajectory], files: Mapping[str, Path], sources: tuple[str, ...]
    ) -> JudgedEvidence:
        names = {role: sha256_of(file) for role, file in files.items()}
        collected = JudgedEvidence(attempts, engine, self.settings, sources, names)
        for _ in collected.run():
            self.stages.pause()
        return collected

    def _facts(self, adapter: Measured) -> dict[str, Any]:
        depths: tuple[Depth, ...] = ("quick", "deep")
        return {"aggregation": {one: adapter.weights[one].model_dump() for one in depths if one in adapter.weights}}


def _figures(panel: Mapping[str, Any]) -> dict[str, Figure]:
    n = panel["wrong"]["n"] + panel["right"]["n"]
    shares = {kind: Figure(value=panel[kind]["accuracy"], n=panel[kind]["n"], interval=panel[kind]["interval"])
              for kind in ("wrong", "right") if panel[kind]["n"]}  # fmt: skip
    return {"f1": Figure(value=panel["f1"], n=n), **shares}


def _summary(panel: Mapping[str, Any]) -> str:
    return f"F1 {panel['f1']:.1%} (wrong {panel['wrong']['accuracy']:.0%}, right {panel['right']['accuracy']:.0%})"
