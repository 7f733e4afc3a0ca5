"""A caller's connection, of whichever library, as statements need it."""

from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import Any, Self

import attrs
from sqlalchemy import Connection
from sqlalchemy.util import await_only

from .dialect import Dialect


@attrs.frozen
class Borrowed:
    """A connection of SQLAlchemy's."""

    _connection: Connection
    awaited = False

    @property
    def driver(self) -> Any:
        """The driver's connection below."""
        return self._connection.connection.driver_connection

    def exec_driver_sql(self, text: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Run a statement."""
        return self._connection.exec_driver_sql(text, dict(parameters) if parameters else None)


@attrs.frozen
class Native:
    """A driver's own cursor, which answers as SQLAlchemy's results do."""

    _cursor: Any

    @property
    def driver(self) -> Any:
        """The connection."""
        return self._cursor.connection

    @property
    def awaited(self) -> bool:
        """Whether its calls are awaited; then it works in a greenlet only."""
        return iscoroutinefunction(self._cursor.execute)

    @property
    def returns_rows(self) -> bool:
        """Whether the last statement has an answer."""
        return self._cursor.description is not None

    def exec_driver_sql(self, text: str, parameters: Mapping[str, Any] | None = None) -> Self:
        """Run a statement; its answer is to be fetched before the next."""
        self._over(self._cursor.execute(text, parameters or ()))
        return self

    def fetchall(self) -> list[Any]:
        """All rows of the answer."""
        rows: list[Any] = self._over(self._cursor.fetchall())
        return rows

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
