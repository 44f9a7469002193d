"""The schema of the session database, as migrations that are applied in order and never edited afterwards.

Keys are ULIDs as text, times are UTC in ISO 8601, and foreign keys are declared. `datasette soliloquy.db` shows it.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("soliloquy")


@migrations()
def first_tables(db: Database) -> None:
    db.table("sessions").create({"id": str, "created_at": str}, pk="id")
    db.table("problems").create(
        {"id": str, "text": str, "answer": str, "source": str, "licence": str, "created_at": str},
        pk="id",
        not_null={"text"},
    )
    db.table("runs").create(
        {
            "id": str,
            "session_id": str,
            "problem_id": str,
            "kind": str,  # solve or check
            "mode": str,
            "model": str,
            "status": str,  # running, or the outcome's
            "answer": str,
            "seconds": float,
            "talk": str,  # the SelfTalk as JSON: the whole record; the tables below index it
            "created_at": str,
        },
        pk="id",
        not_null={"session_id", "problem_id", "talk"},
        foreign_keys=[("session_id", "sessions", "id"), ("problem_id", "problems", "id")],
    )
    db.table("steps").create(
        {"id": str, "run_id": str, "turn": int, "position": int, "text": str},
        pk="id",
        not_null={"run_id", "text"},
        foreign_keys=[("run_id", "runs", "id")],
    )
    db.table("critiques").create(
        {
            "id": str,
            "step_id": str,
            "verdict": str,
            "probability": float,
            "comment": str,
            "evidence": str,  # JSON: what each source found
        },
        pk="id",
        foreign_keys=[("step_id", "steps", "id")],
    )
    db.table("labels").create(
        {
            "id": str,
            "run_id": str,
            "step_id": str,  # null: the label is on the whole run
            "rating": int,
            "reason": str,
            "correction": str,
            "consent": int,
            "created_at": str,
        },
        pk="id",
        not_null={"run_id"},
        foreign_keys=[("run_id", "runs", "id"), ("step_id", "steps", "id")],
    )
    for table, column in (("runs", "session_id"), ("steps", "run_id"), ("critiques", "step_id"), ("labels", "run_id")):
        db.table(table).create_index([column])
    db.table("problems").enable_fts(["text"], create_triggers=True, fts_version="FTS5")
    db.table("steps").enable_fts(["text"], create_triggers=True, fts_version="FTS5")
    db.create_view(
        "latest_labels",
        "select * from labels where id in (select max(id) from labels group by run_id, coalesce(step_id, ''))",
    )
    db.execute(
        "create trigger labels_are_append_only before update on labels "
        "begin select raise(abort, 'labels are append-only: add a new one'); end"
    )


@migrations()
def help_given(db: Database) -> None:
    db.table("runs").add_column("help", str)  # hints, steps or full; null (full) in older runs
    db.table("hints").create(
        {
            "id": str,
            "run_id": str,
            "step_id": str,  # null: the answer of a solution without steps
            "level": int,  # the most help given with this step: 1 to 3 a hint, 4 the step itself
            "created_at": str,
        },
        pk="id",
        not_null={"run_id", "level"},
        foreign_keys=[("run_id", "runs", "id"), ("step_id", "steps", "id")],
    )
    db.table("hints").create_index(["run_id"])


@migrations()
def reviews(db: Database) -> None:
    db.table("reviews").create(
        {
            "id": str,
            "run_id": str,
            "turn": int,  # which attempt of the run
            "ending": str,
            "explanation": str,
            "seconds": float,
            "consent": int,
            "created_at": str,
        },
        pk="id",
        not_null={"run_id", "turn", "ending"},
        foreign_keys=[("run_id", "runs", "id")],
    )
    db.table("reviews").create_index(["run_id"])
    db.create_view(
        "latest_reviews", "select * from reviews where id in (select max(id) from reviews group by run_id, turn)"
    )
    db.execute(
        "create trigger reviews_are_append_only before update on reviews "
        "begin select raise(abort, 'reviews are append-only: add a new one'); end"
    )


@migrations()
def comparisons(db: Database) -> None:
    db.table("costs").create(
        {
            "run_id": str,
            "first": float,  # seconds to the first token; null if there was none
            "seconds": float,
            "calls": int,
            "prompt_tokens": int,
            "tokens": int,  # written
        },
        pk="run_id",
        foreign_keys=[("run_id", "runs", "id")],
    )
    db.table("votes").create(
        {
            "id": str,
            "session_id": str,  # a comparison is a session of its own
            "vote": str,  # a mode, same or none
            "created_at": str,
        },
        pk="id",
        not_null={"session_id", "vote"},
        foreign_keys=[("session_id", "sessions", "id")],
    )
    db.table("votes").create_index(["session_id"])
    db.create_view("latest_votes", "select * from votes where id in (select max(id) from votes group by session_id)")
    db.execute(
        "create trigger votes_are_append_only before update on votes "
        "begin select raise(abort, 'votes are append-only: add a new one'); end"
    )


@migrations()
def taken_back(db: Database) -> None:
    # An empty label withdraws the one before it.
    db.view("latest_labels").drop()
    db.create_view(
        "latest_labels",
        "select * from labels where id in (select max(id) from labels group by run_id, coalesce(step_id, ''))"
        " and coalesce(rating, reason, correction) is not null",
    )


@migrations()
def latest_by_order(db: Database) -> None:
    # By rowid, which only grows, instead of by id, which holds the time: a clock may be set back.
    not_empty = " and coalesce(rating, reason, correction) is not null"
    for table, group, more in (
        ("labels", "run_id, coalesce(step_id, '')", not_empty),
        ("reviews", "run_id, turn", ""),
        ("votes", "session_id", ""),
    ):
        view = f"latest_{table}"
        db.view(view).drop()
        latest = f"select max(rowid) from {table} group by {group}"
        db.create_view(view, f"select * from {table} where rowid in ({latest}){more}")


@migrations()
def direct_mode(db: Database) -> None:
    # The mode `direct` was called `plain`.
    db.execute("update runs set mode = 'direct' where mode = 'plain'")
    [unchanging] = db.query("select sql from sqlite_master where name = 'votes_are_append_only'")
    db.execute("drop trigger votes_are_append_only")
    db.execute("update votes set vote = 'direct' where vote = 'plain'")
    db.execute(unchanging["sql"])


@migrations()
def reliability(db: Database) -> None:
    # That the answer is right, between 0 and 1; null without a calibrated verifier.
    db.table("runs").add_column("reliability", float)
    db.table("answers").create(
        {
            "run_id": str,
            "position": int,  # 0: the most frequent answer of the vote
            "answer": str,
            "votes": int,
            "weight": float,  # the sum of a verifier's scores; null without one
        },
        pk=("run_id", "position"),
        not_null={"answer", "votes"},
        foreign_keys=[("run_id", "runs", "id")],
    )
