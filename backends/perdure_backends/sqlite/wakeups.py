"""News by `PRAGMA data_version`, which other connections' commits change."""

from collections.abc import Callable

import attrs
from sqlalchemy import Connection

from perdure.backend import News
from perdure_backends.sql.wakeups import SqlWakeups

_GLANCE = 0.01
"""Seconds between two looks. One takes microseconds, no lock, and reads no file of the disk."""


@attrs.define(eq=False, kw_only=True)
class SqliteWakeups(SqlWakeups):
    """Every commit is news, and tells nothing more than that."""

    def publish(self, news: News) -> None:
        """The commit has said it already."""

    def _hear(
        self, connection: Connection, heard: Callable[[News], None], ready: Callable[[], None]
    ) -> None:
        seen = _version(connection)
        ready()
        heard(News.CHANGED)
        while not self._stop.wait(_GLANCE):
            before, seen = seen, _version(connection)
            if seen != before:
                heard(News.CHANGED)


def _version(connection: Connection) -> int:
    found = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    return int(found)
