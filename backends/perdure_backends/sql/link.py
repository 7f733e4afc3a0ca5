"""A connection as a session needs it, and our own: the driver's, past SQLAlchemy.

SQLAlchemy opens our connections and compiles our statements. To have it run them, too,
costs half as much again as all the rest of a commit of one step.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Protocol, Self

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


class Link(Protocol):
    """What runs the text of a statement."""

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        ...

    def rows(self, text: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """Run it; all rows of the answer, none if it has no answer."""
        ...

    def count(self, text: str, each: Sequence[Mapping[str, Any]]) -> int:
        """Run it for each of these parameters; how many rows it wrote in all."""
        ...


def has_answer(cursor: Any) -> bool:
    """Whether there is anything to fetch.

    To ask psycopg for the description would make an object of each column; its cursors have
    no row number where there are no rows. sqlite3 has none at all, and then fetches nothing.
    """
    return getattr(cursor, "rownumber", 0) is not None


def driver_of(connection: Connection) -> Any:
    """The driver's connection that SQLAlchemy has opened."""
    return connection.connection.driver_connection


@attrs.frozen
class Direct:
    """A connection of our own. Its errors are SQLAlchemy's all the same."""

    driver: Any

    @classmethod
    def beneath(cls, connection: Connection) -> Self:
        """What lies beneath one of SQLAlchemy's."""
        return cls(driver_of(connection))

    def rows(self, text: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        try:
            cursor = self.driver.cursor()
            cursor.execute(text, parameters or ())
            rows: Sequence[Any] = cursor.fetchall() if has_answer(cursor) else ()
        except self.driver.Error as error:
            self._fail(text, parameters, error)
        return rows

    def count(self, text: str, each: Sequence[Mapping[str, Any]]) -> int:
        try:
            cursor = self.driver.cursor()
            cursor.executemany(text, each)
            count: int = cursor.rowcount
        except self.driver.Error as error:
            self._fail(text, each, error)
        return count

    def _fail(self, text: str, parameters: Any, error: Exception) -> NoReturn:
        raise DBAPIError.instance(text, parameters, error, self.driver.Error) from error
