"""The problem in practice: its messages, what it hides, and how the level changes."""

from __future__ import annotations

import json
import re

import pytest

from runtime import settings
from runtime.log.run import PRACTISED, step_id
from runtime.page.exercise import Exercise
from runtime.session.session import Session
from runtime.studio.labelled import labelled_attempts
from runtime.text import UnreadableError
from runtime.view.words import word

KEPT = {"seed": 5, "number": 0, "steps": 3, "group": None}


@pytest.fixture
def session(log):
    return Session(settings.load(), lambda: pytest.fail("no model is needed"), log)


def solve(exercise: Exercise, session: Session) -> None:
    exercise.check("\n".join(exercise.worked.lines), session.practised, "en")


def shown(exercise: Exercise) -> str:
    """All text that the page gets."""
    language = "en"
    views = exercise.view(language), exercise.story(language), exercise.quiet(language), exercise.solution(language)
    return re.sub(r'"(id|run)": "[^"]*"', "", json.dumps(views, ensure_ascii=False))


def test_a_false_sum_and_a_useless_number_are_reported_in_the_pages_language(session):
    exercise = Exercise(KEPT)
    exercise.check("2 + 2 = 5", session.practised, "en")
    row = exercise.view("zh-CN")["steps"][0]
    assert (row["state"], row["comment_text"]) == ("flagged", word("practise.slip", "zh-CN", sum="2 + 2"))
    exercise.check("999999 + 1 = 1000000\n2 + 2 = 5", session.practised, "en")
    first, second = exercise.view("en")["steps"]
    assert first["comment_text"] == word("practise.astray", "en")
    assert (second["state"], second["comment_text"]) == ("depends", "")
    assert exercise.view("en")["answer"] == "Check line 1 again."


def test_the_answer_stays_hidden_until_it_is_reached_or_requested(session):
    seen = 0
    for start in range(0, 2000, 50):
        exercise = Exercise(KEPT)
        exercise.seed = start
        exercise.next()
        worked = exercise.worked
        # The right sums up to the last, whose value is far off.
        exercise.check("\n".join([*worked.lines[:-1], "12 × 12 = 123457"]), session.practised, "en")
        answer = re.compile(rf"(?<![\d.]){re.escape(worked.result)}(?!\.?\d)")
        if len(worked.result) > 1:  # a single digit occurs in many places
            seen += 1
            assert not answer.search(shown(exercise)), (start, worked.result)
        exercise.show_solution()
        assert answer.search(exercise.solution("en"))
    assert seen > 20


def test_a_solved_problem_is_reported_and_stored_as_a_check(session, log):
    exercise = Exercise(KEPT)
    exercise.check("Let us see.", session.practised, "en")
    assert exercise.view("en")["answer"] == word("practise.nothing", "en")
    exercise.check(exercise.worked.lines[0], session.practised, "en")
    assert exercise.view("en")["answer"] == word("practise.so_far", "en")
    solve(exercise, session)
    assert exercise.worked.result in exercise.view("en")["answer"]
    assert {row["state"] for row in exercise.view("en")["steps"]} == {"ok"}
    (row,) = log.runs()
    assert (row["kind"], row["mode"], row["status"], row["answer"]) == (
        "check",
        PRACTISED,
        "settled",
        exercise.worked.result,
    )
    run = log.run(row["id"])
    assert [step.text for step in run.transcript.talk.trajectories[0].steps] == list(exercise.worked.lines)
    assert run.transcript.talk.turns[1].first_error is None
    assert session.latest("check") is None  # it must not appear on the Check tab


def test_a_deleted_attempt_is_not_stored_again(session, log):
    exercise = Exercise(KEPT)
    exercise.check("2 + 2 = 5", session.practised, "en")
    deleted = exercise.run.id
    log.delete_run(deleted)
    exercise.forget(deleted)
    solve(exercise, session)
    assert log.run(deleted) is None and log.count_runs() == 1


def test_rated_lines_are_not_overwritten(session, log):
    exercise = Exercise(KEPT)
    exercise.check("2 + 2 = 5", session.practised, "en")
    rated = exercise.run.id
    session.rate(rated, step_id(rated, 0, 0), -1, consent=True)
    solve(exercise, session)
    assert exercise.run.id != rated and log.count_runs() == 2
    [attempt] = labelled_attempts(log)
    assert (attempt.steps, attempt.known.first_error) == (["2 + 2 = 5"], 0)


def test_only_a_solution_right_at_the_first_check_raises_the_level(session):
    exercise = Exercise(KEPT)
    solve(exercise, session)
    solve(exercise, session)  # counts only once
    assert exercise.ladder.row == 1
    exercise.next()
    exercise.check("2 + 2 = 5", session.practised, "en")
    solve(exercise, session)
    assert exercise.ladder.row == 0
    for _ in range(2):
        exercise.next()
        solve(exercise, session)
    assert exercise.ladder.steps == 4 and exercise.quiet("en") == (
        f'<p role="status">{word("practise.harder", "en", number=4)}</p>'
    )
    exercise.next()
    assert len(exercise.worked.steps) == 4


def test_a_shown_solution_counts_as_missed_and_a_skipped_problem_does_not():
    exercise = Exercise(KEPT)
    exercise.next()
    assert exercise.ladder.row == 0
    for _ in range(2):
        exercise.show_solution()
        exercise.next()
    assert exercise.ladder.steps == 2


def test_changed_options_apply_at_once_only_before_anything_was_typed():
    exercise = Exercise(KEPT)
    exercise.choose("measuring", 2, untouched=True)
    here = exercise.worked
    assert here.theme in ("geometry", "units", "water tank") and len(here.steps) == 2
    exercise.choose("any", 1, untouched=False)
    assert exercise.worked is here and "From the next problem on: 1 step." in exercise.quiet("en")
    exercise.next()
    assert len(exercise.worked.steps) == 1


def test_a_problem_is_restored_and_invalid_browser_state_is_ignored():
    exercise = Exercise({**KEPT, "group": "nature", "number": 100})
    assert Exercise(json.loads(json.dumps(exercise.kept))).worked == exercise.worked
    for nonsense in (None, "x", {"seed": "a", "number": -1, "steps": 99, "group": ["x"]}, {"steps": float("nan")}):
        assert Exercise(nonsense).worked.steps


def test_an_empty_box_gets_a_message(session):
    with pytest.raises(UnreadableError, match="没有步骤"):
        Exercise(KEPT).check("  ", session.practised, "zh-CN")
