"""A run as the two texts of a chat: the solution, and what was thought on the way to it.

Both only grow while a run goes on, so what is new since the last look can be sent at once. Which attempt counts is
known only at the end, so all attempts stand in the thinking, and the solution follows. A direct run has no thinking.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.checks.claims import is_plan
from runtime.log.run import Run
from runtime.text import Language, join_steps, language_of
from runtime.types import Critique, Parent, SelfTalk, Step, StepVerdict
from runtime.view.words import word

_SIGNS = {
    "correct": ("✓", "verdict.ok"),
    "unsure": ("?", "verdict.unsure"),
    "incorrect": ("✗", "verdict.flagged.solve"),
}


def solution(run: Run) -> str:
    """The steps of the chosen attempt and its answer line; of a direct run also while it is being written, and those of
    a plan that had to be made a solution."""
    talk, live = run.transcript.talk, run.transcript.live
    if run.mode == "direct":
        attempts = [*(t.steps for t in talk.trajectories), *([live.steps] if live and not live.done else [])]
        steps = [step for attempt in attempts for step in attempt]
    elif talk.outcome is None:
        return ""
    else:
        steps = talk.chosen.steps if talk.chosen else ()
    answer = talk.outcome.answer if talk.outcome else None
    return join_steps((step.text for step in steps), answer, language_of(talk.problem.text))


def thinking(run: Run) -> str:
    """Attempts, verdicts and comments, one line each, in the order in which they were made."""
    return "" if run.mode == "direct" else "".join(f"{line}\n" for line in _lines(run))


def _lines(run: Run) -> Iterable[str]:
    talk, live = run.transcript.talk, run.transcript.live
    language, verdicts = language_of(talk.problem.text), _Verdicts()
    for turn in talk.turns:
        if isinstance(turn, Critique):
            steps = next((t.steps for t in reversed(talk.trajectories) if t.id == turn.trajectory_id), ())
            yield from verdicts.news(turn, steps, language)
        else:
            yield from _attempt(turn.steps, turn.parent, language)
            verdicts.keep(turn.parent)
    if live and not live.done:
        yield from _attempt(live.steps, live.opening.parent, language)
    if talk.outcome and talk.outcome.note and talk.outcome.status != "failed":
        yield talk.outcome.note


def _attempt(steps: Sequence[Step], parent: Parent | None, language: Language) -> Iterable[str]:
    """Its own lines; what it kept of its parent was told before."""
    kept = parent.kept if parent else 0
    if parent:
        yield word("status.again", language, number=kept + 1)
    for step in steps[kept:]:
        yield step.text


class _Verdicts:
    """The verdicts told so far: one that only repeats what was said of a kept step is not told again."""

    def __init__(self) -> None:
        self._verdicts: dict[int, StepVerdict] = {}

    def keep(self, parent: Parent | None) -> None:
        kept = parent.kept if parent else 0
        self._verdicts = {position: verdict for position, verdict in self._verdicts.items() if position < kept}

    def news(self, critique: Critique, steps: Sequence[Step], language: Language) -> Iterable[str]:
        for position, verdict in enumerate(critique.verdicts):
            known = self._verdicts.get(position)
            self._verdicts[position] = verdict
            if (verdict.evidence or verdict.comment) and (known is None or known.verdict != verdict.verdict):
                only_plans = position < len(steps) and is_plan(steps[position].text)
                yield _verdict_line(position, verdict, only_plans, language)


def _verdict_line(position: int, verdict: StepVerdict, only_plans: bool, language: Language) -> str:
    sign, key = ("–", "verdict.plan") if only_plans and verdict.verdict == "correct" else _SIGNS[verdict.verdict]
    label = word("step.solve", language, number=position + 1)
    comment = f" – {' '.join(verdict.comment.split())}" if verdict.comment else ""
    return f"{sign} {label}: {word(key, language)}{comment}"


def finish(talk: SelfTalk) -> str:
    """Why the solution ended, in the protocol's words."""
    return "length" if talk.chosen and talk.chosen.finish in ("length", "repeated") else "stop"
