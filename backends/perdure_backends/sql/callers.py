"""A caller's connection, of whichever library, as a session needs it."""

from collections.abc import Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any

import attrs
from sqlalchemy import Connection
from sqlalchemy.util import await_only

from .dialect import Dialect
from .link import driver_of, has_answer


@attrs.frozen
class Borrowed:
    """A connection of SQLAlchemy's."""

    _connection: Connection
    awaited = False

    @property
    def driver(self) -> Any:
        """The driver's connection below."""
        return driver_of(self._connection)

    def rows(self, text: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        result = self._connection.exec_driver_sql(text, dict(parameters) or None)
        return result.fetchall() if result.returns_rows else ()

    def count(self, text: str, each: Sequence[Mapping[str, Any]]) -> int:
        return self._connection.exec_driver_sql(text, [dict(one) for one in each]).rowcount


@attrs.frozen
class Native:
    """A cursor of a driver."""

    _cursor: Any

    @property
    def driver(self) -> Any:
        """The connection."""
        return self._cursor.connection

    @property
    def awaited(self) -> bool:
        """Whether its calls are awaited; then it works in a greenlet only."""
        return iscoroutinefunction(self._cursor.execute)

    def rows(self, text: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        self._over(self._cursor.execute(text, parameters or ()))
        if not has_answer(self._cursor):
            return ()
        rows: Sequence[Any] = self._over(self._cursor.fetchall())
        return rows

    def count(self, text: str, each: Sequence[Mapping[str, Any]]) -> int:
        self._over(self._cursor.executemany(text, each))
        count: int = self._cursor.rowcount
        return count

    def _over(self, answer: Any) -> Any:
        return await_only(answer) if self.awaited else answer


def joined(given: object, dialect: Dialect) -> Borrowed | Native | None:
    """The caller's connection; None if it is of no use.

    It is SQLAlchemy's, if its driver takes parameters as ours does, or the driver's own.
    """
    cursor = dialect.cursor(given)
    if cursor is not None:
        return Native(cursor)
    connection = _connection(given)
    if connection is None:
        return None
    theirs: Any = connection.dialect
    ours: Any = dialect.compiler()
    same = (theirs.name, theirs.default_paramstyle) == (ours.name, ours.default_paramstyle)
    return Borrowed(connection) if same else None


def _connection(given: object) -> Connection | None:
    from sqlalchemy.orm import Session, scoped_session  # noqa: PLC0415 (few have loaded it)

    if isinstance(given, Session | scoped_session):
        return given.connection()
    return given if isinstance(given, Connection) else None
