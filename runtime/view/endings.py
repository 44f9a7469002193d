"""The end of a run in words: its answer, its status, and cautions."""

from __future__ import annotations

from runtime.checks.grading import equal
from runtime.errors import SoliloquyError
from runtime.log.run import PRACTISED, Run
from runtime.text import Language, language_of
from runtime.view.display import answer_to_display, to_display
from runtime.view.reading import Reading, read_run
from runtime.view.words import explained, word


def ending(run: Run) -> str:
    """The run's status, or "no_answer" for a finished solution without an answer."""
    outcome = run.transcript.talk.outcome
    if outcome and run.kind == "solve" and outcome.answer is None and outcome.status in ("settled", "unsettled"):
        return "no_answer"
    return run.status


def ended(run: Run, language: Language) -> str:
    """One sentence on how the run ended."""
    # A check that found a mistake has been completed too.
    how = "settled" if (run.kind, run.status) == ("check", "unsettled") else ending(run)
    text, outcome = word(f"status.{how}", language, seconds=f"{run.seconds:.1f}"), run.outcome
    if how != "failed" or not outcome.note:
        return text
    return word("status.failed.why", language, reason=explained(SoliloquyError(outcome.note, outcome.error), language))


def answer(run: Run, language: Language) -> str:
    """HTML of the answer of a solution, or of the finding on own work."""
    outcome = run.transcript.talk.outcome
    if outcome is None or (run.kind == "check" and outcome.status in ("failed", "stopped")):
        return ""
    if run.kind == "check":
        return to_display(finding(run, language))
    if outcome.answer:
        return answer_to_display(outcome.answer)
    key = {"no_answer": "answer.none", "unanswerable": "answer.missing"}.get(ending(run))
    return word(key, language) if key else ""


def reliability(run: Run, language: Language) -> str:
    """How likely the answer of a solution is right; empty where that was not calibrated."""
    outcome = run.transcript.talk.outcome
    return likely(outcome.reliability, language) if outcome and outcome.answer and run.kind == "solve" else ""


def likely(probability: float | None, language: Language) -> str:
    """A probability in words, in tenths and never as certain; empty without one."""
    if probability is None:
        return ""
    degree = "high" if probability >= 0.95 else "middle" if probability >= 0.5 else "low"
    return word(f"reliability.{degree}", language, tenths=max(1, round(10 * probability)))


def note(run: Run, language: Language) -> str:
    """The cautions as HTML."""
    return to_display(caution(run, language))


def caution(run: Run, language: Language) -> str:
    """What a person should know before trusting the answer: the outcome's note, the votes, and the cautions."""
    outcome = run.transcript.talk.outcome
    if outcome is None:
        return ""
    text = outcome.note if outcome.status != "failed" else ""  # in the language of the problem
    if counted := _counted(run, language):
        text = f"{text} {counted}" if language_of(text) == "en" else f"{text}{counted}"
    cautions = ("" if language == "zh-CN" else " ").join(_cautions(run, language))
    return f"{text}{'' if language_of(text) == language == 'zh-CN' else ' '}{cautions}".strip()


def _cautions(run: Run, language: Language) -> list[str]:
    reading, status_now = read_run(run), run.status
    if status_now == "stopped" or (status_now == "failed" and reading.attempts):
        return [word("note.stopped", language)]
    if status_now == "failed":
        return []
    if run.kind == "check":
        keys = ["practise.note" if run.mode == PRACTISED else "note.check"]
        if reading.first_error is not None and reading.first_error + 1 < len(reading.current):
            keys.insert(0, "note.depends")
    else:
        keys = [_solved(run, reading)]
        finish = reading.talk.chosen.finish if reading.talk.chosen else "stop"
        if finish in ("length", "repeated"):
            keys.append(f"note.{finish}")
    return [word(key, language) for key in keys]


def _solved(run: Run, reading: Reading) -> str:
    """The key of a solution's caution, by how it ended and how it was checked."""
    match ending(run):
        case "settled":
            return _SOLVED_BY.get(run.mode, "note.direct")
        case "unsettled":
            return _objection(reading)
        case other:
            return f"note.{other}"


def _counted(run: Run, language: Language) -> str:
    """The answers of a vote with their counts. For own work the other answers are not shown, only their counts."""
    outcome = run.outcome
    if not outcome.answers or not outcome.vote:
        return ""
    silent = outcome.vote[1] - sum(count for _, count in outcome.answers)
    own = run.transcript.talk.chosen.answer if run.kind == "check" and run.transcript.talk.chosen else None
    names = [(_name(run, text, own, language), count) for text, count in outcome.answers]
    names += [(word("vote.no_answer", language), silent)] if silent else []
    listed = [word("vote.count", language, answer=name, count=count) for name, count in names]
    return word("vote.answers", language, answers=" · ".join(listed))


def _name(run: Run, text: str, own: str | None, language: Language) -> str:
    if run.kind == "solve":
        return text
    return word("vote.yours" if own and equal(text, own) else "vote.other", language)


def _objection(reading: Reading) -> str:
    """The key of the objection to a solution: by the critic, or by the vote."""
    return "note.divided" if reading.first_error is None else "note.unsettled"


_SOLVED_BY = {"critic": "note.settled", "selftalk": "note.selftalk", "direct": "note.direct"}


def finding(run: Run, language: Language) -> str:
    """The finding on own work: which line to check first, or that no mistake was found."""
    reading = read_run(run)
    verdicts = [reading.verdicts.get(home) for home in reading.current]
    if reading.first_error is not None:
        before_are_right = reading.first_error > 0 and all(
            verdict and verdict.verdict == "correct" for verdict in verdicts[: reading.first_error]
        )
        key = "answer.check.wrong" if before_are_right else "answer.check.first"
        return word(key, language, number=reading.first_error + 1)
    if run.status == "unsettled":
        return word("answer.check.outvoted", language)
    if run.status == "unchecked":
        return word("answer.check.unchecked", language)
    unsure = next((i for i, v in enumerate(verdicts, 1) if v is None or v.verdict != "correct"), None)
    if unsure is not None:
        return word("answer.check.unsure", language, number=unsure)
    return word("answer.check.right", language)
