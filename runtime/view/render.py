"""The view of a run as plain values, for a running and for a stored one alike.

Steps are in the order in which they were first written. Steps that a refinement kept are shown once; those that it
replaced stay visible and are marked.
"""

from __future__ import annotations

from typing import Any, Literal

from runtime.checks.claims import is_plan
from runtime.critic.evidence import SOURCES
from runtime.log.run import Run, home_of, step_id
from runtime.search.self_consistency import CERTAIN
from runtime.text import Language, language_of
from runtime.types import SelfTalk, StepVerdict
from runtime.view.display import to_display
from runtime.view.endings import answer, ended, ending, note, reliability
from runtime.view.reading import Home, Reading, read_run
from runtime.view.words import word

State = Literal["streaming", "plain", "plan", "ok", "unsure", "flagged", "replaced", "depends"]
_SIGNS: dict[State, str] = {"ok": "✓", "unsure": "?", "flagged": "✗", "replaced": "↺", "depends": "↳"}
_BY_VERDICT: dict[str, State] = {"correct": "ok", "unsure": "unsure", "incorrect": "flagged"}
_BADGES = {(source.name, verdict): badge for source in SOURCES for verdict, badge in source.badges.items()} | {
    ("reference", "correct"): "reference_agrees",
    ("reference", "incorrect"): "reference_differs",
    ("selftalk", "correct"): "self_agrees",
    ("selftalk", "unsure"): "self_doubts",
    ("selftalk", "incorrect"): "self_doubts",
}

UNJUDGED: dict[str, Any] = {"sign": "", "word": "", "comment": "", "comment_text": "", "badges": [], "why": []}
"""What a row of the step list shows while its verdict is hidden."""


def view(run: Run, language: Language) -> dict[str, Any]:
    """The data of the step list."""
    voting = run.transcript.voting is not None
    return {
        "run": run.id,
        "language": language,
        "busy": run.status == "running" or voting,
        "state": "running" if voting else ending(run),
        "voting": voting,
        "steps": steps(run, language),
        "status": status(run, language),
        "answer_label": word("answer.label", language) if run.kind == "solve" else "",
        "answer": answer(run, language),
        "reliability": reliability(run, language),
        "note": note(run, language),
    }


def steps(run: Run, language: Language) -> list[dict[str, Any]]:
    """The rows of the step list, oldest first."""
    reading = read_run(run)
    homes = [
        (turn, position)
        for turn, attempt in reading.attempts.items()
        for position in range(len(attempt.steps))
        if home_of(reading.talk, turn, position) == (turn, position)
    ]
    return [_row(run, reading, home, language) for home in homes]


def status(run: Run, language: Language) -> str:
    """One sentence on what is happening. It changes only after a step or a phase, as screen readers read it aloud."""
    talk, live = run.transcript.talk, run.transcript.live
    if voting := run.transcript.voting:
        return word("status.voting", language, done=voting.done, of=voting.of, seconds=f"{run.seconds:.0f}")
    if talk.outcome:
        return ended(run, language)
    if live is None:
        return word("status.thinking", language)
    if live.done:
        doubted = next((i for i, verdict in live.verdicts.items() if verdict.verdict == "incorrect"), None)
        if run.kind == "check" and doubted is not None:
            return word("status.doubting", language, number=doubted + 1)
        return word("status.reading" if live.criticising else "status.thinking", language)
    first = live.opening.parent is not None and len(live.steps) == live.opening.parent.kept
    return word("status.again" if first else "status.writing", language, number=len(live.steps) + 1)


def _row(run: Run, reading: Reading, home: Home, language: Language) -> dict[str, Any]:
    turn, position = home
    text = reading.attempts[turn].steps[position].text
    verdict = reading.verdicts.get(home)
    key = step_id(run.id, turn, position)
    label = run.labels.get(key)
    comment = _comment(verdict) if verdict else ""
    state = _state(reading, home, verdict)
    return {
        "id": key,
        "label": word(f"step.{run.kind}", language, number=position + 1),
        "text": text,
        "html": to_display(text),
        "lang": language_of(text) if language_of(text) == "zh-CN" else language_of(reading.talk.problem.text),
        "state": state,
        "sign": _SIGNS.get(state, ""),
        "word": _state_word(run, reading, state, language),
        "comment": to_display(comment),
        "comment_text": comment,
        "badges": _badges(run, state, verdict, language),
        "why": _why(run, state, verdict, language),
        "rating": label.rating if label else None,
        "correction": (label.correction or "") if label else "",
        "correction_html": to_display(label.correction) if label and label.correction else "",
    }


def _state(reading: Reading, home: Home, verdict: StepVerdict | None) -> State:
    if home == reading.writing:
        return "streaming"
    if home not in reading.current:
        return "replaced"
    if reading.first_error is not None and reading.current.index(home) > reading.first_error:
        return "depends"
    state = _BY_VERDICT[verdict.verdict] if verdict and _badge_kinds(verdict) else "plain"
    if verdict and state in ("ok", "plain") and is_plan(reading.attempts[home[0]].steps[home[1]].text):
        return "plan"
    return "unsure" if state == "ok" and _is_divided(reading.talk) else state


def _is_divided(talk: SelfTalk) -> bool:
    """Whether the vote disagrees with the answer, or is not clear; then no step is shown as right."""
    if talk.outcome is None or talk.outcome.vote is None:
        return False
    return talk.outcome.vote[0] < CERTAIN or talk.outcome.status == "unsettled"


def _state_word(run: Run, reading: Reading, state: State, language: Language) -> str:
    if state in ("flagged", "depends"):
        return word(f"verdict.{state}.{run.kind}", language, number=(reading.first_error or 0) + 1)
    return word(f"verdict.{state}", language)


def _comment(verdict: StepVerdict) -> str:
    notes = [e.note for e in verdict.evidence if e.note and e.verdict != "correct"]
    own = verdict.comment if verdict.verdict != "correct" else ""
    return own or next(iter(notes), "")


def _badge_kinds(verdict: StepVerdict) -> list[str]:
    """The badges of the evidence; where a source has no opinion of a step there is none."""
    found = (_BADGES.get((evidence.by, evidence.verdict)) for evidence in verdict.evidence)
    return [badge for badge in found if badge]


def _badges(run: Run, state: State, verdict: StepVerdict | None, language: Language) -> list[dict[str, str]]:
    """The badges of a step's evidence; "not checked" only after the run has ended."""
    if state == "plan":  # a plan has nothing that could be checked
        return []
    kinds = _badge_kinds(verdict) if verdict else []
    if not kinds and run.status != "running" and state != "replaced":
        kinds = ["not_checked"]
    return [{"kind": kind, "text": word(f"badge.{kind}", language)} for kind in kinds]


def _why(run: Run, state: State, verdict: StepVerdict | None, language: Language) -> list[dict[str, str]]:
    """A sentence for each badge, with the note of its source unless that is shown as the comment."""
    if state == "plan":
        return [{"kind": "plan", "text": word("why.plan", language), "note": ""}]
    shown = _comment(verdict) if verdict else ""
    notes = (
        {badge: e.note for e in verdict.evidence if (badge := _BADGES.get((e.by, e.verdict))) and e.note != shown}
        if verdict
        else {}
    )
    return [
        {
            "kind": badge["kind"],
            "text": word(f"why.{badge['kind']}", language),
            "note": to_display(notes.get(badge["kind"]) or ""),
        }
        for badge in _badges(run, state, verdict, language)
    ]
