"""The setting of an experiment: a base, problems it can nearly solve, and adapters trained on that base."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from runtime import engines
from runtime.critic.aggregation import read_weights
from runtime.critic.evidence.verdict import ADAPTER as CRITIC
from runtime.engines.base import Engine
from runtime.files import ROOT
from runtime.models import catalogue
from runtime.problems import wordproblems
from runtime.problems.worked import Worked
from runtime.prompts.actor_turn import ADAPTER as ACTOR
from runtime.settings import Settings
from runtime.types import content_hash
from trainer.data.rows import Row, write_rows
from trainer.reproductions.mathcritique.play import Players
from trainer.training.recipe import read_recipe
from trainer.training.run import Run
from trainer.weights.export import to_gguf_adapter

BENCH = "bench"
BENCH_FILE = ROOT / "data" / "models" / "bench" / "bench.gguf"
"""The bench model that ships with the project (`trainer pretrain` makes another)."""
RECIPES = ROOT / "trainer" / "recipes" / "sft"
CONTEXT, PARALLEL = 1024, 32
Adapters = dict[str, Path]


@dataclass(frozen=True)
class Judge:
    """A critic's adapter, and the file of the rules fitted with it."""

    adapter: Path
    weights: Path


@dataclass(frozen=True)
class Ground:
    """A base and its problems."""

    base: str
    """"bench", or a model of the catalogue with a recipe for its actor."""
    settings: Settings
    most_steps: int = 3
    """Problems with longer solutions are left out."""

    @property
    def gguf(self) -> Path:
        """Path of the base. Raises ModelError."""
        return BENCH_FILE if self.base == BENCH else catalogue.resolve(self.settings.with_(model=self.base))

    def problems(self, count: int, seed: int, split: wordproblems.Split = "train") -> list[Worked]:
        """Fresh problems; another seed gives other ones."""
        short = (one for one in wordproblems.stream(seed, split) if len(one.lines) <= self.most_steps)
        return list(islice(short, count))

    def engine(self, adapters: Adapters | None = None, parallel: int = PARALLEL) -> Engine:
        """An engine on the base; the caller closes it. Raises EngineError, ModelError."""
        settings = self.settings.with_(model=str(self.gguf), context=CONTEXT)
        return engines.open_engine(settings, parallel, batches=True, files=adapters or {})

    @contextmanager
    def players(self, actor: Path | None, judge: Judge | None = None) -> Generator[Players]:
        """Actor and critic, or the actor alone; without `actor` the bare base is the actor."""
        adapters = ({CRITIC: judge.adapter} if judge else {}) | ({ACTOR: actor} if actor else {})
        with closing(self.engine(adapters)) as engine:
            yield Players(engine, read_weights(judge.weights) if judge else {})

    def tuned(self, adapter: str, rows: Iterable[Row]) -> Path:
        """An adapter trained on these rows, as a GGUF file. Trained once; an interrupted run resumes. Raises what
        training raises."""
        lines = list(rows)
        name = content_hash(*(row.model_dump_json() for row in lines))
        path = RECIPES / f"actor-{self.base}.yaml"
        data = self.settings.home / "mathcritique" / "rows" / name
        recipe = read_recipe(path, data, base=str(self.gguf), role=adapter)
        write_rows(recipe.data[0], lines)
        run = Run(recipe, self.settings)
        made = run.folder / f"{adapter}.gguf"
        run.run()
        if not made.exists():
            to_gguf_adapter(run.adapter, made, self.gguf)
        return made
