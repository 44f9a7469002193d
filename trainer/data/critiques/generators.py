"""RG1, RG2 and RG3: three ways to make a flawed attempt. For RG1 only the answer is known to be wrong, for RG3 the
wrong step and its error.

Each generator takes a task and returns its attempts, including right ones made on the way. Truncated replies are
dropped, because their answer is unknown.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from runtime.engines.base import Engine, Sampling
from runtime.prompts import templates
from runtime.prompts.actor_turn import continuing, conversation
from runtime.text import numbered, split_steps
from trainer.data.critiques.guards import announces_error
from trainer.data.critiques.records import ErrorKind, FirstError, Inject, Kept, Path
from trainer.data.critiques.tasks import GeneratedAttempt, KnownLabels, Task, attempt, draw, generation, seed_of

Generator = Literal["rg1", "rg2", "rg3"]
GENERATORS: tuple[Generator, ...] = get_args(Generator)
WARMER = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
INSERTED: tuple[ErrorKind, ...] = ("calculation", "logical", "misread", "formula", "missing", "unit_sign")
"""Types requested from a model; accumulation is left out, as it cannot be a first error."""
TRIES = 3
"""Wrong steps sampled from a model at once, and continuations sampled from the first usable one."""
FINISHING = 0.7
"""Sampling temperature of continuations after a wrong step."""


@dataclass(frozen=True)
class Actor:
    """The model that samples attempts, and its sampling parameters."""

    engine: Engine
    seed: int
    samples: int = 10
    """RG1: attempts per problem."""
    temperature: float = 1.0
    """RG1: sampling temperature."""
    max_tokens: int = 512
    unfiltered: bool = False
    """Whether it samples without top_k, top_p and min_p."""

    def sampling(self, temperature: float, task: Task, *purpose: str) -> Sampling:
        seed = seed_of(self.seed, task.problem.id, *purpose)
        sampling = Sampling(temperature=temperature, max_tokens=self.max_tokens, seed=seed)
        return sampling.unfiltered() if self.unfiltered else sampling

    def dice(self, task: Task, *purpose: str) -> random.Random:
        return random.Random(seed_of(self.seed, task.problem.id, *purpose))


def from_scratch(actor: Actor, task: Task) -> list[GeneratedAttempt]:
    """RG1: distinct samples, wrong ones (`rg1`) and right ones (`sample`)."""
    sampling = actor.sampling(actor.temperature, task, "rg1")
    replies = draw(actor.engine, conversation(task.problem), sampling, actor.samples)
    made = [
        attempt(task, reply, "rg1", generation(actor.engine, sampling, reply, index))
        for index, reply in enumerate(replies)
    ]
    return _distinct(renamed(each) for each in made)


def renamed(made: GeneratedAttempt) -> GeneratedAttempt:
    """Label a right attempt as a plain sample."""
    sample = made.path.model_copy(update={"origin": "sample"})
    return replace(made, path=sample) if made.path.correct else made


def location_aware(actor: Actor, task: Task, template: Path) -> list[GeneratedAttempt]:
    """RG2: keep the first k steps of a right path and continue at rising temperatures until the answer is wrong. Right
    attempts on the way are returned too, as they share the prefix."""
    dice = actor.dice(task, "rg2")
    if len(template.steps) < 2:
        return []
    kept = dice.randint(1, len(template.steps) - 1)
    prefix, found = template.lines[:kept], []
    for tried, temperature in enumerate(WARMER, 1):
        sampling = actor.sampling(temperature, task, "rg2", str(temperature))
        [reply] = draw(actor.engine, continuing(task.problem, prefix), sampling)
        gen = generation(actor.engine, sampling, reply).model_copy(update={"T_schedule": WARMER[:tried]})
        known = KnownLabels(first_error=FirstError(i=kept + 1, by="rg2"))
        made = attempt(task, reply, "rg2", gen, prefix, Kept(id=template.id, kept=kept), known=known, hint=kept + 1)
        if made.path.correct:
            plain = made.path.model_copy(update={"location_hint": None})
            found.append(renamed(replace(made, path=plain, known=KnownLabels())))
        elif _is_wrong(made) and len(made.path.steps) > kept:
            return _distinct([*found, made])
    return _distinct(found)


def inserted(actor: Actor, task: Task, template: Path, writer: Engine) -> list[GeneratedAttempt]:
    """RG3 by a model: it rewrites one step of a right path with an error of a chosen type, and the actor continues from
    it. Returns nothing if no rewrite passes the checks or the actor always recovers."""
    dice = actor.dice(task, "rg3")
    kind, place = dice.choice(INSERTED), dice.randrange(len(template.steps))
    prefix = template.lines[:place]
    for wrong in _wrong_versions(actor, task, template.lines, place, kind, writer):
        sampling = actor.sampling(FINISHING, task, "rg3", wrong)
        for index, reply in enumerate(draw(actor.engine, continuing(task.problem, [*prefix, wrong]), sampling, TRIES)):
            made = attempt(
                task,
                reply,
                "rg3",
                generation(actor.engine, sampling, reply, index),
                [*prefix, wrong],
                Kept(id=template.id, kept=place),
                Inject(step=place + 1, type=kind, by=writer.model),
                KnownLabels(FirstError(i=place + 1, by="inject"), kind=kind, by="inject"),
            )
            if _is_wrong(made):
                return [made]
    return []


def _wrong_versions(
    actor: Actor, task: Task, steps: Sequence[str], place: int, kind: ErrorKind, writer: Engine
) -> list[str]:
    language = task.language
    request = templates.fill(
        "insert",
        language,
        problem=task.problem.text,
        steps=numbered(steps[:place], language) or "-",
        step=steps[place],
        kind=kind,
    )
    sampling = actor.sampling(FINISHING, task, "insert")
    replies = draw(writer, [{"role": "user", "content": request}], sampling, TRIES)
    versions = [split_steps(reply.text) for reply in replies if reply.finish == "stop"]
    alone = dict.fromkeys(lines[0] for lines in versions if len(lines) == 1)
    return [line for line in alone if _plain(line) != _plain(steps[place]) and not announces_error(line)]


def _is_wrong(made: GeneratedAttempt) -> bool:
    return made.path.correct is False and bool(made.path.steps)


def _distinct(made: Iterable[GeneratedAttempt]) -> list[GeneratedAttempt]:
    """Attempts that can be judged, each text once."""
    found: dict[tuple[str, str | None], GeneratedAttempt] = {}
    for each in made:
        if each.path.correct is not None and each.path.steps:
            found.setdefault((each.path.text, each.path.final), each)
    return list(found.values())


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()
