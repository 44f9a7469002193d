"""One SQLite file that several processes use at once: opened with patience, written in transactions, and watched, so
that nothing is written into a file that was deleted or replaced meanwhile. What it holds is the business of `store`.

One connection for all threads, one of them at a time.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock

from sqlite_utils import Database, Migrations

from runtime.errors import SoliloquyError
from runtime.private_files import create_private

ROOM = 1 << 20
"""Bytes that must be free for SQLite to work at all; with less it reports an I/O error."""
PATIENCE = 10.0
"""Seconds until a lock that another process holds is given up on."""
NEXT_TRY = 1.0
"""Seconds until a file that could not be opened is tried again, and that this try may take."""
LONGEST_PAUSE = 0.25
"""Seconds between two tries to open a file that others are opening too."""
TAKEN = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
"""Codes of errors that end when another process is done."""

Inode = tuple[int, int] | None


class StoreError(SoliloquyError):
    """The database cannot be opened or written; the text names the cause and the remedy."""


class DatabaseFile:
    """Opened at its first use, and again after its file was deleted or replaced; migrated whenever it is opened. Raises
    StoreError."""

    def __init__(self, path: Path, migrations: Migrations) -> None:
        self.path, self._migrations = path, migrations
        self._log_path = path.with_name(f"{path.name}-wal")
        self._lock = RLock()
        self._db: Database | None = None
        self._inodes: tuple[Inode, Inode] = (None, None)
        """Of the file and of its write-ahead log, as they were opened."""
        self._closed = False
        self._failed: tuple[float, Exception] | None = None
        """When opening it failed last, and why."""

    @property
    def db(self) -> Database:
        with self.reading() as db:
            return db

    @contextmanager
    def reading(self) -> Iterator[Database]:
        with self._explained():
            yield self._current()

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """One transaction; within another one, a part of that. It takes the lock of the file at once: a reader that
        turns into a writer cannot wait, and what was read could be out of date by then."""
        with self._explained():
            db = self._current()
            if db.conn.in_transaction:
                yield db
                return
            try:
                with _transaction(db):
                    yield db
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                    self._let_go()  # it stays read-only for this connection, whatever becomes of the file
                raise
            if self._is_elsewhere():
                raise StoreError(
                    f"{self.path} was deleted or replaced while it was written to, so this was not stored. Do it again."
                )

    def close(self) -> None:
        with self._explained():
            self._closed = True
            self._let_go()

    def _current(self) -> Database:
        """The open database."""
        if self._closed:
            raise sqlite3.ProgrammingError("it was closed")
        if self._db and not self._db.conn.in_transaction and self._is_elsewhere():
            self._let_go()
        if self._db is None:
            self._db = self._opened()
            self._inodes = self._inodes_now()
        return self._db

    def _opened(self) -> Database:
        """A file that could not be opened is tried again at every use, but not several times a second."""
        if self._failed and time.monotonic() < self._failed[0] + NEXT_TRY:
            raise self._failed[1]
        try:
            db = self._patiently_opened(PATIENCE if self._failed is None else NEXT_TRY)
        except (sqlite3.Error, OSError, StoreError) as error:
            self._failed = time.monotonic(), error
            raise
        self._failed = None
        return db

    def _patiently_opened(self, patience: float) -> Database:
        """SQLite waits for locks by itself, but not when a file is switched to write-ahead logging, nor when the last
        process to close it is tidying up."""
        pause, end = 0.005, time.monotonic() + patience
        while True:
            try:
                return self._connected(max(0.0, end - time.monotonic()))
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in TAKEN or time.monotonic() > end:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _connected(self, patience: float) -> Database:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_private(self.path)  # SQLite gives the files that it puts beside it the same rights
        connection = sqlite3.connect(self.path, check_same_thread=False, timeout=patience, isolation_level=None)
        try:
            connection.text_factory = _text
            db = Database(connection)
            self._refuse_newer(db)
            db.enable_wal()
            db.execute("pragma foreign_keys = on")
            if self._migrations.pending(db):
                with _transaction(db):  # another process may be about to do the same
                    self._migrations.apply(db)
            db.execute(f"pragma busy_timeout = {round(1000 * PATIENCE)}")
        except BaseException:
            connection.close()
            raise
        return db

    def _refuse_newer(self, db: Database) -> None:
        known = {migration.name for migration in self._migrations.pending(Database(memory=True))}
        unknown = [migration.name for migration in self._migrations.applied(db) if migration.name not in known]
        if unknown:
            raise StoreError(
                f"{self.path} was written by a newer version of Soliloquy ({', '.join(unknown)}). "
                "Update Soliloquy, or set SOLILOQUY_HOME to another folder.",
                "store.newer",
                path=self.path,
            )

    # Whether the file is still the one that was opened

    def _inodes_now(self) -> tuple[Inode, Inode]:
        return _inode(self.path), _inode(self._log_path)

    def _is_elsewhere(self) -> bool:
        return any(was is not None and was != now for was, now in zip(self._inodes, self._inodes_now(), strict=True))

    def _let_go(self) -> None:
        """Close the connection. SQLite leaves the write-ahead log behind where its file is gone; it would be taken for
        that of the file that has the name now."""
        if self._db is None:
            return
        gone, self._db = self._db, None
        with suppress(sqlite3.Error):
            gone.close()
        (file, log), (file_now, log_now) = self._inodes, self._inodes_now()
        if file != file_now and log and log == log_now:
            self._log_path.unlink(missing_ok=True)

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
        except UnicodeEncodeError as error:
            raise StoreError("This holds half a character, which cannot be stored. Write it again.") from error


@contextmanager
def _transaction(db: Database) -> Iterator[None]:
    db.execute("begin immediate")
    try:
        yield
        db.execute("commit")
    except BaseException:
        if db.conn.in_transaction:  # a full disk has rolled back by itself
            db.execute("rollback")
        raise


def _text(raw: bytes) -> str | bytes:
    """Damaged text must not fail a whole query: it stays bytes, which is refused where the row is read."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _inode(path: Path) -> Inode:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


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
