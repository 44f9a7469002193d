"""The session log: every run, step, verdict and label, in one SQLite file (`database`).

Each event is written in one transaction. A run is stored while it is running, so a crash loses nothing that was shown.
Rows are ordered by `rowid`, never by time, as clocks may be set back. Unreadable rows are left out and counted.
"""

from __future__ import annotations

import json
import re
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

from sqlite_utils import Database
from ulid import ULID

from runtime.events import Transcript, as_talk
from runtime.log.database import DatabaseFile, StoreError
from runtime.log.migrations import migrations
from runtime.log.rows import (
    StoredRun,
    answer_rows,
    critique_rows,
    feedback_of,
    hint_of,
    listed_of,
    review_of,
    step_rows,
    talk_of,
    upsert,
)
from runtime.log.run import PRACTISED, Run
from runtime.text import language_of
from runtime.types import SCHEMA, Cost, Feedback, Review, SelfTalk, Vote

T = TypeVar("T")


def new_id(after: str = "") -> str:
    """A ULID: unique and sorted by time. It sorts behind the id `after` even if the clock was set back."""
    made = str(ULID())
    return made if made > after else str(ULID.from_int(int(ULID.from_str(after)) + 1))


def now() -> str:
    """The time as ISO 8601 (UTC, milliseconds)."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class SessionLog:
    """All SQL of the product. Its methods may be called from any thread. Raises StoreError."""

    def __init__(self, path: Path, at_once: bool = True) -> None:
        """`at_once` opens the file now. Otherwise it is opened at its first use, and tried again until that works."""
        self.path = path
        self._file = DatabaseFile(path, migrations)
        weakref.finalize(self, self._file.close)
        self._unreadable: set[tuple[str, str]] = set()
        if at_once:
            _ = self.db

    @property
    def db(self) -> Database:
        """The open database."""
        return self._file.db

    def transaction(self) -> AbstractContextManager[Database]:
        """Everything in the block is one transaction: no other process writes meanwhile, and all or nothing of it is
        stored."""
        return self._file.writing()

    def ensure_writable(self) -> None:
        """Raises StoreError if the database cannot be written. Opening does not show that."""
        with self.transaction() as db:
            db.execute("pragma user_version = 0")  # a write without effect

    @property
    def unreadable(self) -> int:
        """The number of damaged rows that were left out so far."""
        return len(self._unreadable)

    def start_session(self) -> str:
        """Store a new session; returns its id."""
        session = new_id()
        with self.transaction() as db:
            db.table("sessions").insert({"id": session, "created_at": now()})
        return session

    def has_session(self, session: str) -> bool:
        with self._file.reading() as db:
            return db.table("sessions").count_where("id = ?", [session]) > 0

    def record(self, run: Run) -> None:
        """Store a run in its present state; call it again when the run has changed."""
        talk = as_talk(run.transcript)
        with self.transaction() as db:
            # The database may have been deleted meanwhile; then the session is missing in the new one.
            db.table("sessions").insert({"id": run.session_id, "created_at": now()}, ignore=True)
            db.table("problems").insert(
                {**talk.problem.model_dump(exclude={"split"}), "id": talk.problem.id, "created_at": now()}, ignore=True
            )
            # An upsert, not a replacement, as steps and labels refer to this row.
            run_row = {
                "id": run.id,
                "session_id": run.session_id,
                "problem_id": talk.problem.id,
                "kind": run.kind,
                "mode": run.mode,
                "model": run.model,
                "status": run.status,
                "answer": talk.outcome.answer if talk.outcome else None,
                "reliability": talk.outcome.reliability if talk.outcome else None,
                "seconds": round(run.seconds, 3),
                "help": run.help,
                "talk": json.dumps(talk.model_dump(mode="json"), ensure_ascii=False),
                "created_at": run.created_at,
            }
            steps = step_rows(run.id, talk)
            self._refuse_changed_steps(run.id, {row["id"]: row["text"] for row in steps})
            upsert(db, "runs", [run_row])
            upsert(db, "steps", steps)
            self._delete_old_steps(run.id, {row["id"] for row in steps})
            upsert(db, "critiques", critique_rows(run.id, talk))
            db.table("answers").delete_where("run_id = ?", [run.id])
            db.table("answers").insert_all(answer_rows(run.id, talk))

    def record_unrated(self, run: Run) -> bool:
        """Store a run as `record` does, unless its stored version was rated; returns whether it was stored."""
        with self.transaction():
            if self.is_rated(run.id):
                return False
            self.record(run)
            return True

    def _refuse_changed_steps(self, run_id: str, steps: dict[str, str]) -> None:
        """Raises StoreError if a labelled step would get another text, as when two pages continue the same run: a label
        is about the text that the person saw."""
        sql = "select id, text from steps where id in (select step_id from labels where run_id = ?)"
        for row in self._query(sql, [run_id]):
            if steps.get(row["id"], row["text"]) != row["text"]:
                raise StoreError("This was continued and rated in another page. Open it again from Earlier work.")

    def _delete_old_steps(self, run_id: str, kept: set[str]) -> None:
        """Delete the run's steps that are not in `kept`, except labelled ones."""
        labelled = "select step_id from labels where run_id = :run and step_id is not null"
        sql = f"select id from steps where run_id = :run and id not in ({labelled})"
        for row in self._query(sql, {"run": run_id}):
            if row["id"] not in kept:
                self.db.table("critiques").delete_where("step_id = ?", [row["id"]])
                self.db.table("steps").delete(row["id"])

    def add_label(self, run_id: str, step: str | None, feedback: Feedback) -> None:
        """Append a label; earlier ones stay. Raises StoreError for an unknown run or step."""
        with self.transaction() as db:
            db.table("labels").insert(
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
        """Append the level of help given with each step id. Raises StoreError for an unknown run or step."""
        with self.transaction() as db:
            rows = [{"step_id": None if step == run_id else step, "level": n} for step, n in levels.items()]
            db.table("hints").insert_all({"id": new_id(), "run_id": run_id, **row, "created_at": now()} for row in rows)

    def hints(self, run_id: str) -> dict[str, int]:
        """The most help given with each step of a run: level by step id (by run id for a solution without steps)."""
        rows = self._query("select step_id, max(level) as level from hints where run_id = ? group by step_id", [run_id])
        return {step or run_id: level for step, level in self._readable("hints", rows, hint_of)}

    def delete_run(self, run_id: str) -> None:
        """Delete a run with everything that belongs to it, and its problem if no other run has it."""
        with self.transaction() as db:
            steps = "select id from steps where run_id = ?"
            db.table("critiques").delete_where(f"step_id in ({steps})", [run_id])
            for table, column in (
                ("answers", "run_id"),
                ("labels", "run_id"),
                ("hints", "run_id"),
                ("costs", "run_id"),
                ("reviews", "run_id"),
                ("steps", "run_id"),
                ("runs", "id"),
            ):
                db.table(table).delete_where(f"{column} = ?", [run_id])
            db.table("problems").delete_where("id not in (select problem_id from runs)")

    def add_review(self, run_id: str, review: Review) -> None:
        """Append a review. Raises StoreError for an unknown run."""
        row = {"id": new_id(), "run_id": run_id, **review.model_dump(), "created_at": now()}
        with self.transaction() as db:
            db.table("reviews").insert({**row, "consent": int(review.consent)})

    def reviews(self, run_id: str) -> dict[int, Review]:
        """The latest review of each reviewed attempt of a run, by turn."""
        rows = self._query("select * from latest_reviews where run_id = ?", [run_id])
        return {review.turn: review for review in self._readable("reviews", rows, review_of)}

    def is_rated(self, run_id: str) -> bool:
        """Whether a run has a label or a review."""
        rated = " union ".join(
            f"select id from {view} where run_id = :run" for view in ("latest_labels", "latest_reviews")
        )
        return bool(self._query(rated, {"run": run_id}))

    def reviewed_since(self, moment: str) -> int:
        """The number of reviews since a time (ISO 8601, UTC)."""
        return self._query("select count(*) as n from reviews where created_at >= ?", [moment])[0]["n"]

    def add_cost(self, run_id: str, cost: Cost) -> None:
        """Store the cost of a run, replacing an earlier one. Raises StoreError for an unknown run."""
        with self.transaction() as db:
            db.table("costs").insert({"run_id": run_id, **cost.model_dump()}, replace=True)

    def costs(self, session: str) -> dict[str, Cost]:
        """The measured costs of a session's runs, by run id."""
        sql = "select * from costs where run_id in (select id from runs where session_id = ?)"
        return dict(self._readable("costs", self._query(sql, [session]), lambda row: (row.pop("run_id"), Cost(**row))))

    def add_vote(self, session: str, vote: Vote) -> None:
        """Append a vote on a comparison. Raises StoreError for an unknown session."""
        with self.transaction() as db:
            db.table("votes").insert({"id": new_id(), "session_id": session, "vote": vote, "created_at": now()})

    def vote(self, session: str) -> Vote | None:
        """The latest vote on a comparison."""
        rows = self._query("select id, vote from latest_votes where session_id = ?", [session])
        return next(self._readable("votes", rows, _vote), None)

    def tally(self) -> dict[Vote, int]:
        """The number of comparisons for each vote."""
        return dict(Counter(self._readable("votes", self._query("select id, vote from latest_votes"), _vote)))

    def run(self, run_id: str) -> Run | None:
        """A run by its id; None if it is not stored. Raises StoreError if its row is damaged."""
        rows = self._query("select * from runs where id = ?", [run_id])
        found = next(self._runs(rows), None)
        if rows and not found:
            raise StoreError(
                f"The run {run_id} in {self.path} is damaged and cannot be read. Restore a copy of the file, or solve "
                "the problem again."
            )
        return found

    def latest_run(self, session: str, kind: str) -> Run | None:
        """The last run of a kind (solve or check) in a session, without those of the Practise tab."""
        rows = self._query(
            "select * from runs where session_id = ? and kind = ? and mode <> ? order by rowid desc",
            [session, kind, PRACTISED],
        )
        return next(self._runs(rows), None)

    def runs_of(self, session: str) -> list[Run]:
        """All runs of a session, oldest first; for a run's id, that run. Raises StoreError if none can be read."""
        rows = self._query("select * from runs where ? in (session_id, id) order by rowid", [session])
        found = list(self._runs(rows))
        if rows and not found:
            self.run(rows[0]["id"])
        return found

    def runs(self, limit: int = 20, search: str | None = None) -> list[dict[str, Any]]:
        """The newest runs as plain rows. `search` finds words in problems and steps; its last word may be incomplete.
        `compared` marks the runs of a comparison, which are a session of their own."""
        rows = self._query(
            "select runs.id, runs.created_at, runs.kind, runs.mode, runs.model, runs.status, runs.answer, runs.seconds,"
            " runs.reliability, runs.help, runs.talk, problems.text as problem,"
            " (select count(*) from latest_labels where run_id = runs.id) as labels, runs.session_id,"
            " runs.session_id in (select session_id from costs join runs on id = run_id) as compared"
            f" from runs left join problems on problems.id = runs.problem_id where {_found(search)}"
            " order by runs.rowid desc limit :limit",
            {"limit": limit, **self._searched(search)},
        )
        return list(self._readable("runs", rows, listed_of))

    def ended_runs(self, limit: int = -1, search: str | None = None) -> Iterator[Run]:
        """Finished runs with their labels, newest first; a negative limit means all."""
        rows = self._query(
            f"select id from runs where {_found(search)} and status is not 'running' order by rowid desc limit :limit",
            {"limit": limit, **self._searched(search)},
        )
        for row in rows:
            yield from self._runs(self._query("select * from runs where id = ?", [row["id"]]))

    def labelled_runs(self) -> Iterator[Run]:
        """Runs with labels or reviews, oldest first."""
        labelled = "id in (select run_id from labels) or id in (select run_id from reviews)"
        yield from self._runs(self._query(f"select * from runs where {labelled} order by rowid"))

    def talks(self, mode: str) -> Iterator[SelfTalk]:
        """The talks of all runs of a mode."""
        rows = self._query("select id, talk from runs where mode = ?", [mode])
        yield from self._readable("runs", rows, talk_of)

    def count_runs(self) -> int:
        with self._file.reading() as db:
            return db.table("runs").count

    def export(self, consented_only: bool = True) -> Iterator[dict[str, Any]]:
        """Labelled runs as rows of the export format: the talk and its feedback."""
        rows = self._query("select * from runs where id in (select run_id from latest_labels) order by rowid")
        for run in self._runs(rows):
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
        self._file.close()

    def _query(self, sql: str, arguments: Any = ()) -> list[dict[str, Any]]:
        with self._file.reading() as db:
            return list(db.query(sql, arguments))

    def _searched(self, search: str | None) -> dict[str, str]:
        """The arguments of `_found`."""
        words = self.db.quote_fts(search or "")
        return {"words": f"{words}*" if words else "", "part": f"%{search}%"}

    def _runs(self, rows: Iterable[dict[str, Any]]) -> Iterator[Run]:
        return self._readable("runs", rows, self._run)

    def _readable(self, table: str, rows: Iterable[dict[str, Any]], read: Callable[[dict[str, Any]], T]) -> Iterator[T]:
        """The values of rows. A damaged row is left out and counted once."""
        for row in rows:
            name = str(row.get("id") or row)
            try:
                found = read(row)
            except (ValueError, TypeError, AttributeError):
                self._unreadable.add((table, name))
                continue
            yield found

    def _run(self, row: dict[str, Any]) -> Run:
        known, talk = StoredRun.model_validate(row), talk_of(row)
        return Run(
            id=known.id,
            session_id=known.session_id,
            kind=known.kind,
            mode=known.mode,
            model=known.model,
            transcript=Transcript(talk),
            seconds=known.seconds,
            created_at=known.created_at,
            help=known.help or "full",
            labels=self.labels(known.id),
            hints=self.hints(known.id),
        )

    def labels(self, run_id: str) -> dict[str, Feedback]:
        """The latest label of each labelled step of a run."""
        rows = self._query("select * from latest_labels where run_id = ?", [run_id])
        return dict(self._readable("labels", rows, lambda row: (row["step_id"] or run_id, feedback_of(row))))


def _vote(row: dict[str, Any]) -> Vote:
    if row["vote"] not in get_args(Vote):
        raise ValueError("an unknown vote")
    return row["vote"]


def _found(search: str | None) -> str:
    """The SQL condition for the runs that a search finds."""
    if not (search and search.strip()):
        return "true"
    return f"runs.id in ({_search_sql(search)})" if re.search(r"\w", search) else "false"


def _search_sql(search: str) -> str:
    """SQL for the ids of runs with these words. The full-text index splits words at spaces, so Chinese is searched as a
    substring."""
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
