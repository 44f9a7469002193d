"""The refinement filter: a critique is kept if it leads the actor to enough right refinements.

K refinements are sampled per critique. The critique of a wrong attempt is kept if at least k are right, that of a right
attempt if (nearly) all stay right. A refinement that skips the work and states the answer does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.checks.grading import grade
from runtime.engines.base import Completion
from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.search.solutions import read_solution
from runtime.text import join_steps
from runtime.types import Messages
from trainer.data.critiques.generators import Actor
from trainer.data.critiques.guards import is_shortcut
from trainer.data.critiques.records import Filter, Path, Refine
from trainer.data.critiques.tasks import Task, draw

STAYS_RIGHT = 0.9
"""Share of refinements that must stay right after a critique of a right attempt."""
TEMPERATURE = 0.7


@dataclass(frozen=True)
class Refined:
    filter: Filter
    examples: tuple[Refine, ...]
    """At most one right refinement, as a training example of using a critique."""
    replies: tuple[Completion, ...]


def revision(task: Task, path: Path, critique: str) -> Messages:
    """The actor's conversation: problem, attempt, critique."""
    request = templates.fill("revise", task.language, critique=critique)
    written = join_steps(path.lines, path.final, task.language)
    return [
        *conversation(task.problem),
        {"role": "assistant", "content": written},
        {"role": "user", "content": request},
    ]


def refine(actor: Actor, task: Task, path: Path, critique_id: str, critique: str, K: int, k: int) -> Refined:
    """Sample K refinements and decide. Raises EngineError."""
    sampling = actor.sampling(TEMPERATURE, task, "refine", critique_id)
    replies = draw(actor.engine, revision(task, path, critique), sampling, K)
    before = join_steps(path.lines, path.final)
    reference = join_steps(task.gold, task.problem.answer) if task.gold else None
    solutions = [read_solution(reply) for reply in replies]
    right = [solution for solution in solutions if grade(solution.answer, task.problem)]
    honest = [solution for solution in right if not is_shortcut(solution.text, before, reference)]
    kept = len(honest) >= STAYS_RIGHT * K if path.correct else len(honest) >= k
    found = Filter(K=K, n_correct=len(honest), n_shortcut=len(right) - len(honest), actor=actor.engine.model, kept=kept)
    examples = tuple(Refine(critique_id=critique_id, text=s.text, answer=s.answer) for s in honest[:1] if s.answer)
    return Refined(found, examples, tuple(replies))
