"""Every statement that a backend sends passes here, and somebody decides what becomes of it."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

import attrs
from sqlalchemy import Connection, Engine, event

from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sql.link import Direct, driver_of
from perdure_backends.sql.runner import Lender


class Place(StrEnum):
    """Where a statement stands, which decides what can go wrong there."""

    BEGIN = "begin"
    INSIDE = "inside"
    """Within a transaction of several statements."""
    COMMIT = "commit"
    ROLLBACK = "rollback"
    ALONE = "alone"
    """It commits by itself, so its end is a COMMIT too."""


@attrs.frozen(eq=False)
class Statement:
    """One statement that is about to be sent."""

    text: str
    driver: Any
    """The driver's own connection."""
    run: Callable[[], object]
    """Send it and wait for the answer, as would have happened without us."""

    @property
    def place(self) -> Place:
        """Where it stands; ask before it runs."""
        word = self.text.lstrip().partition(" ")[0].upper()
        if word in {"BEGIN", "COMMIT", "ROLLBACK"}:
            return Place(word.lower())
        return Place.INSIDE if inside(self.driver) else Place.ALONE


class Interceptor(Protocol):
    """Who decides."""

    def lend(self) -> None:
        """A try begins: nothing is held yet, on the server or in this process."""
        ...

    def execute(self, statement: Statement) -> None:
        """Run the statement, or raise in its stead."""
        ...


def inside(driver: Any) -> bool:
    """Whether the driver's connection has a transaction open."""
    if isinstance(driver, sqlite3.Connection):
        return driver.in_transaction
    state: str = driver.info.transaction_status.name
    return state in {"INTRANS", "INERROR"}


def intercept(backend: SqlBackend, interceptor: Interceptor) -> None:
    """Give every statement of the backend's verbs to `interceptor`, which runs it or raises.

    What a connection sends while it is being opened does not belong to a verb.
    """
    if isinstance(backend.runner.connections, _Watched):
        raise TypeError(f"{backend!r} has an interceptor already")
    watched = _Watched(backend.runner.connections, interceptor)
    backend.runner = attrs.evolve(backend.runner, connections=watched)
    backend.reach = partial(_overheard, interceptor)


def _overheard(interceptor: Interceptor, connection: Connection) -> Direct:
    return Direct(_Driver(driver_of(connection), interceptor))


@attrs.frozen
class _Driver:
    """A driver's connection that tells of its statements."""

    _real: Any
    _interceptor: Interceptor

    def cursor(self) -> "_Cursor":
        """Another cursor that tells."""
        return _Cursor(self._real.cursor(), self._real, self._interceptor)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@attrs.frozen
class _Cursor:
    """A driver's cursor that tells."""

    _real: Any
    _driver: Any
    _interceptor: Interceptor

    def execute(self, text: str, parameters: Any) -> None:
        """Run a statement, if the interceptor does."""
        run = partial(self._real.execute, text, parameters)
        self._interceptor.execute(Statement(text, self._driver, run))

    def executemany(self, text: str, each: Any) -> None:
        """Run it for each, if the interceptor does."""
        run = partial(self._real.executemany, text, each)
        self._interceptor.execute(Statement(text, self._driver, run))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@attrs.define(eq=False)
class _Watched:
    """Lends what another lender has, with an ear on what SQLAlchemy runs on it: migrations."""

    _lender: Lender
    _interceptor: Interceptor
    _lent: set[Connection] = attrs.field(factory=set[Connection])
    _engine: Engine | None = None

    @contextmanager
    def lend(self) -> Generator[Connection, None, None]:
        """A connection whose statements go through the interceptor."""
        self._interceptor.lend()
        with self._lender.lend() as connection:
            self._listen(connection.engine)
            self._lent.add(connection)
            try:
                yield connection
            finally:
                self._lent.discard(connection)

    def _listen(self, engine: Engine) -> None:
        if self._engine is not engine:
            self._engine = engine
            event.listen(engine, "do_execute", self._execute)
            event.listen(engine, "do_executemany", self._execute_many)

    def _execute(self, cursor: Any, text: str, parameters: Any, context: Any) -> bool:
        send = partial(context.dialect.do_execute, cursor, text, parameters, context)
        return self._passed(Statement(text, cursor.connection, send), context)

    def _execute_many(self, cursor: Any, text: str, parameters: Any, context: Any) -> bool:
        send = partial(context.dialect.do_executemany, cursor, text, parameters, context)
        return self._passed(Statement(text, cursor.connection, send), context)

    def _passed(self, statement: Statement, context: Any) -> bool:
        ours = context.root_connection in self._lent
        if ours:
            self._interceptor.execute(statement)
        return ours
