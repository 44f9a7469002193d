"""What an actor of the ground is pretrained on: solutions, critiques with rewrites, critics' turns, self-talk, sums.

All conversations are those of the runtime (`runtime.prompts`), and every text is drawn from the frozen mixture of
`trainer.reproductions.ground.attempts`. Only what the actor itself would write has weight.
"""

from __future__ import annotations

import random

from runtime.critic.critic import NO_REASON
from runtime.problems.worked import Worked
from runtime.prompts.actor_turn import after_acceptance, after_critique, conversation, trying_again
from runtime.text import join_steps
from runtime.types import Message, Problem, Step, Trajectory
from trainer.data.examples.critic import critic_row
from trainer.data.examples.selftalk import selftalk_row
from trainer.data.rows import Row
from trainer.data.traces.material import from_attempt
from trainer.data.traces.trace import smoothed
from trainer.reproductions.ground.attempts import LARGEST, Attempt, Told, drawn, rewritten, walk

SUMS = 40
"""Lines in one text of sums."""
COPIES = 0.4
"""Share of these lines that hold numbers to copy."""


def lesson(worked: Worked, rng: random.Random) -> list[Row]:
    """Everything that is read about one problem: two attempts, each with a critique and a rewrite; sometimes a critic's
    turn, and self-talk."""
    attempts = [drawn(worked, rng) for _ in range(2)]
    rows = [row for attempt in attempts for row in (solved(attempt), refined(attempt, rng)) if row]
    if rng.random() < JUDGED:
        rows.append(judged(attempts[0], rng))
    if rng.random() < TALKED and (row := talked(attempts[1], rng)):
        rows.append(row)
    return rows


JUDGED, TALKED = 0.3, 0.15
"""Shares of problems with a critic's turn, and with self-talk."""


def solved(attempt: Attempt) -> Row:
    """A first attempt as the actor writes it."""
    return _row(conversation(attempt.worked.problem), attempt)


def solution(worked: Worked) -> Row:
    """The right solution as the actor writes it."""
    return solved(walk(worked, lambda scene, made: None))


def refined(attempt: Attempt, rng: random.Random) -> Row | None:
    """A rewrite after a critique: of a wrong step, of a right one by mistake, or one that tells nothing. None if there
    is no reason to give."""
    told, line = _told(attempt, rng), _blamed(attempt, rng)
    asked = critique(attempt, told, line, rng)
    return _row(asked, rewritten(attempt, told, line, rng)) if asked else None


BLIND = 0.2
"""Share of rewrites that are asked for without blaming a step; of right attempts, half."""
REASONED = 0.6
"""Share of the other critiques that give a reason."""
ASTRAY = 0.2
"""Share of the critiques of wrong attempts that blame another step."""


def _told(attempt: Attempt, rng: random.Random) -> Told:
    if rng.random() < (BLIND if attempt.errors else 0.5):
        return "nothing" if attempt.errors or rng.random() < 0.5 else "accepted"
    return "reason" if rng.random() < REASONED else "place"


def _blamed(attempt: Attempt, rng: random.Random) -> int:
    others = [line for line in range(len(attempt.lines)) if line != attempt.first_error]
    if attempt.first_error is None or (others and rng.random() < ASTRAY):
        return rng.choice(others)
    return attempt.first_error


def critique(attempt: Attempt, told: Told, line: int, rng: random.Random) -> list[Message] | None:
    """The conversation that asks for a rewrite after this critique; None if there is no reason to give."""
    comment = attempt.comment(line, rng) if told == "reason" else ""
    if told == "reason" and not comment:
        return None
    return asking(attempt.worked.problem, trajectory_of(attempt), told, line, comment)


def asking(problem: Problem, attempt: Trajectory, told: Told, line: int = 0, comment: str = "") -> list[Message]:
    """The conversation that asks for a rewrite of an attempt after a critique that tells so much; "reason" takes the
    comment, and both "reason" and "place" the index of the blamed line."""
    if told == "nothing":
        return trying_again(problem, attempt)
    if told == "accepted":
        return after_acceptance(problem, attempt)
    return after_critique(problem, attempt, line, comment if told == "reason" else NO_REASON["en"])


def judged(attempt: Attempt, rng: random.Random) -> Row:
    """A critic's turn on an attempt."""
    return critic_row(attempt.labelled(rng))


def talked(attempt: Attempt, rng: random.Random) -> Row | None:
    """Step-level self-talk on an attempt; None if it has a fault."""
    trace = smoothed(from_attempt(attempt.worked, attempt.labelled(rng)), 0)
    return None if trace.fault else selftalk_row(trace)


def sums(rng: random.Random) -> list[tuple[str, float]]:
    """Equations of the world's sizes, and numbers to copy, one per line, in pieces with their weights: only results and
    copies can be learned. Copying comes first: every step begins with numbers from the problem."""
    lines = (_copy(rng) if rng.random() < COPIES else _sum(rng) for _ in range(SUMS))
    return [piece for left, right in lines for piece in ((left, 0.0), (f"{right}\n", 1.0))]


def _copy(rng: random.Random) -> tuple[str, str]:
    numbers = " ".join(str(rng.randint(2, LARGEST)) for _ in range(4))
    return f"{numbers}: ", numbers


def _sum(rng: random.Random) -> tuple[str, str]:
    a, b, factor = rng.randint(2, 99), rng.randint(2, 60), rng.randint(2, 9)
    quotient = rng.randint(2, LARGEST // factor)
    large, small = max(a, b), min(a, b)
    left, result = rng.choice((
        (f"{a} + {b}", a + b),
        (f"{large} - {small}", large - small),
        (f"{quotient} × {factor}", quotient * factor),
        (f"{quotient * factor} / {factor}", quotient),
    ))  # fmt: skip
    return f"{left} = ", str(result)


def trajectory_of(attempt: Attempt) -> Trajectory:
    steps = tuple(Step(text=line) for line in attempt.lines)
    return Trajectory(problem_id=attempt.worked.problem.id, steps=steps, answer=attempt.carried.result)


def _row(asked: list[Message], attempt: Attempt) -> Row:
    reply = join_steps(attempt.lines, attempt.carried.result)
    return Row(messages=tuple(asked), reply=((reply, 1.0),), source=attempt.worked.problem.source)
