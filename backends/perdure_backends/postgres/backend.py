"""The backend for PostgreSQL."""

import os
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

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
_FAST = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off -c timezone=UTC"
"""One plan for each statement and connection, and never one that reads a whole table.

To plan a statement takes as long as to run it for one workflow. A plan that is kept, but was
made while the tables were small, would read them from end to end when they have grown.
The driver reads a time in UTC in a third of what one in another zone takes.
"""
_RIGHT = r"-c array_nulls=on -c datestyle=ISO -c default_transaction_isolation=read\ committed"
"""What values travel as, and what the protocol was proven under, whatever the database's defaults are."""
_SESSION = f"{_FAST} {_RIGHT}"
"""Given as a session begins, which no pooler hands on to others."""
_BEGUN = (
    "SELECT current_setting('array_nulls') = 'on' AND starts_with(current_setting('datestyle'), 'ISO'), "
    "current_setting('plan_cache_mode')"
)
"""Whether values travel as they should, and how plans are made, in a session that has begun."""
_NO_OPTIONS = re.compile("startup parameter|command-line option")
"""How poolers refuse them."""


class PostgresBackend(ServerBackend):
    """PostgreSQL 13 or newer, through psycopg.

    Tables live in the schema `namespace`. Nothing depends on the state of a
    session but how fast it is, so a pooler in transaction mode may stand in between.
    """

    # A process that is stopped in between must not hold its locks for ever.
    _limits = (
        "SELECT set_config('idle_in_transaction_session_timeout', '10s', true), "
        "set_config('statement_timeout', '60s', true)"
    )

    def __init__(self, url: str, *, namespace: str = "perdure") -> None:
        super().__init__(POSTGRES, url, namespace=namespace)

    def _make(self) -> Engine:
        engine = super()._make()
        event.listen(engine, "do_connect", self._connect)
        return engine

    def _connect(
        self, dialect: Any, _: object, arguments: Sequence[Any], parameters: Mapping[str, Any]
    ) -> Any:
        """A connection that keeps its plans; None: as SQLAlchemy would, without."""
        if not self._prepares:
            return None
        own = parameters.get("options") or os.environ.get("PGOPTIONS", "")
        asked = {**parameters, "options": f"{own} {_SESSION}".strip()}
        try:
            return dialect.connect(*arguments, **asked)
        except dialect.loaded_dbapi.OperationalError as error:
            if not _NO_OPTIONS.search(str(error)):
                raise
            self._prepares = False
            return None

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
        # A pooler may have dropped what the session was to begin with, without a word.
        right, mode = connection.exec_driver_sql(_BEGUN).one()
        if not right:
            raise ConfigurationError(
                f"{self.where} has array_nulls off or a DateStyle that is not ISO, and a pooler "
                f"keeps sessions from saying otherwise: change it with ALTER DATABASE or ALTER ROLE"
            )
        # Else each execution gets a plan of its own.
        self._prepares &= mode == "force_generic_plan"

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

        channel = f"perdure_{self._namespace}"
        return PostgresWakeups(open=self._open, where=self.where, channel=channel)

    @contextmanager
    def _migrating(self, session: Session) -> Generator[None, None, None]:
        locks.prepare(session, self._namespace)
        with locks.row_locked(session):
            yield

    def migration_sql(self) -> str:
        first = locks.script(self.compiled.text, self._namespace)
        return first + super().migration_sql()
