"""From a base to a promoted critic in one command.

    python -m trainer retrain --base smollm2-135m --minutes 5

examples -> training -> GGUF adapter -> rule fitted on attempts kept apart -> adapter and bare base measured on the same
held-out attempts -> the gate. Each stage is also a command of its own; finished stages are not repeated.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from runtime import engines
from runtime.critic.aggregation import Aggregation
from runtime.critic.evidence import DEPTHS, usable
from runtime.critic.evidence.verdict import ADAPTER as ROLE
from runtime.files import ROOT, sha256_of, write_whole
from runtime.models import adapters, catalogue
from runtime.models.adapter_cards import DataSource, Figure, read_card
from runtime.problems.formats import attempts as own
from runtime.problems.labelled import LabelledTrajectory
from runtime.settings import Settings
from runtime.types import Depth, content_hash
from trainer.data.examples.attempts import examples_folder, generated
from trainer.data.examples.critic import Sources, write_examples
from trainer.data.sources import read_judged
from trainer.evaluation import critic
from trainer.evaluation.calibrate import cautious, fit_panels
from trainer.evaluation.evidence import JudgedEvidence
from trainer.pipelines.stages import Stages
from trainer.training.recipe import Recipe, read_recipe
from trainer.training.run import Run
from trainer.training.schedule import Progress, Report
from trainer.weights.base import base_folder
from trainer.weights.export import to_gguf_adapter
from trainer.weights.from_adapter import to_peft
from trainer.weights.parity import conversations, parity
from trainer.weights.promote import Options, promote

RECIPES = ROOT / "trainer" / "recipes" / "sft"
CONTEXT, PARALLEL = 2048, 8
IN_USE = "in use"
NUMBER_TYPE = "q8_0"
"""Number type of the adapter where row lengths allow it: a third smaller than f16."""
SHARE_OF_RATE = 0.3
"""Factor of the recipe's learning rate when training continues from the adapter in use."""
QUICK = usable(DEPTHS["quick"], (ROLE,))
"""The sources of the quick check of a base with a critic alone."""
FITTED = 200
"""Most attempts that the rule is fitted on; two or three coefficients need no more."""
TEST_SEED = 3
"""Seed of the generated held-out attempts, which are the same in every run."""
CANNOT = (
    "It judges school word problems; algebra, geometry and proofs were not among its training examples.",
    "It was tuned on English attempts; how it judges Chinese ones was not measured.",
    "Errors of understanding are found less often than slips of calculation.",
)


@dataclass(frozen=True)
class Plan:
    """What to make, and from which data."""

    base: str
    sources: Sources
    minutes: float | None = None
    evidence: tuple[str, ...] = QUICK
    """Sources of the fitted rule; with those of the deep check its rule is fitted too."""
    held_out: tuple[Path, ...] = ()
    """Labelled attempts to measure on besides the generated ones. The gate uses the generated ones, whose right and
    wrong attempts have the same style."""
    test: int = 160
    """Number of generated held-out attempts."""
    limit: int | None = None
    """Most training rows."""
    go_on: bool = False
    """Start from the adapter in use, if there is one."""
    ship: bool = False
    use: bool = True
    """Put a promoted adapter into use; otherwise it can be chosen later."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Changed entries of the recipe."""


class Retraining:
    """One schedule on this machine. Raises what its stages raise."""

    def __init__(self, plan: Plan, settings: Settings, stages: Stages | None = None) -> None:
        self.stages = stages or Stages()
        self.plan, self.settings = plan, settings.with_(model=plan.base, context=CONTEXT)
        self.gguf = catalogue.resolve(self.settings)
        files = [sha256_of(file) for file in plan.sources.files]
        self.examples = examples_folder(settings) / content_hash(repr(plan.sources), *files)

    @cached_property
    def recipe(self) -> Recipe:
        path, changes = RECIPES / f"critic-{self.plan.base}.yaml", dict(self.plan.changes)
        recipe = read_recipe(path, self.examples, minutes=self.plan.minutes, limit=self.plan.limit, **changes)
        return self._going_on(recipe, self._in_use) if self.plan.go_on and self._in_use else recipe

    def _going_on(self, recipe: Recipe, adapter: Path) -> Recipe:
        """The recipe with the adapter's form and size, and a lower learning rate, which keeps what the adapter has
        learned."""
        start = self.examples / f"start-{adapter.stem}"
        config = to_peft(adapter, base_folder(recipe.base, self.settings), start)
        changes = {
            "init": start,
            "rank": config.r,
            "alpha": config.lora_alpha,
            "targets": tuple(config.target_modules or ()),
            "form": "activated" if config.alora_invocation_tokens else "plain",
            "learning_rate": recipe.learning_rate * SHARE_OF_RATE,
        }
        return recipe.model_copy(update=changes)

    def run(self, report: Report) -> Iterator[str]:
        """Yields a line after every stage; the last one is the gate's verdict."""
        self.stages.begin("examples")
        learned = self._learned()
        yield f"{sum(sum(kinds.values()) for kinds in learned.values())} examples in {self.examples}"
        run = Run(self.recipe, self.settings)
        self.stages.begin("tuning", folder=str(run.folder), minutes=self.plan.minutes)

        def show(progress: Progress) -> None:
            report(progress)
            self.stages.pause()

        tuned = run.run(show)
        yield f"trained in {tuned['seconds']:.0f} s, {tuned['steps']} steps, {tuned['examples_per_second']} examples/s"
        self.stages.begin("adapter")
        adapter = run.folder / "critic.gguf"
        # Exported again each time: with more minutes a run resumes in the same folder.
        to_gguf_adapter(run.adapter, adapter, self.gguf, NUMBER_TYPE)
        yield f"adapter of {adapter.stat().st_size / 1e6:.1f} MB in {adapter}"
        alike = parity(run.base, run.adapter, self.gguf, adapter, conversations(run.base, run.adapter))
        yield (
            f"compared with peft: {alike.argmax_agreement:.1%} of {alike.tokens} tokens agree, logits within "
            f"{alike.max_difference:.2g}, {alike.same_greedy} of {alike.texts} texts continue the same"
        )
        reports = {}
        measured: dict[str, dict[str, Path]] = {"adapter": {ROLE: adapter}, "base": {}}
        if self._in_use:
            measured[IN_USE] = {ROLE: self._in_use}
        for name, files in measured.items():
            self.stages.begin("measuring", what=name)
            reports[name] = self._measured(files, run.folder / name)
            yield from (f"{name} on {place}: {_summary(report)}" for place, report in reports[name].figures.items())
        self.stages.begin("gate")
        card = run.folder / "card.json"
        write_whole(card, json.dumps(self._card(sha256_of(adapter), tuned, learned, reports)))
        gate, path = promote(
            Options(
                adapter, card, self.plan.base, ROLE, self._names[0], reports["adapter"].outcomes,
                reports["base"].outcomes, reports[IN_USE].outcomes if IN_USE in reports else None,
                ship=self.plan.ship, use=self.plan.use,
            ),
            self.settings,
        )  # fmt: skip
        self.stages.end(version=path.stem if path else None, **gate.model_dump(mode="json"))
        place = f"{path} {'is in use now' if self.plan.use else 'can be chosen'}." if path else "Not promoted."
        yield "\n".join([place, *gate.reasons])

    @cached_property
    def _in_use(self) -> Path | None:
        """The adapter in use, if any."""
        base = self.plan.base
        shipped = adapters.read_current(adapters.SHIPPED / base / ROLE)
        now = (shipped if self.plan.ship else adapters.current(base, ROLE, self.settings)).version
        if now is None:
            return None
        return adapters.open_adapter(adapters.named_base(base, self.settings), ROLE, now, self.settings).path

    def _learned(self) -> dict[str, dict[str, int]]:
        done = self.examples / "report.json"
        if not done.exists():
            report = write_examples(self.plan.sources, self.examples)
            write_whole(done, json.dumps(report, indent=1))
        return json.loads(done.read_text("utf-8"))["learned"]

    @property
    def _names(self) -> list[str]:
        return ["wordproblems-test", *(path.stem for path in self.plan.held_out)]

    @property
    def _held_out(self) -> dict[str, Path]:
        made = self.examples / f"test-{self.plan.test}.jsonl"
        if not made.exists():
            rows = (own.write([attempt]) for attempt in generated(self.plan.test, TEST_SEED, "test"))
            write_whole(made, (json.dumps(row) + "\n" for row in rows))
        return dict(zip(self._names, [made, *self.plan.held_out], strict=True))

    def _measured(self, files: Mapping[str, Path], place: Path) -> Measured:
        """Fit the rule on attempts kept apart, then measure on held-out ones."""
        place.mkdir(exist_ok=True)
        with closing(engines.open_engine(self.settings, PARALLEL, batches=True, files=files)) as engine:
            apart = read_judged(self.examples / "fit.jsonl", FITTED)
            fitted = self._collected(engine, apart, files, self.plan.evidence)
            found = fit_panels(fitted.attempts, fitted.findings(), fitted.sources, fitted.engine.adapters)
            weights = {name: cautious(one) for name, one in found.items()}
            figures, outcomes = {}, place / "outcomes.jsonl"
            for name, path in self._held_out.items():
                collected = self._collected(engine, read_judged(path), files, QUICK)
                figures[name] = critic.summary(collected, weights)["panels"]["quick"]
                if len(figures) == 1:  # the gate is asked about the first
                    critic.write_outcomes(outcomes, collected.attempts, figures[name]["outcomes"])
        write_whole(place / "figures.json", json.dumps(figures, indent=1))
        return Measured(weights, figures, outcomes)

    def _collected(
        self, engine: Any, attempts: list[LabelledTrajectory], files: Mapping[str, Path], sources: tuple[str, ...]
    ) -> JudgedEvidence:
        names = {role: sha256_of(file) for role, file in files.items()}
        collected = JudgedEvidence(attempts, engine, self.settings, sources, names)
        for _ in collected.run():
            self.stages.pause()
        return collected

    @property
    def _recipe_for_card(self) -> dict[str, Any]:
        """The recipe without the folders of this machine."""
        names = {"data": [file.name for file in self.recipe.data]}
        names |= {key: path and path.name for key in ("dev", "init") for path in [getattr(self.recipe, key)]}
        return self.recipe.model_dump(mode="json") | names

    def _card(
        self, sha256: str, tuned: dict[str, Any], learned: dict[str, dict[str, int]], reports: dict[str, Measured]
    ) -> dict:
        depths: tuple[Depth, ...] = ("quick", "deep")
        # Examples are read in random order, so a time limit leaves out the same share of every source.
        present = {name: sum(kinds.values()) for name, kinds in learned.items()}
        read = min(tuned["rows"], tuned["steps"] * self.recipe.batch) / sum(present.values())
        kept = {name: reports["adapter"].weights[name] for name in depths if name in reports["adapter"].weights}
        return {
            "version": datetime.now(UTC).strftime("%Y-%m-%d-") + sha256[:6],
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "recipe": self._recipe_for_card,
            "data": self._sources({name: round(read * count) for name, count in present.items()}),
            "metrics": {name: _figures(report) for name, report in reports["adapter"].figures.items()},
            "base_metrics": {name: _figures(report) for name, report in reports["base"].figures.items()},
            "seconds": {"training": tuned["seconds"]},
            "cannot": CANNOT,
            "aggregation": {name: weights.model_dump() for name, weights in kept.items()},
            "licence": "Apache-2.0",
        }

    def _sources(self, counts: Mapping[str, int]) -> list[dict[str, Any]]:
        """The training data, including that of the adapter it started from."""
        before = read_card(self._in_use.with_suffix(".json")).data if self.recipe.init and self._in_use else ()
        had = Counter({one.name: one.count for one in before}) + Counter(counts)
        licences = LICENCES | {one.name: one.licence for one in before}
        return [
            DataSource(name=name, licence=licences.get(name, "see source"), count=count).model_dump()
            for name, count in had.items()
        ]


LICENCES = {
    "wordproblems": "CC0-1.0",
    "gsm8k": "MIT",
    "gsm8k attempts": "MIT; attempts of models under Apache-2.0",
    "wordproblems attempts": "CC0-1.0; attempts of models under Apache-2.0",
    "verify_then_generate": "CC BY 4.0 (badge), CC BY-SA 4.0 (text)",
}


@dataclass(frozen=True)
class Measured:
    """Measurements of an adapter, or of the bare base, as critic."""

    weights: Mapping[str, Aggregation]
    figures: dict[str, dict[str, Any]]
    outcomes: Path


def _figures(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    n = report["wrong"]["n"] + report["right"]["n"]
    shares = {kind: Figure(value=report[kind]["accuracy"], n=report[kind]["n"], interval=report[kind]["interval"])
              for kind in ("wrong", "right") if report[kind]["n"]}  # fmt: skip
    return {name: figure.model_dump() for name, figure in {"f1": Figure(value=report["f1"], n=n), **shares}.items()}


def _summary(report: Mapping[str, Any]) -> str:
    return f"F1 {report['f1']:.1%} (wrong {report['wrong']['accuracy']:.0%}, right {report['right']['accuracy']:.0%})"
