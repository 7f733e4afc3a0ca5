"""What work costs, counted: by the server, and where statements leave the backend."""

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import attrs
import psycopg
import pytest

import perdure.connection
from perdure.backend import Backend
from perdure_backends.postgres import PostgresBackend
from perdure_backends.testing.statements import Statement, intercept
from perdure_compat.suite.races import until

_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
_TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
_WAL = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
_SYNCS = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal' AND context = 'normal'"
_SYNCS_BEFORE_18 = "SELECT wal_sync FROM pg_stat_wal"
_WRITES = re.compile(r"\b(INSERT INTO|UPDATE (?!OF|SKIP)\S+ SET|DELETE FROM)\b")


@attrs.frozen(kw_only=True)
class Reading:
    """What a server has counted so far, or between two moments."""

    transactions: int
    syncs: int
    """How often the WAL was forced to the disk."""
    wal: int
    """Bytes."""

    def since(self, before: "Reading") -> "Reading":
        """What came between."""
        return Reading(
            transactions=self.transactions - before.transactions,
            syncs=self.syncs - before.syncs,
            wal=self.wal - before.wal,
        )


@attrs.frozen
class Meter:
    """The counters of one database, read from another one: looking costs it nothing."""

    _admin: psycopg.Connection[Any]
    database: str

    def settled(self) -> Reading:
        """All that was ever done: a session tells the rest of its figures when it ends."""
        until(lambda: self._number(_SESSIONS, self.database) == 0)
        return self.now()

    def now(self) -> Reading:
        """What is told by now: a session that does little tells it at once."""
        recent = self._admin.info.server_version >= 180_000
        return Reading(
            transactions=self._number(_TRANSACTIONS, self.database),
            syncs=self._number(_SYNCS if recent else _SYNCS_BEFORE_18),
            wal=self._number(_WAL),
        )

    def _number(self, question: str, *about: str) -> int:
        found = self._admin.execute(question.encode(), about).fetchone()
        return int(found[0]) if found else 0


@attrs.define
class Tally:
    """The statements that verbs have sent, and when."""

    _sent: list[tuple[str, float]] = attrs.field(factory=list[tuple[str, float]])

    def lend(self) -> None:
        """Nothing is sent yet."""

    def execute(self, statement: Statement) -> None:
        """Count it, and let it pass."""
        self._sent.append((statement.text, time.monotonic()))
        statement.run()

    @contextmanager
    def during(self) -> Generator[list[str], None, None]:
        """The texts that are sent while the block lasts; complete when it is left."""
        first, texts = len(self._sent), list[str]()
        yield texts
        texts += [text for text, _ in self._sent[first:]]

    def seconds_since(self, words: str) -> float:
        """How long nothing was sent that has these words in it."""
        times = [at for text, at in self._sent if words in text]
        return time.monotonic() - max(times) if times else 0.0


def reads(texts: list[str]) -> list[str]:
    """Those that look at tables and write none."""
    return [text for text in texts if "perdure." in text and not _WRITES.search(text)]


def tallied(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """Counts what the PostgreSQL backends send that are opened from now on."""
    tally = Tally()

    def opened(url: str, *, namespace: str) -> Backend:
        backend = PostgresBackend(url, namespace=namespace)
        intercept(backend, tally)
        return backend

    monkeypatch.setattr(perdure.connection, "open_backend", opened)
    return tally
