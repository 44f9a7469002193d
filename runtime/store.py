"""The session log: every run, step, verdict and label of this machine's users, in one SQLite file.

One connection, one writer at a time (a lock); everything of one event goes in with one transaction. A run is written
while it goes on, so a crash leaves what had been shown.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from sqlite_utils import Database
from ulid import ULID

from runtime.errors import SoliloquyError
from runtime.events import Finished, Transcript, as_talk, fold
from runtime.migrations import migrations
from runtime.rows import critique_rows, feedback_of, review_of, step_rows
from runtime.text import language_of
from runtime.types import SCHEMA, Cost, Feedback, Help, Outcome, Review, SelfTalk, Vote

PRACTISED = "practise"
"""Mode of a check of own work at a problem from the Practise tab."""
ROOM = 1 << 20
"""Bytes that must be free for SQLite to work at all; with less it reports an I/O error."""


class StoreError(SoliloquyError):
    """The database cannot be opened or written; the text names the cause and the remedy."""


@dataclass(frozen=True)
class Run:
    """One solving or checking of one problem, at any moment of its life."""

    id: str
    session_id: str
    kind: Literal["solve", "check"]
    mode: str
    model: str
    transcript: Transcript
    seconds: float = 0.0
    created_at: str = ""
    labels: dict[str, Feedback] = field(default_factory=dict)
    """The latest label by step id; by run id for a label on the whole."""
    help: Help = "full"
    hints: dict[str, int] = field(default_factory=dict)
    """How far the help with a step has gone, by step id (`runtime.guide`)."""

    @property
    def status(self) -> str:
        outcome = self.transcript.talk.outcome
        return outcome.status if outcome else "running"

    def halted(self) -> Run:
        """The run as it stands, for good: one that was still going on was stopped."""
        if self.status != "running":  # a vote that was stopped takes nothing away
            return replace(self, transcript=replace(self.transcript, voting=None))
        return replace(self, transcript=fold(self.transcript, Finished(Outcome(status="stopped"))))


def new_id() -> str:
    """A ULID: unique, and sorted by time."""
    return str(ULID())


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class SessionLog:
    """All SQL of the product. Its methods may be called from any thread. Raises StoreError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, check_same_thread=False, timeout=10, isolation_level=None)
            self.db = Database(connection)
            self._refuse_newer()
            self.db.enable_wal()
            self.db.execute("pragma foreign_keys = on")
            migrations.apply(self.db)

    def _refuse_newer(self) -> None:
        known = {migration.name for migration in migrations.pending(Database(memory=True))}
        unknown = [migration.name for migration in migrations.applied(self.db) if migration.name not in known]
        if unknown:
            raise StoreError(
                f"{self.path} was written by a newer version of Soliloquy ({', '.join(unknown)}). "
                "Update Soliloquy, or set SOLILOQUY_HOME to another folder.",
                "store.newer",
                path=self.path,
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Every database error leaves as a StoreError with a remedy."""
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            trouble = _trouble(error, self.path)
            text = f"{self.path} cannot be used ({error}). {_REMEDIES[trouble]}"
            raise StoreError(text, f"store.{trouble}", path=self.path) from error

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        """One transaction. It takes the lock of the file at once: a reader that turns into a writer cannot wait."""
        with self._explained():
            # sqlite-utils finds out once, by writing, whether it can upsert; where that fails for want of room it
            # takes another way, which drops rows without an error.
            if not self.db.supports_on_conflict:
                self.db.execute("pragma user_version = 0")  # a write: where the file can only be read, it says so
                raise sqlite3.OperationalError("database or disk is full")
            self.db.execute("begin immediate")
            try:
                yield self.db
                self.db.execute("commit")
            except BaseException:
                if self.db.conn.in_transaction:  # a full disk has rolled back by itself
                    self.db.execute("rollback")
                raise

    def ensure_writable(self) -> None:
        """Raises StoreError where nothing could be kept: a database that can only be read opens like any other."""
        with self._writing():
            pass

    def start_session(self) -> str:
        session = new_id()
        with self._writing() as db:
            db["sessions"].insert({"id": session, "created_at": now()})
        return session

    def has_session(self, session: str) -> bool:
        with self._explained():
            return self.db["sessions"].count_where("id = ?", [session]) > 0

    def record(self, run: Run) -> None:
        """Write a run as it stands now; to be called again whenever it went on."""
        talk = as_talk(run.transcript)
        with self._writing() as db:
            db["problems"].insert(
                {**talk.problem.model_dump(exclude={"split"}), "id": talk.problem.id, "created_at": now()}, ignore=True
            )
            # An upsert, not a replacement: steps and labels already point at this row.
            db["runs"].upsert(
                {
                    "id": run.id,
                    "session_id": run.session_id,
                    "problem_id": talk.problem.id,
                    "kind": run.kind,
                    "mode": run.mode,
                    "model": run.model,
                    "status": run.status,
                    "answer": talk.outcome.answer if talk.outcome else None,
                    "seconds": round(run.seconds, 3),
                    "help": run.help,
                    "talk": json.dumps(talk.model_dump(mode="json"), ensure_ascii=False),
                    "created_at": run.created_at,
                },
                pk="id",
            )
            rows = step_rows(run.id, talk)
            db["steps"].upsert_all(rows, pk="id")
            self._forget_steps(run.id, {row["id"] for row in rows})
            db["critiques"].upsert_all(critique_rows(run.id, talk), pk="id")

    def _forget_steps(self, run_id: str, kept: set[str]) -> None:
        """Drop steps that an earlier record of the run had and this one has not, unless a person labelled them."""
        labelled = "select step_id from labels where run_id = :run and step_id is not null"
        sql = f"select id from steps where run_id = :run and id not in ({labelled})"
        for row in list(self.db.query(sql, {"run": run_id})):
            if row["id"] not in kept:
                self.db["critiques"].delete_where("step_id = ?", [row["id"]])
                self.db["steps"].delete(row["id"])

    def add_label(self, run_id: str, step: str | None, feedback: Feedback) -> None:
        """Append a person's word; nothing earlier is changed. Raises StoreError for an unknown run or step."""
        with self._writing() as db:
            db["labels"].insert(
                {
                    "id": new_id(),
                    "run_id": run_id,
                    "step_id": step,
                    "rating": feedback.rating,
                    "reason": feedback.reason,
                    "correction": feedback.correction,
                    "consent": int(feedback.consent),
                    "created_at": now(),
                }
            )

    def add_hints(self, run_id: str, levels: dict[str, int]) -> None:
        """Append how far the help with some steps has gone now. Raises StoreError for an unknown run or step."""
        with self._writing() as db:
            rows = [{"step_id": None if step == run_id else step, "level": n} for step, n in levels.items()]
            db["hints"].insert_all({"id": new_id(), "run_id": run_id, **row, "created_at": now()} for row in rows)

    def hints(self, run_id: str) -> dict[str, int]:
        """How far the help with every step of a run has gone."""
        rows = self._query("select step_id, max(level) as level from hints where run_id = ? group by step_id", [run_id])
        return {row["step_id"] or run_id: row["level"] for row in rows}

    def delete_run(self, run_id: str) -> None:
        """Forget a run with its steps, verdicts and labels, and its problem if no other run is about that."""
        with self._writing() as db:
            steps = "select id from steps where run_id = ?"
            db["critiques"].delete_where(f"step_id in ({steps})", [run_id])
            for table, column in (
                ("labels", "run_id"),
                ("hints", "run_id"),
                ("costs", "run_id"),
                ("reviews", "run_id"),
                ("steps", "run_id"),
                ("runs", "id"),
            ):
                db[table].delete_where(f"{column} = ?", [run_id])
            db["problems"].delete_where("id not in (select problem_id from runs)")

    def add_review(self, run_id: str, review: Review) -> None:
        """Append how a person ended the review of an attempt. Raises StoreError for an unknown run."""
        row = {"id": new_id(), "run_id": run_id, **review.model_dump(), "created_at": now()}
        with self._writing() as db:
            db["reviews"].insert({**row, "consent": int(review.consent)})

    def reviews(self, run_id: str) -> dict[int, Review]:
        """The latest review of every reviewed attempt of a run, by its turn."""
        rows = self._query("select * from latest_reviews where run_id = ?", [run_id])
        return {row["turn"]: review_of(row) for row in rows}

    def is_rated(self, run_id: str) -> bool:
        """Whether people said something of this very text."""
        return bool(self.labels(run_id) or self.reviews(run_id))

    def reviewed_since(self, moment: str) -> int:
        """How many reviews were ended since a moment (ISO 8601, UTC)."""
        return self._query("select count(*) as n from reviews where created_at >= ?", [moment])[0]["n"]

    def add_cost(self, run_id: str, cost: Cost) -> None:
        """Store what a run took, in the place of what was stored of it before. Raises StoreError for an unknown run."""
        with self._writing() as db:
            db["costs"].insert({"run_id": run_id, **cost.model_dump()}, replace=True)

    def costs(self, session: str) -> dict[str, Cost]:
        """What the runs of a session took, by run id, where that was measured."""
        sql = "select * from costs where run_id in (select id from runs where session_id = ?)"
        return {row.pop("run_id"): Cost(**row) for row in self._query(sql, [session])}

    def add_vote(self, session: str, vote: Vote) -> None:
        """Append which way of a comparison a person likes best. Raises StoreError for an unknown session."""
        with self._writing() as db:
            db["votes"].insert({"id": new_id(), "session_id": session, "vote": vote, "created_at": now()})

    def vote(self, session: str) -> Vote | None:
        """The latest vote on a comparison."""
        rows = self._query("select vote from latest_votes where session_id = ?", [session])
        return rows[0]["vote"] if rows else None

    def tally(self) -> dict[Vote, int]:
        """How many comparisons ended in which vote."""
        rows = self._query("select vote, count(*) as n from latest_votes group by vote")
        return {row["vote"]: row["n"] for row in rows}

    def run(self, run_id: str) -> Run | None:
        rows = self._query("select * from runs where id = ?", [run_id])
        return self._run(rows[0]) if rows else None

    def latest_run(self, session: str, kind: str) -> Run | None:
        """The last run of a kind in a session; practised problems do not count."""
        rows = self._query(
            "select * from runs where session_id = ? and kind = ? and mode <> ? order by id desc limit 1",
            [session, kind, PRACTISED],
        )
        return self._run(rows[0]) if rows else None

    def runs_of(self, session: str) -> list[Run]:
        """All runs of a session in order; of a run's own id that run alone."""
        return [
            self._run(row)
            for row in self._query("select * from runs where ? in (session_id, id) order by id", [session])
        ]

    def runs(self, limit: int = 20, search: str | None = None) -> list[dict[str, Any]]:
        """The newest runs, one plain row each; `search` looks for words in problems and steps, the last of which may
        only be begun. `compared` are those of a comparison, which has its session for itself."""
        if search and search.strip() and not re.search(r"\w", search):
            return []
        found = f" where runs.id in ({_search_sql(search)})" if search and search.strip() else ""
        words = self.db.quote_fts(search or "")
        return self._query(
            "select runs.id, runs.created_at, runs.kind, runs.mode, runs.model, runs.status, runs.answer, runs.seconds,"
            " problems.text as problem, (select count(*) from latest_labels where run_id = runs.id) as labels,"
            " runs.session_id as session,"
            " runs.session_id in (select session_id from costs join runs on id = run_id) as compared"
            f" from runs join problems on problems.id = runs.problem_id{found} order by runs.id desc limit :limit",
            {"limit": limit, "words": f"{words}*" if words else "", "part": f"%{search}%"},
        )

    def ended_runs(self, limit: int = -1, search: str | None = None) -> Iterator[Run]:
        """Runs that are over, newest first, whole and with their labels; all of them if there is no limit."""
        for row in [row["id"] for row in self.runs(limit, search) if row["status"] != "running"]:
            yield self.run(row)

    def labelled_runs(self) -> Iterator[Run]:
        """Runs on which people said something, oldest first."""
        told = "id in (select run_id from labels) or id in (select run_id from reviews)"
        for row in self._query(f"select * from runs where {told} order by id"):
            yield self._run(row)

    def talks(self, mode: str) -> Iterator[SelfTalk]:
        """The talks of all runs of a mode."""
        for row in self._query("select talk from runs where mode = ?", [mode]):
            yield SelfTalk.model_validate_json(row["talk"])

    def count_runs(self) -> int:
        with self._explained():
            return self.db["runs"].count

    def export(self, consented_only: bool = True) -> Iterator[dict[str, Any]]:
        """Labelled runs as rows of the export format: the talk, and what people said of its steps."""
        for row in self._query("select * from runs where id in (select run_id from latest_labels) order by id"):
            run = self._run(row)
            feedback = [f for f in run.labels.values() if f.consent or not consented_only]
            if feedback:
                talk = run.transcript.talk.model_dump(mode="json")
                yield {
                    "schema": SCHEMA,
                    "type": "LabelledTalk",
                    "id": run.id,
                    "created_at": run.created_at,
                    "talk": talk,
                    "feedback": [f.model_dump(mode="json") for f in feedback],
                }

    def close(self) -> None:
        with self._explained():
            self.db.close()

    def _query(self, sql: str, arguments: Any = ()) -> list[dict[str, Any]]:
        with self._explained():
            return list(self.db.query(sql, arguments))

    def _run(self, row: dict[str, Any]) -> Run:
        run = Run(
            id=row["id"],
            session_id=row["session_id"],
            kind=row["kind"],
            mode=row["mode"],
            model=row["model"],
            transcript=Transcript(SelfTalk.model_validate_json(row["talk"])),
            seconds=row["seconds"],
            created_at=row["created_at"],
            help=row["help"] or "full",
        )
        return replace(run, labels=self.labels(run.id), hints=self.hints(run.id))

    def labels(self, run_id: str) -> dict[str, Feedback]:
        """The latest label of every labelled step of a run."""
        rows = self._query("select * from latest_labels where run_id = ?", [run_id])
        return {row["step_id"] or run_id: feedback_of(row) for row in rows}


def _search_sql(search: str) -> str:
    """Runs whose problem or steps hold some words. The full-text index knows words by the spaces between them, so
    text without spaces is searched letter by letter."""
    if language_of(search + search) == "zh-CN":
        match = {table: f"{table}.text like :part" for table in ("steps", "problems")}
    else:
        match = {
            table: f"{table}.rowid in (select rowid from {table}_fts where {table}_fts match :words)"
            for table in ("steps", "problems")
        }
    return (
        f"select run_id from steps where {match['steps']} union"
        f" select runs.id from runs join problems on problems.id = runs.problem_id where {match['problems']}"
    )


def _trouble(error: Exception, path: Path) -> str:
    """What kind of trouble a database error is: a key of `_REMEDIES`."""
    text = str(error).lower()
    if "full" in text or "no space" in text or ("i/o" in text and shutil.disk_usage(path.parent).free < ROOM):
        return "full"
    if "readonly" in text or "read-only" in text or "permission" in text or "unable to open" in text:
        return "readonly"
    if "locked" in text:
        return "locked"
    if "not a database" in text or "malformed" in text:
        return "damaged"
    return "unknown" if "foreign key" in text else "other"


_REMEDIES = {
    "full": "The disk is full: free some space and try again; nothing that was stored is lost.",
    "readonly": "Set SOLILOQUY_HOME to a folder you can write to.",
    "locked": "Another program holds it open: close that and try again.",
    "damaged": "The file is damaged: move it away to begin a new one, or put a copy back.",
    "unknown": "The step or run it refers to is not stored here.",
    "other": "Check the folder, or set SOLILOQUY_HOME to another one.",
}
