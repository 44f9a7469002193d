"""Self-improvement in rounds: the actor learns from its own right attempts and, with the critic in the loop, from
refinements of its wrong ones (MathCritique, arXiv 2411.16579).

    python -m trainer improve --arm difficulty --rounds 3 --samples 4

Every round starts from the base and trains on the original data plus what the actor of the round before sampled. Three
arms: vanilla (right attempts only), critic (every attempt is criticised and refined), difficulty (only failures are, so
that hard problems get the extra turns). A killed run resumes at its stage and ends with the same result up to rounding.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, get_args

from runtime.files import sha256_of, write_whole
from runtime.problems.worked import Worked
from runtime.prompts.actor_turn import ADAPTER as ACTOR
from runtime.text import join_steps
from runtime.types import Problem, Value, content_hash
from trainer.data.critiques.guards import is_shortcut
from trainer.data.critiques.tasks import seed_of
from trainer.data.rows import Row
from trainer.reproductions.mathcritique.examples import accepted, direct, reasoned, rewritten
from trainer.reproductions.mathcritique.ground import Ground, Judge
from trainer.reproductions.mathcritique.play import Attempt, Reading, Spent, sampled
from trainer.reproductions.mathcritique.testtime import Turn, turns

Arm = Literal["vanilla", "critic", "difficulty"]
ARMS: tuple[Arm, ...] = get_args(Arm)
CRITICISED = {"vanilla": lambda one: False, "critic": lambda one: True, "difficulty": lambda one: not one.correct}
"""Whether an arm criticises an attempt."""
BINS = 5
GAUGE = 8
"""Attempts of the first actor at each problem, which measure its difficulty."""


@dataclass(frozen=True)
class Plan:
    """Everything that determines a run besides the base and the critic."""

    arm: Arm = "difficulty"
    rounds: int = 3
    samples: int = 4
    """N: attempts at each problem, and refinements after each critique."""
    problems: int = 300
    """Number of problems to improve on."""
    taught: int = 300
    """Number of problems of the original data: a solution of each, and a rewrite after a critique, of every fourth one
    after a critique that accepts."""
    test: int = 200
    reserved: int = 1
    """Right refinements kept per critique."""
    original: bool = True
    """Train on the original data in every round."""
    previous: bool = False
    """Train on the samples of earlier rounds too."""
    patience: int = 2
    """Stop after this many rounds in a row without a gain on the validation problems."""
    seed: int = 0
    report: int = 0
    """Seed of the tested problems, which all arms and seeds of a report share and no other report has."""


class Round(Value):
    """The data of a round and the quality of its actor. Round 0 is the first actor."""

    number: int
    rows: int = 0
    """Size of the round's data D_t."""
    refined: int = 0
    """Refinements among them."""
    shares: tuple[float, ...] = ()
    """Shares of D_t by difficulty, easiest first."""
    cost: Spent = Spent()
    """Cost of sampling."""
    watched: float = 0.0
    """Share of validation problems solved."""
    test: tuple[Turn, ...] = ()
    """Greedy turns on the test problems, with a critic at test time."""

    @property
    def summary(self) -> str:
        """Summary in one line."""
        alone, helped = (sum(right) for right in (self.solved, self.solved_with_critic))
        shares = " ".join(f"{share:.0%}" for share in self.shares) or "-"
        return (
            f"round {self.number}: {alone} of {len(self.test)} solved, {helped} with the critic; "
            f"trained on {self.rows} rows ({self.refined} refined; by difficulty {shares})"
        )

    @property
    def solved(self) -> list[bool]:
        """Whether each test problem is solved without the critic."""
        return [turn.attempt.correct for turn in self.test]

    @property
    def solved_with_critic(self) -> list[bool]:
        return [turn.taken().correct for turn in self.test]


def first_actor(ground: Ground, plan: Plan) -> Path:
    """The adapter trained on the original data alone: round 0 of every arm. Raises what training raises."""
    return ground.tuned(ACTOR, _shuffled(_original(ground, plan), plan, 0))


def _original(ground: Ground, plan: Plan) -> list[Row]:
    taught = ground.problems(plan.taught, seed_of(plan.seed, "original"))
    rewrites = (accepted(one) if place % 4 == 3 else rewritten(one, plan.seed) for place, one in enumerate(taught))
    return [*map(reasoned, taught), *(row for row in rewrites if row)]


def _shuffled(rows: Sequence[Row], plan: Plan, number: int) -> list[Row]:
    """Rows in the order of a round."""
    mixed = list(rows)
    random.Random(f"{plan.seed} {number}").shuffle(mixed)
    return mixed


class Improvement:
    """One arm. The critic stays the same in all rounds."""

    def __init__(self, plan: Plan, ground: Ground, judge: Judge) -> None:
        self.plan, self.ground, self.judge = plan, ground, judge
        decides = [sha256_of(file) for file in (ground.gguf, judge.adapter, judge.weights)]
        shared = json.dumps({**asdict(plan), "arm": None}, sort_keys=True)
        name = content_hash(shared, str(ground.most_steps), *decides)
        self.folder = ground.settings.home / "improve" / f"{plan.arm}-{name}"
        self.beginning = ground.settings.home / "improve" / f"beginning-{name}"
        """Folder shared by all arms: the first actor's measurements and samples."""

    def run(self) -> Iterator[Round]:
        """Yields each round once it is measured. Raises what training and engines raise."""
        actor = self.first_actor
        done = [self._measured(Round(number=0), actor)]
        yield done[-1]
        learned: list[Row] = []
        for number in range(1, self.plan.rounds + 1):
            rollouts, found = self._rollouts(number, actor)
            learned = [*learned, *rollouts] if self.plan.previous else rollouts
            rows = [*(_original(self.ground, self.plan) if self.plan.original else ()), *learned]
            actor = self.ground.tuned(ACTOR, _shuffled(rows, self.plan, number))
            done.append(self._measured(found, actor))
            yield done[-1]
            best = max(range(len(done)), key=lambda i: done[i].watched)
            if len(done) - 1 - best >= self.plan.patience:
                return

    # Data

    @cached_property
    def first_actor(self) -> Path:
        return first_actor(self.ground, self.plan)

    @cached_property
    def _problems(self) -> list[Worked]:
        return self.ground.problems(self.plan.problems, seed_of(self.plan.seed, "improved on"))

    @cached_property
    def test(self) -> list[Problem]:
        """The same for every arm and seed."""
        return [one.problem for one in self.ground.problems(self.plan.test, seed_of(self.plan.report, "improvement"))]

    # A round

    def _rollouts(self, number: int, actor: Path) -> tuple[list[Row], Round]:
        """Rows of D_t, and the round without its test."""
        place, plan = self.folder / f"round-{number}", self.plan
        seed, other = (seed_of(plan.seed, kind, str(number)) for kind in ("attempts", "refinements"))
        asked = [one.problem for one in self._problems]

        opened = partial(self.ground.players, actor, self.judge)
        file = (self.beginning if number == 1 else place) / "attempts.jsonl"
        attempts = sampled(file, Attempt, opened, lambda p: p.attempts(asked, plan.samples, seed=seed))
        chosen = [one for one in attempts if one.can_be_refined and CRITICISED[plan.arm](one)]
        readings = sampled(place / "readings.jsonl", Reading, opened, lambda p: p.critiques(chosen))
        pairs, file = list(zip(chosen, readings, strict=True)), place / "refinements.jsonl"
        refinements = sampled(file, Attempt, opened, lambda p: p.refinements(pairs, plan.samples, seed=other))
        right = self._unlike(one for one in attempts if one.correct)
        refined = self._unlike([*right, *self._useful(pairs, refinements)])[len(right) :]
        cost = sum((one.cost for one in (*attempts, *readings, *refinements)), Spent())
        rollouts = [*right, *refined]
        found = Round(number=number, rows=len(rollouts), refined=len(refined), shares=self._shares(rollouts), cost=cost)
        return [direct(one) for one in rollouts], found

    def _useful(self, pairs: Sequence[tuple[Attempt, Reading]], refinements: Sequence[Attempt]) -> list[Attempt]:
        """Right refinements without shortcuts, at most `reserved` per critique."""
        references = {one.problem.id: join_steps(one.lines, one.result) for one in self._problems}
        kept_ones = []
        for i, (attempt, _) in enumerate(pairs):
            some = refinements[i * self.plan.samples : (i + 1) * self.plan.samples]
            reference = references[attempt.problem.id]
            honest = (one for one in some if one.correct and not is_shortcut(one.text, attempt.text, reference))
            kept_ones += list(self._unlike(honest))[: self.plan.reserved]
        return kept_ones

    @staticmethod
    def _unlike(attempts: Iterable[Attempt]) -> list[Attempt]:
        """Each text once per problem, in their order."""
        found: dict[tuple[str, str], Attempt] = {}
        for one in attempts:
            found.setdefault((one.problem.id, one.text), one)
        return list(found.values())

    @cached_property
    def _bin_of(self) -> dict[str, int]:
        """Difficulty of each problem for the actor of round 0: 0 for the easiest fifth, 4 for the hardest."""
        asked, path = [one.problem for one in self._problems], self.beginning / "gauge.jsonl"
        opened = partial(self.ground.players, self.first_actor, self.judge)
        seed = seed_of(self.plan.seed, "gauge")
        attempts = sampled(path, Attempt, opened, lambda p: p.attempts(asked, GAUGE, seed=seed))
        rates = [sum(one.correct for one in attempts[i : i + GAUGE]) for i in range(0, len(attempts), GAUGE)]
        order = sorted(range(len(asked)), key=lambda i: -rates[i])
        return {asked[i].id: place * BINS // len(asked) for place, i in enumerate(order)}

    def _shares(self, rollouts: Sequence[Attempt]) -> tuple[float, ...]:
        places = [self._bin_of[one.problem.id] for one in rollouts]
        return tuple(places.count(i) / max(1, len(places)) for i in range(BINS))

    def _measured(self, found: Round, actor: Path) -> Round:
        path = (self.folder if found.number else self.beginning) / f"round-{found.number}.json"
        if not path.exists():
            opened = partial(self.ground.players, actor, self.judge)
            with opened() as players:
                apart = self.ground.problems(self.plan.test // 2, seed_of(self.plan.seed, "watched"))
                watched = players.attempts([one.problem for one in apart], 1, 0.0)
            with opened() as players:
                greedy = players.attempts(self.test, 1, 0.0)
            test = turns(opened, greedy, 0.0, seed_of(self.plan.seed, "test"))
            share = sum(one.correct for one in watched) / max(1, len(watched))
            made = found.model_copy(update={"watched": share, "test": tuple(test)})
            write_whole(path, made.model_dump_json())
        return Round.model_validate_json(path.read_text("utf-8"))
