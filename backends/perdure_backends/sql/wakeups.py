"""Listening on a connection of one's own, until it is lost or nobody wants to hear any more."""

import threading
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from perdure.backend import News, Wakeups
from perdure.errors import BackendUnavailable

from .connections import discard


@attrs.define(eq=False, kw_only=True)
class SqlWakeups(Wakeups):
    """Wakeups whose listener holds a connection; how it hears on it, a database says."""

    losses: ClassVar[tuple[type[Exception], ...]] = (SQLAlchemyError, OSError)
    """What is raised when the connection is lost."""
    open: Callable[[], Connection]
    where: str
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False)

    def listen(self, heard: Callable[[News], None], *, ready: Callable[[], None]) -> None:
        try:
            connection = self.open()
            try:
                self._hear(connection, heard, ready)
            finally:
                discard(connection)
        except self.losses as error:
            raise BackendUnavailable(self.where, str(error)) from error

    @abstractmethod
    def _hear(
        self, connection: Connection, heard: Callable[[News], None], ready: Callable[[], None]
    ) -> None:
        """Hear on this connection until `_stop` is set."""

    def close(self) -> None:
        self._stop.set()
