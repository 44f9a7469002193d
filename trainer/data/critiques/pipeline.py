"""From problems to records: make attempts, criticise them, keep critiques that help the actor.

Each problem is processed alone and stored as one line, so a killed run resumes at the next problem without lost or
duplicate records. The finished file has the problems in their order and the same bytes after any interruption.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path as FilePath
from typing import Any, get_args

from runtime.engines.base import ContextOverflow, Engine, Metered, Usage
from runtime.files import write_whole
from runtime.problems import critique_text
from runtime.prompts import templates
from runtime.text import Language
from runtime.types import content_hash
from trainer.data.critiques.annotators import Annotation, Annotator, Job
from trainer.data.critiques.generators import GENERATORS, Actor, Generator, from_scratch, inserted, location_aware
from trainer.data.critiques.guards import leaks, parrots
from trainer.data.critiques.records import (
    SCHEMA,
    CritiqueRecord,
    Origins,
    Path,
    Record,
    RecordProblem,
    RoleCost,
    from_json,
    to_json,
)
from trainer.data.critiques.refinement import Refined, refine
from trainer.data.critiques.rules import known_by_rule
from trainer.data.critiques.structure import gold, injected
from trainer.data.critiques.tasks import GeneratedAttempt, Task, answer_type, cost, prompt_of
from trainer.runs import ResultFile

PROMPTS = ("system", "actor", "annotate", "insert", "revise")
"""Every prompt that influences a record."""


@dataclass(frozen=True)
class Recipe:
    """The options of a run."""

    generators: tuple[Generator, ...] = GENERATORS
    seed: int = 0
    samples: int = 10
    """Attempts per problem that RG1 samples."""
    temperature: float = 1.0
    wrong: int = 2
    """Most wrong attempts per generator and problem; as many right ones are added."""
    stop_at_first: bool = False
    """Whether a critique ends at the first wrong step; otherwise every step is judged."""
    refinements: int = 10
    """K; 0 turns the filter off."""
    keep: int = 3
    """k: the number of refinements of a wrong attempt that must be right."""
    max_tokens: int = 512
    unfiltered: bool = False
    """Whether attempts are sampled without top_k, top_p and min_p."""


class Critiques:
    """One run over a list of tasks. Without an `actor` only what needs no model is made."""

    def __init__(
        self,
        tasks: Sequence[Task],
        annotator: Annotator[Job],
        recipe: Recipe,
        home: FilePath,
        actor: Engine | None = None,
        writer: Engine | None = None,
    ) -> None:
        self.tasks = list({task.problem.id: task for task in reversed(tasks)}.values())[::-1]
        self.annotator, self.recipe = annotator, recipe
        self.engine, self.writer = actor, writer or actor
        worked = [task.worked.model_dump_json() if task.worked else "" for task in self.tasks]
        texts = [part for task in self.tasks for part in (task.problem.text, task.problem.answer or "", *task.gold)]
        config = {
            "schema": SCHEMA,
            "tasks": content_hash(*texts, *worked),
            "actor": actor and actor.model,
            "writer": self.writer and self.writer.model,
            "annotator": annotator.name,
            "hinted": annotator.hinted,
            "scaffold": annotator.scaffold,
            "prompts": [templates.version(name, language) for name in PROMPTS for language in get_args(Language)],
            **asdict(recipe),
        }
        self.results = ResultFile(home / "critiques", "critiques", config)

    def run(self) -> Iterator[str]:
        """Process the missing problems in order; yields each one's id. Raises EngineError."""
        for task in self.tasks:
            if task.problem.id not in self.results.rows:
                self.results.add({"key": task.problem.id, **self._work(task)})
            yield task.problem.id

    def records(self) -> Iterator[Record]:
        """The records so far, in the order of the problems."""
        for line in self._lines():
            yield from_json(line)

    def save(self, out: FilePath) -> None:
        """Write the finished file atomically."""
        write_whole(out, (line + "\n" for line in self._lines()))

    def summary(self) -> dict[str, Any]:
        """Counts of problems and failures, and the actor's cost including discarded replies."""
        rows = [self.results.rows[task.problem.id] for task in self.tasks if task.problem.id in self.results.rows]
        done = [row for row in rows if "error" not in row]
        return {
            "problems": len(self.tasks),
            "done": len(done),
            "records": sum(len(row["records"]) for row in done),
            **{name: sum(row.get(name, 0) for row in rows) for name in ("calls", "prompt_tokens", "completion_tokens")},
            "failed": [{"problem": row["key"], "error": row["error"]} for row in rows if "error" in row],
            "results": str(self.results.path),
        }

    def _lines(self) -> Iterator[str]:
        for task in self.tasks:
            yield from self.results.rows.get(task.problem.id, {}).get("records", ())

    def _work(self, task: Task) -> dict[str, Any]:
        engine = Metered(self.engine) if self.engine else None
        recipe = self.recipe
        writer = engine if self.writer is self.engine else self.writer  # so that its tokens are counted too
        asked = (recipe.seed, recipe.samples, recipe.temperature, recipe.max_tokens, recipe.unfiltered)
        actor = Actor(engine, *asked) if engine else None
        try:
            generated = self._generate(task, actor, writer)
            made = [known_by_rule(each, task, recipe.seed, generated) for each in mixed(generated, recipe.wrong)]
            annotations = self.annotator.annotate([Job(task, m, recipe.stop_at_first) for m in made], recipe.seed)
            pairs = zip(made, annotations, strict=True)
            lines = [to_json(self._record(task, actor, each, annotation)) for each, annotation in pairs]
        except ContextOverflow as error:
            return {"error": str(error), **_spent(engine)}
        return {"records": lines, **_spent(engine)}

    def _generate(self, task: Task, actor: Actor | None, writer: Engine | None) -> list[GeneratedAttempt]:
        """The attempts of the chosen generators at a problem, in the order rg1, rg2, rg3, gold."""
        chosen, worked = self.recipe.generators, task.worked
        reference = [gold(task, self.recipe.seed)] if task.gold else []
        needs_template = "rg2" in chosen or ("rg3" in chosen and worked is None)
        made: list[GeneratedAttempt] = []
        if actor and ("rg1" in chosen or (needs_template and not reference)):
            made += from_scratch(actor, task)
        right = [*reference, *(each for each in made if each.path.correct)]
        if "rg1" not in chosen:
            made = [each for each in made if each.path.correct]
        if actor and right and "rg2" in chosen:
            made += location_aware(actor, task, right[0].path)
        if "rg3" in chosen and worked:
            made += injected(task, worked, self.recipe.seed)
        elif actor and writer and right and "rg3" in chosen:
            made += inserted(actor, task, right[0].path, writer)
        return [*made, *reference]

    def _record(self, task: Task, actor: Actor | None, made: GeneratedAttempt, annotation: Annotation | None) -> Record:
        critique = self._critique(task, made, annotation) if annotation else None
        refined: Refined | None = None
        # Unusable critiques do not justify the cost of refinements.
        if actor and critique and critique.usable and self.recipe.refinements:
            recipe = self.recipe
            refined = refine(actor, task, made.path, critique.id, critique.text, recipe.refinements, recipe.keep)
            critique = critique.model_copy(update={"filter": refined.filter})
        return Record(
            problem=_problem(task),
            prompt=prompt_of("actor", task.language) if made.path.gen else None,
            traj=made.path,
            first_error=made.known.first_error,
            critiques=(critique,) if critique else (),
            refines=refined.examples if refined and critique and critique.usable else (),
            cost=_costs(made, annotation, refined),
            prov=Origins(seed=self.recipe.seed, licence=task.problem.licence),
        )

    def _critique(self, task: Task, made: GeneratedAttempt, annotation: Annotation) -> CritiqueRecord:
        path, recipe = made.path, self.recipe
        reading = critique_text.parse(annotation.text, path.lines, path.final, recipe.stop_at_first)
        prompt = self.annotator.prompt
        return CritiqueRecord(
            id=content_hash(path.id, self.annotator.name, annotation.text),
            by=self.annotator.name,
            hints=annotation.hints,
            prompt=prompt_of(prompt, task.language, system=False) if prompt else None,
            text=annotation.text,
            verdicts=reading.verdicts,
            explains=reading.explains,
            final=reading.final,
            parse_ok=reading.ok,
            agrees=agrees(reading, made),
            leak=_leaks(task, path, reading, made),
            parrot=bool(prompt) and parrots(reading.explanations, templates.template(prompt, task.language)),
            stop_at_first=recipe.stop_at_first,
        )


def _spent(engine: Metered | None) -> dict[str, int]:
    return asdict(engine.usage if engine else Usage())


def mixed(made: Sequence[GeneratedAttempt], most: int) -> list[GeneratedAttempt]:
    """At most `most` wrong attempts of each origin, and as many right ones. An error inserted into the reference
    solution brings that solution, so that style does not reveal the label."""
    wrong = [each for each in made if each.path.correct is False]
    kept = [each for i, each in enumerate(wrong) if sum(w.path.origin == each.path.origin for w in wrong[:i]) < most]
    by_rule = any(each.path.inject and each.path.inject.by == "structure" for each in kept)
    right = [each for each in made if each.path.correct]
    right.sort(key=lambda each: (each.path.origin == "gold") != by_rule)
    alike: dict[str, GeneratedAttempt] = {}
    for each in right:
        alike.setdefault(each.path.text, each)
    return [*kept, *list(alike.values())[: len(kept)]]


def agrees(reading: critique_text.Reading, made: GeneratedAttempt) -> bool:
    """Whether a critique agrees with the known labels of the answer, the steps and the first error."""
    path, known, found = made.path, made.known, reading.first_error
    if reading.final is not path.correct:
        return False
    if known.labels is not None:
        return all(verdict in (None, truth) for verdict, truth in zip(reading.verdicts, known.labels, strict=True))
    if path.correct:
        return found is None
    if found is None or known.first_error is None or known.first_error.i is None:
        return found is not None
    place = known.first_error.i - 1
    return found >= place if known.first_error.by == "rg2" else found == place


def _leaks(task: Task, path: Path, reading: critique_text.Reading, made: GeneratedAttempt) -> bool:
    first = made.known.first_error
    exact = first.i - 1 if first and first.i and first.by != "rg2" else reading.first_error
    steps = path.lines if exact is None else path.lines[: exact + 1]
    return leaks(reading.explanations, task.problem.answer or "", task.problem.text, steps, path.final)


def _problem(task: Task) -> RecordProblem:
    problem = task.problem
    answer = problem.answer or ""
    return RecordProblem(
        id=problem.id,
        text=problem.text,
        dataset=problem.source,
        split=problem.split,
        answer=answer,
        solution="\n".join(task.gold) or None,
        answer_type=answer_type(answer),
    )


def _costs(made: GeneratedAttempt, annotation: Annotation | None, refined: Refined | None) -> tuple[RoleCost, ...]:
    drawn = [*made.replies, *(refined.replies if refined else ())]
    costs = (cost("actor", drawn), cost("annotator", annotation.replies if annotation else ()))
    return tuple(each for each in costs if each.calls)
