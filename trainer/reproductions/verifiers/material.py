"""What verifiers learn from: attempts of an actor at fresh problems, with labels of all steps by rollouts.

Attempts and rollouts are sampled from the full distribution. What is learned holds no truth but the answer: labels are
those of rollouts. The exact first errors, which the ground knows, serve only to measure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from runtime.engines.base import Metered, Usage
from runtime.problems.formats import attempts as own
from runtime.problems.labelled import LabelledTrajectory, LabelProvenance, labelled
from runtime.problems.worked import Worked
from runtime.settings import Settings
from trainer.data.completer import Completer
from trainer.data.critiques.tasks import seed_of
from trainer.data.rollouts import Rollouts
from trainer.data.step_labels import Labelling, fault_of, key_of
from trainer.reproductions.ground.diagnosis import diagnose
from trainer.reproductions.ground.fitness import FULL
from trainer.reproductions.ground.problems import Split
from trainer.reproductions.ground.setting import CONTEXT, Setting


@dataclass(frozen=True)
class Tried:
    """Distinct attempts at one problem."""

    worked: Worked
    attempts: tuple[LabelledTrajectory, ...]


def fresh(setting: Setting, count: int, seed: int, name: str, split: Split = "train") -> list[Worked]:
    """Distinct problems that only this seed and name give."""
    found = setting.problems(count, seed_of(seed, "problems", name), split)
    return list({worked.problem.id: worked for worked in found}.values())


def tried(setting: Setting, problems: Sequence[Worked], tries: int, seed: int, usage: Usage) -> list[Tried]:
    """So many attempts of the bare base at each problem, each kept once; unfinished ones are left out. Resumable.
    Raises EngineError."""
    with closing(setting.engine()) as engine:
        sampling = replace(FULL, seed=seed_of(seed, "attempts"))
        metered = Metered(engine, usage)
        rollouts = Rollouts([worked.problem for worked in problems], metered, setting.settings, sampling, tries)
        finished(rollouts.run())
        by_problem: dict[str, dict[str, LabelledTrajectory]] = {}
        problem_of = {worked.problem.text: worked.problem for worked in problems}
        for row in rollouts.rows():
            attempt = labelled(
                problem_of[row["question"]], row["steps"], answer=row["attempt_answer"], correct=row["correct"],
                provenance=LabelProvenance(generator=engine.model),
            )  # fmt: skip
            if fault_of(attempt) is None:
                by_problem.setdefault(row["question"], {}).setdefault(key_of(attempt), attempt)
    return [Tried(worked, tuple(by_problem.get(worked.problem.text, {}).values())) for worked in problems]


def with_rollouts(setting: Setting, found: Sequence[Tried], n: int, seed: int, usage: Usage) -> list[Tried]:
    """The attempts with k of n for every step, by completions of the bare base. Resumable. Raises EngineError."""
    with closing(setting.engine()) as engine:
        completer = completer_of(setting, Metered(engine, usage), n, seed)
        labelling = Labelling([attempt for one in found for attempt in one.attempts], completer)
        finished(labelling.run())
        known: dict[str, list[LabelledTrajectory]] = {}
        for row in labelling.rows():
            [attempt] = own.read(row)
            known.setdefault(attempt.problem.text, []).append(attempt)
    return [Tried(one.worked, tuple(known.get(one.worked.problem.text, ()))) for one in found]


def completer_of(
    setting: Setting, engine: Metered, n: int, seed: int, adapters: dict[str, str] | None = None
) -> Completer:
    """`adapters`: hashes of the engine's adapters by role."""
    sampling = replace(FULL, seed=seed_of(seed, "rollouts"))
    return Completer(engine, as_asked(setting), sampling, n, adapters=adapters)


def as_asked(setting: Setting) -> Settings:
    """The settings of the engine's questions."""
    return setting.settings.with_(context=CONTEXT, max_tokens=FULL.max_tokens)


def with_truth(worked: Worked, attempt: LabelledTrajectory) -> LabelledTrajectory:
    """The attempt with its exact first error instead of other labels."""
    found = diagnose(worked, attempt.steps)
    return attempt.model_copy(update={"labels": (), "first_error_index": found.place if found else None})


def finished(work: Iterator[object]) -> None:
    """Do it all."""
    for _ in work:
        pass
