"""News by LISTEN and NOTIFY: who listens has a connection for it, and so has who tells."""

import secrets
import threading
from collections.abc import Callable
from typing import Any

import attrs
import psycopg
from sqlalchemy import Connection

from perdure.backend import News
from perdure.errors import BackendUnavailable
from perdure_backends.sql.connections import discard
from perdure_backends.sql.link import driver_of
from perdure_backends.sql.wakeups import SqlWakeups

_GLANCE = 0.5
"""Seconds after which a listener looks whether it is to stop; nothing is sent for it."""


@attrs.define(eq=False, kw_only=True)
class PostgresWakeups(SqlWakeups):
    """One channel for each namespace; the news and who tells them are the payload."""

    losses = (*SqlWakeups.losses, psycopg.Error)
    channel: str
    _sender: str = attrs.field(factory=lambda: secrets.token_hex(8), init=False)
    _line: Connection | None = attrs.field(default=None, init=False)
    """Who tells has it; between two that tell, an answer may be on its way."""
    _turn: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def publish(self, news: News) -> None:
        with self._turn:
            try:
                self._line = self._line or self.open()
                driver = driver_of(self._line)
                _clear(driver.pgconn)
                driver.execute(self._notify(news), prepare=False)
            except self.losses as error:
                self._hang_up()
                raise BackendUnavailable(self.where, str(error)) from error

    def tell(self, news: News) -> bool:
        if not self._turn.acquire(blocking=False):
            return False
        try:
            return self._line is not None and self._sent(driver_of(self._line).pgconn, news)
        except self.losses:
            self._hang_up()
            return False
        finally:
            self._turn.release()

    def close(self) -> None:
        super().close()
        if self._turn.acquire(timeout=_GLANCE):  # who holds it longer waits for a dead server
            self._hang_up()
            self._turn.release()

    def _sent(self, line: Any, news: News) -> bool:
        line.consume_input()
        line.consume_input()  # a server that hangs up has said why before
        if line.is_busy():  # with what was told last
            return False
        _clear(line)
        line.send_query(self._notify(news))
        return True

    def _notify(self, news: News) -> bytes:
        # It makes a commit of its own, which need not reach the disk. None of this is planned.
        notify = f"NOTIFY \"{self.channel}\", '{news} {self._sender}'"
        return f"SET LOCAL synchronous_commit = off; {notify}".encode()

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            discard(line)

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


def _clear(line: Any) -> None:
    """Take the answers that have come; waits for what is on its way."""
    while line.get_result() is not None:
        pass


def _read(news: str) -> News:
    """News of a later version are news all the same."""
    return News(news) if news in set(News) else News.CHANGED
