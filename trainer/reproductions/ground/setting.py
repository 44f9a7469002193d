"""The setting of an experiment: a base, problems it can nearly solve, and adapters trained on that base.

Every reproduction stands on one. The actors of the ground ("ground-2m", "ground-5m") come with problems of their own
and a fitness check; "bench" and the models of the catalogue are asked the app's word problems.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from runtime import engines
from runtime.engines.base import Engine
from runtime.files import ROOT, sha256_of, write_whole
from runtime.models import catalogue
from runtime.models.download.files import ModelError
from runtime.problems import wordproblems
from runtime.problems.worked import Worked
from runtime.prompts.actor_turn import ADAPTER as ACTOR
from runtime.settings import Settings
from runtime.types import Problem, content_hash
from trainer.data.rows import Row, ScoredRow, write_rows
from trainer.reproductions.ground import problems as ground_problems
from trainer.reproductions.ground.fitness import FULL, Measured, measure
from trainer.reproductions.ground.ideal import Ideal
from trainer.reproductions.ground.pretraining import PLANS, place_of
from trainer.runs import kept
from trainer.training.ppo_run import PPORun
from trainer.training.recipe import PPORecipe, Recipe, read_recipe, read_recipe_of
from trainer.training.rewards import Judge
from trainer.training.run import Run
from trainer.training.schedule import SCORES, Record, Report
from trainer.weights.base import BENCH, BENCH_FILE
from trainer.weights.export import to_gguf_adapter

SHIPPED = BENCH_FILE.parent
"""Where bases for experiments ship with the project; those that do not are made by `trainer pretrain`."""
ACTORS = {f"ground-{size}": plan for size, plan in PLANS.items()}
RECIPES = ROOT / "trainer" / "recipes"
CONTEXT, PARALLEL = 1024, 32
FITNESS_SEED = 9001
EVERY = 1_000_000
"""More validation rows than there are."""
Adapters = dict[str, Path]


@dataclass(frozen=True)
class Trained:
    """A trained adapter."""

    gguf: Path
    folder: Path
    """In the format of peft, from which another training can start."""
    summary: Mapping[str, Any]
    """Content of its `run.json`."""

    @property
    def tokens(self) -> int:
        """Read in training."""
        return round(self.summary["tokens_per_second"] * self.summary["seconds"])

    @property
    def scores(self) -> dict[int, list[float]]:
        """The scores of the validation attempts by training step."""
        steps = Record(self.folder.parent).read()
        return {step.step: step.outcomes[SCORES] for step in steps if step.outcomes}


@dataclass(frozen=True)
class Setting:
    """A base and its problems."""

    base: str
    """"ground-2m", "ground-5m", "bench", or a model of the catalogue with a recipe for its actor."""
    settings: Settings
    most_steps: int = 3
    """Problems with longer solutions are left out."""

    @property
    def gguf(self) -> Path:
        """Path of the base. Raises ModelError."""
        if self.base == BENCH:
            return BENCH_FILE
        if self.base not in ACTORS:
            return catalogue.resolve(self.settings.with_(model=self.base))
        plan = ACTORS[self.base]
        shipped, made = SHIPPED / f"{self.base}.gguf", place_of(plan, self.settings).gguf
        if not (shipped.exists() or made.exists()):
            raise ModelError(f"{self.base} is not trained yet. Run `trainer pretrain --size {plan.size}` first.")
        return shipped if shipped.exists() else made

    def problems(self, count: int, seed: int, split: ground_problems.Split = "train") -> list[Worked]:
        """Fresh problems; another seed gives other ones."""
        stream = ground_problems.stream if self.base in ACTORS else wordproblems.stream
        return list(islice((one for one in stream(seed, split) if len(one.lines) <= self.most_steps), count))

    def engine(self, adapters: Adapters | None = None, parallel: int = PARALLEL) -> Engine:
        """An engine on the base; the caller closes it. Raises EngineError, ModelError."""
        settings = self.settings.with_(model=str(self.gguf), context=CONTEXT)
        return engines.open_engine(settings, parallel, batches=True, files=adapters or {})

    def fitness(self, actor: Path | None = None) -> Measured | None:
        """The fitness check of the base, or of its actor's adapter. None for a base that is asked other problems, on
        which no oracle is exact. Raises EngineError, ModelError."""
        return fitness_of(self.gguf, self.settings, actor) if self.base in ACTORS else None

    def tuned(self, adapter: str, rows: Iterable[Row]) -> Path:
        """An adapter trained on these rows, as a GGUF file. Raises what training raises."""
        return self.trained(adapter, rows).gguf

    def trained(
        self,
        adapter: str,
        rows: Iterable[Row | ScoredRow],
        dev: Iterable[ScoredRow] = (),
        looks: int = 1,
        **changes: object,
    ) -> Trained:
        """An adapter trained on these rows with the actor's recipe and these changes, and measured on the validation
        rows so many times, the last one at the end. Raises what training raises."""
        return self.run(self.lessons(adapter, rows, dev, **changes), looks)

    def lessons(
        self, adapter: str, rows: Iterable[Row | ScoredRow], dev: Iterable[ScoredRow] = (), **changes: object
    ) -> Recipe:
        """The actor's recipe for these rows, with these changes. Raises RecipeError."""
        learned, apart = list(rows), list(dev)
        recipe = read_recipe(self._recipe("sft/actor-"), self.settings.home, **self._its(adapter), **changes)
        its_own: dict[str, Any] = {"data": (self._written(learned),)}
        its_own |= {"dev": self._written(apart), "dev_rows": len(apart)} if apart else {}
        return recipe.model_copy(update=its_own)

    def preferences(self, adapter: str, pairs: Path, dev: Path | None, **changes: object) -> Recipe:
        """The recipe of preference training for a file of pairs, with these changes; those of another file are judged
        along the training. Raises RecipeError."""
        recipe = read_recipe(self._recipe("preference/"), self.settings.home, **self._its(adapter), **changes)
        return recipe.model_copy(update={"data": (pairs,), "dev": dev, "dev_rows": EVERY})

    def _recipe(self, kind: str) -> Path:
        return RECIPES / f"{kind}{self.base}.yaml"

    def _its(self, adapter: str) -> dict[str, str]:
        return {"base": str(self.gguf), "role": adapter}

    def learned(self, recipe: Recipe) -> int:
        """The number of tokens that are learned or compared in one epoch. Raises what training raises."""
        return Run(recipe, self.settings).training_set.learned

    def run(self, recipe: Recipe, looks: int = 1) -> Trained:
        """The adapter of a recipe, measured on its validation rows so many times. Trained once; an interrupted run
        resumes. Raises what training raises."""
        steps = recipe.epochs * -(-len(Run(recipe, self.settings).training_set.examples) // recipe.batch)
        run = Run(recipe.model_copy(update={"save_every": max(1, -(-steps // looks))}), self.settings)
        return self._exported(run, run.run())

    def _exported(self, run: Run | PPORun, summary: Mapping[str, Any]) -> Trained:
        made = run.folder / f"{run.recipe.role}.gguf"
        if not made.exists():
            to_gguf_adapter(run.adapter, made, self.gguf)
        return Trained(made, run.adapter, summary)

    def reinforced(
        self,
        problems: Sequence[Problem],
        start: Path | None = None,
        exact: Judge | None = None,
        report: Report = lambda progress: None,
        **changes: object,
    ) -> Trained:
        """An actor's adapter trained by PPO on these problems, from that in the folder `start` or from the bare base,
        with the recipe of the base and these changes; `exact` judges steps for step_reward: exact. Trained once; an
        interrupted run resumes. Raises what training raises."""
        rows = [json.dumps({"question": one.text, "answer": one.answer}, ensure_ascii=False) + "\n" for one in problems]
        path = self.settings.home / "ground" / "rows" / f"{content_hash(*rows)}.jsonl"
        write_whole(path, rows)
        recipe = read_recipe_of(PPORecipe, self._recipe("ppo/"), self.settings.home, **self._its(ACTOR), **changes)
        run = PPORun(recipe.model_copy(update={"data": (path,), "init": start}), self.settings, exact)
        return self._exported(run, run.run(report))

    def _written(self, rows: Sequence[Row | ScoredRow]) -> Path:
        """A file of these rows, named by its content."""
        name = content_hash(*(row.model_dump_json() for row in rows))
        path = self.settings.home / "ground" / "rows" / f"{name}.jsonl"
        write_rows(path, rows)
        return path


def fitness_of(
    gguf: Path,
    settings: Settings,
    actor: Path | None = None,
    problems: int = 300,
    samples: int = 8,
    seed: int = FITNESS_SEED,
    temperature: float = 1.0,
) -> Measured:
    """The fitness check of an actor of the ground, or of an adapter of it, on problems of the split "test". It is
    stored and not repeated. Raises EngineError, ModelError."""
    name = content_hash(sha256_of(gguf), *map(str, (actor and sha256_of(actor), problems, samples, seed, temperature)))

    def made() -> Iterator[Measured]:
        chosen = settings.with_(model=str(gguf), context=CONTEXT)
        files = {ACTOR: actor} if actor else {}
        with closing(engines.open_engine(chosen, PARALLEL, batches=True, files=files)) as engine:
            asked = _tested(problems, seed)
            sampling = replace(FULL, temperature=temperature, seed=seed)
            yield measure(engine, asked, samples, ACTOR if actor else None, sampling)

    [found] = kept(settings.home / "ground" / f"fitness-{name}.jsonl", Measured, made)
    return found


def ideal_fitness(problems: int = 300, samples: int = 8, seed: int = FITNESS_SEED) -> Measured:
    """The fitness check of an actor that is exactly the mixture, on the same problems."""
    asked = _tested(problems, seed)
    return measure(Ideal(asked, seed), asked, samples)


def _tested(problems: int, seed: int) -> list[Worked]:
    return list(islice(ground_problems.stream(seed, "test"), problems))
