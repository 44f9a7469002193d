"""The session log: runs are restored as recorded, labels never change, and every failure has a message."""

import json
import os
import shutil
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from runtime.events import (
    AttemptDone,
    CritiqueDone,
    Finished,
    Proposing,
    StepDone,
    Token,
    Transcript,
    begin,
    fold,
)
from runtime.log.migrations import first_tables, migrations
from runtime.log.run import PRACTISED, Run, home_of, step_id
from runtime.log.store import SessionLog, StoreError, new_id, now
from runtime.studio.labelled import labelled_attempts
from runtime.types import (
    SCHEMA,
    Critique,
    Evidence,
    Feedback,
    Outcome,
    Parent,
    Problem,
    Provenance,
    Review,
    SelfTalk,
    Step,
    StepVerdict,
    Trajectory,
)

PROBLEM = Problem(text="Lily picks 2 red and 3 green apples, then 4 pears. 一共多少？", answer="9", licence="MIT")
ONE, BAD, GOOD, END = (Step(text=text) for text in ("2 + 3 = 5 apples", "5 + 4 = 8", "5 + 4 = 9 fruits", "So nine."))
FIRST = Trajectory(
    problem_id=PROBLEM.id, steps=(ONE, BAD), answer="8", made_by=Provenance(engine="scripted", model="m")
)
SECOND = Trajectory(
    problem_id=PROBLEM.id, steps=(ONE, GOOD), origin="refine", parent=Parent(trajectory_id=FIRST.id, kept=1)
)
THIRD = Trajectory(
    problem_id=PROBLEM.id, steps=(ONE, GOOD, END), origin="refine", parent=Parent(trajectory_id=SECOND.id, kept=2)
)
RIGHT = StepVerdict(verdict="correct", probability=0.9)
WRONG = StepVerdict(
    verdict="incorrect",
    comment="It is 9.",
    evidence=(Evidence(by="arithmetic", verdict="incorrect", note="9"), Evidence(by="model", verdict="unsure")),
)
TALK = SelfTalk(
    problem=PROBLEM,
    turns=(
        FIRST,
        Critique(trajectory_id=FIRST.id, verdicts=(RIGHT, WRONG)),
        SECOND,
        Critique(trajectory_id=SECOND.id, verdicts=(RIGHT, RIGHT)),
        THIRD,
    ),
    outcome=Outcome(status="settled", answer="9", trajectory_id=THIRD.id),
)


@pytest.fixture
def log(tmp_path):
    log = SessionLog(tmp_path / "sub" / "soliloquy.db")
    yield log
    log.close()


def a_run(log, talk=TALK, **more):
    fields = {"kind": "solve", "mode": "critic", "model": "m", "seconds": 1.25, "created_at": now()}
    fields["session_id"] = more.get("session_id") or log.start_session()
    return Run(id=new_id(), transcript=Transcript(talk), **{**fields, **more})


def recorded(log, talk=TALK, **more):
    run = a_run(log, talk, **more)
    log.record(run)
    return run


def rows(log, table):
    with closing(sqlite3.connect(log.path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(f"select * from {table} order by 1")]


def test_the_file_holds_the_tables_that_the_documents_name(log):
    names = {row["name"] for row in rows(log, "sqlite_master")}
    tables = {"sessions", "problems", "runs", "steps", "critiques", "labels", "latest_labels"}
    studio = {"reviews", "latest_reviews", "votes", "latest_votes", "costs", "votes_are_append_only"}
    assert tables | studio | {"problems_fts", "steps_fts", "labels_are_append_only"} <= names


def test_a_recorded_run_comes_back_as_it_was(log):
    run = recorded(log)
    assert log.run(run.id) == run
    assert log.latest_run(run.session_id, "solve") == run
    assert log.latest_run(run.session_id, "check") is None
    assert log.run("unknown") is None


def test_a_reopened_database_gives_the_same_run(log):
    run = recorded(log)
    log.add_label(run.id, step_id(run.id, 0, 1), Feedback(rating=-1))
    expected = log.run(run.id)
    log.close()
    again = SessionLog(log.path)
    assert again.run(run.id) == expected
    assert again.has_session(run.session_id)
    assert not again.has_session("unknown")
    again.close()


def test_a_run_of_an_earlier_release_is_read_with_todays_ids(log):
    """Earlier releases left the answer out of an attempt's id."""
    second = SECOND.model_copy(update={"parent": Parent(trajectory_id=FIRST.former_id, kept=1)})
    third = THIRD.model_copy(update={"parent": Parent(trajectory_id=second.former_id, kept=2)})
    former = {FIRST.id: FIRST.former_id, SECOND.id: second.former_id, THIRD.id: third.former_id}
    run = recorded(log)
    stored = rows(log, "runs")[0]["talk"]
    for today, before in former.items():
        stored = stored.replace(today, before)
    log.db.execute("update runs set talk = ?", [stored])
    log.db.conn.commit()
    assert SelfTalk.model_validate_json(stored) != TALK
    assert log.run(run.id).transcript.talk == TALK


def test_a_run_recorded_again_is_one_run_and_keeps_its_labels(log):
    run = replace(recorded(log, TALK.model_copy(update={"turns": (FIRST,), "outcome": None})), seconds=9.0)
    assert log.run(run.id).status == "running"
    log.add_label(run.id, step_id(run.id, 0, 0), Feedback(rating=1))
    run = replace(run, transcript=Transcript(TALK))
    log.record(run)
    log.record(run)
    assert log.count_runs() == 1
    stored = log.run(run.id)
    assert (stored.transcript.talk, stored.status, stored.seconds) == (TALK, "settled", 9.0)
    assert stored.labels == {step_id(run.id, 0, 0): Feedback(turn=0, step=0, rating=1)}
    assert [len(rows(log, table)) for table in ("runs", "problems", "steps", "critiques")] == [1, 1, 4, 4]


def test_a_kept_step_is_stored_once(log):
    run = recorded(log)
    assert [(row["id"], row["turn"], row["position"], row["text"]) for row in rows(log, "steps")] == [
        (f"{run.id}:0:0", 0, 0, ONE.text),
        (f"{run.id}:0:1", 0, 1, BAD.text),
        (f"{run.id}:2:1", 2, 1, GOOD.text),
        (f"{run.id}:4:2", 4, 2, END.text),
    ]


@pytest.mark.parametrize(
    ("place", "home"), [((0, 1), (0, 1)), ((2, 0), (0, 0)), ((2, 1), (2, 1)), ((4, 0), (0, 0)), ((4, 1), (2, 1))]
)
def test_a_kept_step_belongs_to_its_original_attempt(place, home):
    assert home_of(TALK, *place) == home


def test_verdicts_point_at_the_step_they_judge_with_all_evidence(log):
    run = recorded(log)
    found = [(row["step_id"], row["verdict"], row["probability"], row["comment"]) for row in rows(log, "critiques")]
    assert found == [
        (f"{run.id}:0:0", "correct", 0.9, ""),
        (f"{run.id}:0:1", "incorrect", None, "It is 9."),
        (f"{run.id}:0:0", "correct", 0.9, ""),
        (f"{run.id}:2:1", "correct", 0.9, ""),
    ]
    evidence = json.loads(rows(log, "critiques")[1]["evidence"])
    assert [Evidence.model_validate(row) for row in evidence] == list(WRONG.evidence)


def test_a_run_is_stored_after_every_event(log):
    run = a_run(log, kind="check")
    transcript = begin(PROBLEM)
    events = [Proposing("sample"), Token("2 +"), StepDone(ONE), Token("5 + 4"), StepDone(BAD), AttemptDone(FIRST)]
    for event in [*events, CritiqueDone(TALK.turns[1]), Finished(Outcome(status="unsettled"))]:
        transcript = fold(transcript, event)
        log.record(replace(run, transcript=transcript))
        stored = log.run(run.id)
        shown = transcript.live.steps if transcript.live else FIRST.steps
        steps = stored.transcript.talk.trajectories[-1].steps if stored.transcript.talk.turns else ()
        assert steps[: len(shown)] == shown
    assert [row["text"] for row in rows(log, "steps")] == [ONE.text, BAD.text]
    assert log.run(run.id).status == "unsettled"


def test_a_line_that_is_no_step_after_all_leaves_no_row(log):
    run, opening = a_run(log), fold(fold(begin(PROBLEM), Proposing("sample")), StepDone(ONE))
    log.record(replace(run, transcript=fold(opening, Token("The answer is"))))
    one_step = Trajectory(problem_id=PROBLEM.id, steps=(ONE,), answer="5")
    log.record(replace(run, transcript=fold(opening, AttemptDone(one_step))))
    assert [row["text"] for row in rows(log, "steps")] == [ONE.text]


def test_the_newest_runs_come_first_with_their_problem_and_number_of_labels(log):
    old, new = recorded(log), recorded(log, SelfTalk(problem=Problem(text="1 + 1?")))
    log.add_label(old.id, None, Feedback(rating=1))
    log.add_label(old.id, None, Feedback(rating=0))
    log.add_label(old.id, step_id(old.id, 0, 0), Feedback(rating=1))
    found = log.runs()
    assert [(row["id"], row["problem"], row["labels"], row["status"]) for row in found] == [
        (new.id, "1 + 1?", 0, "running"),
        (old.id, PROBLEM.text, 2, "settled"),
    ]
    assert [row["id"] for row in log.runs(limit=1)] == [new.id]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Lily", True),
        ("lily PEARS", True),
        ("fruits", True),
        ("green apples", True),
        ("green appl", True),
        ("gree apples", False),
        ("bananas", False),
        ("Lily bananas", False),
        ('"', False),
        ("apples OR bananas NOT (", False),
        ("a*b", False),
        ("'; drop table runs; --", False),
    ],
)
def test_search_covers_problem_and_steps_and_accepts_any_query(words, found, log):
    run = recorded(log)
    recorded(log, SelfTalk(problem=Problem(text="1 + 1?")))
    assert [row["id"] for row in log.runs(search=words)] == ([run.id] if found else [])


def test_search_finds_chinese_words_within_a_sentence(log):
    run = recorded(log, SelfTalk(problem=Problem(text="小明有5个苹果，又买了3个。")))
    assert [row["id"] for row in log.runs(search="苹果")] == [run.id]


@pytest.mark.parametrize("words", [" ", "\n", ""])
def test_a_blank_search_is_no_search(words, log):
    run = recorded(log)
    assert [row["id"] for row in log.runs(search=words)] == [run.id]


# labels


def test_the_latest_label_counts_and_all_are_kept(log):
    run = recorded(log)
    step = step_id(run.id, 2, 1)
    for rating in (-1, 0, 1):
        log.add_label(run.id, step, Feedback(rating=rating, reason=f"r{rating}", correction="5 + 4 = 9", consent=True))
    log.add_label(run.id, None, Feedback(rating=-1))
    latest = Feedback(turn=2, step=1, rating=1, reason="r1", correction="5 + 4 = 9", consent=True)
    assert log.labels(run.id) == {step: latest, run.id: Feedback(rating=-1)}
    assert [row["rating"] for row in rows(log, "labels")] == [-1, 0, 1, -1]


def test_a_withdrawn_rating_is_neither_shown_nor_exported(log):
    run = recorded(log)
    step = step_id(run.id, 2, 1)
    log.add_label(run.id, step, Feedback(rating=0, consent=True))
    assert log.is_rated(run.id) and [*log.export()] and [*labelled_attempts(log)]
    log.add_label(run.id, step, Feedback(consent=True))
    assert not log.is_rated(run.id) and log.labels(run.id) == {}
    assert [*log.export()] == [*labelled_attempts(log)] == []
    assert [row["rating"] for row in rows(log, "labels")] == [0, None]


def test_the_last_of_many_quick_labels_is_the_latest(log):
    run = recorded(log)
    for i in range(200):
        log.add_label(run.id, None, Feedback(reason=str(i)))
    assert log.labels(run.id)[run.id].reason == "199"
    assert [row["reason"] for row in rows(log, "labels")] == [str(i) for i in range(200)]


def test_a_lone_surrogate_is_refused_with_a_message(log):
    run = recorded(log)
    with pytest.raises(StoreError, match="half a character"):
        log.add_label(run.id, None, Feedback(correction="5 \ud83d"))
    assert log.labels(run.id) == {}


def test_a_label_cannot_be_changed(log):
    run = recorded(log)
    log.add_label(run.id, None, Feedback(rating=1))
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        log.db.execute("update labels set rating = -1")
    assert log.labels(run.id)[run.id].rating == 1


def test_deleting_a_run_deletes_its_labels_and_nothing_else(log):
    first, second = recorded(log), recorded(log)
    other = recorded(log, TALK.model_copy(update={"problem": Problem(text="Another one, about elephants")}))
    for run in (first, second):
        log.add_label(run.id, step_id(run.id, 0, 0), Feedback(rating=1))
    log.delete_run(first.id)
    assert log.run(first.id) is None
    assert log.run(second.id).transcript == second.transcript and log.labels(second.id)
    assert {row["run_id"] for row in rows(log, "steps")} == {second.id, other.id}
    assert {row["run_id"] for row in rows(log, "labels")} == {second.id}
    assert {row["step_id"].split(":")[0] for row in rows(log, "critiques")} == {second.id, other.id}
    assert len(rows(log, "problems")) == 2
    log.delete_run(other.id)
    assert [row["text"] for row in rows(log, "problems")] == [PROBLEM.text]
    assert log.runs(search="elephants") == []
    log.delete_run("unknown")


def test_runs_of_lists_a_session_or_a_single_run(log):
    first = recorded(log)
    second = recorded(log, session_id=first.session_id)
    recorded(log)
    assert [run.id for run in log.runs_of(first.session_id)] == [first.id, second.id]
    assert [run.id for run in log.runs_of(second.id)] == [second.id]
    assert log.runs_of("unknown") == []


def test_a_practised_problem_is_not_the_latest_check(log):
    check = recorded(log, kind="check", mode="check")
    recorded(log, kind="check", mode=PRACTISED, session_id=check.session_id)
    assert log.latest_run(check.session_id, "check").id == check.id


def test_a_label_on_an_unknown_step_or_run_is_refused(log):
    run = recorded(log)
    for run_id, step in [(run.id, step_id(run.id, 0, 9)), (run.id, "nonsense"), ("unknown", None)]:
        with pytest.raises(StoreError, match="is not stored here"):
            log.add_label(run_id, step, Feedback(rating=1))
    assert rows(log, "labels") == []


def test_rated_text_is_never_replaced(log):
    run = recorded(log, TALK.model_copy(update={"turns": (FIRST,)}))
    other = FIRST.model_copy(update={"steps": (ONE, GOOD)})
    changed = replace(run, transcript=Transcript(TALK.model_copy(update={"turns": (other,)})))
    log.record(changed)
    log.add_label(run.id, step_id(run.id, 0, 1), Feedback(rating=1, consent=True))
    with pytest.raises(StoreError, match="rated in another page"):
        log.record(run)
    assert log.run(run.id).transcript == changed.transcript
    assert log.record_unrated(run) is False
    log.record(replace(changed, seconds=2.0))


def test_unrated_work_may_be_overwritten(log):
    run = recorded(log)
    assert log.record_unrated(replace(run, seconds=7.0))
    assert log.run(run.id).seconds == 7.0


def test_eight_threads_store_all_their_labels(log):
    run = recorded(log)
    steps = [row["id"] for row in rows(log, "steps")]

    def work(thread):
        for i in range(25):
            log.add_label(run.id, steps[thread % 4], Feedback(rating=1, reason=f"{thread}/{i}"))
            assert log.run(run.id) is not None

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    reasons = [row["reason"] for row in rows(log, "labels")]
    assert sorted(reasons) == sorted(f"{thread}/{i}" for thread in range(8) for i in range(25))
    assert {label.reason for label in log.labels(run.id).values()} <= {f"{thread}/24" for thread in range(8)}


def test_two_open_logs_of_one_file_see_each_others_runs(log):
    other = SessionLog(log.path)
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(recorded, [log, other] * 10))
    assert {row["id"] for row in log.runs(100)} == {row["id"] for row in other.runs(100)} == {run.id for run in runs}
    other.close()


# Clocks that are set back


@pytest.fixture
def backwards(monkeypatch):
    """Every id is smaller than the one before."""
    moments = iter(range(2_000_000_000_000, 0, -86_400_000))
    monkeypatch.setattr("time.time_ns", lambda: next(moments) * 10**6)


def test_the_latest_label_is_the_last_inserted_even_if_the_clock_was_set_back(log, backwards):
    run = recorded(log)
    step = step_id(run.id, 2, 1)
    for rating in (-1, 0, 1):
        log.add_label(run.id, step, Feedback(rating=rating))
        assert log.labels(run.id)[step].rating == rating
    ids = [row["id"] for row in log.db["labels"].rows_where(order_by="rowid")]
    assert ids == sorted(ids, reverse=True)
    for ending in ("solution", "give_up", "found_error"):
        log.add_review(run.id, Review(turn=0, ending=ending))
        assert log.reviews(run.id)[0].ending == ending
    for vote in ("same", "none", "critic"):
        log.add_vote(run.session_id, vote)
        assert log.vote(run.session_id) == vote and log.tally() == {vote: 1}


@pytest.mark.parametrize("withdrawn", [Feedback(rating=1), Feedback(consent=True), Feedback()])
def test_withdrawing_consent_counts_even_after_the_clock_was_set_back(withdrawn, log, backwards):
    run = recorded(log)
    step = step_id(run.id, 2, 1)
    log.add_label(run.id, step, Feedback(rating=1, consent=True))
    log.add_review(run.id, Review(turn=2, ending="solution", explanation="mine", consent=True))
    assert [*log.export()] and [*labelled_attempts(log)]
    log.add_label(run.id, step, withdrawn)
    log.add_review(run.id, Review(turn=2, ending="solution"))
    assert [*log.export()] == [*labelled_attempts(log)] == []


@pytest.mark.parametrize("act", ["vacuum", "dump"])
def test_the_latest_label_stays_the_latest_in_a_copy_of_the_database(act, log, backwards, tmp_path):
    run = recorded(log)
    other = recorded(log)
    for rating in (-1, 0, 1):
        log.add_label(other.id, None, Feedback(rating=-1))
        log.add_label(run.id, None, Feedback(rating=rating, consent=rating < 1))
    log.delete_run(other.id)
    if act == "vacuum":
        log.db.vacuum()
    else:
        with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
            copy.executescript("\n".join(line for line in log.db.iterdump() if "_fts" not in line))
        log = SessionLog(tmp_path / "copy.db")
    assert log.labels(run.id)[run.id] == Feedback(rating=1)


def test_runs_are_ordered_by_insertion(log, backwards):
    first = recorded(log)
    second = recorded(log, session_id=first.session_id)
    log.record(first)
    assert log.latest_run(first.session_id, "solve").id == second.id
    assert [run.id for run in log.runs_of(first.session_id)] == [first.id, second.id]
    assert [row["id"] for row in log.runs()] == [second.id, first.id]
    assert [run.id for run in log.ended_runs()] == [second.id, first.id]
    for run in (first, second):
        log.add_label(run.id, None, Feedback(rating=1, consent=True))
    assert [run.id for run in log.labelled_runs()] == [row["id"] for row in log.export()] == [first.id, second.id]


def before(name):
    """The migrations before the named one."""
    older = Migrations("soliloquy")
    for migration in takewhile(lambda migration: migration.name != name, migrations._migrations):
        older(name=migration.name)(migration.fn)
    return older


def test_the_mode_plain_of_an_old_database_becomes_direct(tmp_path):
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        before("direct_mode").apply(db)
        db["sessions"].insert({"id": "s"})
        db["problems"].insert({"id": "p", "text": "1 + 1?"})
        for id, mode in (("1", "plain"), ("2", "critic")):
            db["runs"].insert({"id": id, "session_id": "s", "problem_id": "p", "mode": mode, "talk": "{}"})
        db["votes"].insert({"id": "v", "session_id": "s", "vote": "plain"})
    with closing(SessionLog(path)) as log:
        assert log.tally() == {"direct": 1}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select mode from runs order by id").fetchall() == [("direct",), ("critic",)]
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("update votes set vote = 'critic'")


def test_the_reliability_and_the_votes_of_a_run_are_stored_and_follow_its_outcome(log):
    voted = {"vote": (3, 5), "answers": (("9", 3), ("8", 2)), "weights": (2.4, 0.5), "reliability": 0.83}
    talk = TALK.model_copy(update={"outcome": TALK.outcome.model_copy(update=voted)})
    run = recorded(log, talk)
    assert log.run(run.id) == run
    assert [row["reliability"] for row in log.runs()] == [0.83]
    assert [(row["answer"], row["votes"], row["weight"]) for row in rows(log, "answers")] == [
        ("9", 3, 2.4),
        ("8", 2, 0.5),
    ]
    log.add_label(run.id, None, Feedback(rating=1, consent=True))
    assert next(log.export())["talk"]["outcome"]["reliability"] == 0.83
    log.record(replace(run, transcript=Transcript(TALK)))
    assert rows(log, "answers") == [] and log.runs()[0]["reliability"] is None
    log.record(run)
    log.delete_run(run.id)
    assert rows(log, "answers") == []


def test_runs_from_before_reliability_open(tmp_path):
    path = tmp_path / "old.db"
    outcome = {"status": "settled", "answer": "9", "vote": [3, 5], "answers": [["9", 3], ["8", 2]]}
    talk = TALK.model_dump(mode="json") | {"outcome": outcome}
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        before("reliability").apply(db)
        db["sessions"].insert({"id": "s"})
        db["problems"].insert({"id": "p", "text": "1 + 1?"})
        run = {"id": "r", "session_id": "s", "problem_id": "p", "kind": "solve", "mode": "critic", "model": "m"}
        more = {"status": "settled", "seconds": 1.0, "talk": json.dumps(talk), "created_at": "2026-01-01"}
        db["runs"].insert(run | more)
    with closing(SessionLog(path)) as log:
        assert log.run("r").outcome.reliability is None
        assert [row["reliability"] for row in log.runs()] == [None]


def test_in_an_older_database_too_the_last_inserted_label_counts(tmp_path, backwards):
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        before("latest_by_order").apply(db)
        db["sessions"].insert({"id": "s"})
        db["problems"].insert({"id": "p", "text": "1 + 1?"})
        db["runs"].insert({"id": "r", "session_id": "s", "problem_id": "p", "talk": "{}"})
        for id, consent in (("2", 1), ("1", 0)):
            db["labels"].insert({"id": id, "run_id": "r", "rating": 1, "consent": consent})
    log = SessionLog(path)
    assert log.labels("r")["r"].consent is False
    log.close()


# export


def test_only_rows_with_consent_are_exported(log):
    step = "{}:0:0".format
    shared, private, withdrawn, unlabelled = (recorded(log, created_at=f"2026-01-0{i}") for i in range(1, 5))
    log.add_label(shared.id, step(shared.id), Feedback(rating=1, consent=True))
    log.add_label(shared.id, None, Feedback(rating=-1, reason="secret"))
    log.add_label(private.id, None, Feedback(rating=1))
    log.add_label(withdrawn.id, None, Feedback(rating=1, consent=True))
    log.add_label(withdrawn.id, None, Feedback(rating=1, consent=False))
    exported = list(log.export())
    assert exported == [
        {
            "schema": SCHEMA,
            "type": "LabelledTalk",
            "id": shared.id,
            "created_at": "2026-01-01",
            "talk": TALK.model_dump(mode="json"),
            "feedback": [Feedback(turn=0, step=0, rating=1, consent=True).model_dump(mode="json")],
        }
    ]
    assert SelfTalk.model_validate(json.loads(json.dumps(exported[0]["talk"]))) == TALK
    assert "secret" not in json.dumps(exported)
    everything = [row["id"] for row in log.export(consented_only=False)]
    assert everything == [shared.id, private.id, withdrawn.id]
    assert unlabelled.id not in everything


# what can go wrong


def test_a_database_of_a_newer_version_is_refused_and_left_alone(log):
    recorded(log)
    log.close()
    newer = Migrations("soliloquy")
    newer(name="first_tables")(first_tables)
    newer(name="moods")(lambda db: db["moods"].create({"id": str}))
    with closing(sqlite3.connect(log.path)) as connection:
        newer.apply(Database(connection))
    before = log.path.read_bytes()
    with pytest.raises(StoreError, match=r"newer version of Soliloquy \(moods\)\. Update"):
        SessionLog(log.path)
    assert log.path.read_bytes() == before


@contextmanager
def without_rights():
    """Run as an unprivileged user: for the superuser no folder is read-only."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def open_folder():
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("exists", [False, True])
def test_a_read_only_folder_is_an_error_with_a_remedy(exists, open_folder):
    path = open_folder / "soliloquy.db"
    if exists:
        SessionLog(path).close()
        path.chmod(0o444)
    open_folder.chmod(0o555)
    with without_rights(), pytest.raises(StoreError, match="Set SOLILOQUY_HOME to a folder you can write to") as caught:
        SessionLog(path)
    assert str(path) in str(caught.value)


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="set SOLILOQUY_HOME"):
        SessionLog(tmp_path / "file" / "soliloquy.db")


@pytest.mark.parametrize("damage", ["all", "head", "schema"])
def test_a_damaged_file_is_an_error_with_a_remedy_and_is_left_alone(damage, log):
    log.close()
    data = bytearray(log.path.read_bytes())
    data[:] = {"all": b"no database " * 999, "head": b"\0" * 100 + data[100:], "schema": data[:100] + b"\xff" * 3996}[
        damage
    ]
    log.path.write_bytes(data)
    with pytest.raises(StoreError, match=r"The file is damaged\. Move it away"):
        SessionLog(log.path)
    assert log.path.read_bytes() == data


def test_a_full_disk_is_an_error_with_a_remedy_and_loses_nothing(log):
    run = recorded(log)
    pages = next(iter(log.db.query("pragma page_count")))["page_count"]
    log.db.execute(f"pragma max_page_count = {pages}")
    long = SelfTalk(problem=Problem(text="long " * 50_000))
    with pytest.raises(StoreError, match=r"The disk is full\. Free some space"):
        recorded(log, long)
    assert log.run(run.id) == run
    assert log.count_runs() == 1
    log.db.execute(f"pragma max_page_count = {pages + 1000}")
    assert log.run(recorded(log, long).id).transcript.talk == long
