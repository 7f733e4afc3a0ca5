"""News by `PRAGMA data_version`, which other connections' commits change."""

import threading
from collections.abc import Callable

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from perdure.backend import News, Wakeups
from perdure.errors import BackendUnavailable
from perdure_backends.sql.connections import discard

_GLANCE = 0.01
"""Seconds between two looks. One takes microseconds, no lock, and reads no file of the disk."""


@attrs.define(eq=False)
class SqliteWakeups(Wakeups):
    """Every commit is news, and tells nothing more than that."""

    _open: Callable[[], Connection]
    _where: str
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False)

    def publish(self, news: News) -> None:
        """The commit has said it already."""

    def listen(self, heard: Callable[[News], None], *, ready: Callable[[], None]) -> None:
        try:
            connection = self._open()
            try:
                self._hear(connection, heard, ready)
            finally:
                discard(connection)
        except DBAPIError as error:
            raise BackendUnavailable(self._where, str(error)) from error

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

    def close(self) -> None:
        self._stop.set()


def _version(connection: Connection) -> int:
    found = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    return int(found)
