"""News by LISTEN and NOTIFY, on one connection for each process that listens."""

import secrets
from collections.abc import Callable
from typing import Any

import attrs
import psycopg
from sqlalchemy import Connection

from perdure.backend import News
from perdure_backends.sql.link import driver_of
from perdure_backends.sql.wakeups import SqlWakeups

_GLANCE = 0.5
"""Seconds after which a listener looks whether it is to stop; nothing is sent for it."""


@attrs.define(eq=False, kw_only=True)
class PostgresWakeups(SqlWakeups):
    """One channel for each namespace; the news and who tells them are the payload."""

    losses = (*SqlWakeups.losses, psycopg.Error)
    execute: Callable[[str, dict[str, Any]], None]
    """Runs one statement on a connection of the backend's."""
    channel: str
    _sender: str = attrs.field(factory=lambda: secrets.token_hex(8), init=False)

    def publish(self, news: News) -> None:
        # A notification makes a commit of its own, which need not be waited for.
        self.execute(
            "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%(channel)s, %(news)s)",
            {"channel": self.channel, "news": f"{news} {self._sender}"},
        )

    def _hear(
        self, connection: Connection, heard: Callable[[News], None], ready: Callable[[], None]
    ) -> None:
        driver = driver_of(connection)
        driver.execute(f'LISTEN "{self.channel}"'.encode())
        ready()
        while not self._stop.is_set():
            for notice in driver.notifies(timeout=_GLANCE, stop_after=1):
                news, _, sender = notice.payload.partition(" ")
                if sender != self._sender:
                    heard(_read(news))


def _read(news: str) -> News:
    """News of a later version are news all the same."""
    return News(news) if news in set(News) else News.CHANGED
