"""The backend for SQLite: a file that several processes may share, or memory."""

import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from perdure.backend import Capabilities, Claimed, Lane, Wakeups
from perdure.errors import ConfigurationError
from perdure_backends.sql import claims
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sql.connections import Connections, Only
from perdure_backends.sql.errors import Fault
from perdure_backends.sql.location import parsed
from perdure_backends.sql.session import Session

from .dialect import SQLITE
from .turnstile import Turnstile, turnstile
from .wakeups import SqliteWakeups

_OLDEST = (3, 38, 0)
_LONGEST_WAIT = 10.0
"""Seconds for a stranger's transaction to end; ours take milliseconds."""
_SPIN = 0.0005


class SqliteBackend(SqlBackend):
    """SQLite 3.38 or newer, from the standard library.

    `sqlite:///relative.db`, `sqlite:////absolute.db`, and `sqlite://` for a
    private database in memory. The file is the namespace.
    """

    capabilities = Capabilities(embedded=True)

    def __init__(self, url: str, *, namespace: str = "perdure") -> None:
        del namespace
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigurationError(
                f"Perdure needs SQLite 3.38 or newer, and this Python has {sqlite3.sqlite_version}"
            )
        database = parsed(url, scheme="sqlite").database
        self._file = None if database in {None, "", ":memory:"} else Path(str(database))
        self._engine = _engine(self._file)
        super().__init__(SQLITE, schema=None, where=f"sqlite:///{self._file or ':memory:'}")

    def _pool(self) -> Connections | Only:
        return Connections(self._open) if self._file else Only(self._open)

    def _open(self) -> Connection:
        connection = self._engine.connect()
        if self._file:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql("PRAGMA synchronous = FULL")
        # Those who want to write wait at the turnstile; the rest may try again.
        connection.exec_driver_sql("PRAGMA busy_timeout = 100")
        return connection

    @contextmanager
    def _transaction(self, session: Session) -> Generator[None, None, None]:
        gate = turnstile(self._file) if self._file else None
        line = gate.line if gate else nullcontext()
        with line, session.transaction(begin=lambda: _begin(session, gate)):
            yield

    def _begin_for(self, session: Session, driver: Any) -> None:
        # The driver begins a transaction before an INSERT, but not before our WITH … INSERT,
        # which would be committed at once, whatever becomes of the caller's own writes.
        begins = driver.isolation_level is not None and getattr(driver, "autocommit", -1) == -1
        if begins and not driver.in_transaction:
            session.execute("BEGIN IMMEDIATE")

    def _migrating(self, session: Session) -> AbstractContextManager[None]:
        return self._transaction(session)

    def wakeups(self) -> Wakeups | None:
        return SqliteWakeups(open=self._open, where=self.where) if self._file else None

    def claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool = False
    ) -> Sequence[Claimed]:
        def choose(session: Session, most: int) -> list[str]:
            found: list[Sequence[Any]] = []
            for lane in lanes:
                asked = {"queue": lane.queue, "name": lane.name, "limit": most}
                found += session.rows(claims.candidates, asked, suspects)
            found.sort(key=lambda row: (row[0], row[1], row[2].encode()))
            return [row[2] for row in found[:limit]]

        def take(session: Session) -> Sequence[Sequence[Any]]:
            asked = {"me": worker_id, "ids": self._dialect.listed(choose(session, limit))}
            return session.rows(claims.take_ids, asked)

        # A look without the write lock: an idle worker disturbs nobody.
        if limit < 1 or not self._read(lambda session: choose(session, 1)):
            return ()
        return self._claimed(self._write(take, repeatable=False))


def _engine(file: Path | None) -> Engine:
    return create_engine(
        f"sqlite:///{file}" if file else "sqlite://",
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        paramstyle="named",
        connect_args={"check_same_thread": False, "timeout": 5.0},
    )


def _begin(session: Session, gate: Turnstile | None) -> None:
    with gate.turn() if gate else nullcontext():
        deadline = time.monotonic() + _LONGEST_WAIT
        while True:
            try:
                # Immediate: a transaction that starts as a reader may be refused
                # the write lock later, whatever the timeout.
                session.execute("BEGIN IMMEDIATE")
            except OperationalError as error:
                busy = SQLITE.fault(error) is Fault.RETRY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(_SPIN)
            else:
                return
