"""A SQLite file that several processes use at once: retries while it is locked, writes in transactions, and reopens the
file if it was deleted or replaced. `store` defines its content.

All threads share one connection, one at a time.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock

from sqlite_utils import Database, Migrations

from runtime.errors import SoliloquyError
from runtime.private_files import create_private

ROOM = 1 << 20
"""Bytes that SQLite needs free; with less it reports an I/O error."""
PATIENCE = 10.0
"""Seconds to wait for another process's lock."""
NEXT_TRY = 1.0
"""Seconds after a failed attempt to open the file before the next one, and the longest that one takes."""
LONGEST_PAUSE = 0.25
"""Longest pause, in seconds, between two attempts to open a file that other processes are opening too."""
TAKEN = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
"""Error codes that pass when another process is done."""

Inode = tuple[int, int] | None


class StoreError(SoliloquyError):
    """The database cannot be opened, read or written."""


class DatabaseFile:
    """A SQLite file, opened and migrated at its first use, and again after it was deleted or replaced. Raises
    StoreError."""

    def __init__(self, path: Path, migrations: Migrations) -> None:
        self.path, self._migrations = path, migrations
        self._log_path = path.with_name(f"{path.name}-wal")
        self._lock = RLock()
        self._db: Database | None = None
        self._inodes: tuple[Inode, Inode] = (None, None)
        """Inodes of the file and of its write-ahead log when they were opened."""
        self._closed = False
        self._failed: tuple[float, Exception] | None = None
        """Time (monotonic, seconds) and error of the last failed attempt to open it."""

    @property
    def db(self) -> Database:
        with self.reading() as db:
            return db

    @contextmanager
    def reading(self) -> Generator[Database]:
        with self._explained():
            yield self._current()

    @contextmanager
    def writing(self) -> Generator[Database]:
        """A transaction; inside another one, a part of it. It takes the write lock at the start: SQLite does not wait
        when a reader becomes a writer, and what was read could be out of date by then."""
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
                    self._let_go()  # this connection stays read-only even if the file becomes writable
                raise
            if self._is_replaced():
                raise StoreError(
                    f"{self.path} was deleted or replaced during writing, so this was not stored. Try again."
                )

    def close(self) -> None:
        with self._explained():
            self._closed = True
            self._let_go()

    def _current(self) -> Database:
        """The open database."""
        if self._closed:
            raise sqlite3.ProgrammingError("it was closed")
        if self._db and not self._db.conn.in_transaction and self._is_replaced():
            self._let_go()
        if self._db is None:
            self._db = self._opened()
            self._inodes = self._inodes_now()
        return self._db

    def _opened(self) -> Database:
        """Open the file. After a failure it is tried again at each use, but at most once in NEXT_TRY seconds."""
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
        """Retry for `patience` seconds. SQLite itself waits for locks, but not while a file is switched to write-ahead
        logging or while the last process that closes it cleans up."""
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
        create_private(self.path)  # SQLite creates the files beside it with the same rights
        connection = sqlite3.connect(self.path, check_same_thread=False, timeout=patience, isolation_level=None)
        try:
            connection.text_factory = _text
            db = Database(connection)
            self._refuse_newer(db)
            db.enable_wal()
            db.execute("pragma foreign_keys = on")
            if self._migrations.pending(db):
                with _transaction(db):  # another process may be migrating too
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

    def _is_replaced(self) -> bool:
        return any(was is not None and was != now for was, now in zip(self._inodes, self._inodes_now(), strict=True))

    def _let_go(self) -> None:
        """Close the connection. If the database file was replaced, SQLite leaves its write-ahead log behind; it is
        deleted, as SQLite would apply it to the new file."""
        if self._db is None:
            return
        gone, self._db = self._db, None
        with suppress(sqlite3.Error):
            gone.close()
        (file, log), (file_now, log_now) = self._inodes, self._inodes_now()
        if file != file_now and log and log == log_now:
            self._log_path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Generator[None]:
        """Hold the lock, and turn database errors into StoreError with a remedy."""
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            trouble = _trouble(error, self.path)
            text = f"{self.path} cannot be used ({error}). {_REMEDIES[trouble]}"
            raise StoreError(text, f"store.{trouble}", path=self.path) from error
        except UnicodeEncodeError as error:
            raise StoreError("The text has half a character, which cannot be stored. Type it again.") from error


@contextmanager
def _transaction(db: Database) -> Generator[None]:
    db.execute("begin immediate")
    try:
        yield
        db.execute("commit")
    except BaseException:
        if db.conn.in_transaction:  # on a full disk SQLite has already rolled back
            db.execute("rollback")
        raise


def _text(raw: bytes) -> str | bytes:
    """Decode text. Damaged text stays bytes, so that only its own row is refused, not the whole query."""
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


def _free(folder: Path) -> float:
    """Bytes free on the disk of a folder; infinite if the folder is gone."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return float("inf")


def _trouble(error: Exception, path: Path) -> str:
    """The kind of a database error: a key of `_REMEDIES`."""
    text = str(error).lower()
    if "full" in text or "no space" in text or ("i/o" in text and _free(path.parent) < ROOM):
        return "full"
    if "readonly" in text or "read-only" in text or "permission" in text or "unable to open" in text:
        return "readonly"
    if "locked" in text:
        return "locked"
    if "not a database" in text or "malformed" in text:
        return "damaged"
    return "unknown" if "foreign key" in text else "other"


_REMEDIES = {
    "full": "The disk is full. Free some space and try again. Nothing that was stored is lost.",
    "readonly": "Set SOLILOQUY_HOME to a folder you can write to.",
    "locked": "Another program is using it. Close that program and try again.",
    "damaged": "The file is damaged. Move it away to start a new one, or restore a copy.",
    "unknown": "The step or run it refers to is not stored here.",
    "other": "Check the folder, or set SOLILOQUY_HOME to another one.",
}
