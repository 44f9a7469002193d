"""From a base to a promoted adapter in one command: what the retraining of every role shares.

examples -> training -> GGUF adapter -> adapter, bare base and the adapter in use measured on the same held-out rows ->
the gate. Each stage is also a command of its own; finished stages are not repeated. `critic` and `actor` in this folder
say what a role learns from and how it is measured.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from runtime.files import ROOT, sha256_of, write_whole
from runtime.models import adapters, catalogue
from runtime.models.adapter_cards import DataSource, Figure, Role, read_card
from runtime.settings import Settings
from trainer.data.examples.attempts import examples_folder
from trainer.pipelines.stages import Stages
from trainer.training.recipe import Recipe
from trainer.training.run import Run
from trainer.training.schedule import Progress, Report
from trainer.weights.base import base_folder
from trainer.weights.export import to_gguf_adapter
from trainer.weights.from_adapter import to_peft
from trainer.weights.parity import conversations, parity
from trainer.weights.promote import Options, promote

RECIPES = ROOT / "trainer" / "recipes"
CONTEXT, PARALLEL = 2048, 8
ADAPTER, BASE, IN_USE = "adapter", "base", "in use"
"""Who is measured."""
NUMBER_TYPE = "q8_0"
"""Number type of the adapter where row lengths allow it: a third smaller than f16."""
SHARE_OF_RATE = 0.3
"""Factor of the recipe's learning rate when training continues from the adapter in use."""
TEST_SEED = 3
"""Seed of the generated held-out problems, which are the same in every run."""
TEST_SET = "wordproblems-test"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to make."""

    base: str
    minutes: float | None = None
    test: int = 160
    """Number of generated held-out attempts or problems."""
    limit: int | None = None
    """Most training rows."""
    go_on: bool = False
    """Start from the adapter in use, if there is one."""
    ship: bool = False
    use: bool = True
    """Put a promoted adapter into use; otherwise it can be chosen later."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Changed entries of the recipe."""


@dataclass(frozen=True)
class Measured:
    """Measurements of an adapter, or of the bare base in its role."""

    figures: Mapping[str, Mapping[str, Figure]]
    """For the card, by held-out set; the gate is asked about the first."""
    outcomes: Path
    """Results on the first held-out set, one for each row."""
    lines: tuple[str, ...]
    """The figures in words."""


P = TypeVar("P", bound=Plan)
M = TypeVar("M", bound=Measured)


class Retraining(ABC, Generic[P, M]):
    """One schedule on this machine. Raises what its stages raise."""

    role: ClassVar[Role]
    cannot: ClassVar[tuple[str, ...]]
    """Known limitations of such an adapter, a sentence each."""
    licences: ClassVar[Mapping[str, str]]
    """Of the sources of its examples."""

    def __init__(self, plan: P, settings: Settings, stages: Stages | None = None) -> None:
        self.stages = stages or Stages()
        self.plan, self.settings = plan, settings.with_(model=plan.base, context=CONTEXT)
        self.gguf = catalogue.resolve(self.settings)
        self.examples = examples_folder(settings) / self._digest()

    @abstractmethod
    def _digest(self) -> str:
        """A name for everything that determines the examples."""

    @abstractmethod
    def _learned(self) -> dict[str, int]:
        """Make the examples; return their number by source."""

    @abstractmethod
    def _recipe(self) -> Recipe:
        """How to train from the base."""

    @abstractmethod
    def _measured(self, who: str, files: Mapping[str, Path], run: Run) -> M:
        """Measure the base with these adapter files; `who` is one of ADAPTER, BASE, IN_USE."""

    def _options(self, reports: Mapping[str, M]) -> dict[str, Any]:
        """What else the gate is given."""
        return {}

    def _facts(self, adapter: M) -> dict[str, Any]:
        """What else the card states."""
        return {}

    @cached_property
    def recipe(self) -> Recipe:
        """As from the base; or from the adapter in use, with its form and size, and a lower learning rate, which keeps
        what it has learned."""
        recipe = self._recipe()
        if not self.plan.go_on or self.in_use is None:
            return recipe
        started = recipe.starting_from(self.in_use_for_training)
        return started.model_copy(update={"learning_rate": recipe.learning_rate * SHARE_OF_RATE})

    @cached_property
    def in_use(self) -> Path | None:
        """The adapter in use, if any."""
        base = self.plan.base
        shipped = adapters.read_current(adapters.SHIPPED / base / self.role)
        now = (shipped if self.plan.ship else adapters.current(base, self.role, self.settings)).version
        if now is None:
            return None
        return adapters.open_adapter(adapters.named_base(base, self.settings), self.role, now, self.settings).path

    @cached_property
    def in_use_for_training(self) -> Path:
        """The adapter in use as a peft folder."""
        assert self.in_use, "there is an adapter in use"
        start = self.examples / f"start-{self.in_use.stem}"
        to_peft(self.in_use, base_folder(self.plan.base, self.settings), start)
        return start

    def run(self, report: Report) -> Iterator[str]:
        """Yields a line after every stage; the last one is the gate's verdict."""
        self.stages.begin("examples")
        learned = self._learned()
        yield f"{sum(learned.values())} examples in {self.examples}"
        run = Run(self.recipe, self.settings)
        self.stages.begin("tuning", folder=str(run.folder), minutes=self.plan.minutes)

        def show(progress: Progress) -> None:
            report(progress)
            self.stages.pause()

        tuned = run.run(show)
        yield f"trained in {tuned['seconds']:.0f} s, {tuned['steps']} steps, {tuned['examples_per_second']} examples/s"
        self.stages.begin("adapter")
        adapter = run.folder / f"{self.role}.gguf"
        yield from self._exported(run, adapter)
        reports: dict[str, M] = {}
        for who, file in {ADAPTER: adapter, BASE: None, **({IN_USE: self.in_use} if self.in_use else {})}.items():
            self.stages.begin("measuring", what=who)
            (run.folder / who).mkdir(exist_ok=True)
            reports[who] = self._measured(who, {self.role: file} if file else {}, run)
            yield from (f"{who} on {line}" for line in reports[who].lines)
        self.stages.begin("gate")
        card = run.folder / "card.json"
        write_whole(card, json.dumps(self._card(sha256_of(adapter), tuned, learned, reports)))
        gate, path = promote(
            Options(
                adapter, card, self.plan.base, self.role, TEST_SET, reports[ADAPTER].outcomes, reports[BASE].outcomes,
                reports[IN_USE].outcomes if IN_USE in reports else None, ship=self.plan.ship, use=self.plan.use,
                **self._options(reports),
            ),
            self.settings,
        )  # fmt: skip
        self.stages.end(version=path.stem if path else None, **gate.model_dump(mode="json"))
        place = f"{path} {'is in use now' if self.plan.use else 'can be chosen'}." if path else "Not promoted."
        yield "\n".join([place, *gate.reasons])

    def _exported(self, run: Run, adapter: Path) -> Iterator[str]:
        # Exported again each time: with more minutes a run resumes in the same folder.
        to_gguf_adapter(run.adapter, adapter, self.gguf, NUMBER_TYPE)
        yield f"adapter of {adapter.stat().st_size / 1e6:.1f} MB in {adapter}"
        alike = parity(run.base, run.adapter, self.gguf, adapter, conversations(run.base, run.adapter))
        yield (
            f"compared with peft: {alike.argmax_agreement:.1%} of {alike.tokens} tokens agree, logits within "
            f"{alike.max_difference:.2g}, {alike.same_greedy} of {alike.texts} texts continue the same"
        )

    @property
    def _recipe_for_card(self) -> dict[str, Any]:
        """The recipe without the folders of this machine."""
        names = {"data": [file.name for file in self.recipe.data]}
        names |= {key: path and path.name for key in ("dev", "init") for path in [getattr(self.recipe, key)]}
        return self.recipe.model_dump(mode="json") | names

    def _card(
        self, sha256: str, tuned: dict[str, Any], learned: Mapping[str, int], reports: Mapping[str, M]
    ) -> dict[str, Any]:
        # Examples are read in random order, so a time limit leaves out the same share of every source.
        read = min(tuned["rows"], tuned["steps"] * self.recipe.batch) / sum(learned.values())
        return {
            "version": datetime.now(UTC).strftime("%Y-%m-%d-") + sha256[:6],
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "recipe": self._recipe_for_card,
            "data": self._sources({name: round(read * count) for name, count in learned.items()}),
            "metrics": _dumped(reports[ADAPTER]),
            "base_metrics": _dumped(reports[BASE]),
            "seconds": {"training": tuned["seconds"]},
            "cannot": self.cannot,
            "licence": "Apache-2.0",
            **self._facts(reports[ADAPTER]),
        }

    def _sources(self, counts: Mapping[str, int]) -> list[dict[str, Any]]:
        """The training data, including that of the adapter it started from."""
        before = read_card(self.in_use.with_suffix(".json")).data if self.recipe.init and self.in_use else ()
        had = Counter({one.name: one.count for one in before}) + Counter(counts)
        licences = {**self.licences, **{one.name: one.licence for one in before}}
        return [
            DataSource(name=name, licence=licences.get(name, "see source"), count=count).model_dump()
            for name, count in had.items()
        ]


def _dumped(report: Measured) -> dict[str, dict[str, Any]]:
    return {
        place: {metric: figure.model_dump() for metric, figure in found.items()}
        for place, found in report.figures.items()
    }
