"""Disclosure of a solution step by step: which steps a student has seen, and what comes next.

The whole solution is written first. What a student has been given is a level for each step: none, one of the hints, or
the step itself. The wording is the page's.
"""

from __future__ import annotations

from typing import Literal

from runtime.checks.grading import matches
from runtime.log.run import Run, home_of, step_id
from runtime.tutoring.hints import RUNGS, Hint, ladder
from runtime.types import Trajectory

SEEN = len(RUNGS) + 1
"""The level of a step that is shown."""
Wish = Literal["hint", "step", "all"]


def solution(run: Run) -> tuple[list[str], list[str]]:
    """The keys and the texts of the steps of the chosen attempt. An answer without steps counts as one step, whose key
    is the run's."""
    talk = run.transcript.talk
    chosen = talk.chosen
    if chosen is None or not chosen.steps:
        return ([run.id], [answer]) if (answer := _answer(run)) else ([], [])
    turn = max(i for i, t in enumerate(talk.turns) if isinstance(t, Trajectory) and t.id == chosen.id)
    keys = [step_id(run.id, *home_of(talk, turn, position)) for position in range(len(chosen.steps))]
    return keys, [step.text for step in chosen.steps]


def seen(run: Run) -> int:
    """How many of the first steps are shown; 0 while the solution is being written."""
    if run.status == "running":
        return 0
    keys, _ = solution(run)
    if run.help == "full":
        return len(keys)
    # The only step would be the whole solution.
    given = 1 if run.help == "steps" and len(keys) > 1 else 0
    return next((i for i, key in enumerate(keys) if i >= given and run.hints.get(key, 0) < SEEN), len(keys))


def is_open(run: Run) -> bool:
    """Whether nothing is hidden, not even the answer."""
    return run.help == "full" or (run.status != "running" and seen(run) == len(solution(run)[0]))


def hints(run: Run) -> tuple[Hint, ...]:
    """The hints that were given at the first hidden step."""
    keys, steps = solution(run)
    position = seen(run)
    if is_open(run) or not run.hints.get(keys[position]):
        return ()
    return _ladder(run, steps, position)[: run.hints[keys[position]]]


def _ladder(run: Run, steps: list[str], position: int) -> tuple[Hint, ...]:
    return ladder(run.transcript.talk.problem.text, steps, position, _answer(run))


def asked(run: Run, wish: Wish) -> dict[str, int]:
    """The levels that change when a student asks for the next hint, the next step or all that is left. After the last
    hint the step itself is shown."""
    if run.status == "running" or is_open(run):
        return {}
    keys, steps = solution(run)
    first = seen(run)
    match wish:
        case "hint":
            level = run.hints.get(keys[first], 0) + 1
            return {keys[first]: level if level <= len(_ladder(run, steps, first)) else SEEN}
        case "step" if run.help == "steps":
            return {keys[first]: SEEN}
        case "all":
            return dict.fromkeys(keys[first:], SEEN)
        case _:
            return {}


def can_be_tried_again(run: Run) -> list[str]:
    """The keys of the steps that can be written again: all of them once all are shown. Self-talk cannot be resumed in
    the middle."""
    ready = run.kind == "solve" and run.mode != "selftalk" and _is_at_rest(run) and is_open(run)
    keys, _ = solution(run)
    return [key for key in keys if key != run.id] if ready else []


def can_be_voted_on(run: Run) -> bool:
    """Whether a vote of more solutions would tell something new: the run was not compared with others yet."""
    talk = run.transcript.talk
    if not _is_at_rest(run) or run.status in ("stopped", "failed") or run.outcome.vote or talk.chosen is None:
        return False
    critique = talk.critique_of(talk.chosen)
    sources = {evidence.by for verdict in critique.verdicts for evidence in verdict.evidence} if critique else set()
    comparable = run.kind == "solve" or talk.chosen.answer is not None
    return comparable and not sources & {"solutions", "reference"}


def _is_at_rest(run: Run) -> bool:
    return run.status != "running" and not run.transcript.voting


def compare(run: Run, answer: str) -> bool | None:
    """Whether a student's answer is that of the solution; None if that cannot be judged."""
    own = _answer(run)
    return matches(answer, own) if own and answer.strip() else None


def has_answer(run: Run) -> bool:
    return run.status != "running" and _answer(run) is not None


def _answer(run: Run) -> str | None:
    outcome = run.transcript.talk.outcome
    return outcome.answer if outcome else None
