"""One open page: the requests it refuses, and what it shows when something could not be stored."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from solver import QUESTION, Solver

from runtime import settings
from runtime.events import Transcript
from runtime.log.run import step_id
from runtime.log.store import SessionLog, StoreError
from runtime.page.desk import BusyError, Desk
from runtime.page.frame import Frame
from runtime.session.loader import Loading
from runtime.session.session import Session

FULL = StoreError("The disk is full: free some space and try again.")


def a_desk(log, session=None):
    return Desk(settings.load(mode="direct"), Loading(Solver), log, "en", session)


def solved(desk, help="full"):
    desk.begin("solve", QUESTION, "direct", help=help)
    return followed(desk)


def followed(desk, kind="solve"):
    """The view after a run that was prepared."""
    for _ in desk.follow(kind):
        pass
    return desk.view(kind)


def refuse(*_, **__):
    raise FULL


def entered(number, rating):
    """A label as the page sends it."""
    return {"number": number, "rating": rating, "reason": "", "correction": ""}


def test_a_running_task_is_not_replaced_by_a_second_request(log):
    desk = a_desk(log)
    desk.begin("solve", QUESTION, "direct")
    with pytest.raises(BusyError, match="or press Stop"):
        desk.begin("solve", "Another one: 1 + 1?", "direct")
    view = followed(desk)
    assert view["answer"] and desk.texts("solve") == [QUESTION]
    desk.begin_comparison(QUESTION)
    with pytest.raises(BusyError):
        desk.begin_comparison("Another one: 1 + 1?")
    assert desk.comparing


def test_a_run_begun_while_the_stopped_one_still_ends_is_shown(log):
    desk = a_desk(log)
    desk.begin("solve", QUESTION, "direct")
    ending = desk.follow("solve")
    shown = next(view for view in ending if view and view.get("steps"))
    assert shown["busy"] and not desk.stop("solve")["busy"]
    desk.begin("solve", QUESTION, "direct")
    assert not any(ending)
    view = followed(desk)
    assert view["answer"] and view["run"] != shown["run"]


def test_a_run_that_never_began_says_so_until_the_next_one(log):
    desk = a_desk(log)
    solved(desk)
    for prepare in (lambda: desk.begin("solve", QUESTION, "direct"), lambda: solved(desk) and desk.vote("solve")):
        prepare()
        assert desk.stop("solve")["status"] == "Stopped before it started"
        assert followed(desk)["status"] == "Stopped before it started"
    assert solved(desk)["status"].startswith("Finished")


def test_a_page_that_starts_anew_shows_nothing_of_the_run_it_left(log):
    desk = a_desk(log)
    desk.begin("solve", QUESTION, "direct")
    ending = desk.follow("solve")
    assert any(ending)
    desk.leave()
    assert not any(ending)


def test_opening_the_log_is_retried_when_there_is_something_to_store(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.log.database.NEXT_TRY", 0.0)
    home = tmp_path / "file" / "home"
    home.parent.write_text("in the way")
    log = SessionLog(home / "soliloquy.db", at_once=False)
    desk = a_desk(log)
    assert desk.log is None and "SOLILOQUY_HOME" in str(desk.log_error)
    view = solved(desk)
    assert view["answer"] and not view["rateable"]
    home.parent.unlink()
    view = solved(desk)
    assert view["rateable"] and not desk.log_error and not view["unsaved"]
    assert log.count_runs() == 1
    log.close()


def test_with_storing_turned_off_comparisons_and_reviews_are_not_stored_either(log):
    desk = a_desk(log)
    solved(desk)
    assert desk.reviewing.current
    desk.begin_comparison(QUESTION)
    stored = log.count_runs()
    desk.keep_in(None)
    for _ in desk.follow_comparison():
        pass
    desk.comparison.cast("A")
    assert desk.comparison.is_whole and log.count_runs() == stored and not log.tally()
    assert desk.reviewing is None
    desk.keep_in(log)
    assert desk.reviewing.current


def test_on_a_full_disk_the_page_opens_and_warns_that_nothing_is_kept(log, monkeypatch):
    monkeypatch.setattr(log, "start_session", refuse)
    desk = a_desk(log)
    assert (desk.log, desk.log_error) == (None, FULL)
    assert solved(desk)["answer"] and log.count_runs() == 0


def test_a_solution_is_shown_even_if_it_cannot_be_stored(log, monkeypatch):
    desk = a_desk(log)
    assert "12 + 5 = 17" not in json.dumps(solved(desk, "hints"))
    monkeypatch.setattr(log, "add_hints", refuse)
    desk.give("all")
    view = desk.view("solve")
    assert "12 + 5 = 17" in json.dumps(view) and str(FULL) in view["unsaved"]


def test_a_run_interrupted_by_a_crash_counts_as_ended(log):
    desk = a_desk(log)
    solved(desk)
    run = desk.session.latest("solve")
    broken = replace(run, transcript=Transcript(run.transcript.talk.model_copy(update={"outcome": None})))
    log.record(broken)
    assert log.run(run.id).status == "running"
    again = a_desk(log, desk.session.id)
    assert "Stopped" in again.view("solve")["status"]
    again.reopen(log.run(run.id))
    assert "Stopped" in again.view("solve")["status"]


def test_a_reopened_run_shows_its_stored_labels_and_nothing_of_the_previous_run(log):
    desk = a_desk(log)
    solved(desk, "hints")
    first = desk.session.latest("solve")
    desk.rate("solve", step_id(first.id, 0, 0), [entered(1, 1)], consent=False)
    Session(settings.load(), Solver, log).rate(first.id, step_id(first.id, 0, 0), -1)
    solved(desk, "hints")
    desk.compare("17")
    assert "compared" in desk.view("solve")
    desk.reopen(log.run(first.id))
    assert "compared" not in desk.view("solve")
    desk.give("all")
    assert [row["rating"] for row in desk.view("solve")["steps"]] == [-1, None]


def test_a_rating_that_could_not_be_stored_is_reported_on_every_tab(log):
    desk = a_desk(log)
    for kind in ("solve", "review"):
        with pytest.raises(StoreError), desk.storing(kind):
            raise FULL
        assert str(FULL) in desk.trouble(kind)["unsaved"]
    assert desk.trouble("review")["epoch"] == 2
    with desk.storing("review"):
        pass
    assert desk.trouble("review")["unsaved"] == "" and desk.trouble("solve")["unsaved"]


def test_a_request_that_is_overtaken_stores_its_label_below_the_later_one(log):
    desk = a_desk(log)
    step = step_id(solved(desk)["run"], 0, 0)
    rated, undone = entered(1, 1), entered(2, None)
    desk.rate("solve", step, [rated, undone], consent=True)
    desk.rate("solve", step, [rated], consent=True)
    assert [row["rating"] for row in log.db["labels"].rows] == [1, None]
    assert desk.view("solve")["steps"][0]["rating"] is None


def test_a_label_that_could_not_be_stored_is_stored_with_the_next_one(log, monkeypatch):
    desk = a_desk(log)
    step = step_id(solved(desk)["run"], 0, 0)
    with monkeypatch.context() as broken, pytest.raises(StoreError):
        broken.setattr(log, "add_label", refuse)
        desk.rate("solve", step, [entered(1, -1)], consent=True)
    desk.rate("solve", step, [entered(1, -1), entered(2, 0)], consent=True)
    assert [row["rating"] for row in log.db["labels"].rows] == [-1, 0]


def test_labels_that_arrive_side_by_side_in_any_order_are_stored_once_and_in_theirs(log):
    desk = a_desk(log)
    run = solved(desk)["run"]
    given = [entered(number, (-1, 0, 1, None)[number % 4]) for number in range(1, 41)]
    requests = [
        (step_id(run, 0, step), given[max(0, last - 7) : last + 1]) for step in (0, 1) for last in range(len(given))
    ]
    # A browser has six requests on their way at most, so none is overtaken by more labels than a request brings.
    mixed = random.Random(0)
    for start in range(0, len(requests), 3):
        near = requests[start : start + 3]
        mixed.shuffle(near)
        requests[start : start + 3] = near
    with ThreadPoolExecutor(6) as side_by_side:
        list(side_by_side.map(lambda asked: desk.rate("solve", *asked, consent=True), requests))
    for step in (step_id(run, 0, 0), step_id(run, 0, 1)):
        stored = [row["rating"] for row in log.db["labels"].rows_where("step_id = ?", [step], order_by="rowid")]
        assert stored == [label["rating"] for label in given]


def test_a_run_waiting_to_continue_counts_as_being_written(log):
    """Otherwise it would be stored again once the model is free."""
    desk = a_desk(log)
    run_id = solved(desk)["run"]
    assert not desk.is_writing(run_id)
    desk.vote("solve")
    assert desk.is_writing(run_id)


def test_asking_for_more_help_removes_the_verdict_on_an_answer(log):
    """The answer may have changed since, and the verdict would appear beside another one."""
    desk = a_desk(log)
    solved(desk, "steps")
    desk.compare("17")
    assert desk.view("solve")["compared"]
    desk.give("step")
    assert "compared" not in desk.view("solve")


def test_the_same_answer_can_be_compared_again(log):
    desk = a_desk(log)
    solved(desk, "hints")
    views = []
    for _ in range(2):
        desk.compare("18")
        views.append(desk.view("solve")["compared"])
    assert views[0] != views[1]  # the page transmits only what has changed
    assert [view["tries"] for view in views] == [1, 2]


def test_a_vote_on_a_hidden_solution_updates_the_verdict_on_the_students_answer(log):
    desk = a_desk(log)
    solved(desk, "hints")
    desk.compare("18")
    desk.vote("solve")
    view = followed(desk)
    assert "of my" in view["compared"]["text"]
    assert all(step["state"] == "locked" for step in view["steps"])


def test_after_a_restart_a_page_takes_its_settings_from_the_browser(log):
    """Not every request carries the browser's settings, and the first one after a restart may lack them."""
    frame = Frame(Loading(Solver), settings.load(), log, studio=False)
    asks = SimpleNamespace(session_hash="page", headers={"accept-language": "en"})
    assert (frame.desk(asks).log, frame.desk(asks).language) == (log, "en")
    kept = {"private": True, "language": "zh-CN", "practise": {"steps": 5}}
    desk = frame.desk(asks, kept)
    assert (desk.log, desk.language) == (None, "zh-CN")
    assert frame.desk(asks, {"private": False}) is desk is frame.desk(asks)
