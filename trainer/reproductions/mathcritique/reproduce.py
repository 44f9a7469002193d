"""Every claim of MathCritique tested anew, from a base to a report.

    python -m trainer reproduce mathcritique --budget small

A critic, an actor, self-talk and self-correction are tuned on fresh problems; both players play others; the actor
improves itself in three arms. What was done is kept, and not done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
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
from trainer.data.rows import Row
from trainer.reproductions.mathcritique import report
from trainer.reproductions.mathcritique.claims import Measured, all_claims
from trainer.reproductions.mathcritique.examples import corrected_over, talked_over
from trainer.reproductions.mathcritique.ground import Ground, Judge
from trainer.reproductions.mathcritique.improve import Arm, Improvement, Plan, Round, first_actor
from trainer.reproductions.mathcritique.judging import Teacher
from trainer.reproductions.mathcritique.testtime import Played, play

PLAY_SEED = 7002
TALK_TOKENS = 384


@dataclass(frozen=True)
class Budget:
    """How much is done."""

    taught: int
    """Problems at which the actor makes attempts that critic and talkers learn from, and as many with errors put in."""
    problems: int
    """That both players play."""
    improvement: Plan
    seeds: int
    """Runs of each arm."""
    K: int = 8
    arms: tuple[Arm, ...] = ("vanilla", "difficulty", "critic")


_PLAN = Plan(samples=3, problems=200, taught=200, patience=3)
BUDGETS = {
    "small": Budget(700, 120, _PLAN, seeds=1),
    "full": Budget(700, 240, _PLAN, seeds=2),
    "players": Budget(250, 120, replace(_PLAN, taught=600), seeds=0, arms=()),
}
"""The full one goes on from what the small one did. Players alone, without rounds, are for bases that learn slowly,
and whose actor has to be taught these problems first."""


def reproduced(ground: Ground, budget: str, out: Path) -> Iterator[str]:
    """Do all of it and write the report; says what is done, and last where the report is."""
    one = Reproduction(ground, BUDGETS[budget])
    yield from one.run()
    claims = all_claims(one.measured)
    facts = {
        "base": ground.base,
        "budget": f"{budget}: {BUDGETS[budget]}",
        "minutes of the last stretch": ", ".join(f"{name} {seconds / 60:.1f}" for name, seconds in one.seconds.items()),
    }
    yield from (f"{claim.id} {claim.verdict}: {claim.says}" for claim in claims)
    yield f"the report is in {report.write(out, f'mathcritique-{ground.base}-{budget}', facts, claims, one.measured)}"


class Reproduction:
    """One base under one budget. Raises what tuning and engines raise."""

    def __init__(self, ground: Ground, budget: Budget) -> None:
        self.ground, self.budget = ground, budget
        self.seconds: dict[str, float] = {}

    def run(self) -> Iterator[str]:
        """Says what is done; `measured` is there at the end."""
        actor = self._timed("the actor", lambda: first_actor(self.ground, self.budget.improvement))
        yield f"the actor is taught: {actor}"
        teacher = Teacher(self.ground, actor)
        judge = self._timed("the critic", lambda: teacher.teach(self.budget.taught))
        yield f"the critic is taught: {judge.adapter}"
        problems = [one.problem for one in self.ground.problems(self.budget.problems, PLAY_SEED)]
        played = self._timed("playing", lambda: self._played(problems, actor, judge))
        yield f"{len(problems)} problems are played"
        attempts = [turn.attempt for turn in played.greedy] + [some[0] for some in played.plain]
        told = self._timed("telling right from wrong", lambda: {
            "base": teacher.discriminate(None, "verdict", attempts),
            "adapter": teacher.discriminate(judge.adapter, "verdict", attempts),
            "joined": teacher.discriminate(judge.adapter, "quick", attempts),
        })  # fmt: skip
        talks = {}
        known = teacher.material(self.budget.taught)
        for name, example in (("self-correction", corrected_over), ("self-talk", talked_over)):
            rows = [row for one in known if (row := example(one))]
            talks[name] = self._timed(name, lambda rows=rows: self._talks(rows, problems))
            yield f"{name}: {sum(talks[name])} of {len(problems)} problems are solved"
        rounds: dict[Arm, list[list[Round]]] = {arm: [] for arm in self.budget.arms}
        for seed in range(self.budget.seeds):
            for arm in self.budget.arms:
                plan = replace(self.budget.improvement, arm=arm, seed=seed)
                improvement = Improvement(plan, self.ground, judge)
                rounds[arm].append(self._timed(arm, lambda one=improvement: list(one.run())))
                solved = [sum(turn.attempt.right for turn in found.test) for found in rounds[arm][-1]]
                yield f"{arm}, seed {seed}: {solved} of {len(improvement.test)} solved, round by round"
        self.measured = Measured(played, told, rounds, talks)

    def _timed(self, name: str, do: Callable):
        started = time.monotonic()
        made = do()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started
        return made

    def _played(self, problems: Sequence[Problem], actor: Path, judge: Judge) -> Played:
        decides = [sha256_of(file) for file in (self.ground.gguf, actor, judge.adapter, judge.weights)]
        name = content_hash(*(problem.id for problem in problems), str(self.budget.K), *decides)
        folder = self.ground.settings.home / "mathcritique" / f"played-{name}"
        return play(partial(self.ground.players, actor, judge), problems, self.budget.K, PLAY_SEED, folder)

    def _talks(self, examples: Sequence[Row], problems: Sequence[Problem]) -> list[bool]:
        """Whether one model that talks to itself solves the problems, greedily."""
        adapter = self.ground.tuned("selftalk", examples)
        with closing(self.ground.engine({"selftalk": adapter})) as engine:
            asked = [conversation(problem, prompt="selftalk") for problem in problems]
            replies = [one for [one] in engine.sample(asked, Sampling(max_tokens=TALK_TOKENS), "selftalk")]
        return [
            one.finish == "stop" and grade(final_answer(one.text), problem) is True
            for problem, one in zip(problems, replies, strict=True)
        ]
