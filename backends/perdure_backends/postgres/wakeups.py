"""News by LISTEN and NOTIFY, on one connection for each process that listens."""

import threading
from collections.abc import Callable
from typing import Any

import attrs
import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from perdure.backend import News, Wakeups
from perdure.errors import BackendUnavailable
from perdure_backends.sql.connections import discard

_GLANCE = 0.5
"""Seconds after which a listener looks whether it is to stop; nothing is sent for it."""


@attrs.define(eq=False)
class PostgresWakeups(Wakeups):
    """One channel for each namespace; the news are the payload."""

    _open: Callable[[], Connection]
    _publish: Callable[[str, dict[str, Any]], None]
    """Runs one statement on a connection of the backend's."""
    _channel: str
    _where: str
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False)

    def publish(self, news: News) -> None:
        # A notification makes a commit of its own, which need not be waited for.
        self._publish(
            "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%(channel)s, %(news)s)",
            {"channel": self._channel, "news": str(news)},
        )

    def listen(self, heard: Callable[[News], None], *, ready: Callable[[], None]) -> None:
        try:
            connection = self._open()
            try:
                self._hear(connection, heard, ready)
            finally:
                discard(connection)
        except (psycopg.Error, SQLAlchemyError, OSError) as error:
            raise BackendUnavailable(self._where, str(error)) from error

    def _hear(
        self, connection: Connection, heard: Callable[[News], None], ready: Callable[[], None]
    ) -> None:
        driver: Any = connection.connection.driver_connection
        driver.execute(f'LISTEN "{self._channel}"'.encode())
        ready()
        while not self._stop.is_set():
            for notice in driver.notifies(timeout=_GLANCE, stop_after=1):
                heard(_read(notice.payload))

    def close(self) -> None:
        self._stop.set()


def _read(payload: str) -> News:
    """News of a later version are news all the same."""
    return News(payload) if payload in set(News) else News.CHANGED
