"""Training examples for actor, critic and self-talk: solutions, refinements after critiques, and self-talk.

Every row comes from a worked problem whose steps are known exactly, or from a graded attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runtime.checks import arithmetic
from runtime.problems.labelled import LabelledTrajectory, labelled
from runtime.problems.worked import Worked
from runtime.prompts.actor_turn import after_acceptance, after_critique, conversation
from runtime.text import CHECK, join_steps, language_of
from runtime.types import Step, Trajectory
from trainer.data.errors import Injected, InjectionError, inject_random
from trainer.data.examples.attempts import right_attempt, wrong_attempt
from trainer.data.examples.selftalk import selftalk_row
from trainer.data.rows import Row
from trainer.data.traces.material import from_attempt, from_worked
from trainer.data.traces.trace import Trace, smoothed
from trainer.reproductions.mathcritique.play import Attempt

DOUBT = "wrong, I go through it again."
LabelledSolution = tuple[Worked, LabelledTrajectory]
"""An attempt whose first error is known, and the solution of its problem."""


def reasoned(worked: Worked) -> Row:
    """The reference solution (D_reason in the paper)."""
    return _row(worked, conversation(worked.problem), ((_solution(worked), 1.0),))


def rewritten(worked: Worked, seed: int = 0) -> Row | None:
    """A rewrite of a whole solution with an inserted error, after a critique (D_refine). None if no error fits."""
    wrong = _wrong(worked, seed)
    if wrong is None:
        return None
    steps = tuple(Step(text=line) for line in wrong.lines)
    attempt = Trajectory(problem_id=worked.problem.id, steps=steps, answer=wrong.answer)
    asked = after_critique(worked.problem, attempt, wrong.first_error, _comment(wrong))
    return _row(worked, asked, ((_solution(worked), 1.0),))


def accepted(worked: Worked) -> Row:
    """The right solution again, after a critique that finds no error in it (D_refine)."""
    steps = tuple(Step(text=line) for line in worked.lines)
    attempt = Trajectory(problem_id=worked.problem.id, steps=steps, answer=worked.result)
    return _row(worked, after_acceptance(worked.problem, attempt), ((_solution(worked), 1.0),))


def refined(worked: Worked, seed: int = 0) -> Row | None:
    """A refinement that keeps the right steps before an inserted error, as the app's do. None if no error fits."""
    wrong = _wrong(worked, seed)
    if wrong is None or wrong.lines[: wrong.first_error] != worked.lines[: wrong.first_error]:
        return None
    place = wrong.first_error
    steps = tuple(Step(text=line) for line in wrong.lines)
    attempt = Trajectory(problem_id=worked.problem.id, steps=steps, answer=wrong.answer)
    asked = after_critique(worked.problem, attempt, place, _comment(wrong))
    kept = "".join(f"{line}\n" for line in worked.lines[:place])
    rest = join_steps(worked.lines[place:], worked.result)
    return _row(worked, asked, ((kept, 0.0), (rest, 1.0)) if kept else ((rest, 1.0),))


def direct(attempt: Attempt) -> Row:
    """A right attempt as a direct solution: an element of D_t."""
    asked = conversation(attempt.problem)
    return Row(messages=tuple(asked), reply=((attempt.text, 1.0),), source=attempt.problem.source)


def right_and_wrong(problems: Iterable[Worked], seed: int) -> Iterator[LabelledSolution]:
    """Right solutions and solutions with an inserted error, alternating."""
    for number, worked in enumerate(problems):
        try:
            yield worked, wrong_attempt(worked, seed) if number % 2 else right_attempt(worked)
        except InjectionError:
            continue


def talked(worked: Worked, seed: int = 0) -> Row | None:
    """Step-level self-talk on a solution; None if the trace has a fault."""
    return _talk(smoothed(from_worked(worked, seed), seed))


def talked_over(solution: LabelledSolution) -> Row | None:
    """Step-level self-talk on this attempt; None if the trace has a fault."""
    return _talk(smoothed(from_attempt(*solution), 0))


def _talk(trace: Trace) -> Row | None:
    return None if trace.fault else selftalk_row(trace)


def corrected(worked: Worked, seed: int = 0) -> Row:
    """Trajectory-level self-correction, the baseline of self-talk: a whole attempt, one check at its end, and a new
    attempt if it is wrong. Half of the attempts are wrong."""
    wrong = _wrong(worked, seed) if int(worked.problem.id, 16) % 2 else None
    if wrong is None:
        return corrected_over((worked, right_attempt(worked)))
    return corrected_over((worked, labelled(worked.problem, wrong.lines, wrong.first_error, answer=wrong.answer)))


def corrected_over(solution: LabelledSolution) -> Row:
    """Self-correction of this attempt."""
    worked, attempt = solution
    asked, check = conversation(worked.problem, prompt="selftalk"), CHECK[language_of(worked.problem.text)]
    first = join_steps(attempt.steps, attempt.answer)
    if attempt.first_error is None:
        return _row(worked, asked, ((f"{first}\n{check} right.", 1.0),))
    return _row(worked, asked, ((f"{first}\n", 0.0), (f"{check} {DOUBT}\n{_solution(worked)}", 1.0)))


def _comment(wrong: Injected) -> str:
    """The critic's comment: the exact correction if arithmetic refutes the step, else the explanation."""
    equations = arithmetic.check(wrong.lines[wrong.first_error])
    false = next((equation for equation in equations if equation.verdict == "incorrect"), None)
    return arithmetic.sentence(false, "en") if false else wrong.explanation


def _wrong(worked: Worked, seed: int) -> Injected | None:
    try:
        return inject_random(worked, seed)
    except InjectionError:
        return None


def _solution(worked: Worked) -> str:
    return join_steps(worked.lines, worked.result)


def _row(worked: Worked, asked: Iterable, reply: tuple[tuple[str, float], ...]) -> Row:
    return Row(messages=tuple(asked), reply=reply, source=worked.problem.source)
