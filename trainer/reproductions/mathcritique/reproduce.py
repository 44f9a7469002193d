"""Tests of every claim of MathCritique, from a base to a report.

    python -m trainer reproduce mathcritique --budget small

A critic, an actor, self-talk and self-correction are trained on fresh problems; actor and critic solve other problems;
the actor improves itself in three arms. Finished parts are stored and not repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from runtime.checks.grading import grade
from runtime.checks.stated import final_answer
from runtime.engines.base import Sampling
from runtime.files import sha256_of
from runtime.prompts.actor_turn import conversation
from runtime.types import Problem, content_hash
from trainer.data.critiques.tasks import seed_of
from trainer.data.rows import Row
from trainer.reproductions.ground.fitness import table
from trainer.reproductions.mathcritique import report
from trainer.reproductions.mathcritique.claims import Measured, all_claims
from trainer.reproductions.mathcritique.examples import corrected_over, talked_over
from trainer.reproductions.mathcritique.ground import Ground, Judge
from trainer.reproductions.mathcritique.improve import Arm, Improvement, Plan, Round, first_actor
from trainer.reproductions.mathcritique.judging import Teacher
from trainer.reproductions.mathcritique.testtime import Played, play

PLAY_SEED = 7002
TALK_TOKENS = 384
Rounds = dict[Arm, list[list[Round]]]


@dataclass(frozen=True)
class Budget:
    """The amount of work."""

    taught: int
    """Problems whose attempts by the actor train the critic and self-talk; as many others get an inserted error."""
    problems: int
    """Problems that actor and critic are tested on."""
    improvement: Plan
    seeds: int
    """Runs of each arm."""
    K: int = 8
    arms: tuple[Arm, ...] = ("vanilla", "difficulty", "critic")
    sizes: tuple[int, ...] = ()
    """Other numbers N of samples of each problem, with which the first two arms run as well."""


_PLAN = Plan(samples=3, problems=200, taught=200, patience=3)
BUDGETS = {
    "small": Budget(700, 120, _PLAN, seeds=1),
    "full": Budget(700, 240, _PLAN, seeds=2, sizes=(1, 5, 10)),
    "players": Budget(250, 120, replace(_PLAN, taught=600), seeds=0, arms=()),
}
"""`full` continues from the results of `small`. `players` has no rounds; it is for bases that learn slowly, whose actor
must be trained on such problems first."""


def reproduced(ground: Ground, budget: str, out: Path, seed: int = 0) -> Iterator[str]:
    """Run everything and write the report; yields progress messages, the last of which names the report."""
    yield f"seed {seed}"
    one = Reproduction(ground, BUDGETS[budget], seed)
    yield from one.run()
    claims = all_claims(one.measured)
    facts = {
        "base": ground.base,
        "budget": f"{budget}: {BUDGETS[budget]}",
        "seed": f"{seed} (problems and samples are its own)",
        "minutes since the last start": ", ".join(
            f"{name} {seconds / 60:.1f}" for name, seconds in one.seconds.items()
        ),
    }
    yield from (f"{claim.id} {claim.verdict}: {claim.statement}" for claim in claims)
    yield f"wrote the report: {report.write(out, f'mathcritique-{ground.base}-{budget}', facts, claims, one.measured)}"


class Reproduction:
    """One base with one budget. Raises what training and engines raise."""

    def __init__(self, ground: Ground, budget: Budget, seed: int = 0) -> None:
        """`seed` decides on all problems and samples."""
        self.ground, self.budget, self.seed = ground, budget, seed
        self.seconds: dict[str, float] = {}

    def run(self) -> Iterator[str]:
        """Yields progress messages; sets `measured` at the end."""
        actor = self._timed("actor", lambda: first_actor(self.ground, self._plan(0)))
        yield f"trained the actor: {actor}"
        fitness = self._timed("fitness of the ground", lambda: self.ground.fitness(actor))
        if fitness:
            yield from table(fitness)
        teacher = Teacher(self.ground, actor, self.seed)
        judge = self._timed("critic", lambda: teacher.teach(self.budget.taught))
        yield f"trained the critic: {judge.adapter}"
        problems = [one.problem for one in self.ground.problems(self.budget.problems, seed_of(self.seed, "tested"))]
        played = self._timed("test-time turns", lambda: self._played(problems, actor, judge))
        yield f"sampled actor and critic at {len(problems)} problems"
        attempts = [turn.attempt for turn in played.greedy] + [some[0] for some in played.plain]
        discrimination = self._timed("discrimination", lambda: {
            "base": teacher.discriminate(None, "verdict", attempts),
            "adapter": teacher.discriminate(judge.adapter, "verdict", attempts),
            "joined": teacher.discriminate(judge.adapter, "quick", attempts),
        })  # fmt: skip
        talks = {}
        known = teacher.material(self.budget.taught)
        for name, example in (("self-correction", corrected_over), ("self-talk", talked_over)):
            rows = [row for one in known if (row := example(one))]
            talks[name] = self._timed(name, lambda rows=rows: self._talks(rows, problems))
            yield f"{name}: {sum(talks[name])} of {len(problems)} problems solved"
        plan, arms = self.budget.improvement, self.budget.arms
        rounds = yield from self._improved(judge, plan.samples, arms)
        sizes = {plan.samples: rounds}
        for n in self.budget.sizes:
            sizes[n] = yield from self._improved(judge, n, arms[:2])
        sizes = dict(sorted(sizes.items()))
        self.measured = Measured(played, discrimination, rounds, sizes, talks, fitness.criteria if fitness else ())

    def _improved(self, judge: Judge, n: int, arms: Sequence[Arm]) -> Generator[str, None, Rounds]:
        """Run these arms with `n` samples of each problem; yields progress messages."""
        rounds: Rounds = {arm: [] for arm in arms}
        for number in range(self.budget.seeds):
            for arm in arms:
                improvement = Improvement(replace(self._plan(number), arm=arm, samples=n), self.ground, judge)
                rounds[arm].append(self._timed(arm, lambda one=improvement: list(one.run())))
                solved = [sum(found.solved) for found in rounds[arm][-1]]
                yield f"{arm}, N = {n}, seed {number}: solved by round {solved} of {len(improvement.test)}"
        return rounds

    def _plan(self, number: int) -> Plan:
        """Of one of the runs of each arm, which are independent of each other and tested on the same problems."""
        seed = seed_of(self.seed, "improvement", str(number))
        return replace(self.budget.improvement, seed=seed, report=self.seed)

    def _timed(self, name: str, do: Callable):
        started = time.monotonic()
        made = do()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started
        return made

    def _played(self, problems: Sequence[Problem], actor: Path, judge: Judge) -> Played:
        decides = [sha256_of(file) for file in (self.ground.gguf, actor, judge.adapter, judge.weights)]
        name = content_hash(*(problem.id for problem in problems), str(self.budget.K), str(self.seed), *decides)
        folder = self.ground.settings.home / "mathcritique" / f"played-{name}"
        return play(partial(self.ground.players, actor, judge), problems, self.budget.K, self.seed, folder)

    def _talks(self, examples: Sequence[Row], problems: Sequence[Problem]) -> list[bool]:
        """Whether one model with self-talk solves each problem, greedily."""
        adapter = self.ground.tuned("selftalk", examples)
        with closing(self.ground.engine({"selftalk": adapter})) as engine:
            asked = [conversation(problem, prompt="selftalk") for problem in problems]
            replies = [one for [one] in engine.sample(asked, Sampling(max_tokens=TALK_TOKENS), "selftalk")]
        return [
            one.finish == "stop" and grade(final_answer(one.text), problem) is True
            for problem, one in zip(problems, replies, strict=True)
        ]
