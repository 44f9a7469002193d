"""A student's session on queued replies: streamed, stored while it runs, never lost."""

import signal
import subprocess
import sys

import pytest
from places import ROOT
from solver import QUESTION, RIGHT

from runtime import settings
from runtime.engines.base import EngineError
from runtime.engines.scripted import ScriptedEngine
from runtime.events import StepDone
from runtime.log.run import step_id
from runtime.log.store import StoreError
from runtime.session.session import Session
from runtime.text import UnreadableError

SOLVED = [RIGHT] * 3
"""An attempt, and the replies that the critic asks for if everything agrees with it."""


def session_with(engine, log, **kept):
    return Session(settings.load(), lambda: engine, log, **kept)


def last(progress):
    *_, end = progress
    return end


def test_a_solved_problem_is_stored_as_it_was_shown(log):
    session = session_with(ScriptedEngine(SOLVED), log)
    run = last(session.solve(QUESTION)).run
    stored = log.run(run.id)
    assert stored.transcript.talk == run.transcript.talk
    assert stored.status == "settled"
    assert session.latest("solve").id == run.id


def test_steps_are_stored_while_the_run_goes_on(log):
    session = session_with(ScriptedEngine(SOLVED), log)
    for progress in session.solve(QUESTION):
        if isinstance(progress.event, StepDone):
            assert log.db["steps"].count >= 1
            session.rate(progress.run.id, step_id(progress.run.id, 0, 0), 1)
            break
    assert log.labels(progress.run.id)[step_id(progress.run.id, 0, 0)].rating == 1


def test_if_the_reader_leaves_the_run_is_stored_as_stopped(log):
    session = session_with(ScriptedEngine(SOLVED), log)
    progress = session.solve(QUESTION)
    for now in progress:
        if isinstance(now.event, StepDone):
            break
    progress.close()
    run = session.latest("solve")
    assert run.status == "stopped"
    assert [step.text for step in run.transcript.talk.trajectories[0].steps] == RIGHT.splitlines()[:1]


def test_an_engine_error_is_stored_as_a_failed_run_with_its_reason(log):
    session = session_with(ScriptedEngine([EngineError("the model broke")]), log)
    run = last(session.solve(QUESTION)).run
    assert (run.status, run.transcript.talk.outcome.note) == ("failed", "the model broke")
    assert log.run(run.id).status == "failed"


def test_a_full_disk_removes_nothing_from_the_screen(log):
    session = session_with(ScriptedEngine(SOLVED), log)
    pages = next(iter(log.db.query("pragma page_count")))["page_count"]
    log.db.execute(f"pragma max_page_count = {pages}")
    text = QUESTION + " " + "word " * 700  # longer than the free space of the file's last pages
    end = last(session.solve(text))
    assert end.run.transcript.talk.outcome.answer == "17"
    assert "The disk is full" in str(end.unsaved)


def test_checking_own_work_ends_at_the_first_error(log):
    steps = ["The pens cost 3 × 4 = 14 dollars.", "In all 14 + 5 = 19 dollars.", "Answer: 19"]
    session = session_with(ScriptedEngine(), log)
    run = last(session.check(QUESTION, steps)).run
    critique = run.transcript.talk.turns[-1]
    assert critique.first_error == 0
    assert len(critique.verdicts) == 1
    assert [step.text for step in run.transcript.talk.trajectories[0].steps] == steps


def test_a_session_resumes_by_its_id_and_an_unknown_id_starts_a_new_one(log):
    first = session_with(ScriptedEngine(), log)
    assert session_with(ScriptedEngine(), log, session_id=first.id).id == first.id
    assert session_with(ScriptedEngine(), log, session_id="made up").id not in ("made up", first.id)


def test_without_a_log_nothing_is_stored_and_rating_is_an_error():
    session = session_with(ScriptedEngine(SOLVED), None)
    run = last(session.solve(QUESTION)).run
    assert run.status == "settled"
    with pytest.raises(StoreError, match="cannot be stored"):
        session.rate(run.id, None, 1)


def test_a_reason_is_kept_only_with_its_rating(log):
    """Reasons are given where attempts are reviewed; the same step can be rated and corrected elsewhere."""
    session = session_with(ScriptedEngine(SOLVED), log)
    run = last(session.solve(QUESTION)).run
    step = step_id(run.id, 0, 0)
    session.rate(run.id, step, -1, reason="sum")
    session.rate(run.id, step, -1, correction="3 × 4 = 12")
    assert (log.labels(run.id)[step].reason, log.labels(run.id)[step].correction) == ("sum", "3 × 4 = 12")
    session.rate(run.id, step, 1)
    assert log.labels(run.id)[step].reason is None


@pytest.mark.parametrize("text", ["", "  \n", "x" * 5000, "a\x00b"])
def test_an_unusable_problem_is_refused_before_the_model_is_loaded(text, log):
    def no_engine():
        raise AssertionError("the model was asked for")

    with pytest.raises(UnreadableError):
        list(Session(settings.load(), no_engine, log).solve(text))


CRASH = """
import os, sys
from runtime.engines.scripted import ScriptedEngine
from runtime.session.session import Session
from runtime.settings import load
from runtime.log.store import SessionLog


class Crashing(ScriptedEngine):
    def stream(self, *arguments, **named):
        for number, piece in enumerate(super().stream(*arguments, **named)):
            if number == 12:
                os.abort()  # as llama.cpp does when one of its own checks fails
            yield piece


settings = load()
reply = "3 * 4 = 12 dollars\\nand 12 + 2 = 14 dollars\\nThe answer is 14."
session = Session(settings, lambda: Crashing([reply]), SessionLog(settings.database))
list(session.solve("How much do 3 notebooks at 4 dollars and a pen for 2 dollars cost?", mode="direct"))
"""


def test_after_a_crash_the_log_holds_what_was_shown(log):
    done = subprocess.run([sys.executable, "-c", CRASH], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGABRT
    (row,) = log.runs()
    run = log.run(row["id"])
    live = run.transcript.live
    steps = [step.text for trajectory in run.transcript.talk.trajectories for step in trajectory.steps]
    assert (steps or [step.text for step in live.steps]) == ["3 * 4 = 12 dollars"]


def test_storing_can_be_turned_off_and_on_again(log):
    session = session_with(ScriptedEngine(SOLVED * 2), None)
    last(session.solve(QUESTION))
    assert log.count_runs() == 0
    session.keep_in(log)
    run = last(session.solve(QUESTION)).run
    assert [stored["id"] for stored in log.runs()] == [run.id] and log.has_session(session.id)
    session.keep_in(None)
    with pytest.raises(StoreError):
        session.rate(run.id, None, 1)
