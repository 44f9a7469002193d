"""A run as the page shows it: plain values, the same for a run that is going on and for one that was stored.

Steps appear in the order in which they were first written. A refinement keeps its parent's first steps, which are shown
once; what it replaces stays visible, and is marked. Nothing here knows of the page's widgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from runtime.events import as_talk
from runtime.page.display import answer_to_display, to_display
from runtime.page.words import word
from runtime.rows import home_of, step_id
from runtime.store import PRACTISED, Run
from runtime.text import Language, language_of
from runtime.types import Critique, SelfTalk, StepVerdict, Trajectory

State = Literal["streaming", "plain", "ok", "unsure", "flagged", "replaced", "depends"]
Home = tuple[int, int]
"""Where a step was first written: index of its attempt among the talk's turns, and its position there."""

_SIGNS: dict[State, str] = {"ok": "✓", "unsure": "?", "flagged": "✗", "replaced": "↺", "depends": "↳"}
_BY_VERDICT: dict[str, State] = {"correct": "ok", "unsure": "unsure", "incorrect": "flagged"}
_BADGES = {
    ("arithmetic", "correct"): "arithmetic_right",
    ("arithmetic", "incorrect"): "arithmetic_wrong",
    ("expectation", "correct"): "expected",
    ("expectation", "incorrect"): "unexpected",
    ("solutions", "correct"): "solutions_agree",
    ("solutions", "incorrect"): "solutions_differ",
    ("program", "correct"): "programs_agree",
    ("program", "incorrect"): "programs_differ",
    ("completions", "correct"): "completions_agree",
    ("completions", "incorrect"): "completions_differ",
    ("vote", "correct"): "solutions_agree",
    ("reference", "correct"): "reference_agrees",
    ("reference", "incorrect"): "reference_differs",
    ("model", "correct"): "model_right",
    ("model", "unsure"): "model_doubts",
    ("model", "incorrect"): "model_wrong",
    ("selftalk", "correct"): "self_agrees",
    ("selftalk", "unsure"): "self_doubts",
    ("selftalk", "incorrect"): "self_doubts",
}


@dataclass(frozen=True)
class _Reading:
    """What is known of a talk as it stands, step by step."""

    talk: SelfTalk
    attempts: dict[int, Trajectory]
    verdicts: dict[Home, StepVerdict]
    current: list[Home]
    """The steps of the attempt that counts: the chosen one, or the one under way."""
    first_error: int | None
    """Index in `current`; later steps rest on it."""
    writing: Home | None


def view(run: Run, language: Language) -> dict[str, Any]:
    """Everything the step list shows of a run."""
    return {
        "run": run.id,
        "language": language,
        "busy": run.status == "running" or run.transcript.voting,
        "state": "running" if run.transcript.voting else run.status,
        "voting": run.transcript.voting,
        "steps": steps(run, language),
        "status": status(run, language),
        "answer_label": word("answer.label", language) if run.kind == "solve" else "",
        "answer": answer(run, language),
        "note": note(run, language),
    }


def steps(run: Run, language: Language) -> list[dict[str, Any]]:
    """The rows of the step list, oldest first."""
    reading = _read(run)
    homes = [
        (turn, position)
        for turn, attempt in reading.attempts.items()
        for position in range(len(attempt.steps))
        if home_of(reading.talk, turn, position) == (turn, position)
    ]
    return [_row(run, reading, home, language) for home in homes]


def status(run: Run, language: Language) -> str:
    """One sentence on what is happening, which changes only when a step or a phase is done."""
    talk, live = run.transcript.talk, run.transcript.live
    if run.transcript.voting:
        return word("status.voting", language)
    if talk.outcome:
        # Own work that has a mistake in it is checked to the end all the same.
        ending = "settled" if (run.kind, run.status) == ("check", "unsettled") else run.status
        ended = word(f"status.{ending}", language, seconds=f"{run.seconds:.1f}")
        return f"{ended}: {talk.outcome.note}" if ending == "failed" and talk.outcome.note else ended
    if live is None:
        return word("status.thinking", language)
    if live.done:
        doubted = next((i for i, said in live.verdicts.items() if said.verdict == "incorrect"), None)
        if run.kind == "check" and doubted is not None:
            return word("status.doubting", language, number=doubted + 1)
        return word("status.reading" if live.criticising else "status.thinking", language)
    first = live.opening.parent is not None and len(live.steps) == live.opening.parent.kept
    return word("status.again" if first else "status.writing", language, number=len(live.steps) + 1)


def answer(run: Run, language: Language) -> str:
    """HTML of what came out: the answer of a solution, or which line of an own attempt to look at first."""
    outcome = run.transcript.talk.outcome
    if outcome is None or (run.kind == "check" and outcome.status in ("failed", "stopped")):
        return ""
    if run.kind == "check":
        return to_display(finding(run, language))
    if outcome.answer:
        return answer_to_display(outcome.answer)
    return word("answer.none", language) if outcome.status in ("settled", "unsettled") else ""


def note(run: Run, language: Language) -> str:
    """HTML of what a person should know before trusting the answer."""
    return to_display(caution(run, language))


def caution(run: Run, language: Language) -> str:
    """What a person should know before trusting the answer."""
    outcome = run.transcript.talk.outcome
    if outcome is None:
        return ""
    said = outcome.note if outcome.status != "failed" else ""  # in the language of the problem
    cautions = ("" if language == "zh-CN" else " ").join(_cautions(run, language))
    return f"{said}{'' if language_of(said) == language == 'zh-CN' else ' '}{cautions}".strip()


def _cautions(run: Run, language: Language) -> list[str]:
    reading, status_now = _read(run), run.status
    if status_now == "stopped" or (status_now == "failed" and reading.attempts):
        return [word("note.stopped", language)]
    if status_now == "failed":
        return []
    if run.kind == "check":
        keys = ["practise.note" if run.mode == PRACTISED else "note.check"]
        if reading.first_error is not None and reading.first_error + 1 < len(reading.current):
            keys.insert(0, "note.depends")
    else:
        keys = [_objection(reading) if status_now == "unsettled" else _SOLVED_BY.get(run.mode, "note.plain")]
        if reading.talk.chosen and reading.talk.chosen.finish == "length":
            keys.append("note.length")
    return [word(key, language) for key in keys]


def _objection(reading: _Reading) -> str:
    """Who objects to a solution: the critic, or the solutions that did not agree, which the outcome's note tells of."""
    return "note.divided" if reading.first_error is None else "note.unsettled"


_SOLVED_BY = {"critic": "note.settled", "selftalk": "note.selftalk", "plain": "note.plain"}


def finding(run: Run, language: Language) -> str:
    """Which line of an own attempt to look at first."""
    reading = _read(run)
    verdicts = [reading.verdicts.get(home) for home in reading.current]
    if reading.first_error is not None:
        before_are_right = reading.first_error > 0 and all(
            verdict and verdict.verdict == "correct" for verdict in verdicts[: reading.first_error]
        )
        key = "answer.check.wrong" if before_are_right else "answer.check.first"
        return word(key, language, number=reading.first_error + 1)
    if run.status == "unsettled":
        return word("answer.check.outvoted", language)
    unsure = next((i for i, v in enumerate(verdicts, 1) if v is None or v.verdict != "correct"), None)
    if unsure is not None:
        return word("answer.check.unsure", language, number=unsure)
    return word("answer.check.right", language)


def _read(run: Run) -> _Reading:
    live, talk = run.transcript.live, as_talk(run.transcript)
    attempts = {turn: t for turn, t in enumerate(talk.turns) if isinstance(t, Trajectory)}
    chosen = _chosen_turn(talk, attempts)
    current = [] if chosen is None else [home_of(talk, chosen, i) for i in range(len(attempts[chosen].steps))]
    verdicts = _verdicts(talk, attempts, chosen)
    writing = None
    if live and attempts:
        under_way = max(attempts)
        own = {i: v for i, v in live.verdicts.items() if i < len(attempts[under_way].steps)}
        verdicts |= {home_of(talk, under_way, position): verdict for position, verdict in own.items()}
        if live.text.strip() and not live.done:
            writing = (under_way, len(attempts[under_way].steps) - 1)
    wrong = (i for i, home in enumerate(current) if home in verdicts and verdicts[home].verdict == "incorrect")
    return _Reading(talk, attempts, verdicts, current, next(wrong, None), writing)


def _chosen_turn(talk: SelfTalk, attempts: dict[int, Trajectory]) -> int | None:
    """The attempt that the outcome rests on; the last one while there is no outcome."""
    wanted = talk.outcome and talk.outcome.trajectory_id
    return next((turn for turn in reversed(attempts) if not wanted or attempts[turn].id == wanted), None)


def _verdicts(talk: SelfTalk, attempts: dict[int, Trajectory], chosen: int | None) -> dict[Home, StepVerdict]:
    """The latest verdict on every step; on a kept one, what was said of the attempt that counts."""
    found: dict[int, Critique] = {}
    for index, item in enumerate(talk.turns):
        if isinstance(item, Critique):
            turns = (turn for turn in reversed(attempts) if turn < index and attempts[turn].id == item.trajectory_id)
            if (turn := next(turns, None)) is not None:
                found[turn] = item
    order = [*(turn for turn in found if turn != chosen), *(turn for turn in found if turn == chosen)]
    return {
        home_of(talk, turn, position): verdict
        for turn in order
        for position, verdict in enumerate(found[turn].verdicts[: len(attempts[turn].steps)])
    }


def _row(run: Run, reading: _Reading, home: Home, language: Language) -> dict[str, Any]:
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


def _state(reading: _Reading, home: Home, verdict: StepVerdict | None) -> State:
    if home == reading.writing:
        return "streaming"
    if home not in reading.current:
        return "replaced"
    if reading.first_error is not None and reading.current.index(home) > reading.first_error:
        return "depends"
    return _BY_VERDICT[verdict.verdict] if verdict and _said(verdict) else "plain"


def _state_word(run: Run, reading: _Reading, state: State, language: Language) -> str:
    if state in ("flagged", "depends"):
        return word(f"verdict.{state}.{run.kind}", language, number=(reading.first_error or 0) + 1)
    return word(f"verdict.{state}", language)


def _comment(verdict: StepVerdict) -> str:
    notes = [e.note for e in verdict.evidence if e.note and e.verdict != "correct"]
    own = verdict.comment if verdict.verdict != "correct" else ""
    return own or next(iter(notes), "")


def _said(verdict: StepVerdict) -> list[str]:
    """What the witnesses say; one that has no opinion of a step says nothing."""
    found = (_BADGES.get((evidence.by, evidence.verdict)) for evidence in verdict.evidence)
    return [badge for badge in found if badge]


def _badges(run: Run, state: State, verdict: StepVerdict | None, language: Language) -> list[dict[str, str]]:
    """Who looked at a step, and what they said; "not checked" only once nobody will look any more."""
    kinds = _said(verdict) if verdict else []
    if not kinds and run.status != "running" and state != "replaced":
        kinds = ["not_checked"]
    return [{"kind": kind, "text": word(f"badge.{kind}", language)} for kind in kinds]


def _why(run: Run, state: State, verdict: StepVerdict | None, language: Language) -> list[dict[str, str]]:
    """What the badges say, in sentences, each with what its witness noted; the comment on view is not said again."""
    shown = _comment(verdict) if verdict else ""
    notes = (
        {badge: e.note for e in verdict.evidence if (badge := _BADGES.get((e.by, e.verdict))) and e.note != shown}
        if verdict
        else {}
    )
    return [
        {
            "kind": badge["kind"],
            "said": word(f"why.{badge['kind']}", language),
            "note": to_display(notes.get(badge["kind"]) or ""),
        }
        for badge in _badges(run, state, verdict, language)
    ]
