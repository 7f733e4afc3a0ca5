"""The backend for PostgreSQL."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from perdure.backend import Wakeups
from perdure.errors import ConfigurationError
from perdure_backends.sql import locks, wire
from perdure_backends.sql.server import ServerBackend
from perdure_backends.sql.session import Session

from .dialect import POSTGRES

_OLDEST = 130_000
_PATIENCE = 1 / 8
"""How much of a lease one heartbeat may take: half of the usual time between two."""
_SHORTEST = 250
"""Milliseconds that it may take however short the lease."""


class PostgresBackend(ServerBackend):
    """PostgreSQL 13 or newer, through psycopg.

    Tables live in the schema `namespace`. Nothing depends on the state of a
    session, so a pooler in transaction mode may stand in between.
    """

    # A process that is stopped in between must not hold its locks for ever.
    _limits = (
        "SELECT set_config('idle_in_transaction_session_timeout', '10s', true), "
        "set_config('statement_timeout', '60s', true)"
    )

    def __init__(self, url: str, *, namespace: str = "perdure") -> None:
        super().__init__(POSTGRES, url, namespace=namespace)

    def _check(self, connection: Connection) -> None:
        if wire.parameter(connection, "crdb_version") is not None:
            raise ConfigurationError(
                f"{self.where} is a CockroachDB: its URL must begin with cockroachdb://"
            )
        version = wire.server_version(connection)
        if version < _OLDEST:
            raise ConfigurationError(
                f"{self.where} is PostgreSQL {version // 10_000}; Perdure needs 13 or newer"
            )

    def _beat(self, session: Session, parameters: Mapping[str, Any]) -> Sequence[Any]:
        # A heartbeat that hangs must be known for missed while the lease still holds.
        limit = f"{max(_SHORTEST, int(parameters['lease'] * _PATIENCE * 1000))}ms"
        with self._transaction(session):
            session.execute(
                "SELECT set_config('statement_timeout', %(limit)s, true)", {"limit": limit}
            )
            return super()._beat(session, parameters)

    def wakeups(self) -> Wakeups:
        from .wakeups import PostgresWakeups  # noqa: PLC0415 (drivers are imported late)

        def execute(text: str, parameters: dict[str, Any]) -> None:
            self._read(lambda session: session.execute(text, parameters))

        return PostgresWakeups(
            open=self._open,
            where=self.where,
            execute=execute,
            channel=f"perdure_{self._namespace}",
        )

    @contextmanager
    def _migrating(self, session: Session) -> Generator[None, None, None]:
        locks.prepare(session, self._namespace)
        with locks.row_locked(session):
            yield

    def migration_sql(self) -> str:
        first = locks.script(self.compiled.text, self._namespace)
        return first + super().migration_sql()
