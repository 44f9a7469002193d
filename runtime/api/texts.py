"""A run as the two texts of a chat reply: the solution (`content`) and the thinking (`reasoning_content`).

Both texts only grow during a run, so new text can be streamed at once. Which attempt is chosen is known only at the
end, so the thinking holds all attempts, and the solution comes after it. A direct run has no thinking.
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
    """The steps and the answer line of the chosen attempt; empty until the run ends. A direct run's text grows as it is
    written and holds the steps of all its attempts (a plan, then the solution made from it)."""
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
    """Steps, verdicts and comments, one a line, in order; empty for a direct run."""
    return "" if run.mode == "direct" else "".join(f"{line}\n" for line in _lines(run))


def _lines(run: Run) -> Iterable[str]:
    talk, live = run.transcript.talk, run.transcript.live
    language, verdicts = language_of(talk.problem.text), _Verdicts()
    for turn in talk.turns:
        if isinstance(turn, Critique):
            steps = next((t.steps for t in reversed(talk.trajectories) if t.id == turn.trajectory_id), ())
            yield from verdicts.new(turn, steps, language)
        else:
            yield from _attempt(turn.steps, turn.parent, language)
            verdicts.keep(turn.parent)
    if live and not live.done:
        yield from _attempt(live.steps, live.opening.parent, language)
    if talk.outcome and talk.outcome.note and talk.outcome.status != "failed":
        yield talk.outcome.note


def _attempt(steps: Sequence[Step], parent: Parent | None, language: Language) -> Iterable[str]:
    """The lines of an attempt, without the steps kept from its parent, which were written before."""
    kept = parent.kept if parent else 0
    if parent:
        yield word("status.again", language, number=kept + 1)
    for step in steps[kept:]:
        yield step.text


class _Verdicts:
    """The verdicts written so far. A verdict that repeats the one on a kept step is not written again."""

    def __init__(self) -> None:
        self._verdicts: dict[int, StepVerdict] = {}

    def keep(self, parent: Parent | None) -> None:
        kept = parent.kept if parent else 0
        self._verdicts = {position: found for position, found in self._verdicts.items() if position < kept}

    def new(self, critique: Critique, steps: Sequence[Step], language: Language) -> Iterable[str]:
        for position, found in enumerate(critique.verdicts):
            before = self._verdicts.get(position)
            self._verdicts[position] = found
            if (found.evidence or found.comment) and (before is None or before.verdict != found.verdict):
                only_plans = position < len(steps) and is_plan(steps[position].text)
                yield _verdict_line(position, found, only_plans, language)


def _verdict_line(position: int, found: StepVerdict, only_plans: bool, language: Language) -> str:
    sign, key = ("–", "verdict.plan") if only_plans and found.verdict == "correct" else _SIGNS[found.verdict]
    label = word("step.solve", language, number=position + 1)
    comment = f" – {' '.join(found.comment.split())}" if found.comment else ""
    return f"{sign} {label}: {word(key, language)}{comment}"


def finish(talk: SelfTalk) -> str:
    """The protocol's `finish_reason`: "length" if the chosen attempt was cut off, else "stop"."""
    return "length" if talk.chosen and talk.chosen.finish in ("length", "repeated") else "stop"
