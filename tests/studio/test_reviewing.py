"""The review queue: its order, and that no label is lost or contradicts another."""

import pytest

from runtime.events import Transcript
from runtime.log.run import Run, step_id
from runtime.log.store import StoreError, new_id, now
from runtime.studio.labelled import attempt_of
from runtime.studio.reviewing import Reviewing, queue, why
from runtime.types import (
    Critique,
    Evidence,
    Feedback,
    Outcome,
    Parent,
    Problem,
    Review,
    SelfTalk,
    Step,
    StepVerdict,
    Trajectory,
)
from runtime.view import render
from runtime.view.review import guide, head, view

SURE = StepVerdict(verdict="correct", probability=0.95)
UNSURE = StepVerdict(verdict="unsure", probability=0.4)
WRONG = StepVerdict(verdict="incorrect", probability=0.1)
SUM = Evidence(by="arithmetic", verdict="incorrect")
FALSE_SUM = StepVerdict(verdict="correct", probability=0.9, evidence=(SUM,))


def recorded(log, text, *verdicts, steps=("1 + 1 = 2", "2 + 1 = 3"), outcome=True):
    problem = Problem(text=text, answer="3")
    attempt = Trajectory(problem_id=problem.id, steps=tuple(Step(text=step) for step in steps), answer="3")
    turns = (attempt, Critique(trajectory_id=attempt.id, verdicts=verdicts)) if verdicts else (attempt,)
    ended = Outcome(status="settled", answer="3", trajectory_id=attempt.id) if outcome else None
    talk = SelfTalk(problem=problem, turns=turns, outcome=ended)
    run = Run(new_id(), log.start_session(), "solve", "critic", "m", Transcript(talk), created_at=now())
    log.record(run)
    return run.id


def rate(log, run, *ratings):
    for position, rating in enumerate(ratings):
        log.add_label(run, step_id(run, 0, position), Feedback(rating=rating, consent=True))


def test_the_queue_starts_with_the_most_informative_attempts(log):
    begun = recorded(log, "begun", SURE, SURE)
    rate(log, begun, 1)
    new = recorded(log, "new", SURE, SURE)
    sums = recorded(log, "sums", SURE, FALSE_SUM)
    doubted = recorded(log, "doubted", SURE, UNSURE)
    disputed = recorded(log, "disputed", SURE, WRONG)
    disliked = recorded(log, "disliked", SURE, SURE)
    rate(log, disliked, 1, -1)
    recorded(log, "still going on", outcome=False)
    assert queue(log) == [f"{run}:0" for run in (disliked, disputed, doubted, sums, new, begun)]
    reasons = [why(attempt_of(log, key)) for key in queue(log)]
    assert reasons == ["disliked", "disputed", "doubtful", "arithmetic", "new", "begun"]


def test_a_negative_rating_of_the_run_counts_as_disliked(log):
    run = recorded(log, "whole", SURE, SURE)
    log.add_label(run, None, Feedback(rating=-1))
    assert why(attempt_of(log, f"{run}:0")) == "disliked"


def test_a_finished_review_moves_from_the_queue_to_the_finished_list(log):
    runs = [recorded(log, text) for text in ("one", "two")]
    reviewing = Reviewing(log)
    first = reviewing.current.key
    reviewing.finish("give_up", "", 2.0, consent=False)
    assert queue(log) == [key for key in (f"{run}:0" for run in runs) if key != first]
    assert queue(log, shelf="done") == [first] and reviewing.done_today == 1
    reviewing.back()
    assert reviewing.current.key == first
    reviewing.finish("bad_problem", "", 1.0, consent=False)
    assert log.reviews(first.split(":")[0])[0].ending == "bad_problem"
    assert len(list(log.db["reviews"].rows)) == 2  # earlier rows are not changed


def test_reviews_are_append_only_and_belong_to_a_run(log):
    run = recorded(log, "one")
    log.add_review(run, Review(turn=0, ending="give_up"))
    with pytest.raises(Exception, match="append-only"):
        log.db.execute("update reviews set ending = 'solution'")
    with pytest.raises(StoreError, match="not stored here"):
        log.add_review("nobody", Review(turn=0, ending="give_up"))


@pytest.mark.parametrize(
    ("ratings", "ending", "objection"),
    [
        ((1, 1), "solution", None),
        ((1, 0), "solution", None),
        ((1,), "solution", "unrated"),
        ((1, -1), "solution", "has_error"),
        ((1, -1), "found_error", None),
        ((-1,), "found_error", None),
        ((None, -1), "found_error", "unrated"),
        ((1, 1), "found_error", "no_error"),
        ((), "give_up", None),
        ((), "bad_problem", None),
    ],
)
def test_an_ending_must_fit_the_ratings(ratings, ending, objection, log):
    rate(log, recorded(log, "one"), *ratings)
    assert Reviewing(log).objection(ending) == objection


def test_a_pending_label_is_stored_with_the_ending(log):
    run = recorded(log, "one")
    rate(log, run, 1)
    reviewing = Reviewing(log)
    ids = reviewing.current.step_ids
    reviewing.catch_up({ids[0]: Feedback(rating=1), ids[1]: Feedback(rating=-1, reason="idea"), "x:0:0": Feedback()})
    assert [row["rating"] for row in log.db["labels"].rows] == [1, -1]
    assert reviewing.objection("found_error") is None


def test_postponed_attempts_return_and_rebuilding_the_queue_keeps_the_current_one(log):
    for text in ("one", "two", "three"):
        recorded(log, text)
    reviewing = Reviewing(log)
    order = list(reviewing.waiting)
    reviewing.skip()
    assert reviewing.waiting == [*order[1:], order[0]]
    recorded(log, "four", SURE, WRONG)
    reviewing.keep_up()
    assert reviewing.waiting[0] == order[1] and len(reviewing.waiting) == 4
    assert Reviewing(log, order[2]).current.key == order[2]


def test_a_search_finds_attempts_by_the_words_of_problem_and_steps(log):
    run = recorded(log, "apples and pears")
    recorded(log, "nothing of the kind")
    reviewing = Reviewing(log)
    reviewing.look_again("pears")
    assert reviewing.waiting == [f"{run}:0"]


def test_each_attempt_of_a_run_is_reviewed_and_a_kept_step_has_one_label(log):
    problem = Problem(text="two tries")
    first = Trajectory(problem_id=problem.id, steps=(Step(text="1 + 1 = 2"), Step(text="2 + 1 = 4")))
    kept = Parent(trajectory_id=first.id, kept=1)
    steps = (Step(text="1 + 1 = 2"), Step(text="2 + 1 = 3"))
    second = Trajectory(problem_id=problem.id, steps=steps, origin="refine", parent=kept)
    talk = SelfTalk(problem=problem, turns=(first, second), outcome=Outcome(status="settled", trajectory_id=second.id))
    run = Run(new_id(), log.start_session(), "solve", "critic", "m", Transcript(talk), created_at=now())
    log.record(run)
    assert queue(log) == [f"{run.id}:0", f"{run.id}:1"]
    rate(log, run.id, 1)
    assert attempt_of(log, f"{run.id}:1").ratings == [1, None]


# What is shown


def test_answer_and_critique_are_not_sent_before_they_are_requested(log):
    run = recorded(log, "secret", SURE, FALSE_SUM)
    reviewing = Reviewing(log)
    shown = view(reviewing, "en")
    assert {row["state"] for row in shown["steps"]} == {"plain"} and shown["can_reveal"]
    assert any(row["why"] for row in render.steps(log.run(run), "en"))
    assert not any(row["why"] or row["comment"] or row["comment_text"] for row in shown["steps"])
    assert "Reference answer" not in head(reviewing, "en")
    assert "a calculation is wrong" not in head(reviewing, "en")
    reviewing.revealed = True
    assert "Reference answer" in head(reviewing, "en")
    assert "a calculation is wrong" in head(reviewing, "en")


@pytest.mark.parametrize(
    ("ratings", "able"), [((), False), ((1,), False), ((1, 1), True), ((-1,), True), ((1, -1), True)]
)
def test_the_critic_runs_only_after_a_person_has_judged(log, ratings, able):
    rate(log, recorded(log, "secret", SURE, FALSE_SUM), *ratings)
    assert Reviewing(log).can_reveal is able


def test_typed_text_is_escaped(log):
    recorded(log, "<img src=x onerror=alert(1)>", steps=("<i>1</i>",))
    shown = head(Reviewing(log), "en") + view(Reviewing(log), "en")["steps"][0]["html"]
    assert "<img" not in shown and "<i>" not in shown


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_an_empty_queue_shows_what_to_do(language, log):
    assert view(Reviewing(log), language)["empty"] and "item" not in view(Reviewing(log), language)
    assert view(None, language)["empty"] and head(None, language) == ""
    assert guide(language).startswith("<details")
