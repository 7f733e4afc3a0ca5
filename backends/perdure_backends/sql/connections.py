"""The connections of a backend: held open, one for each caller at a time."""

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

# Connections of the process that forked: closing them here would end them there.
_left_behind: list[Connection] = []


@attrs.define(eq=False)
class Connections:
    """A stack of idle connections; the one used last comes first.

    Nothing is checked when a connection is lent: a check is a round trip, and
    the connection may still break afterwards. Who finds one broken drops it.
    """

    _open: Callable[[], Connection]
    _spare: int = 8
    """How many idle ones are kept for the next burst of callers."""
    _idle: list[Connection] = attrs.field(factory=list[Connection])
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    _pid: int = attrs.field(factory=os.getpid)
    _age: int = 0

    def __repr__(self) -> str:
        return f"<Connections idle={len(self._idle)}>"

    @contextmanager
    def lend(self) -> Generator[Connection, None, None]:
        """A connection that nobody else uses; one that raised is not used again."""
        if os.getpid() != self._pid:
            self._forked()
        age = self._age
        connection = self._take() or self._open()
        try:
            yield connection
        except BaseException:
            discard(connection)
            raise
        self._give(connection, age)

    def drop(self) -> None:
        """Close what is idle, and what is lent as soon as it comes back."""
        if os.getpid() != self._pid:
            self._forked()
        with self._lock:
            idle, self._idle = self._idle, []
            self._age += 1
        for connection in idle:
            discard(connection)

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _give(self, connection: Connection, age: int) -> None:
        with self._lock:
            if age == self._age and len(self._idle) < self._spare:
                self._idle.append(connection)
                return
        discard(connection)

    def _forked(self) -> None:
        # The lock too: a thread of the parent may have held it at that moment.
        self._lock = threading.Lock()
        with self._lock:
            if os.getpid() != self._pid:
                _left_behind.extend(self._idle)
                self._idle = []
                self._pid = os.getpid()


@attrs.define(eq=False)
class Only:
    """One connection for everybody in turn: an in-memory database is nowhere else."""

    _open: Callable[[], Connection]
    _held: Connection | None = None
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    @contextmanager
    def lend(self) -> Generator[Connection, None, None]:
        """The connection, as soon as nobody else uses it."""
        with self._lock:
            if self._held is None:
                self._held = self._open()
            yield self._held

    def drop(self) -> None:
        """Nothing: the data would go with the connection."""


def discard(connection: Connection) -> None:
    """Close a connection, broken or not."""
    with suppress(SQLAlchemyError, OSError):
        connection.invalidate()
    with suppress(SQLAlchemyError, OSError):
        connection.close()
