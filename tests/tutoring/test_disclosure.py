"""A solution revealed bit by bit: requested parts are shown, the rest is withheld, and the log stores the progress."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace

import pytest
from sqlite_utils import Database, Migrations

from runtime import settings
from runtime.engines.base import EngineError
from runtime.engines.scripted import ScriptedEngine
from runtime.events import Finished, StepDone, Token, Voting, fold
from runtime.log.migrations import first_tables
from runtime.log.run import step_id
from runtime.log.store import SessionLog, StoreError
from runtime.session.session import Session
from runtime.tutoring import disclosure
from runtime.types import Critique, Evidence, Outcome, StepVerdict
from runtime.view import guided

QUESTION = "A ship carries 731 crates of 12 lamps each. 185 lamps break. How many lamps are whole?"
WRONG = "Altogether 731 * 12 = 8772 lamps.\nNobody would say 8772 - 185 = 8600 here.\nThe answer is 8600."
CORRECTED = " lamps.\nThe answer is 8587."
PLAIN = "Altogether 731 * 12 = 8772 lamps.\nRemaining 8772 - 185 = 8587 lamps.\nThe answer is 8587."
AGAIN = "Remove 185: 8772 - 185 = 8587.\nThe answer is 8587."


def solved(log, help, replies=(PLAIN,), mode="direct"):
    session = Session(settings.load(), lambda: ScriptedEngine(replies), log)
    *_, end = session.solve(QUESTION, mode, help=help, depth="quick")
    return session, end.run


def given(session, run, *wishes):
    for wish in wishes:
        run, unsaved = session.give(run, wish)
        assert unsaved is None
    return run


def sent(run, language="en"):
    return json.dumps(guided.view(run, language), ensure_ascii=False)


def test_the_status_counts_the_steps_that_are_shown(log):
    short = ["Altogether 731 * 12 = 8772 lamps.\nThe answer is 8772."]
    runs = solved(log, "hints"), solved(log, "steps"), solved(log, "hints", short)
    begun = ("Worked out in 2 steps.", "Shown: 1 of 2 steps.", "Worked out in one step.")
    assert [guided.view(run, "en")["status"][: len(text)] for (_, run), text in zip(runs, begun, strict=True)] == [
        *begun
    ]


def test_hints_lead_to_a_step_and_a_step_to_the_next(log):
    session, run = solved(log, "hints")
    assert disclosure.seen(run) == 0
    run = given(session, run, "hint", "hint", "hint")
    assert (disclosure.seen(run), len(disclosure.hints(run))) == (0, 3)
    run = given(session, run, "hint")
    assert (disclosure.seen(run), disclosure.hints(run)) == (1, ())
    run = given(session, run, "all")
    assert disclosure.is_open(run)
    assert all(session.give(run, wish) == (run, None) for wish in ("hint", "step", "all"))


def test_in_hints_only_no_step_can_be_requested(log):
    session, run = solved(log, "hints")
    assert session.give(run, "step") == (run, None)
    assert session.give(run, "nonsense") == (run, None)


def test_steps_are_revealed_one_at_a_time_from_the_first(log):
    session, run = solved(log, "steps")
    assert disclosure.seen(run) == 1
    assert disclosure.is_open(given(session, run, "step"))


def test_a_solution_of_one_step_is_not_revealed_at_once(log):
    _, run = solved(log, "steps", ["So 731 * 12 - 185 = 8587.\nThe answer is 8587."])
    assert disclosure.seen(run) == 0


def test_an_answer_without_steps_is_hidden_too(log):
    session, run = solved(log, "hints", ["The answer is 8587."] * 2)
    assert "8587" not in sent(run)
    run = given(session, run, "all")
    assert guided.view(run, "en")["answer"] == "8587"
    assert log.run(run.id).hints == {run.id: disclosure.SEEN}


@pytest.mark.parametrize("help", ["hints", "steps"])
def test_a_running_solution_reveals_nothing(log, help):
    session = Session(settings.load(), lambda: ScriptedEngine([PLAIN]), log)
    for progress in session.solve(QUESTION, "direct", help=help):
        if progress.run.status == "running":
            assert not any(word in sent(progress.run) for word in ("8772", "8587", "Altogether", "Remaining"))


def test_replaced_steps_and_notes_reveal_nothing(log):
    """With a critic the run has a wrong attempt, a note on it, and the evidence."""
    _, run = solved(log, "hints", [WRONG, CORRECTED], "critic")
    assert len(run.transcript.talk.trajectories) == 2
    outcome = run.transcript.talk.outcome.model_copy(update={"note": "An earlier attempt said 8600, not 8587."})
    talk = run.transcript.talk.model_copy(update={"outcome": outcome})
    run = replace(run, transcript=replace(run.transcript, talk=talk))
    assert not any(word in sent(run) for word in ("8772", "8587", "8600", "Altogether", "Nobody"))


def test_revealed_steps_are_stored_and_restored(log):
    session, run = solved(log, "hints")
    run = given(session, run, "hint", "hint")
    stored = log.run(run.id)
    assert (stored.help, stored.hints) == ("hints", {step_id(run.id, 0, 0): 2})
    assert sent(stored) == sent(replace(run, seconds=stored.seconds))
    assert [row["level"] for row in log.db["hints"].rows] == [1, 2]


def test_a_hint_that_cannot_be_stored_is_an_error(log):
    session, _ = solved(log, "hints")
    with pytest.raises(StoreError):
        log.add_hints("no such run", {"no such run:0:0": 1})
    assert session.latest("solve").hints == {}


def test_hints_work_without_a_log():
    session, run = solved(None, "hints")
    assert disclosure.is_open(given(session, run, "all"))


@pytest.mark.parametrize(
    ("own", "same"),
    [("8587", True), ("8,587 lamps", True), ("8587.0", True), ("8600", False), ("lots", None), ("  ", None)],
)
def test_an_own_answer_is_compared(log, own, same):
    _, run = solved(log, "hints")
    assert disclosure.compare(run, own) is same
    comparison = guided.compared(run, same, 1, "en")
    assert "8587" not in comparison["text"]
    assert comparison["kind"] == {True: "same", False: "other", None: "unclear"}[same]


def test_an_answer_the_critic_rejected_is_not_used_to_judge_the_students(log):
    _, run = solved(log, "hints")
    outcome = run.transcript.talk.outcome.model_copy(update={"status": "unsettled"})
    doubted = replace(
        run, transcript=replace(run.transcript, talk=run.transcript.talk.model_copy(update={"outcome": outcome}))
    )
    assert "may be wrong" in guided.compared(doubted, False, 1, "en")["text"]


def comparison_text(run, own, tries=1, language="en"):
    return guided.compared(run, disclosure.compare(run, own), tries, language)["text"]


def test_one_solution_is_not_enough_to_call_a_different_answer_wrong(log):
    _, run = solved(log, "hints", [WRONG])
    assert (
        comparison_text(run, "8587")
        == "That is different from my answer, and mine may be wrong. Shall I solve it again and compare?"
    )
    assert comparison_text(run, "8587", tries=2).startswith("This is different from my answer too.")
    assert "也可能是我错了" in comparison_text(run, "8587", language="zh-CN")
    assert disclosure.can_be_voted_on(run)


@pytest.mark.parametrize(
    ("first", "others", "own", "text"),
    [
        (WRONG, [PLAIN] * 4, "8587", "✓ Right: 3 of my 5 solutions reach your answer."),
        (PLAIN, [PLAIN] * 4, "8600", "3 of my 3 solutions reach a different answer from yours."),
        (WRONG, ["I pass."] * 4, "8587", "My 5 solutions do not agree with each other, so yours may well be right."),
        (WRONG, ["I pass."] * 4, "8600", "The same as my first answer. But my 5 solutions do not agree"),
    ],
)
def test_a_vote_compares_both_answers_and_reveals_nothing_of_the_solution(log, first, others, own, text):
    session, run = solved(log, "hints", [first, *others])
    views = []
    for progress in session.vote(run):
        views.append(guided.view(progress.run, "en"))
        run = progress.run
    assert views[0]["status"].startswith("Solving it again to compare: 1 of 5 done")
    assert comparison_text(run, own).startswith(text)
    for view in views:
        assert view["answer"] == view["note"] == ""
        assert all(step["state"] == "locked" for step in view["steps"])
        assert "8587" not in json.dumps(view) and "8600" not in json.dumps(view)


def test_a_stopped_solution_can_be_revealed_up_to_its_last_step(log):
    session, run = solved(log, "hints")
    talk = run.transcript.talk.model_copy(update={"outcome": Outcome(status="stopped")})
    run = replace(run, transcript=replace(run.transcript, talk=talk))
    assert not guided.view(run, "en")["comparable"]
    assert len(guided.view(given(session, run, "all"), "en")["steps"]) == 2


def test_a_step_is_rewritten_in_the_same_run(log):
    engine = ScriptedEngine([PLAIN, AGAIN])
    session = Session(settings.load(), lambda: engine, log)
    *_, first = session.solve(QUESTION, "direct")
    assert disclosure.can_be_tried_again(first.run) == [step_id(first.run.id, 0, position) for position in (0, 1)]
    *_, end = session.again(first.run, 1)
    old, new = end.run.transcript.talk.trajectories
    assert (new.parent.trajectory_id, new.parent.kept) == (old.id, 1)
    assert [step.text for step in new.steps] == ["Altogether 731 * 12 = 8772 lamps.", "Remove 185: 8772 - 185 = 8587."]
    assert log.run(first.run.id).transcript.talk == end.run.transcript.talk
    assert disclosure.solution(end.run)[0] == [step_id(end.run.id, 0, 0), step_id(end.run.id, 1, 1)]
    states = [row["state"] for row in guided.view(end.run, "en")["steps"]]
    assert states.count("replaced") == 1


@pytest.mark.parametrize(("reply", "note"), [(EngineError("the model broke"), "the model broke"), (AGAIN, "")])
def test_a_rewrite_that_fails_or_is_stopped_keeps_the_old_version(log, reply, note):
    session = Session(settings.load(), lambda: ScriptedEngine([PLAIN]), log)
    *_, first = session.solve(QUESTION, "direct")
    session = Session(settings.load(), lambda: ScriptedEngine([reply]), log, session.id)
    stop = threading.Event()
    for now in session.again(first.run, 1, cancel=stop):
        if isinstance(now.event, Token):
            stop.set()
    before, after = first.run.transcript.talk.outcome, now.run.transcript.talk.outcome
    assert after == before.model_copy(update={"note": note})
    assert [step.text for step in now.run.transcript.talk.chosen.steps] == PLAIN.splitlines()[:2]
    assert log.run(first.run.id).transcript.talk == now.run.transcript.talk


def test_an_abandoned_rewrite_keeps_the_old_version(log):
    session = Session(settings.load(), lambda: ScriptedEngine([PLAIN, AGAIN]), log)
    *_, first = session.solve(QUESTION, "direct")
    going_on = session.again(first.run, 1)
    for now in going_on:
        if isinstance(now.event, StepDone):
            break
    assert now.run.status == "running"
    going_on.close()
    assert log.run(first.run.id).transcript.talk.outcome == first.run.transcript.talk.outcome
    assert now.run.halted().transcript.talk.outcome == first.run.transcript.talk.outcome


def test_only_finished_steps_that_are_shown_can_be_tried_again(log):
    session, run = solved(log, "steps")
    assert disclosure.can_be_tried_again(run) == []
    assert disclosure.can_be_tried_again(replace(run, mode="selftalk", help="full")) == []
    assert len(disclosure.can_be_tried_again(given(session, run, "all"))) == 2
    running = replace(run, help="full", transcript=fold(run.transcript, Finished(Outcome(status="settled"))))
    unfinished = running.transcript.talk.model_copy(update={"outcome": None})
    assert (
        disclosure.can_be_tried_again(replace(running, transcript=replace(running.transcript, talk=unfinished))) == []
    )


def test_a_second_opinion_is_offered_if_no_vote_covers_the_shown_solution(log):
    session, run = solved(log, "steps")
    assert disclosure.can_be_voted_on(run)  # while it is hidden too: a student's own answer may be the right one
    run = given(session, run, "all")
    assert disclosure.can_be_voted_on(run)
    assert not disclosure.can_be_voted_on(replace(run, transcript=fold(run.transcript, Voting())))
    outcome = run.transcript.talk.outcome
    for other in ({"vote": (3, 4)}, {"status": "stopped"}, {"status": "failed"}):
        ended = fold(run.transcript, Finished(outcome.model_copy(update=other)))
        assert not disclosure.can_be_voted_on(replace(run, transcript=ended))
    for source, offered in (("verdict", True), ("solutions", False), ("reference", False)):
        verdict = StepVerdict(verdict="correct", evidence=(Evidence(by=source, verdict="correct"),))
        critique = Critique(trajectory_id=run.transcript.talk.chosen.id, verdicts=(verdict,))
        talk = run.transcript.talk.model_copy(update={"turns": (*run.transcript.talk.turns, critique)})
        assert disclosure.can_be_voted_on(replace(run, transcript=replace(run.transcript, talk=talk))) is offered


def test_the_outcome_stays_visible_during_a_vote_which_is_stored(log):
    session, run = solved(log, "full", [PLAIN, WRONG, PLAIN])
    views = [guided.view(progress.run, "en") for progress in session.vote(run)]
    assert [(view["answer"], view["votable"], view["again"]) for view in views[:1]] == [("8587", False, [])]
    kept = log.run(run.id)
    assert (kept.transcript.talk.outcome.vote, views[-1]["votable"]) == ((3, 4), False)
    assert "3 of 4 solutions reach this answer." in views[-1]["note"]


def test_an_outvoted_solution_is_replaced_afterwards(log):
    session, run = solved(log, "full", [WRONG, PLAIN, PLAIN, PLAIN])
    *_, end = session.vote(run)
    assert (run.transcript.talk.outcome.answer, end.run.transcript.talk.outcome.answer) == ("8600", "8587")
    states = [row["state"] for row in guided.view(end.run, "en")["steps"]]
    assert states == ["replaced", "replaced", "plain", "plain"]
    assert log.run(run.id).transcript.talk == end.run.transcript.talk


def test_a_replacement_solution_stays_as_open_as_the_old_one(log):
    session, run = solved(log, "hints", [WRONG, PLAIN, PLAIN, PLAIN])
    *_, end = session.vote(given(session, run, "all"))
    view = guided.view(end.run, "en")
    assert (view["answer"], "The first solution gave 8600" in view["note"]) == ("8587", True)


@pytest.mark.parametrize("end", ["stop", "error"])
def test_an_unfinished_vote_keeps_the_solution(log, end):
    session, run = solved(log, "full", [PLAIN, *[WRONG] * 4] if end == "stop" else [PLAIN, EngineError("gone")])
    cancel = threading.Event()
    events = session.vote(run, cancel)
    voting = next(events).run
    assert voting.transcript.voting
    assert voting.halted().transcript == run.transcript
    if end == "stop":
        cancel.set()
    *_, last = events
    before, after = run.transcript.talk.outcome, last.run.transcript.talk.outcome
    assert (after.answer, after.status, after.vote) == (before.answer, before.status, None)
    assert after.note == ("" if end == "stop" else "gone")
    assert log.run(run.id).transcript.talk.outcome == after


def test_runs_stored_before_hints_existed_are_shown_in_full(home):
    path = home / "soliloquy.db"
    older = Migrations("soliloquy")
    older(name="first_tables")(first_tables)
    with closing(sqlite3.connect(path)) as connection:
        older.apply(Database(connection))
        connection.execute("insert into sessions (id) values ('s')")
        connection.execute("insert into problems (id, text) values ('p', 'How many?')")
        talk = json.dumps({"problem": {"text": "How many?"}, "turns": [], "outcome": None})
        connection.execute(
            "insert into runs (id, session_id, problem_id, kind, mode, model, status, seconds, talk, created_at)"
            " values ('r', 's', 'p', 'solve', 'direct', 'm', 'settled', 0, ?, '2026-11-01')",
            [talk],
        )
        connection.commit()
    with closing(SessionLog(path)) as log:
        assert log.run("r").help == "full" and log.run("r").hints == {}
